/** An entity's past is asked without a trace in its present. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, type FaultCode } from "@mecha/kit";
import { FakeClock, settle } from "@mecha/kit/testing";
import { askShadow, shadowMaxMs } from "./shadow.ts";
import { command, component, payload, replies, type Script, ScriptedFunction, textOf } from "./testing/function.ts";
import { ScriptedStore } from "./testing/store.ts";

const address = { namespace: "default", service: "shop.Cart", persistenceId: "shop.cart", entityId: "c1" };

const isFault =
  (code: FaultCode, message: RegExp) =>
  (error: unknown): boolean =>
    error instanceof Fault && error.code === code && message.test(error.message);

/** Five events a…e with a snapshot of the first three. */
function world(script: Script) {
  const store = new ScriptedStore();
  const entity = store.entity(address, "eventSourced");
  ["a", "b", "c", "d", "e"].forEach((letter, index) => {
    entity.events.push({ sequence: index + 1, payload: payload(letter), timeMs: 0, cause: "Do" });
  });
  entity.sequence = 5;
  entity.snapshot = { sequence: 3, payload: payload("abc") };
  const clock = new FakeClock();
  const port = new ScriptedFunction(script);
  const ask = (sequence: number) =>
    askShadow({ component: component(port), address, sequence, command: command("c1", "?") }, { store, clock });
  return { store, clock, port, ask };
}

/** Answers with everything it was told, and wants a lot done beside. */
const telling: Script = {
  command: (stream) => ({
    action: replies(`${stream.init.kind === "eventSourced" ? textOf(stream.init.snapshot?.payload) : ""}|${stream.events.join(" ")}`),
    events: ["f"],
    snapshot: "abcdef",
    effects: [{ service: "shop.Cart", command: "Do", payload: payload("c2|x"), synchronous: true }],
  }),
};

for (const [sequence, told] of [
  [0, "|"],
  [2, "|1:a 2:b"],
  [3, "abc|"],
  [5, "abc|4:d 5:e"],
] as const) {
  test(`at ${sequence} the function has heard ${told}, and nothing it wants is done`, async () => {
    const { store, port, ask } = world(telling);
    const action = await ask(sequence);
    assert.equal(action.do === "reply" ? textOf(action.payload) : action.do, told);
    assert.deepEqual(store.groups, []);
    assert.equal(store.handles, 0);
    assert.equal(port.streams.length, 1);
    assert.equal(port.last.live, false);
  });
}

test("a history is replayed at the pace the function takes it", async () => {
  const { port, ask } = world(telling);
  const answer = ask(2);
  await settle();
  const stream = port.last;
  stream.room = false;
  await settle();
  stream.room = true;
  stream.to.drain();
  const action = await answer;
  assert.equal(action.do === "reply" ? textOf(action.payload) : action.do, "|1:a 2:b");
});

test("what has not happened cannot be asked; nor can what has no events", async () => {
  const { store, clock, port, ask } = world(telling);
  await assert.rejects(ask(6), isFault("outOfRange", /has 5 events/));
  const value = component(port, "shop.Cart", "value");
  const question = { component: value, address, sequence: 1, command: command("c1") };
  await assert.rejects(askShadow(question, { store, clock }), isFault("precondition", /keeps no events/));
  assert.equal(store.handles, 0);
});

test("a function that is down, fails, or says nothing is told", async () => {
  const down = world({});
  down.port.down = "connection refused";
  await assert.rejects(down.ask(2), isFault("unavailable", /connection refused/));
  const mute = world({ command: () => undefined });
  const waiting = assert.rejects(mute.ask(2), isFault("deadline", /did not answer/));
  await settle();
  await mute.clock.advance(shadowMaxMs);
  await waiting;
  assert.equal(mute.store.handles, 0);
  assert.equal(mute.clock.pending, 0);
});
