/** What the log says of failures: one line each, with entity, command and cause; nothing of what the user's code chose. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { explain } from "@mecha/kit";
import { settle } from "@mecha/kit/testing";
import { Bench } from "./testing/bench.ts";
import { command, component } from "./testing/function.ts";

const lines = (bench: Bench): string[] =>
  bench.log.lines.map(
    ({ level, message, fields }) =>
      `${level}: ${message}: ${String(fields["entity"])} ${String(fields["command"])}: ${explain(fields["cause"])}`,
  );

for (const [what, breaking, expected] of [
  [
    "a failure the function declared",
    (bench: Bench) => bench.function.last.to.failure({ commandId: 1, description: "out of paper" }),
    "warn: function declared a failure: shop.Cart/1 Do: out of paper",
  ],
  [
    "a broken protocol",
    (bench: Bench) => bench.function.last.to.violation("not a message"),
    "warn: function broke the protocol: shop.Cart/1 Do: not a message",
  ],
  [
    "a wrong reply",
    (bench: Bench) => bench.function.last.reply({}, 77),
    "warn: function broke the protocol: shop.Cart/1 Do: reply for command 77, expected one for 1",
  ],
  [
    "a crash under a command",
    (bench: Bench) => bench.function.last.end("ECONNRESET"),
    "warn: function ended its stream under a command: shop.Cart/1 Do: ECONNRESET",
  ],
] as const) {
  test(`${what} is one line, with entity, command and cause`, async () => {
    await using bench = new Bench();
    const asked = bench.send(command("1", "x"));
    await settle();
    breaking(bench);
    await settle();
    assert.equal(asked.answers, 1);
    assert.deepEqual(lines(bench), [expected]);
  });
}

test("a function that does not answer is one line", async () => {
  await using bench = new Bench({}, { commandTimeoutMs: 1_000 });
  bench.send(command("1", "x"));
  await bench.clock.advance(1_500);
  assert.deepEqual(lines(bench), ["warn: function did not answer in time: shop.Cart/1 Do: no answer within 1 s"]);
});

test("a failure the user's code chose is the caller's answer, and no line", async () => {
  await using bench = new Bench();
  const asked = bench.send(command("1", "x"));
  await settle();
  bench.function.last.reply({ action: { do: "fail", description: "sold out", restart: false } });
  await settle();
  assert.match(asked.outcome, /sold out/);
  assert.deepEqual(lines(bench), []);
});

test("an action's call whose function is lost, or answers nothing, is one line; a status of the user's own is none", async () => {
  for (const [code, text, expected] of [
    [14, "refused", ["call of an action failed: shop.Desk Do: refused"]],
    [0, "", ["call of an action failed: shop.Desk Do: shop.Desk.Do: the function ended the call without a response"]],
    [9, "sold out", []],
  ] as const) {
    await using bench = new Bench({}, {}, (port) => [component(port, "shop.Desk", "action")]);
    bench.send(command("1", "x"), {}, "shop.Desk");
    await settle();
    bench.function.lastCall.to.closed(code, text);
    await settle();
    const said = bench.log.lines.map(
      ({ message, fields }) => `${message}: ${String(fields["service"])} ${String(fields["command"])}: ${explain(fields["cause"])}`,
    );
    assert.deepEqual(said, expected);
  }
});
