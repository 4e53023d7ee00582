import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import { FakeClock, settle } from "@mecha/kit/testing";
import { Metadata } from "../metadata.ts";
import type { CallHandler, RpcStatus, ServerCall } from "../rpc.ts";
import { type AnswerForm, type ExchangeCallSpec, runExchangeCall } from "./exchange-call.ts";
import { RecordedExchange } from "./testing.ts";

/** Messages as text with a blank behind; the status at the end. */
const form: AnswerForm = {
  headers: () => ({ "content-type": "text/plain" }),
  message: (bytes) => {
    if (bytes.length === 0) throw new Fault("invalid", "empty");
    return `${Buffer.from(bytes).toString()} `;
  },
  end: (status) => (status.code === 13 ? undefined : `=${status.code}`),
};
const bytes = (text: string): Uint8Array => Buffer.from(text);

interface Heard {
  readonly events: string[];
  call: ServerCall;
}

function begin(requests: readonly string[], more: Partial<ExchangeCallSpec> = {}, handler?: CallHandler) {
  const exchange = new RecordedExchange("/s/m", {});
  const clock = new FakeClock();
  const errors: unknown[] = [];
  const heard: Heard = { events: [], call: undefined as never };
  const rest = [...requests];
  const record: CallHandler = (call) => {
    heard.call = call;
    return {
      message: (message) => heard.events.push(`message ${Buffer.from(message).toString()}`),
      halfClose: () => heard.events.push("halfClose"),
      cancelled: (reason) => heard.events.push(`cancelled ${reason}`),
      drain: () => heard.events.push("drain"),
    };
  };
  const spec = { path: "/s/m", metadata: Metadata.empty, deadlineMs: undefined, form, clock, onError: (e: unknown) => errors.push(e) };
  runExchangeCall(exchange, { ...spec, ...more }, handler ?? record, () => {
    const next = rest.shift();
    return next === undefined ? undefined : bytes(next);
  });
  return { exchange, clock, errors, heard };
}

test("an answer given in one turn goes out whole; a longer one is streamed", async () => {
  const whole = begin(["a"]);
  whole.heard.call.send(bytes("x"));
  whole.heard.call.end();
  assert.deepEqual([whole.exchange.how, whole.exchange.bytes.toString()], ["whole", "x =0"]);

  const long = begin(["a"]);
  long.heard.call.send(bytes("x"));
  await settle();
  assert.deepEqual([long.exchange.how, long.exchange.bytes.toString()], ["streaming", "x "]);
  long.heard.call.send(bytes("y"));
  long.heard.call.end();
  assert.deepEqual([long.exchange.how, long.exchange.bytes.toString()], ["ended", "x y =0"]);
});

test("a paused handler gets no message until it resumes, and then not inside resume", async () => {
  const { heard } = begin(["a", "b"], {}, (call) => {
    heardLater.call = call;
    call.pause();
    return {
      message: (message) => heardLater.events.push(Buffer.from(message).toString()),
      halfClose: () => heardLater.events.push("end"),
    };
  });
  assert.deepEqual([heard.events, heardLater.events], [[], []]);
  heardLater.call.resume();
  assert.deepEqual(heardLater.events, []);
  await settle();
  assert.deepEqual(heardLater.events, ["a", "b", "end"]);
});
const heardLater: Heard = { events: [], call: undefined as never };

test("a slow client is told to the handler, and its return too", async () => {
  const { exchange, heard } = begin([]);
  heard.call.sendHeaders();
  await settle();
  exchange.room = false;
  assert.equal(heard.call.send(bytes("x")), false);
  exchange.drain();
  assert.deepEqual(heard.events, ["halfClose", "drain"]);
});

test("a client that leaves cancels the call once; nothing follows", async () => {
  const { exchange, heard } = begin(["a"]);
  exchange.leave();
  exchange.leave();
  heard.call.send(bytes("x"));
  heard.call.end();
  await settle();
  assert.deepEqual(heard.events, ["message a", "halfClose", "cancelled cancelled"]);
  assert.equal(exchange.how, "not");
});

test("the caller's deadline ends the call with status 4 and tells the handler", async () => {
  const { exchange, heard, clock } = begin(["a"], { deadlineMs: 100 });
  await clock.advance(100);
  assert.deepEqual([exchange.bytes.toString(), heard.events.at(-1)], ["=4", "cancelled deadline"]);
});

test("a call that ended leaves no timer and hears of no leaving client", () => {
  const { exchange, heard, clock } = begin(["a"], { deadlineMs: 100 });
  heard.call.end();
  exchange.leave();
  assert.deepEqual([clock.pending, heard.events], [0, ["message a", "halfClose"]]);
});

test("an end the form has no words for breaks the answer off, also when nothing was sent", async () => {
  const late = begin([]);
  late.heard.call.send(bytes("x"));
  await settle();
  late.heard.call.end({ code: 13, message: "no" });
  assert.equal(late.exchange.how, "aborted");
  const early = begin([]);
  early.heard.call.end({ code: 13, message: "no" });
  assert.equal(early.exchange.how, "aborted");
});

test("a failure before the first message takes the form's refusal, a later one its end", async () => {
  const refusal = (status: RpcStatus) => ({ status: 418, headers: {}, body: status.message });
  const early = begin([], { form: { ...form, refusal } });
  early.heard.call.end({ code: 5, message: "no tea" });
  assert.deepEqual([early.exchange.status, early.exchange.bytes.toString()], [418, "no tea"]);
  const late = begin([], { form: { ...form, refusal } });
  late.heard.call.send(bytes("x"));
  late.heard.call.end({ code: 5, message: "no tea" });
  assert.deepEqual([late.exchange.status, late.exchange.bytes.toString()], [200, "x =5"]);
});

test("a message the form cannot say ends the call, and its handler hears of it", async () => {
  const { exchange, heard, errors } = begin([]);
  heard.call.send(new Uint8Array(0));
  assert.equal(exchange.bytes.toString(), "=3");
  await settle();
  assert.deepEqual([heard.events, errors], [["halfClose", "cancelled cancelled"], []]);
});

test("a handler that throws ends its call with status 13, without detail, and is reported", () => {
  const { exchange, errors } = begin([], { form: { ...form, end: (status) => `${status.code} ${status.message}` } }, () => {
    throw new Error("secret");
  });
  assert.deepEqual([exchange.bytes.toString(), String(errors[0])], ["13 internal error", "Error: secret"]);
});
