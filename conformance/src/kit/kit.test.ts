/** The kit itself: it relays what it records, and it notices what it is there to notice. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { hostClock, hostRandom } from "@mecha/host";
import { Fault, noLog, Scope, sleep } from "@mecha/kit";
import { FakeClock } from "@mecha/kit/testing";
import { connect, listen } from "@mecha/net";
import { type CallHandler, type Channel, Metadata, type RpcStatus } from "@mecha/wire";
import { FailureSchema } from "@mecha/wire/gen/cloudstate/entity";
import type { Connection } from "./connection.ts";
import { expectSame } from "./connection.ts";
import type { Case } from "./context.ts";
import { Inbox } from "./inbox.ts";
import { type Interceptor, openInterceptor } from "./interceptor.ts";
import { runCases } from "./run.ts";

const clock = hostClock;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (message: Uint8Array): string => new TextDecoder().decode(message);

test("an inbox hands out in order what came, now or later, and gives up in time", async () => {
  const fake = new FakeClock();
  const inbox = new Inbox<number>(fake);
  inbox.put(1);
  inbox.put(2);
  assert.deepEqual([await inbox.take("one"), await inbox.take("two")], [1, 2]);
  const later = inbox.take("three", 100);
  inbox.put(3);
  assert.equal(await later, 3);
  const never = assert.rejects(inbox.take("a fourth", 100), /expected a fourth; nothing came within 100 ms/);
  await fake.advance(100);
  await never;
  inbox.put(5);
  assert.deepEqual(inbox.left, [5], "who gave up takes nothing");
});

test("messages are the same when every field is, unknown ones included", () => {
  expectSame(FailureSchema, create(FailureSchema, { commandId: 1n, description: "x" }), { commandId: 1n, description: "x" });
  const differing = [{ commandId: 2n, description: "x" }, { commandId: 1n }, { commandId: 1n, description: "x", restart: true }];
  for (const other of differing) {
    assert.throws(() => expectSame(FailureSchema, create(FailureSchema, { commandId: 1n, description: "x" }), other), /Failure differs/);
  }
  const unknown = create(FailureSchema, { commandId: 1n });
  unknown.$unknown = [{ no: 99, wireType: WireType.Varint, data: Uint8Array.of(1) }];
  assert.throws(() => expectSame(FailureSchema, unknown, { commandId: 1n }), /Failure differs/);
});

/** A server behind an interceptor, and a client of the interceptor. */
async function setUp(scope: Scope, handler: CallHandler): Promise<{ client: Channel; interceptor: Interceptor }> {
  const handlers = { grpc: () => handler, http: () => undefined };
  const server = scope.own(await listen({ host: "127.0.0.1", port: 0, clock, log: noLog }, handlers));
  const interceptor = scope.own(await openInterceptor({ host: "127.0.0.1", port: server.port, clock }));
  const client = scope.own(connect({ host: "127.0.0.1", port: interceptor.port, clock }));
  return { client, interceptor };
}

/** What a connection recorded, until both sides ended. */
async function recorded(connection: Connection): Promise<{ proxy: string[]; fn: string[] }> {
  const proxy: string[] = [];
  const fn: string[] = [];
  for (let over = false; !over;) {
    const next = await connection.fromProxy.take("more of the proxy");
    proxy.push(next.did === "message" ? text(next.bytes) : next.did);
    over = next.did !== "message";
  }
  for (let over = false; !over;) {
    const next = await connection.fromFunction.take("more of the function");
    fn.push(next.did === "message" ? text(next.bytes) : `end ${next.status.code} ${next.status.message}`);
    over = next.did === "end";
  }
  return { proxy, fn };
}

test("a call is relayed as it is, both ways, and recorded", async () => {
  await using scope = new Scope();
  const seen: unknown[] = [];
  const { client, interceptor } = await setUp(scope, (call) => {
    seen.push(call.path, call.metadata.get("x-a"), call.deadlineMs !== undefined);
    call.sendHeaders(new Metadata([["x-b", "2"]]));
    return {
      message: (message) => void call.send(bytes(`echo ${text(message)}`)),
      halfClose: () => call.end({ code: 5, message: "no such thing" }, new Metadata([["x-c", "3"]])),
    };
  });
  const heard: unknown[] = [];
  const status = await new Promise<RpcStatus>((resolve) => {
    const call = client.open(
      "/a.B/c",
      { metadata: new Metadata([["x-a", "1"]]), timeoutMs: 10_000 },
      {
        headers: (metadata) => heard.push(metadata.get("x-b")),
        message: (message) => heard.push(text(message)),
        end(status, trailers) {
          heard.push(trailers.get("x-c"));
          resolve(status);
        },
      },
    );
    call.send(bytes("one"));
    call.send(bytes("two"));
    call.halfClose();
  });
  assert.deepEqual(seen, ["/a.B/c", "1", true]);
  assert.deepEqual(heard, ["2", "echo one", "echo two", "3"]);
  assert.deepEqual([status.code, status.message], [5, "no such thing"]);
  const connection = await interceptor.connection("/a.B/c");
  assert.deepEqual(await recorded(connection), {
    proxy: ["one", "two", "complete"],
    fn: ["echo one", "echo two", "end 5 no such thing"],
  });
});

test("a cancel reaches the function, and is recorded as one", async () => {
  await using scope = new Scope();
  let cancelled = (_reason: string): void => undefined;
  const atFunction = new Promise<string>((resolve) => (cancelled = resolve));
  const { client, interceptor } = await setUp(scope, (call) => {
    call.sendHeaders();
    return { message() {}, cancelled: (reason) => cancelled(reason) };
  });
  const call = client.open("/a.B/c", {}, { headers: () => call.cancel(), message() {}, end() {} });
  assert.equal(await atFunction, "cancelled");
  const connection = await interceptor.connection("/a.B/c");
  await connection.expectProxyCancel();
});

test("a reader that pauses holds the function back through the interceptor; nothing is lost", async () => {
  await using scope = new Scope();
  const count = 400;
  const chunk = new Uint8Array(64 * 1024);
  let sent = 0;
  const { client } = await setUp(scope, (call) => {
    const pour = (): void => {
      while (sent < count) {
        sent++;
        if (!call.send(chunk)) return;
      }
      call.end();
    };
    return { message() {}, halfClose: pour, drain: pour };
  });
  let received = 0;
  await new Promise<void>((resolve, reject) => {
    const holdBack = async (): Promise<void> => {
      call.pause();
      await quiet(() => sent);
      assert.ok(sent < count, "the function was held back");
      call.resume();
    };
    const call = client.open("/a.B/c", {}, { message: () => void (++received === 1 && holdBack().catch(reject)), end: () => resolve() });
    call.halfClose();
  });
  assert.equal(received, count);
});

/** Waits until a figure stands still: three looks, 20 ms apart. */
async function quiet(figure: () => number): Promise<void> {
  for (let same = 0, last = -1; same < 3;) {
    await sleep(clock, 20);
    same = figure() === last ? same + 1 : 0;
    last = figure();
  }
}

test("a failing case is told with its reason, and what it left does not fail the next", async () => {
  await using scope = new Scope();
  const { client, interceptor } = await setUp(scope, (call) => {
    call.end();
    return { message() {} };
  });
  const opening = (id: string, run: () => Promise<void>): Case => ({ id, group: "action", name: "opens a connection", run });
  const open = (): Promise<void> => new Promise((resolve) => void client.open("/a.B/c", {}, { message() {}, end: () => resolve() }));
  const cases = [
    opening("P98", open),
    opening("P99", async () => {
      await open();
      await interceptor.connection("/a.B/c");
    }),
    opening("P100", async () => {
      throw new Fault("invalid", "the reason");
    }),
  ];
  const told: string[] = [];
  const results = await runCases(cases, {
    proxyHost: "127.0.0.1",
    proxyPort: 1,
    supportedEntityTypes: [],
    services: [],
    interceptor,
    clock,
    random: hostRandom,
    onResult: ({ id }) => told.push(id),
  });
  assert.deepEqual(told, ["P98", "P99", "P100"]);
  assert.deepEqual(
    results.map(({ failure }) => failure),
    ["connections nobody expected: 1 × /a.B/c", undefined, "the reason"],
  );
});
