import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { Fault } from "@mecha/kit";
import type { Reply, StreamedCallEvents } from "@mecha/state";
import { serve } from "./testing/fixture.ts";

const same = (bytes: Buffer): Buffer => bytes;
const cart = Buffer.of(0x0a, 1, 0x63);
const reply = (value: Uint8Array, metadata?: Reply["metadata"]): Reply => ({
  payload: { typeUrl: "type.googleapis.com/shop.Cart", value },
  ...(metadata && { metadata }),
});

/** A served ingress and a foreign client for it. */
async function open() {
  const served = await serve();
  const client = new Client(served.target, credentials.createInsecure());
  return {
    ...served,
    client,
    unary: (
      path: string,
      value: Uint8Array = cart,
      metadata = new Metadata(),
      deadlineMs?: number,
    ): Promise<{ answer: Buffer; headers: Metadata }> =>
      new Promise((resolve, reject) => {
        let headers = new Metadata();
        const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
        client
          .makeUnaryRequest(path, same, same, Buffer.from(value), metadata, options, (error, answer) => {
            if (error) reject(error);
            else resolve({ answer: answer!, headers });
          })
          .on("metadata", (got) => (headers = got));
      }),
    async [Symbol.asyncDispose](): Promise<void> {
      client.close();
      await served[Symbol.asyncDispose]();
    },
  };
}
const isStatus = (code: number, details: RegExp) => (error: unknown) => {
  const { code: got, details: text } = error as ServiceError;
  assert.equal(got, code, text);
  assert.match(text, details);
  return true;
};

test("a unary call becomes a command; the reply's bytes and metadata come back", async () => {
  await using served = await open();
  served.engine.onCall = (_service, _command, _context, answer) =>
    answer(
      undefined,
      reply(cart, [
        ["x-a", "1"],
        ["grpc-status", "9"],
        [":path", "/"],
      ]),
    );
  const metadata = new Metadata();
  metadata.set("x-tenant", "blue");
  metadata.set("idempotency-key", "k-1");
  metadata.set("mecha-timer", "forged");
  metadata.set("mecha-timer-firing", "1");
  const { answer, headers } = await served.unary("/shop.Desk/Ask", cart, metadata);
  assert.deepEqual(answer, cart);
  assert.deepEqual(headers.get("x-a"), ["1"]);
  const [call] = served.engine.calls;
  assert.deepEqual(
    [call!.service, call!.command.name, call!.command.payload.typeUrl, call!.command.id],
    ["shop.Desk", "Ask", "type.googleapis.com/shop.Get", "k-1"],
  );
  assert.deepEqual(Buffer.from(call!.command.payload.value), cart);
  const passed = new Map(call!.command.metadata);
  assert.deepEqual([passed.get("x-tenant"), passed.has("mecha-timer"), passed.has("mecha-timer-firing")], ["blue", false, false]);
});

test("entities get no metadata; their failures keep code and text", async () => {
  await using served = await open();
  served.engine.onCall = (_service, _command, _context, answer) => answer(new Fault("unknown", "expected failure: äö"), undefined);
  const metadata = new Metadata();
  metadata.set("x-tenant", "blue");
  await assert.rejects(served.unary("/shop.Cart/GetCart", cart, metadata), isStatus(status.UNKNOWN, /^expected failure: äö$/));
  assert.equal(served.engine.calls[0]!.command.metadata, undefined);
});

test("answering nothing is an empty message for Empty, and INTERNAL otherwise", async () => {
  await using served = await open();
  assert.equal((await served.unary("/shop.Cart/AddItem")).answer.length, 0);
  await assert.rejects(served.unary("/shop.Cart/GetCart"), isStatus(status.INTERNAL, /answered nothing/));
});

test("unknown methods are UNIMPLEMENTED, streamed methods of entities too", async () => {
  await using served = await open();
  await assert.rejects(served.unary("/shop.Cart/Nothing"), isStatus(status.UNIMPLEMENTED, /./));
  await assert.rejects(
    served.unary("/shop.Cart/Watch"),
    isStatus(status.UNIMPLEMENTED, /methods of entities take one message and answer one/),
  );
});

test("the wrong number of messages is INTERNAL", async () => {
  await using served = await open();
  for (const [count, text] of [
    [0, /the call sent none/],
    [2, /the call sent more than one/],
  ] as const) {
    const ended = new Promise<unknown>((resolve) => {
      const call = served.client.makeClientStreamRequest("/shop.Cart/GetCart", same, same, (error) => resolve(error));
      for (let i = 0; i < count; i++) call.write(cart);
      call.end();
    });
    isStatus(status.INTERNAL, text)(await ended);
  }
  assert.equal(served.engine.calls.length, 0);
});

test("a bad idempotency key is INVALID_ARGUMENT", async () => {
  await using served = await open();
  const metadata = new Metadata();
  metadata.set("idempotency-key", "x".repeat(300));
  await assert.rejects(served.unary("/shop.Cart/GetCart", cart, metadata), isStatus(status.INVALID_ARGUMENT, /idempotency-key must be/));
});

test("the caller's deadline reaches the engine, and its end the signal", async () => {
  await using served = await open();
  const gone = new Promise<unknown>((resolve) => {
    served.engine.onCall = (_service, _command, context) => {
      assert.ok(context.deadlineMs! - performance.now() < 100);
      context.signal!.addEventListener("abort", () => resolve(context.signal!.reason));
    };
  });
  await assert.rejects(served.unary("/shop.Cart/GetCart", cart, new Metadata(), 60), isStatus(status.DEADLINE_EXCEEDED, /./));
  assert.ok((await gone) instanceof Fault);
});

test("a duplex call: messages and replies pass both ways, and the end", async () => {
  await using served = await open();
  const got: string[] = [];
  served.engine.onStream = (_method, events) => ({
    message: (bytes) => {
      got.push(String(Buffer.from(bytes)));
      queueMicrotask(() => events.reply(reply(bytes, [["x-first", "yes"]])));
      return true;
    },
    halfClose: () => queueMicrotask(() => events.closed()),
  });
  const metadata = new Metadata();
  metadata.set("x-tenant", "blue");
  const call = served.client.makeBidiStreamRequest("/shop.Desk/Talk", same, same, metadata);
  const headers = new Promise<Metadata>((resolve) => call.on("metadata", resolve));
  const answers: string[] = [];
  call.on("data", (bytes: Buffer) => answers.push(String(bytes)));
  for (const text of ["X", "Y", "Z"]) call.write(Buffer.from(text));
  call.end();
  await new Promise((resolve) => call.on("end", resolve));
  assert.deepEqual(
    [got, answers],
    [
      ["X", "Y", "Z"],
      ["X", "Y", "Z"],
    ],
  );
  assert.deepEqual((await headers).get("x-first"), ["yes"]);
  assert.equal(new Map(served.engine.streams[0]!.metadata).get("x-tenant"), "blue");
});

test("a server-streaming call opens with its one message; a failure ends it", async () => {
  await using served = await open();
  served.engine.onStream = (_method, events) => ({
    halfClose: () =>
      queueMicrotask(() => {
        events.reply(reply(Buffer.from("A")));
        events.reply({}); // an answer of nothing is no message
        events.closed(new Fault("unknown", "expected failure"));
      }),
  });
  const call = served.client.makeServerStreamRequest("/shop.Desk/Split", same, same, cart);
  const answers: string[] = [];
  call.on("data", (bytes: Buffer) => answers.push(String(bytes)));
  isStatus(status.UNKNOWN, /^expected failure$/)(await new Promise((resolve) => call.on("error", resolve)));
  assert.deepEqual(answers, ["A"]);
});

for (const [what, replies, outcome] of [
  ["one", 1, undefined],
  ["none", 0, /answered nothing/],
  ["two", 2, /answered more than once/],
] as const) {
  test(`a client-streaming call whose action gives ${what}`, async () => {
    await using served = await open();
    served.engine.onStream = (_method, events) => ({
      halfClose: () =>
        queueMicrotask(() => {
          for (let i = 0; i < replies; i++) events.reply(reply(cart));
          events.closed();
        }),
    });
    const ended = new Promise<[unknown, Buffer | undefined]>((resolve) => {
      const call = served.client.makeClientStreamRequest("/shop.Desk/Sum", same, same, (error, answer) => resolve([error, answer]));
      call.write(cart);
      call.end();
    });
    const [error, answer] = await ended;
    if (outcome) isStatus(status.INTERNAL, outcome)(error);
    else assert.deepEqual([error, answer], [null, cart]);
  });
}

test("a caller that cancels cancels the stream", async () => {
  await using served = await open();
  let opened: StreamedCallEvents | undefined;
  const cancelled = new Promise<void>((resolve) => {
    served.engine.onStream = (_method, events) => {
      opened = events;
      queueMicrotask(() => events.reply(reply(cart)));
      return { cancel: () => resolve() };
    };
  });
  const call = served.client.makeBidiStreamRequest("/shop.Desk/Talk", same, same);
  call.on("error", () => undefined);
  call.on("data", () => call.cancel());
  await cancelled;
  opened!.reply(reply(cart)); // late: goes nowhere
  opened!.closed();
});

test("back-pressure: a slow engine holds the caller, a slow caller holds the engine", async () => {
  await using served = await open();
  const big = Buffer.alloc(64 * 1024, 7);
  let taken = 0;
  let paused = 0;
  let events: StreamedCallEvents | undefined;
  const held = new Promise<void>((resolve) => {
    served.engine.onStream = (_method, opened) => {
      events = opened;
      return {
        message: () => {
          taken++;
          return false; // full at once
        },
        pause: () => {
          paused++;
          resolve();
        },
      };
    };
  });
  const call = served.client.makeBidiStreamRequest("/shop.Desk/Talk", same, same);
  call.on("error", () => undefined);
  let written = 0;
  const stuck = new Promise<void>((resolve) => {
    const write = (): void => {
      while (call.write(big)) if (++written > 10_000) throw new Error("never held back");
      resolve();
    };
    write();
  });
  await stuck;
  for (let i = 0; paused === 0 && i < 10_000; i++) {
    if (events) events.reply(reply(big));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await held;
  assert.ok(taken <= 3, `${taken} messages went to an engine that was full`);
  const before = taken;
  events!.drain();
  while (taken === before) await new Promise((resolve) => setImmediate(resolve));
  call.cancel();
});
