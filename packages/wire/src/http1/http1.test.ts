/** Heads and bodies of HTTP/1.1 requests: what is read, what is refused, and that no cut of the bytes makes a difference. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BodyReader, headerLinesMax, overheadMaxBytes, parseHead, type RequestHead } from "./index.ts";

const head = (...lines: string[]): string => lines.join("\r\n");

function accepted(text: string): RequestHead {
  const result = parseHead(text);
  assert.ok(!("refused" in result), `refused with ${JSON.stringify(result)}: ${JSON.stringify(text)}`);
  return result;
}

test("a head is read", () => {
  assert.deepEqual(
    accepted(head("POST /a?b=c HTTP/1.1", "Host: x:1", "X-Own:  a \t", "x-own: b", "Cookie: a=1", "cookie: b=2", "Content-Length: 12")),
    {
      method: "POST",
      target: "/a?b=c",
      minor: 1,
      headers: { host: "x:1", "x-own": "a, b", cookie: "a=1; b=2", "content-length": "12" },
      body: 12,
      keepAlive: true,
      expectsContinue: false,
    },
  );
  assert.equal(accepted(head("GET / HTTP/1.0")).keepAlive, false);
  assert.equal(accepted(head("GET / HTTP/1.0", "connection: Keep-Alive")).keepAlive, true);
  assert.equal(accepted(head("GET / HTTP/1.1", "host: x", "connection: foo, CLOSE")).keepAlive, false);
  assert.equal(accepted(head("GET / HTTP/1.1", "host: x", "transfer-encoding: Chunked")).body, "chunked");
  assert.equal(accepted(head("GET / HTTP/1.1", "host: x", "expect: 100-Continue")).expectsContinue, true);
  assert.equal(accepted(head("GET / HTTP/1.1", "host: x", "__proto__: y", "x: \xe9")).headers["x"], "\xe9");
});

test("what could be read in two ways is refused", () => {
  const host = "host: x";
  const first = "POST / HTTP/1.1";
  const refusals: [number, string][] = [
    [400, "NONSENSE"],
    [400, "GET  / HTTP/1.1"],
    [400, head("GET / HTTP/1.1 ", host)],
    [400, head("G(T / HTTP/1.1", host)],
    [400, head("GET /\xe9 HTTP/1.1", host)],
    [400, head("GET / http/1.1", host)],
    [400, head("GET /a b HTTP/1.1", host)],
    [505, head("GET / HTTP/2.0", host)],
    [400, head(first)],
    [400, head(first, host, "Host: y")],
    [400, head(first, host, "content-length : 5")],
    [400, head(first, host, " content-length: 5")],
    [400, head(first, host, "x: a", "\tcontent-length: 5")],
    [400, head(first, host, ": 5")],
    [400, head(first, host, "content-length")],
    [400, head(first, host, "")],
    [400, head(first, host, "x: a\nb: c")],
    [400, head(first, host, "x: a\rb: c")],
    [400, head(first, host, "x: a\0")],
    [400, head(first, host, "x\0: a")],
    [400, head(first, host, "content-length: 5", "content-length: 5")],
    [400, head(first, host, "content-length: 5", "content-length: 6")],
    [400, head(first, host, "content-length: +5")],
    [400, head(first, host, "content-length: 0x5")],
    [400, head(first, host, "content-length: 5,5")],
    [400, head(first, host, "content-length: -1")],
    [400, head(first, host, "content-length:")],
    [400, head(first, host, "content-length: 1234567890123456")],
    [400, head(first, host, "content-length: 5", "transfer-encoding: chunked")],
    [400, head("POST / HTTP/1.0", "transfer-encoding: chunked")],
    [501, head(first, host, "transfer-encoding: gzip, chunked")],
    [501, head(first, host, "transfer-encoding: chunked", "transfer-encoding: chunked")],
    [501, head(first, host, "transfer-encoding: xchunked")],
    [400, head(first, host, "transfer-encoding: \x0bchunked")],
    [417, head(first, host, "expect: 200-ok")],
    [400, head("CONNECT x:1 HTTP/1.1", host)],
    [400, head("GET x/y HTTP/1.1", host)],
    [400, head("GET *x HTTP/1.1", host)],
    [400, head("GET ftp://x/ HTTP/1.1", host)],
    [431, head(first, host, ...Array.from({ length: headerLinesMax }, (_, i) => `h${i}: x`))],
  ];
  for (const [status, text] of refusals) assert.deepEqual(parseHead(text), { refused: status }, JSON.stringify(text));
});

test("any text is read or refused, never thrown at", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      const result = parseHead(text);
      assert.ok("refused" in result ? result.refused >= 400 : result.method !== "");
    }),
    { numRuns: 500 },
  );
});

/** Reads `bytes` in cuts of the given sizes. */
function readBody(
  length: number | "chunked",
  bytes: Buffer,
  cuts: readonly number[],
): { body: string; used: number; broken: boolean; done: boolean } {
  const reader = new BodyReader(length);
  const pieces: Uint8Array[] = [];
  let used = 0;
  let cut = 0;
  while (used < bytes.length && !reader.done && !reader.broken) {
    const part = bytes.subarray(used, used + Math.max(1, cuts[cut++ % Math.max(1, cuts.length)] ?? bytes.length));
    used += reader.read(part, 0, (view) => pieces.push(Buffer.from(view)));
  }
  return { body: Buffer.concat(pieces).toString("latin1"), used, broken: reader.broken, done: reader.done };
}

const cutting = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });

test("bodies come out the same however they are cut, and what follows them is left", () => {
  const chunk = fc.record({
    data: fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 40 }),
    extension: fc.constantFrom("", ";a=b", ';x="y z"'),
    upper: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 6 }), fc.constantFrom("", "x: y\r\n"), cutting, (chunks, trailer, cuts) => {
      const body = chunks.map(({ data }) => data).join("");
      const size = (data: string, upper: boolean): string =>
        upper ? data.length.toString(16).toUpperCase() : `0${data.length.toString(16)}`;
      const text = `${chunks.map(({ data, extension, upper }) => `${size(data, upper)}${extension}\r\n${data}\r\n`).join("")}0\r\n${trailer}\r\n`;
      const wire = Buffer.from(`${text}GET`, "latin1");
      assert.deepEqual(readBody("chunked", wire, cuts), { body, used: text.length, broken: false, done: true });
      const plain = Buffer.from(`${body}GET`, "latin1");
      assert.deepEqual(readBody(body.length, plain, cuts), { body, used: body.length, broken: false, done: true });
    }),
  );
});

test("chunks that are none break the body, however they are cut", () => {
  const broken = [
    "\r\n",
    "g\r\n",
    " 5\r\n",
    "5 \r\nabcde\r\n",
    "0x5\r\nabcde\r\n",
    "-1\r\n",
    "5\nabcde\r\n",
    "5\r\nabcdef\r\n",
    "5\r\nabcde\n",
    "5\r\nabcde\r0\r\n",
    "123456789\r\n",
    ";a\r\n",
    "5;a\nb\r\nabcde\r\n",
    "5;a\0\r\n",
    "0\r\nx: y\n\r\n",
    "0\r\n\n",
    "0\r\n\rx",
    `1;${"a".repeat(overheadMaxBytes + 1)}\r\n`,
    `0\r\n${"a: b\r\n".repeat(overheadMaxBytes / 4 + 1)}\r\n`,
  ];
  for (const text of broken) {
    for (const cut of [1, 3, text.length]) {
      const read = readBody("chunked", Buffer.from(text, "latin1"), [cut]);
      assert.deepEqual([read.broken, read.done], [true, false], `${JSON.stringify(text.slice(0, 40))} in cuts of ${cut}`);
    }
  }
});
