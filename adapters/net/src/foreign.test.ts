/** Our ends against other people's: @grpc/grpc-js both ways, @connectrpc/connect-node as a client. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { MemoryLog } from "@mecha/kit/testing";
import { healthHandler, HealthState, Metadata, reflectionHandler, unary, unaryHandler } from "@mecha/wire";
import { Health } from "@mecha/wire/gen/grpc/health/v1/health";
import { ServerReflection, ServerReflectionRequestSchema } from "@mecha/wire/gen/grpc/reflection/v1/reflection";
import { connect } from "./connect.ts";
import { atRest, bytes, Calling, localhost, notFound, pair, realClock, text, until } from "./contract/kit.ts";
import { listen, type Listener } from "./listen.ts";

const same = (message: Buffer): Buffer => message;
const shape = (path: string, requestStream: boolean, responseStream: boolean): grpc.MethodDefinition<Buffer, Buffer> => ({
  path,
  requestStream,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});

function grpcJsClient(port: number, options: grpc.ClientOptions = {}): grpc.Client & Disposable {
  const client = new grpc.Client(`${localhost}:${port}`, grpc.credentials.createInsecure(), options);
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

interface Heard {
  messages: string[];
  headers: grpc.Metadata | undefined;
  status: grpc.StatusObject;
}

function hear(call: grpc.ClientReadableStream<Buffer>): Promise<Heard> {
  const messages: string[] = [];
  let headers: grpc.Metadata | undefined;
  return new Promise((resolve) => {
    call.on("metadata", (metadata: grpc.Metadata) => (headers = metadata));
    call.on("data", (message: Buffer) => messages.push(text(message)));
    call.on("error", () => undefined);
    call.on("status", (status: grpc.StatusObject) => resolve({ messages, headers, status }));
  });
}

test("grpc-js client: four shapes, metadata, compressed requests", async () => {
  await using net = await pair({ listen, connect });
  for (const options of [{}, { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip }]) {
    using client = grpcJsClient(net.listener.port, options);
    const one = await new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest("/t.S/Echo", same, same, bytes("hello"), (error, reply) =>
        error ? reject(error) : resolve(reply as Buffer),
      );
    });
    assert.equal(text(one), "hello");

    const down = await hear(client.makeServerStreamRequest("/t.S/Count", same, same, bytes("100")));
    assert.deepEqual([down.status.code, down.messages.length, down.messages[99]], [0, 100, "99"]);

    const joined = await new Promise<Buffer>((resolve, reject) => {
      const up = client.makeClientStreamRequest("/t.S/Join", same, same, (error, reply) =>
        error ? reject(error) : resolve(reply as Buffer),
      );
      for (const part of ["a", "b", "c"]) up.write(bytes(part));
      up.end();
    });
    assert.equal(text(joined), "a,b,c");

    const metadata = new grpc.Metadata();
    metadata.add("x-text", "one");
    metadata.add("x-text", "two");
    metadata.add("x-raw-bin", Buffer.from([0, 1, 254, 255]));
    const both = client.makeBidiStreamRequest("/t.S/Echo", same, same, metadata);
    const heard = hear(both);
    for (let n = 0; n < 500; n++) both.write(bytes(`m${n}`));
    both.end();
    const { messages, headers, status } = await heard;
    assert.deepEqual([status.code, messages.length, messages[499]], [0, 500, "m499"]);
    for (const got of [headers as grpc.Metadata, status.metadata]) {
      // grpc-js joins text values of one key, which HTTP allows.
      assert.equal(got.get("x-text").join(", "), "one, two");
      assert.deepEqual(got.get("x-raw-bin"), [Buffer.from([0, 1, 254, 255])]);
    }
  }
});

test("grpc-js client: statuses, deadlines, cancellation, limits", async () => {
  await using net = await pair({ listen, connect });
  using client = grpcJsClient(net.listener.port);
  assert.equal((await hear(client.makeServerStreamRequest("/t.S/Nope", same, same, bytes("")))).status.code, 12);

  const failing = hear(client.makeServerStreamRequest("/t.S/Held", same, same, bytes("")));
  (await net.methods.held()).call.end({ code: 5, message: "kein „x“ 100%", details: Uint8Array.of(9) }, new Metadata([["k", "v"]]));
  const failed = (await failing).status;
  assert.deepEqual([failed.code, failed.details, failed.metadata.get("k")], [5, "kein „x“ 100%", ["v"]]);
  assert.deepEqual(failed.metadata.get("grpc-status-details-bin"), [Buffer.from([9])]);

  const late = hear(client.makeServerStreamRequest("/t.S/Held", same, same, bytes(""), { deadline: Date.now() + 150 }));
  const held = await net.methods.held(2);
  assert.ok((held.call.deadlineMs ?? 0) > performance.now() - 10_000);
  assert.equal((await late).status.code, 4);
  await until("the handler to hear", () => held.cancels.length === 1);

  const cancelled = client.makeBidiStreamRequest("/t.S/Held", same, same);
  cancelled.write(bytes("x"));
  const ended = hear(cancelled);
  const third = await net.methods.held(3);
  await until("the message", () => third.messages.length === 1);
  cancelled.cancel();
  assert.equal((await ended).status.code, 1);
  await until("the handler to hear", () => third.cancels.length === 1);
  assert.deepEqual(third.cancels, ["cancelled"]);

  const large = client.makeBidiStreamRequest("/t.S/Echo", same, same);
  large.write(Buffer.alloc(4 * 1024 * 1024 + 1));
  assert.equal((await hear(large)).status.code, 8);
});

test("grpc-js client: back-pressure both ways, and a drain it takes part in", async () => {
  await using net = await pair({ listen, connect });
  using client = grpcJsClient(net.listener.port, { "grpc.max_receive_message_length": -1 });
  const call = client.makeBidiStreamRequest("/t.S/Held", same, same);
  const finished = hear(call);
  call.write(bytes("first"));
  const held = await net.methods.held();
  held.call.pause();
  const sent = 50;
  for (let n = 0; n < sent; n++) call.write(Buffer.alloc(100_000));
  await atRest(() => held.messages.length);
  assert.equal(held.messages.length, 1);
  held.call.resume();
  await until("all messages", () => held.messages.length === 1 + sent);

  const draining = net.listener.drain(30_000);
  let refused: grpc.StatusObject | undefined;
  for (let n = 0; n < 200 && Number(refused?.code) !== 14; n++) {
    const attempt = client.makeServerStreamRequest("/t.S/Count", same, same, bytes("1"));
    refused = (await hear(attempt)).status;
  }
  assert.equal(Number(refused?.code), 14, "a draining listener still takes calls");
  held.call.send(bytes("late but whole"));
  held.call.end();
  const { status, messages } = await finished;
  assert.deepEqual([status.code, messages], [0, ["late but whole"]]);
  assert.equal(await draining, 0);
});

const grpcJsService = {
  Echo: shape("/f.S/Echo", true, true),
  Count: shape("/f.S/Count", false, true),
  Join: shape("/f.S/Join", true, false),
  Unary: shape("/f.S/Unary", false, false),
};

/** A grpc-js server whose `Unary` answers by the message: "fail", "wait", or an echo. */
async function grpcJsServer(
  options: grpc.ServerOptions = {},
): Promise<{ port: number; server: grpc.Server; cancelled: number } & Disposable> {
  const server = new grpc.Server(options);
  const state = { server, port: 0, cancelled: 0, [Symbol.dispose]: () => server.forceShutdown() };
  server.addService(grpcJsService, {
    Echo(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
      call.sendMetadata(call.metadata);
      call.on("data", (message: Buffer) => call.write(message));
      call.on("end", () => call.end(call.metadata));
      call.on("cancelled", () => state.cancelled++);
    },
    Count(call: grpc.ServerWritableStream<Buffer, Buffer>) {
      for (let n = 0; n < Number(text(call.request)); n++) call.write(bytes(String(n)));
      call.end();
    },
    Join(call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
      const parts: string[] = [];
      call.on("data", (message: Buffer) => parts.push(text(message)));
      call.on("end", () => done(null, bytes(parts.join())));
    },
    Unary(call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) {
      call.on("cancelled", () => state.cancelled++);
      if (text(call.request) === "fail")
        done({ code: grpc.status.FAILED_PRECONDITION, details: "so nicht: ä%", metadata: new grpc.Metadata() });
      else if (text(call.request) !== "wait") done(null, call.request);
    },
  });
  state.port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${localhost}:0`, grpc.ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve(port)));
  });
  return state;
}

test("grpc-js server: four shapes, metadata, statuses", async () => {
  using server = await grpcJsServer();
  await using channel = connect({ host: localhost, port: server.port, clock: realClock });
  assert.equal(text((await unary(channel, "/f.S/Unary", bytes("hello"))).message), "hello");
  const down = new Calling(channel, "/f.S/Count").send("1000").half();
  assert.equal((await down.ended).code, 0);
  assert.equal(down.texts[999], "999");
  const up = new Calling(channel, "/f.S/Join").send("a", "b").half();
  await up.ended;
  assert.deepEqual(up.texts, ["a,b"]);

  const both = new Calling(channel, "/f.S/Echo", { metadata: new Metadata([["x", "1"], ["y-bin", Uint8Array.of(0, 255)]]) }); // prettier-ignore
  for (let n = 0; n < 1000; n++) both.send(`m${n}`);
  both.call.send(Buffer.alloc(3_000_000, "z"));
  assert.equal((await both.half().ended).code, 0);
  assert.deepEqual([both.messages.length, both.messages[1000]?.length], [1001, 3_000_000]);
  for (const got of [both.headers, both.trailers]) {
    assert.equal(got?.get("x"), "1");
    assert.deepEqual([...(got?.value("y-bin") as Uint8Array)], [0, 255]);
  }
  const failed = await new Calling(channel, "/f.S/Unary").send("fail").half().ended;
  assert.deepEqual([failed.code, failed.message], [9, "so nicht: ä%"]);
  assert.equal((await new Calling(channel, "/f.S/Nope").send("x").half().ended).code, 12);
});

test("grpc-js server: deadlines and cancellation reach it", async () => {
  using server = await grpcJsServer();
  await using channel = connect({ host: localhost, port: server.port, clock: realClock });
  assert.equal((await new Calling(channel, "/f.S/Unary", { timeoutMs: 100 }).send("wait").half().ended).code, 4);
  await until("the server to hear of the deadline", () => server.cancelled === 1);
  const call = new Calling(channel, "/f.S/Echo").send("x");
  await until("the echo", () => call.messages.length === 1);
  call.call.cancel();
  assert.equal((await call.ended).code, 1);
  await until("the server to hear of the cancellation", () => server.cancelled === 2);
});

test("grpc-js server: 300 calls at a limit of 100 streams a connection", async () => {
  using server = await grpcJsServer({ "grpc.max_concurrent_streams": 100 });
  await using channel = connect({ host: localhost, port: server.port, clock: realClock });
  const calls = Array.from({ length: 300 }, (_, n) => new Calling(channel, "/f.S/Echo").send(String(n)));
  await until("all echoes", () => calls.every(({ messages }) => messages.length === 1));
  assert.equal(channel.connections, 3);
  for (const call of calls) assert.equal((await call.half().ended).code, 0);
});

test("grpc-js server: shutting down lets our calls finish and refuses new ones as unavailable", async () => {
  using server = await grpcJsServer();
  await using channel = connect({ host: localhost, port: server.port, clock: realClock });
  const open = new Calling(channel, "/f.S/Echo").send("x");
  await until("the echo", () => open.messages.length === 1);
  const shutdown = new Promise((resolve) => server.server.tryShutdown(resolve));
  let status;
  for (let n = 0; n < 200 && status?.code !== 14; n++) status = await new Calling(channel, "/f.S/Unary").send("y").half().ended;
  assert.equal(status?.code, 14);
  open.send("y");
  assert.equal((await open.half().ended).code, 0);
  assert.deepEqual(open.texts, ["x", "y"]);
  await shutdown;
});

async function listenStandard(): Promise<{ listener: Listener; health: HealthState }> {
  const health = new HealthState();
  health.set("", "serving");
  const source = { files: [], services: ["grpc.health.v1.Health"] };
  const routes = new Map([...healthHandler(health), ...reflectionHandler(() => source), ["/slow", unaryHandler((request) => request)]]);
  const listener = await listen(
    { host: localhost, port: 0, clock: realClock, log: new MemoryLog() },
    { grpc: (path) => routes.get(path), http: notFound },
  );
  return { listener, health };
}

test("connect-node client: unary, server stream and bidi against health and reflection", async () => {
  const { listener, health } = await listenStandard();
  await using _ = listener;
  const transport = createGrpcTransport({ baseUrl: `http://${localhost}:${listener.port}` });
  const client = createClient(Health, transport);
  assert.equal((await client.check({ service: "" })).status, 1);
  await assert.rejects(client.check({ service: "no" }), (error) => error instanceof ConnectError && error.code === Code.NotFound);

  const abort = new AbortController();
  const seen: number[] = [];
  await assert.rejects(async () => {
    for await (const { status } of client.watch({ service: "" }, { signal: abort.signal })) {
      seen.push(status);
      if (seen.length === 1) health.set("", "notServing");
      else abort.abort();
    }
  });
  assert.deepEqual(seen, [1, 2]);

  const questions = [
    create(ServerReflectionRequestSchema, { messageRequest: { case: "listServices", value: "" } }),
    create(ServerReflectionRequestSchema, { messageRequest: { case: "fileContainingSymbol", value: "grpc.health.v1.Health" } }),
  ];

  const ask = async function* (): AsyncGenerator<(typeof questions)[number]> {
    yield* questions;
  };
  const answers = [];
  for await (const { messageResponse } of createClient(ServerReflection, transport).serverReflectionInfo(ask()))
    answers.push(messageResponse.case);
  assert.deepEqual(answers, ["listServicesResponse", "fileDescriptorResponse"]);
});
