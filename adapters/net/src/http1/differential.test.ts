/**
 * HTTP/1.1 on real sockets: our own reading beside node:http's. A request we take must be one node:http takes too, and the same: whoever stands
 * in front of us may read as node:http does.
 */
import assert from "node:assert/strict";
import { METHODS } from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { MemoryLog } from "@mecha/kit/testing";
import type { HttpExchange, HttpHandler } from "@mecha/wire";
import { localhost, realClock, until } from "../contract/kit.ts";
import { listen, type Listener } from "../listen.ts";

const tell: HttpHandler = async (exchange) => {
  const body = await exchange.body(10_000).then(
    (bytes) => Buffer.from(bytes).toString("latin1"),
    () => "cut",
  );
  exchange.respond(200, { "content-type": "text/plain" }, JSON.stringify([exchange.method, exchange.path, exchange.query, body]));
};

const limits = { headersTimeoutMs: 400, requestTimeoutMs: 800 };
let own: Listener;
before(async () => {
  own = await listen({ host: localhost, port: 0, clock: realClock, log: new MemoryLog(), limits }, { grpc: () => undefined, http: tell });
});
after(() => own[Symbol.asyncDispose]());

/** Sends pieces one after the other, hangs up, and reads to the end. */
async function converse(port: number, pieces: readonly string[], hangUp = true): Promise<string> {
  const socket = connectTcp({ port, host: localhost, noDelay: true });
  let answer = "";
  socket.on("data", (chunk: Buffer) => (answer += chunk.toString("latin1")));
  socket.on("error", () => undefined);
  const closed = new Promise((resolve) => socket.on("close", resolve));
  for (const piece of pieces) {
    if (!socket.writable) break;
    await new Promise((resolve) => socket.write(piece, "latin1", resolve));
  }
  if (hangUp) await answered(socket, () => answer);
  await closed;
  return answer;
}

/** Ends our side once the other has been quiet for a moment: an answer under way is not cut off. */
async function answered(socket: Socket, soFar: () => string): Promise<void> {
  let last = "";
  await until("the answers", () => {
    const quiet = (soFar() === last && last !== "") || socket.destroyed || socket.readableEnded;
    last = soFar();
    return quiet;
  });
  socket.end();
}

/** What the handler saw, in order, and the first status that is no 200. */
function seen(answer: string): { requests: string[]; refused: number | undefined } {
  const requests = [...answer.matchAll(/\r\n\r\n(\["[^\r]*?\])(?=HTTP\/1\.1|$)/g)].map(([, text]) => text as string);
  const refused = [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status)).find((status) => status !== 200);
  return { requests, refused };
}

const close = "connection: close\r\n";

test("several requests in one packet, and one in many, are answered in order", async () => {
  const first = "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc";
  const second = "POST /b?q HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n";
  const last = `GET /c HTTP/1.1\r\nhost: x\r\n${close}\r\n`;
  const expected = ['["POST","/a","","abc"]', '["POST","/b","q","de"]', '["GET","/c","",""]'];
  for (const pieces of [[first + second + last], (first + second + last).split(/(?:)/), [`\r\n${first}\r\n`, second, last]]) {
    const answer = await converse(own.port, pieces, false);
    assert.deepEqual(seen(answer), { requests: expected, refused: undefined }, answer);
    assert.equal(answer.match(/connection: close/g)?.length, 1);
  }
});

test("a client that waits for 100 Continue gets it when its body is wanted; an HTTP/1.0 client its end of the connection", async () => {
  const socket = connectTcp(own.port, localhost);
  let answer = "";
  socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
  socket.write("POST /e HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
  await until("100", () => answer === "HTTP/1.1 100 Continue\r\n\r\n");
  socket.write("hi");
  await until("200", () => answer.includes('["POST","/e","","hi"]'));
  socket.destroy();
  assert.match(await converse(own.port, ["GET /old HTTP/1.0\r\n\r\n"], false), /connection: close\r\n\r\n\["GET","\/old","",""\]$/);
});

test("a body that never comes is 408; a client that asks on and reads nothing is not read either", async () => {
  assert.match(await converse(own.port, ["POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab"], false), /^HTTP\/1\.1 408 /);
  const socket = connectTcp(own.port, localhost);
  socket.pause();
  socket.on("error", () => undefined);
  const many = "GET /flood HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000);
  let full = 0;
  for (let at = 0; at < 400 && full < 20; at++) {
    if (!socket.write(many)) full++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(socket.writableLength > 0, "13 MB of requests were taken from a client that reads no answer");
  socket.destroy();
  await until("the request to be forgotten", () => own.openCalls === 0);
});

test("a header that cannot be one is not sent", async () => {
  const lines = new MemoryLog();
  const http = (exchange: HttpExchange): void => exchange.respond(200, { "x-own": exchange.query === "" ? "a\r\nb: c" : "fine" }, "é");
  await using listener = await listen({ host: localhost, port: 0, clock: realClock, log: lines }, { grpc: () => undefined, http });
  const url = `http://${localhost}:${listener.port}/`;
  assert.equal((await fetch(url)).status, 500);
  assert.match(JSON.stringify(lines.lines), /x-own/);
  assert.equal(await (await fetch(`${url}?fine`)).text(), "é");
});

const bits = [
  "GET",
  "POST",
  " ",
  "/",
  "/x?y",
  "HTTP/1.1",
  "HTTP/1.0",
  "\r\n",
  "\r\n",
  "\n",
  "\r",
  "host: x",
  "Host: y",
  "content-length: 3",
  "Content-Length: 0",
  "content-length : 3",
  "transfer-encoding: chunked",
  "Transfer-Encoding: identity",
  "connection: close",
  "x: y",
  "\t",
  ":",
  "abc",
  "3",
  "0",
  "0\r\n\r\n",
  "3\r\nabc\r\n",
  "\0",
  "\x80",
  ";a",
];

/** A request that is nearly right: some of its parts are doubled, dropped or replaced. */
const nearly = fc
  .tuple(
    fc.constantFrom(
      ["POST", " ", "/", " ", "HTTP/1.1", "\r\n", "host: x", "\r\n", "content-length: 3", "\r\n", "\r\n", "abc"],
      [
        "POST",
        " ",
        "/x?y",
        " ",
        "HTTP/1.1",
        "\r\n",
        "host: x",
        "\r\n",
        "transfer-encoding: chunked",
        "\r\n",
        "\r\n",
        "3\r\nabc\r\n",
        "0\r\n\r\n",
      ],
      ["GET", " ", "/", " ", "HTTP/1.1", "\r\n", "host: x", "\r\n", "x: y", "\r\n", "\r\n"],
    ),
    fc.array(fc.record({ at: fc.nat(12), how: fc.constantFrom("drop", "double", "put", "before"), bit: fc.constantFrom(...bits) }), {
      maxLength: 2,
    }),
  )
  .map(([parts, changes]) => {
    const changed: string[] = [...parts];
    for (const { at, how, bit } of changes) {
      const index = at % changed.length;
      if (how === "drop") changed.splice(index, 1);
      else if (how === "double") changed.splice(index, 0, changed[index] as string);
      else if (how === "put") changed[index] = bit;
      else changed.splice(index, 0, bit);
      if (changed.length === 0) changed.push(bit);
    }
    return changed.join("");
  });

/** What a listener's handler is given. */
class Seen {
  requests: { readonly line: string; body: string | undefined }[] = [];
  readonly handler: HttpHandler = async (exchange) => {
    const request: Seen["requests"][number] = { line: `${exchange.method} ${exchange.path} ${exchange.query}`, body: undefined };
    this.requests.push(request);
    request.body = await exchange.body(10_000).then(
      (bytes) => Buffer.from(bytes).toString("latin1"),
      () => undefined,
    );
    exchange.respond(200, {}, "taken");
  };
}

test("what we take, node:http takes too, and reads the same", { timeout: 120_000 }, async () => {
  const runs = Number(process.env["MECHA_FUZZ_RUNS"] ?? 150);
  const lines = new MemoryLog();
  const mine = new Seen();
  const theirs = new Seen();
  const open = (http1: "own" | "node", http: HttpHandler): Promise<Listener> =>
    listen({ host: localhost, port: 0, clock: realClock, log: lines, http1, limits }, { grpc: () => undefined, http });
  await using ours = await open("own", mine.handler);
  await using nodes = await open("node", theirs.handler);
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(nearly, nearly, async (first, second) => {
      mine.requests = [];
      theirs.requests = [];
      const text = `${first}${second}GET /end HTTP/1.1\r\nhost: x\r\n${close}\r\n`;
      await Promise.all([converse(ours.port, [text]), converse(nodes.port, [text])]);
      const told = `${JSON.stringify(text)}\n${JSON.stringify(mine.requests)}\n${JSON.stringify(theirs.requests)}`;
      for (const [at, { line, body }] of mine.requests.entries()) {
        if (!METHODS.includes(line.split(" ")[0] as string)) break; // node:http refuses methods it does not know
        taken++;
        assert.equal(line, theirs.requests[at]?.line, told);
        // node:http drops the connection, and what it had read, when it comes upon nonsense behind a request.
        const other = theirs.requests[at]?.body;
        if (body !== undefined && other !== undefined) assert.equal(body, other, told);
      }
    }),
    { numRuns: runs },
  );
  assert.ok(taken > runs / 3, `${taken} requests were taken in ${runs} runs: the cases are too wrong to tell anything`);
  await until("all to be forgotten", () => ours.openCalls === 0);
  assert.deepEqual(lines.lines, []);
});
