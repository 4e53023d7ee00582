import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "@mecha/kit";
import { FakeClock } from "@mecha/kit/testing";
import { RecordedExchange } from "../exchange-call/testing.ts";
import { encodeFrames } from "../grpc/frames.ts";
import { Metadata } from "../metadata.ts";
import type { CallHandler, CallRouter } from "../rpc.ts";
import { webBodyMaxBytes, webEncodingOf, WebForm, webMessages } from "./form.ts";
import { isGrpcWeb, serveGrpcWeb } from "./handler.ts";

const unexpected = (error: unknown): void => assert.fail(String(error));
const binary = webEncodingOf("application/grpc-web")!;
const text = webEncodingOf("application/grpc-web-text")!;
const frames = (...messages: readonly Uint8Array[]): Buffer => encodeFrames(messages, (length) => Buffer.alloc(length));

function readAll(next: () => Uint8Array | undefined): Uint8Array[] {
  const all: Uint8Array[] = [];
  for (let message = next(); message !== undefined; message = next()) all.push(Buffer.from(message));
  return all;
}

for (const [type, expected] of [
  ["application/grpc-web", "application/grpc-web+proto"],
  ["application/grpc-web+proto", "application/grpc-web+proto"],
  ["application/grpc-web-text", "application/grpc-web-text+proto"],
  ["application/grpc-web-text+proto; charset=utf-8", "application/grpc-web-text+proto"],
  ["Application/GRPC-Web", "application/grpc-web+proto"],
  ["application/grpc", undefined],
  ["application/grpc-web+json", undefined],
  ["application/grpc-webs", undefined],
  [undefined, undefined],
] as const) {
  test(`content type ${String(type)} → ${String(expected)}`, () => {
    assert.equal(webEncodingOf(type)?.contentType, expected);
    assert.equal(isGrpcWeb({ method: "POST", headers: { "content-type": type } }), expected !== undefined);
    assert.equal(isGrpcWeb({ method: "GET", headers: { "content-type": type } }), false);
  });
}

test("what is framed is read back, binary and text, the text in pieces padded on their own", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 5 }), (messages) => {
      const expected = messages.map((message) => Buffer.from(message));
      assert.deepEqual(readAll(webMessages(binary, frames(...messages), 50)), expected);
      assert.deepEqual(readAll(webMessages(text, Buffer.from(frames(...messages).toString("base64")), 50)), expected);
      const pieces = messages.map((message) => frames(message).toString("base64")).join("");
      assert.deepEqual(readAll(webMessages(text, Buffer.from(pieces), 50)), expected);
    }),
  );
});

test("no body of any kind makes the reader throw anything but a Fault", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (body, asText) => {
      try {
        readAll(webMessages(asText ? text : binary, body, 20));
      } catch (error) {
        assert.ok(error instanceof Fault);
      }
    }),
  );
});

for (const [what, encoding, body, code] of [
  ["a body cut off", binary, [0, 0, 0, 0, 5, 1], "internal"],
  ["a message too large", binary, [0, 0, 0, 0, 200, 1], "exhausted"],
  ["a compressed message", binary, [1, 0, 0, 0, 1, 1], "unimplemented"],
  ["trailers in a request", binary, [0x80, 0, 0, 0, 0], "internal"],
  ["no base64", text, [...Buffer.from("AA*A")], "internal"],
  ["base64 cut off", text, [...Buffer.from("AAAAA")], "internal"],
  ["too much padding", text, [...Buffer.from("A===")], "internal"],
] as const) {
  test(`${what} → ${code}`, () => {
    assert.throws(
      () => readAll(webMessages(encoding, Uint8Array.from(body), 100)),
      (error) => error instanceof Fault && error.code === code,
    );
  });
}

test("a body with the largest message fits, in text too", () => {
  for (const length of [0, 1, 2, 3, 100]) {
    const framed = frames(new Uint8Array(length));
    assert.ok(framed.length <= webBodyMaxBytes(binary, length));
    assert.ok(framed.toString("base64").length <= webBodyMaxBytes(text, length));
  }
});

test("answers: a frame for each message, then the trailers in a frame marked 0x80", () => {
  const form = new WebForm(binary);
  assert.deepEqual(form.headers(new Metadata([["x-a", "1"], ["x-a", "2"], ["x-b-bin", Uint8Array.of(255)]])), {"content-type": "application/grpc-web+proto", "x-a": "1,2", "x-b-bin": "/w"}); // prettier-ignore
  assert.deepEqual([...(form.message(Uint8Array.of(7)) as Uint8Array)], [0, 0, 0, 0, 1, 7]);
  const end = Buffer.from(form.end({ code: 5, message: "kein Tee: ä" }, new Metadata([["x-t", "v"]])) as Uint8Array);
  assert.deepEqual([end[0], end.readUInt32BE(1)], [0x80, end.length - 5]);
  assert.equal(end.subarray(5).toString("latin1"), "x-t:v\r\ngrpc-status:5\r\ngrpc-message:kein Tee: %C3%A4\r\n");
  const inText = new WebForm(text).end({ code: 0, message: "" }, Metadata.empty) as string;
  assert.equal(Buffer.from(inText, "base64").subarray(5).toString(), "grpc-status:0\r\n");
});

/** Answers each message with itself. */
const echo: CallHandler = (call) => {
  let first = true;
  return {
    message: (bytes) => {
      if (first) call.sendHeaders(new Metadata(call.metadata.entries.filter(([name]) => name.startsWith("x-"))));
      first = false;
      call.send(bytes);
    },
    halfClose: () => call.end(),
  };
};
const router: CallRouter = (path) => (path === "/s.S/Echo" ? echo : undefined);

async function ask(path: string, headers: Record<string, string>, body: Uint8Array, messageMaxBytes = 100) {
  const exchange = new RecordedExchange(path, { "content-type": "application/grpc-web+proto", ...headers }, body);
  await serveGrpcWeb(exchange, router, { clock: new FakeClock(), messageMaxBytes, onError: unexpected });
  await exchange.done;
  const trailers = exchange.bytes.subarray(exchange.bytes.lastIndexOf(0x80) + 5).toString();
  return { exchange, status: /grpc-status:(\d+)/.exec(trailers)?.[1], message: /grpc-message:([^\r]*)/.exec(trailers)?.[1] };
}

test("the handler gets the caller's metadata, bytes as bytes, and nothing a browser added", async () => {
  let seen: Metadata | undefined;
  const exchange = new RecordedExchange("/s.S/M", { "content-type": "application/grpc-web", origin: "http://a", "x-grpc-web": "1", "x-user-agent": "grpc-web", "sec-fetch-mode": "cors", "x-k": "v", "k-bin": "/w==" }); // prettier-ignore
  await serveGrpcWeb(exchange, () => (call) => ((seen = call.metadata), call.end(), { message() {} }), { clock: new FakeClock(), messageMaxBytes: 1, onError: unexpected }); // prettier-ignore
  assert.deepEqual(seen?.entries, [["x-k", "v"], ["k-bin", Uint8Array.of(255)]]); // prettier-ignore
});

test("a call is answered with HTTP 200 and its status in the body", async () => {
  const { exchange, status } = await ask("/s.S/Echo", { "x-k": "v" }, frames(Uint8Array.of(1, 2)));
  assert.deepEqual([exchange.status, exchange.how, exchange.answerHeaders["x-k"], status], [200, "whole", "v", "0"]);
  assert.deepEqual([...exchange.bytes.subarray(0, 7)], [0, 0, 0, 0, 2, 1, 2]);
});

for (const [what, path, headers, body, status, message] of [
  ["an unknown method", "/s.S/No", {}, frames(), "12", /unknown method \/s\.S\/No/],
  ["a timeout that is none", "/s.S/Echo", { "grpc-timeout": "soon" }, frames(), "13", /grpc-timeout: expected/],
  ["a body too large", "/s.S/Echo", {}, frames(new Uint8Array(200)), "8", /larger than 100 bytes/],
  ["a body that is none", "/s.S/Echo", {}, Buffer.from([0, 0]), "13", /inside a message/],
] as const) {
  test(`${what} → status ${status}`, async () => {
    const answer = await ask(path, headers, body);
    assert.deepEqual([answer.exchange.status, answer.status], [200, status]);
    assert.match(decodeURIComponent(answer.message ?? ""), message);
  });
}

test("grpc-timeout sets the deadline and ends the call", async () => {
  const clock = new FakeClock();
  const exchange = new RecordedExchange("/s.S/Slow", { "content-type": "application/grpc-web", "grpc-timeout": "50m" }, frames());
  const heard: unknown[] = [];
  const slow: CallHandler = (call) => ((heard.push(call.deadlineMs), 0), { message() {}, cancelled: (reason) => heard.push(reason) });
  await serveGrpcWeb(exchange, () => slow, { clock, messageMaxBytes: 100, onError: unexpected });
  await clock.advance(50);
  assert.deepEqual(heard, [50, "deadline"]);
  assert.match(exchange.bytes.toString("latin1"), /grpc-status:4\r\n/);
});
