import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import type { Answer } from "./engine.ts";
import { describeOrigin } from "./envelope.ts";
import type { CallContext, ClientAction, SideEffect } from "./model.ts";
import { payload, replies, textOf } from "./testing/function.ts";
import { type Dispatcher, Tail } from "./tail.ts";

interface Sent {
  readonly to: string;
  readonly context: CallContext;
  readonly chain: string;
  readonly answer: Answer;
}

function effect(to: string, synchronous: boolean): SideEffect {
  const [service = "", command = ""] = to.split("/");
  return { service, command, payload: payload("x"), synchronous };
}

function setUp(action: ClientAction, effects: readonly SideEffect[], context: CallContext = { hops: 0 }) {
  const sent: Sent[] = [];
  const errors: string[] = [];
  const done: string[] = [];
  const dispatcher: Dispatcher = {
    dispatch(service, command, forwarded, origin, answer) {
      if (service === "nobody") return false;
      sent.push({ to: `${service}/${command.name}`, context: forwarded, chain: describeOrigin(origin), answer });
      return true;
    },
  };
  const before = { by: "forwarded from" as const, service: "shop.Desk", command: "Buy", before: undefined };
  const source = { service: "shop.Cart", commandName: "Add", context, origin: before, reportError: (text: string) => errors.push(text) };
  new Tail(dispatcher, source, action, effects, (fault, reply) => {
    done.push(fault ? `${fault.code}: ${fault.message}` : textOf(reply?.payload));
  }).run();
  return { sent, errors, done, names: () => sent.map(({ to }) => to) };
}

test("T1: synchronous effects are awaited one by one, asynchronous ones only started, the reply comes last", () => {
  const { sent, done, names } = setUp(replies("ok"), [
    effect("a/A", true),
    effect("b/B", false),
    effect("c/C", true),
    effect("d/D", false),
  ]);
  assert.deepEqual(names(), ["a/A"]);
  sent[0]?.answer(undefined, {});
  assert.deepEqual(names(), ["a/A", "b/B", "c/C"]);
  assert.deepEqual(done, []);
  sent[2]?.answer(undefined, {});
  assert.deepEqual(names(), ["a/A", "b/B", "c/C", "d/D"]);
  assert.deepEqual(done, ["ok"]);
});

test("T2: an effect that fails changes nothing", () => {
  const { sent, done } = setUp(replies("ok"), [effect("a/A", true)]);
  sent[0]?.answer(new Fault("notFound", "no"), undefined);
  assert.deepEqual(done, ["ok"]);
});

test("T2: a synchronous effect to nobody fails the command and stops there; the function is told the chain", () => {
  const { done, errors, names } = setUp(replies("ok"), [effect("nobody/X", true), effect("b/B", false)]);
  const chain = "side effect of shop.Cart.Add, forwarded from shop.Desk.Buy";
  assert.deepEqual(done, [`unknown: nobody.X does not exist: ${chain}`]);
  assert.match(errors[0] ?? "", /nobody\.X does not exist: side effect of shop\.Cart\.Add, forwarded from shop\.Desk\.Buy\. Check/);
  assert.deepEqual(names(), []);
});

test("T2: an asynchronous effect to nobody is only reported", () => {
  const { done, errors, names } = setUp(replies("ok"), [effect("nobody/X", false), effect("b/B", false)]);
  assert.deepEqual(done, ["ok"]);
  assert.equal(errors.length, 1);
  assert.deepEqual(names(), ["b/B"]);
});

test("T3: effects run before a failure; its code is UNKNOWN unless the function chose one", () => {
  const plain = setUp({ do: "fail", description: "sold out", restart: false }, [effect("a/A", true)]);
  assert.deepEqual(plain.done, []);
  plain.sent[0]?.answer(undefined, {});
  assert.deepEqual(plain.done, ["unknown: sold out"]);
  const chosen = setUp({ do: "fail", description: "sold out", restart: false, grpcCode: 9 }, []);
  assert.deepEqual(chosen.done, ["precondition: sold out"]);
});

test("a forward answers in the reply's place, with a hop more and the caller's deadline, trace and signal", () => {
  const { signal } = new AbortController();
  const forward: ClientAction = { do: "forward", service: "b", command: "B", payload: payload("x") };
  const { sent, done } = setUp(forward, [effect("a/A", true), effect("c/C", false)], { hops: 3, deadlineMs: 99, trace: "t", signal });
  assert.deepEqual(sent[0]?.context, { hops: 4, deadlineMs: 99, trace: "t" });
  sent[0]?.answer(undefined, {});
  assert.deepEqual(sent[1]?.context, { hops: 4, trace: "t" }, "nobody waits for an asynchronous effect");
  assert.deepEqual(sent[2]?.context, { hops: 4, deadlineMs: 99, trace: "t", signal });
  assert.equal(sent[2]?.chain, "forwarded from shop.Cart.Add, forwarded from shop.Desk.Buy");
  sent[2]?.answer(undefined, replies("from b") as { payload: ReturnType<typeof payload> });
  assert.deepEqual(done, ["from b"]);
});

test("a forward to nobody fails the command and is reported", () => {
  const { done, errors } = setUp({ do: "forward", service: "nobody", command: "B", payload: payload("x") }, []);
  assert.match(done[0] ?? "", /^unknown: nobody\.B does not exist: forwarded from shop\.Cart\.Add/);
  assert.equal(errors.length, 1);
});

test("nothing answers nothing", () => {
  assert.deepEqual(setUp({ do: "nothing" }, []).done, [""]);
});
