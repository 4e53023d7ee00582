/** Calls of actions through the engine: unary and streamed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fault } from "@mecha/kit";
import { settle } from "@mecha/kit/testing";
import type { StreamedCall } from "../engine.ts";
import type { CallContext, ClientAction, ComponentMethod, SideEffect } from "../model.ts";
import { Bench } from "../testing/bench.ts";
import { component, payload, replies, type Script, textOf } from "../testing/function.ts";

const shapes = {
  One: { streamedIn: false, streamedOut: false },
  In: { streamedIn: true, streamedOut: false },
  Out: { streamedIn: false, streamedOut: true },
  Both: { streamedIn: true, streamedOut: true },
};
type Shape = keyof typeof shapes;

function open(script: Script = {}, options = {}): Bench {
  return new Bench(script, options, (port) => {
    const desk = component(port, "shop.Desk", "action", { methodNames: Object.keys(shapes) });
    const methods = new Map<string, ComponentMethod>();
    for (const [name, method] of desk.methods) methods.set(name, { ...method, ...shapes[name as Shape] });
    return [{ ...desk, methods }, component(port, "shop.Cart")];
  });
}

function call(bench: Bench, body: string, name: Shape = "One", context: Partial<CallContext> = {}) {
  return bench.send({ name, payload: payload(body), metadata: [["k", "v"]] }, context, "shop.Desk");
}

function stream(bench: Bench, name: Shape, context: Partial<CallContext> = {}) {
  const seen: string[] = [];
  const started: StreamedCall = bench.engine.stream(
    "shop.Desk",
    name,
    { hops: 0, ...context },
    {
      reply: (reply) => seen.push(textOf(reply.payload)),
      drain: () => seen.push("drain"),
      closed: (fault) => seen.push(fault ? `closed ${fault.code}: ${fault.message}` : "closed"),
    },
  );
  return { call: started, seen };
}

const send = (bench: Bench) => bench.function.lastCall;
const toOne = (body: string, synchronous = false): SideEffect => ({
  service: "shop.Desk",
  command: "One",
  payload: payload(body),
  synchronous,
});
const forwardToOne = (body: string): ClientAction => ({ do: "forward", service: "shop.Desk", command: "One", payload: payload(body) });
const fail: ClientAction = { do: "fail", description: "expected failure", restart: false };
const encode = (text: string): Uint8Array => payload(text).value;

// ---- unary --------------------------------------------------------------------------------------------------------------------------

test("a unary call sends one message, half-closes, and answers with the response", async () => {
  await using bench = open();
  const asked = call(bench, "one");
  const { messages, halfClosed, open: opened } = send(bench);
  assert.deepEqual([messages, halfClosed, opened], [["one"], true, { metadata: [["k", "v"]], timeoutMs: 60_000 }]);
  send(bench).respond(replies("two"));
  send(bench).to.closed(0, "");
  assert.equal(asked.outcome, "two");
  assert.equal(await bench.engine.drain(0), 0, "nothing is left open");
});

test("effects and forwards of a unary call: P6", async () => {
  await using bench = open({ action: (made) => made.messages[0] !== "start" && made.respond(replies(`${made.messages[0]} done`)) });
  const asked = call(bench, "start");
  const first = send(bench);
  first.respond(forwardToOne("other"), [toOne("sync", true), toOne("another")]);
  await settle();
  assert.deepEqual(
    bench.function.calls.map(({ messages }) => messages[0]),
    ["start", "sync", "another", "other"],
  );
  assert.equal(asked.outcome, "other done");
});

for (const { name, end, outcome } of [
  { name: "a failure: its description, UNKNOWN", end: (b: Bench) => send(b).respond(fail), outcome: "unknown: expected failure" },
  {
    name: "a status of the function's own passes through",
    end: (b: Bench) => send(b).to.closed(9, "not now"),
    outcome: "precondition: not now",
  },
  { name: "a function that is gone is unavailable", end: (b: Bench) => send(b).to.closed(14, "refused"), outcome: "unavailable: refused" },
  { name: "no reply answers nothing", end: (b: Bench) => send(b).respond({ do: "nothing" }), outcome: "" },
  {
    name: "an end without response",
    end: (b: Bench) => send(b).to.closed(0, ""),
    outcome: "internal: shop.Desk.One: the function ended the call without a response",
  },
]) {
  test(`unary: ${name}`, async () => {
    await using bench = open();
    const asked = call(bench, "x");
    end(bench);
    await settle();
    assert.equal(asked.outcome, outcome);
    assert.equal(asked.answers, 1);
  });
}

test("a unary call without deadline gets 60 s; with one, that", async () => {
  await using bench = open();
  const [slow, fast] = [call(bench, "slow"), call(bench, "fast", "One", { deadlineMs: 500 })];
  await bench.clock.advance(510);
  assert.match(fast.outcome, /^deadline: shop\.Desk\.One: the caller's deadline passed/);
  assert.equal(slow.outcome, "open");
  assert.deepEqual(
    bench.function.calls.map(({ cancelled }) => cancelled),
    [false, true],
  );
  assert.equal(bench.function.calls[1]?.open.timeoutMs, 500);
  await bench.clock.advance(59_500);
  assert.equal(slow.outcome, "deadline: shop.Desk.One: no response within 60 s");
});

test("a unary caller who goes away cancels the call", async () => {
  await using bench = open();
  const controller = new AbortController();
  const asked = call(bench, "x", "One", { signal: controller.signal });
  controller.abort();
  assert.match(asked.outcome, /^cancelled/);
  assert.equal(send(bench).cancelled, true);
  send(bench).respond(replies("late"));
  await settle();
  assert.equal(asked.answers, 1);
});

test("a unary call of a streamed-out method: the first response answers, the effects of all run", async () => {
  await using bench = open({ action: (made) => made.method.name === "One" && made.respond(replies("x")) });
  const asked = call(bench, "x", "Out");
  const out = send(bench);
  out.respond(replies("first"));
  out.respond(replies("second"), [toOne("effect")]);
  out.to.closed(0, "");
  await settle();
  assert.equal(asked.outcome, "first");
  assert.equal(bench.function.calls.length, 2);
});

test("actionCallsMax bounds open calls, unary and streamed", async () => {
  await using bench = open({}, { actionCallsMax: 2 });
  const first = call(bench, "x");
  stream(bench, "Both");
  assert.match(call(bench, "y").outcome, /^exhausted: 2 calls of actions are open \(actionCallsMax\)/);
  bench.function.calls[0]?.respond(replies("done"));
  assert.equal(first.outcome, "done");
  assert.equal(call(bench, "z").outcome, "open");
});

// ---- streamed -----------------------------------------------------------------------------------------------------------------------

test("messages and responses pass both ways; both ends close: P5", async () => {
  await using bench = open();
  const { call: caller, seen } = stream(bench, "Both");
  for (const text of ["X", "Y"]) {
    assert.equal(caller.message(encode(text)), true);
    send(bench).respond(replies(text.toLowerCase()));
  }
  caller.halfClose();
  assert.equal(send(bench).halfClosed, true);
  send(bench).to.closed(0, "");
  assert.deepEqual(send(bench).messages, ["X", "Y"]);
  assert.deepEqual(seen, ["x", "y", "closed"]);
});

test("a forward within a stream answers in its place; no reply emits nothing but runs its effects: P7", async () => {
  await using bench = open();
  const { seen } = stream(bench, "Both");
  const duplex = send(bench);
  duplex.respond(replies("1"));
  duplex.respond(forwardToOne("2"));
  duplex.respond({ do: "nothing" }, [toOne("effect")]);
  duplex.respond(replies("3"));
  duplex.to.closed(0, "");
  await settle();
  assert.deepEqual(seen, ["1"], "what comes after waits for the forward");
  assert.equal(duplex.paused, true, "and the function is held back");
  bench.function.calls[1]?.respond(replies("2 forwarded"));
  await settle();
  assert.deepEqual(seen, ["1", "2 forwarded", "3", "closed"]);
  assert.deepEqual(
    bench.function.calls.map(({ messages }) => messages),
    [[], ["2"], ["effect"]],
  );
});

test("the function is let go on when the forward is answered", async () => {
  await using bench = open();
  stream(bench, "Both");
  const duplex = send(bench);
  duplex.respond(forwardToOne("x"));
  assert.equal(duplex.paused, true);
  bench.function.calls[1]?.respond(replies("x"));
  assert.equal(duplex.paused, false);
});

test("a failure ends the caller's stream with its description and cancels the request side: P9", async () => {
  await using bench = open();
  const { call: caller, seen } = stream(bench, "Both");
  const duplex = send(bench);
  duplex.respond(replies("1"));
  duplex.respond(fail);
  duplex.respond(replies("never"));
  assert.deepEqual(seen, ["1", "closed unknown: expected failure"]);
  assert.equal(duplex.cancelled, true);
  assert.equal(caller.message(encode("late")), true);
  assert.deepEqual(duplex.messages, []);
});

test("back-pressure goes both ways", async () => {
  await using bench = open();
  const { call: caller, seen } = stream(bench, "Both");
  const duplex = send(bench);
  duplex.room = false;
  assert.equal(caller.message(encode("x")), false);
  duplex.to.drain();
  assert.deepEqual(seen, ["drain"]);
  caller.pause();
  assert.equal(duplex.paused, true);
  duplex.respond(forwardToOne("y"));
  bench.function.calls[1]?.respond(replies("y"));
  assert.equal(duplex.paused, true, "the caller still asks to wait");
  caller.resume();
  assert.equal(duplex.paused, false);
});

for (const { name, act, seen: expected, cancelled } of [
  {
    name: "the function's own status passes through",
    act: (_c: StreamedCall, b: Bench) => send(b).to.closed(5, "no such desk"),
    seen: ["closed notFound: no such desk"],
    cancelled: false,
  },
  {
    name: "after cancel nothing follows",
    act: (c: StreamedCall, b: Bench) => (c.cancel(), send(b).respond(replies("late"))),
    seen: [],
    cancelled: true,
  },
] as const) {
  test(`streamed: ${name}`, async () => {
    await using bench = open();
    const { call: caller, seen } = stream(bench, "Both");
    act(caller, bench);
    await settle();
    assert.deepEqual(seen, expected);
    assert.equal(send(bench).cancelled, cancelled);
    assert.equal(await bench.engine.drain(0), 0);
  });
}

test("a method that takes one message refuses a second", async () => {
  await using bench = open();
  const { call: caller, seen } = stream(bench, "Out");
  caller.message(encode("a"));
  caller.message(encode("b"));
  assert.deepEqual(seen, ["closed invalid: shop.Desk.Out takes one message; a second one arrived"]);
  assert.equal(send(bench).cancelled, true);
});

test("a streamed call ends at its deadline and when its caller's signal aborts; it has no time limit of its own", async () => {
  await using bench = open();
  const controller = new AbortController();
  const timed = stream(bench, "Both", { deadlineMs: 100 });
  const aborted = stream(bench, "Both", { signal: controller.signal });
  const endless = stream(bench, "Both");
  controller.abort();
  await bench.clock.advance(600_000);
  assert.match(timed.seen[0] ?? "", /^closed deadline/);
  assert.match(aborted.seen[0] ?? "", /^closed cancelled/);
  assert.deepEqual(endless.seen, []);
});

for (const { name, service, method, closed } of [
  { name: "an unknown service", service: "shop.None", method: "One", closed: "unimplemented: no component serves shop.None" },
  {
    name: "an entity",
    service: "shop.Cart",
    method: "Do",
    closed: "unimplemented: shop.Cart.Do is a command of an entity: call it, it has no stream",
  },
]) {
  test(`a streamed call of ${name} is closed, from an empty stack`, async () => {
    await using bench = open();
    const faults: (Fault | undefined)[] = [];
    const refused = bench.engine.stream(service, method, { hops: 0 }, { reply() {}, drain() {}, closed: (fault) => faults.push(fault) });
    assert.equal(refused.message(encode("x")), true);
    assert.equal(faults.length, 0);
    await settle();
    assert.deepEqual(
      faults.map((fault) => `${fault?.code}: ${fault?.message}`),
      [closed],
    );
  });
}

test("drain waits for streamed calls, then cuts them off", async () => {
  await using bench = open();
  const { seen } = stream(bench, "Both");
  const asked = call(bench, "x");
  const drained = bench.engine.drain(100);
  await bench.clock.advance(110);
  assert.equal(await drained, 2);
  assert.match(seen[0] ?? "", /^closed unavailable/);
  assert.match(asked.outcome, /^unavailable/);
  assert.ok(bench.function.calls.every(({ cancelled }) => cancelled));
});
