/** What no proper peer sends, over bare node:http2 and TCP. */
import assert from "node:assert/strict";
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  constants,
  createServer as createHttp2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { type AddressInfo, connect as connectTcp } from "node:net";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import type { RpcStatus } from "@mecha/wire";
import { connect } from "./connect.ts";
import { bytes, Calling, localhost, pair, realClock, text, until } from "./contract/kit.ts";
import { listen } from "./listen.ts";

const transport = { listen, connect };
const frame = (message: Buffer, flags = 0): Buffer => {
  const prefix = Buffer.from([flags, 0, 0, 0, 0]);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
};

interface Answer {
  headers: IncomingHttpHeaders;
  trailers: IncomingHttpHeaders;
  body: Buffer;
  reset: number;
}

async function withSession<T>(port: number, use: (session: ClientHttp2Session) => Promise<T>): Promise<T> {
  const session = connectHttp2(`http://${localhost}:${port}`);
  session.on("error", () => undefined);
  try {
    return await use(session);
  } finally {
    session.destroy();
  }
}

function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: Buffer): Promise<Answer> {
  const answer: Answer = { headers: {}, trailers: {}, body: Buffer.alloc(0), reset: 0 };
  const stream = session.request(
    { ":method": "POST", ":path": "/t.S/Echo", "content-type": "application/grpc", te: "trailers", ...headers },
    { endStream: body === undefined },
  );
  return new Promise((resolve) => {
    stream.on("response", (got) => (answer.headers = got));
    stream.on("trailers", (got) => (answer.trailers = got));
    stream.on("data", (chunk: Buffer) => (answer.body = Buffer.concat([answer.body, chunk])));
    stream.on("error", () => undefined);
    stream.on("close", () => {
      answer.reset = stream.rstCode ?? 0;
      resolve(answer);
    });
    if (body !== undefined) stream.end(body);
  });
}

const statusOf = (answer: Answer): unknown => answer.trailers["grpc-status"] ?? answer.headers["grpc-status"];

test("requests that are no gRPC get a status that says why", async () => {
  await using net = await pair(transport);
  await withSession(net.listener.port, async (session) => {
    const cases: [what: string, headers: OutgoingHttpHeaders, body: Buffer | undefined, status: string][] = [
      ["bad flags", {}, Buffer.from([7, 0, 0, 0, 1, 1]), "13"],
      ["cut off in the prefix", {}, Buffer.from([0, 0, 0]), "13"],
      ["cut off in the message", {}, Buffer.from([0, 0, 0, 0, 9, 1]), "13"],
      ["compressed, but no encoding named", {}, frame(bytes("x"), 1), "13"],
      ["compressed, but no gzip", { "grpc-encoding": "gzip" }, frame(bytes("x"), 1), "13"],
      ["unknown encoding", { "grpc-encoding": "snappy" }, frame(bytes("x"), 1), "12"],
      ["bad timeout", { "grpc-timeout": "soon" }, frame(bytes("x")), "13"],
      ["too large by its prefix", {}, Buffer.from([0, 0x7f, 0, 0, 0]), "8"],
      ["too large when decompressed", { "grpc-encoding": "gzip" }, frame(gzipSync(Buffer.alloc(5 * 1024 * 1024)), 1), "8"],
      ["no body", {}, undefined, "0"],
      ["proper", { "content-type": "application/grpc+proto" }, frame(bytes("x")), "0"],
    ];
    for (const [what, headers, body, status] of cases) {
      const answer = await ask(session, headers, body);
      assert.equal(answer.headers[":status"], 200, what);
      assert.equal(statusOf(answer), status, what);
    }
    const encoded = await ask(session, { "grpc-encoding": "snappy" }, frame(bytes("x"), 1));
    assert.equal(encoded.headers["grpc-accept-encoding"], "identity,gzip");
    const unzipped = await ask(session, { "grpc-encoding": "gzip" }, frame(gzipSync(bytes("squeezed")), 1));
    assert.deepEqual(unzipped.body, frame(bytes("squeezed")));
    assert.equal((await ask(session, { ":method": "GET" }, undefined)).headers[":status"], 405);
    assert.equal((await ask(session, { "content-type": "application/grpc-web" }, frame(bytes("x")))).headers[":status"], 404);
  });
  assert.deepEqual(net.log.lines, [], "what callers do wrong is no failure of ours");
});

test("a message sent byte by byte, and many in one write, are all delivered", async () => {
  await using net = await pair(transport);
  await withSession(net.listener.port, async (session) => {
    const stream = session.request({ ":method": "POST", ":path": "/t.S/Join", "content-type": "application/grpc" });
    const body: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => body.push(chunk));
    for (const byte of frame(bytes("slow"))) stream.write(Buffer.from([byte]));
    stream.end(Buffer.concat(Array.from({ length: 100 }, () => frame(bytes("x")))));
    await new Promise((resolve) => stream.on("close", resolve));
    assert.equal(text(Buffer.concat(body).subarray(5)), `slow${",x".repeat(100)}`);
  });
});

test("headers above the limit are refused, and the listener goes on", async () => {
  await using net = await pair(transport);
  await withSession(net.listener.port, async (session) => {
    const refused = await ask(session, { "x-large": "y".repeat(40_000) }, frame(bytes("x")));
    assert.equal(refused.headers[":status"], 431);
  });
  assert.equal((await new Calling(net.channel, "/t.S/Echo").send("x").half().ended).code, 0);
});

test("random bytes as a body never cost more than their own call", async () => {
  await using net = await pair(transport, { limits: { messageMaxBytes: 1000 } });
  await withSession(net.listener.port, async (session) => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), async (body) => {
        assert.match(String(statusOf(await ask(session, {}, Buffer.from(body)))), /^(0|8|13)$/);
      }),
      { numRuns: 200 },
    );
  });
  assert.equal(net.log.lines.length, 0);
});

test("random bytes on a connection never stop the listener", async () => {
  await using net = await pair(transport, { limits: { headersTimeoutMs: 200 } });
  const preface = bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.boolean(), (noise, http2) => {
      const socket = connectTcp(net.listener.port, localhost);
      return new Promise<void>((resolve) => {
        socket.on("error", () => undefined).on("close", () => resolve());
        socket.resume();
        socket.end(http2 ? Buffer.concat([preface, noise]) : noise);
      });
    }),
    { numRuns: 60 },
  );
  assert.equal((await new Calling(net.channel, "/t.S/Echo").send("x").half().ended).code, 0);
});

/** One HTTP/2 frame. */
const http2Frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};

test("a call opened and reset in one packet, with any code, stops nothing and is forgotten", async () => {
  await using net = await pair(transport);
  const literal = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), bytes(text)]);
  // HPACK (RFC 7541): :method POST and :scheme http by index; :authority, :path and content-type as literals.
  const headers = (path: string): Buffer =>
    Buffer.concat([
      Buffer.from([0x83, 0x86, 0x01]),
      literal("x"),
      Buffer.from([0x04]),
      literal(path),
      Buffer.from([0x0f, 0x10]),
      literal("application/grpc"),
    ]);
  const socket = connectTcp(net.listener.port, localhost);
  let received = Buffer.alloc(0);
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => (received = Buffer.concat([received, chunk])));
  socket.write(Buffer.concat([bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), http2Frame(4, 0, 0, Buffer.alloc(0))]));
  let stream = 1;
  for (const path of ["/t.S/Echo", "/t.S/Held", "/t.S/Nothing", "/plain"]) {
    for (const code of [0, 1, 8, 11]) {
      const body = http2Frame(0, 0, stream, frame(bytes("x")));
      const reset = http2Frame(3, 0, stream, Buffer.from([0, 0, 0, code]));
      socket.write(Buffer.concat([http2Frame(1, 4, stream, headers(path)), body, reset]));
      stream += 2;
    }
  }
  socket.write(http2Frame(6, 0, 0, bytes("all read")));
  await until("the server to have read all", () => received.includes("all read"));
  const proper = new Calling(net.channel, "/t.S/Echo").send("x").half();
  assert.equal((await proper.ended).code, 0);
  await until("all calls to be forgotten", () => net.listener.openCalls === 0);
  assert.equal(net.methods.arrived.length, 0);
  assert.deepEqual(net.log.lines, []);

  // Reset without an error while the handler works: what it then says goes nowhere.
  socket.write(Buffer.concat([http2Frame(1, 4, stream, headers("/t.S/Held")), http2Frame(0, 0, stream, frame(bytes("x")))]));
  const held = await net.methods.held();
  socket.write(http2Frame(3, 0, stream, Buffer.alloc(4)));
  held.call.send(bytes("crossing"));
  await until("the handler to hear of it", () => held.cancels.length === 1);
  held.call.sendHeaders();
  held.call.send(bytes("y"));
  held.call.end();
  await until("the call to be forgotten", () => net.listener.openCalls === 0);
  assert.deepEqual(net.log.lines, []);
  socket.destroy();
});

/** Our client against a server that answers as told. */
async function statusFrom(
  answer: (stream: ServerHttp2Stream) => void,
  settings?: { maxBytes: number },
): Promise<{ status: RpcStatus; calling: Calling }> {
  const server = createHttp2Server();
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => undefined);
    answer(stream);
  });
  server.on("sessionError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, localhost, resolve));
  const limits = settings === undefined ? {} : { messageMaxBytes: settings.maxBytes };
  await using channel = connect({ host: localhost, port: (server.address() as AddressInfo).port, clock: realClock, limits });
  const calling = new Calling(channel, "/t.S/Any").send("x");
  const status = await calling.ended;
  await channel[Symbol.asyncDispose]();
  await new Promise((resolve) => server.close(resolve));
  assert.equal(calling.ends, 1);
  return { status, calling };
}

test("answers that are no gRPC end the call with the status gRPC gives them", async () => {
  const ok = { ":status": 200, "content-type": "application/grpc" };
  const body = (bytes: Buffer, trailers: OutgoingHttpHeaders | undefined) => (stream: ServerHttp2Stream) => {
    stream.respond(ok, { waitForTrailers: true });
    stream.on("wantTrailers", () => (trailers ? stream.sendTrailers(trailers) : stream.close()));
    stream.end(bytes);
  };
  const cases: [what: string, answer: (stream: ServerHttp2Stream) => void, code: number, message: RegExp][] = [
    ["503", (stream) => stream.respond({ ":status": 503 }, { endStream: true }), 14, /503/],
    [
      "404 with a body",
      (stream) => (stream.respond({ ":status": 404, "content-type": "text/html" }), stream.end("<h1>no</h1>")),
      12,
      /404/,
    ],
    ["401", (stream) => stream.respond({ ":status": 401 }, { endStream: true }), 16, /401/],
    ["not gRPC", (stream) => (stream.respond({ ":status": 200, "content-type": "text/html" }), stream.end("hi")), 2, /text\/html/],
    ["503 with a grpc-status", (stream) => stream.respond({ ":status": 503, "grpc-status": "5" }, { endStream: true }), 5, /^$/],
    ["status that is no number", (stream) => stream.respond({ ...ok, "grpc-status": "x" }, { endStream: true }), 2, /^$/],
    ["trailers without a status", body(frame(bytes("m")), { a: "b" }), 2, /no grpc-status/],
    ["no trailers", (stream) => (stream.respond(ok), stream.end(frame(bytes("m")))), 2, /without a status/],
    ["bad flags", body(Buffer.from([9, 0, 0, 0, 0]), { "grpc-status": "0" }), 13, /flags 9/],
    ["cut off", body(Buffer.from([0, 0, 0, 0, 9, 1]), { "grpc-status": "0" }), 13, /inside a message/],
    ["compressed", body(frame(gzipSync(bytes("x")), 1), { "grpc-status": "0" }), 13, /compressed/],
    ["reset CANCEL", (stream) => stream.close(constants.NGHTTP2_CANCEL), 1, /CANCEL/],
    ["reset REFUSED_STREAM", (stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM), 14, /REFUSED/],
    ["reset ENHANCE_YOUR_CALM", (stream) => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM), 8, /CALM/],
    ["reset INADEQUATE_SECURITY", (stream) => stream.close(constants.NGHTTP2_INADEQUATE_SECURITY), 7, /SECURITY/],
    ["reset PROTOCOL_ERROR", (stream) => stream.close(constants.NGHTTP2_PROTOCOL_ERROR), 13, /code 1/],
    ["GOAWAY with an error", (stream) => stream.session?.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, stream.id), 14, /lost/],
    ["connection cut", (stream) => stream.session?.destroy(), 14, /lost/],
  ];
  for (const [what, answer, code, message] of cases) {
    const { status } = await statusFrom(answer);
    assert.equal(status.code, code, `${what}: ${status.message}`);
    assert.match(status.message, message, what);
    assert.equal(status.unreached, what === "reset REFUSED_STREAM" ? true : undefined, what);
  }
});

test("a message above our limit is 8 as soon as its prefix is in", async () => {
  let stream: ServerHttp2Stream | undefined;
  const { status } = await statusFrom(
    (arrived) => {
      stream = arrived;
      arrived.respond({ ":status": 200, "content-type": "application/grpc" });
      arrived.write(Buffer.from([0, 0, 0, 0, 101]));
    },
    { maxBytes: 100 },
  );
  assert.equal(status.code, 8);
  await until("the server to be told", () => stream?.destroyed === true);
});
