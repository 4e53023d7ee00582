/** Plain HTTP over HTTP/1.1 and HTTP/2 on the gRPC port, with node's fetch, node:http2 and curl as clients; with our HTTP/1.1 and with node:http's. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { connect as connectTcp } from "node:net";
import { test } from "node:test";
import { promisify } from "node:util";
import { Fault } from "@mecha/kit";
import { FakeClock, MemoryLog } from "@mecha/kit/testing";
import type { HttpExchange, HttpHandler } from "@mecha/wire";
import { localhost, realClock, until } from "./contract/kit.ts";
import type { ListenLimits } from "./limits.ts";
import { listen, type Listener } from "./listen.ts";

const run = promisify(execFile);
const versions = [["1.1", "--http1.1"], ["2", "--http2-prior-knowledge"]] as const; // prettier-ignore

/** Status, HTTP version, body. */
async function curl(...args: string[]): Promise<{ status: number; version: string; body: string }> {
  const { stdout } = await run("curl", ["-sS", "--max-time", "20", "-w", "\n%{http_code} %{http_version}", ...args]);
  const end = stdout.lastIndexOf("\n");
  const [status, version] = stdout.slice(end + 1).split(" ");
  return { status: Number(status), version: version ?? "", body: stdout.slice(0, end) };
}

for (const http1 of ["own", "node"] as const) httpContract(http1);

function httpContract(http1: "own" | "node"): void {
  async function open(
    http: HttpHandler,
    limits: Partial<ListenLimits> = {},
  ): Promise<{ listener: Listener; log: MemoryLog; url: string } & AsyncDisposable> {
    const log = new MemoryLog();
    const listener = await listen({ host: localhost, port: 0, clock: realClock, log, limits, http1 }, { grpc: () => undefined, http });
    return { listener, log, url: `http://${localhost}:${listener.port}`, [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose]() };
  }

  const tell: HttpHandler = async (exchange) => {
    const body = await exchange.body(1_000_000);
    const { method, path, query, headers } = exchange;
    exchange.respond(
      200,
      { "content-type": "application/json" },
      JSON.stringify({ method, path, query, host: headers["host"], x: headers["x-own"], bytes: body.length }),
    );
  };

  test(`${http1}: requests look the same over HTTP/1.1 and HTTP/2`, async () => {
    await using server = await open(tell);
    for (const [version, flag] of versions) {
      const answer = await curl(flag, "-X", "PUT", "-H", "X-Own: a", "-H", "X-Own: b", "-d", "12345", `${server.url}/a%20b/c?q=1&r=%2F`);
      assert.deepEqual([answer.status, answer.version], [200, version]);
      assert.deepEqual(JSON.parse(answer.body), {
        method: "PUT",
        path: "/a%20b/c",
        query: "q=1&r=%2F",
        host: `${localhost}:${server.listener.port}`,
        x: "a, b",
        bytes: 5,
      });
    }
  });

  test(`${http1}: several requests share an HTTP/1.1 connection, HEAD and 204 have no body`, async () => {
    const peers = new Set<string>();
    await using server = await open((exchange) => {
      peers.add(exchange.peer);
      if (exchange.path === "/none") exchange.respond(204, {});
      else exchange.respond(200, { "content-type": "text/plain" }, "body");
    });
    const { body } = await curl("--http1.1", `${server.url}/1`, `${server.url}/none`, `${server.url}/2`);
    assert.equal(body, "body\n200 1.1\n204 1.1body");
    assert.equal(peers.size, 1);
    // One request each: curl 7.88 cannot use an HTTP/2 connection twice (seen with node's own server too).
    for (const [, flag] of versions) {
      assert.deepEqual([(await curl(flag, `${server.url}/none`)).status, (await curl(flag, `${server.url}/none`)).body], [204, ""]);
      assert.match((await curl(flag, "--head", `${server.url}/x`)).body, /content-length: 4\s*$/im);
    }
  });

  test(`${http1}: a handler that throws or rejects is 500 without detail, and one line in the log`, async () => {
    await using server = await open((exchange) => {
      if (exchange.path === "/late") return Promise.reject(new Error("secret"));
      throw new Fault("internal", "secret");
    });
    let lines = 0;
    for (const [, flag] of versions) {
      for (const path of ["/now", "/late"]) {
        const { status, body } = await curl(flag, server.url + path);
        assert.equal(status, 500);
        assert.deepEqual(JSON.parse(body), { code: 13, message: "internal error", details: [] });
        assert.equal(server.log.lines.length, ++lines);
        assert.match(JSON.stringify(server.log.lines.at(-1)), /request handler failed.*secret/);
      }
    }
  });

  test(`${http1}: a failure after the answer has begun breaks it off, so that it cannot look whole`, async () => {
    await using server = await open((exchange) => {
      exchange.stream(200, { "content-type": "text/plain" }).write("half");
      throw new Error("then this");
    });
    for (const [, flag] of versions) await assert.rejects(run("curl", ["-sS", flag, server.url]));
  });

  test(`${http1}: bodies above what the handler takes are outOfRange, declared or not, and the client reads the answer`, async () => {
    await using server = await open(async (exchange) => {
      try {
        await exchange.body(1000);
        exchange.respond(200, {});
      } catch (error) {
        exchange.respond(error instanceof Fault && error.code === "outOfRange" ? 413 : 500, {}, "too large");
      }
    });
    const large = "x".repeat(3_000_000);
    for (const [, flag] of versions) {
      for (const headers of [[], ["-H", "Transfer-Encoding: chunked"]]) {
        if (flag !== "--http1.1" && headers.length > 0) continue;
        const child = run("curl", [
          "-sS",
          flag,
          "-o",
          "/dev/null",
          "-w",
          "%{http_code}",
          ...headers,
          "-H",
          "Expect:",
          "--data-binary",
          "@-",
          server.url,
        ]);
        child.child.stdin?.on("error", () => undefined);
        child.child.stdin?.end(large);
        const { stdout } = await child.catch((failed: unknown) => failed as { stdout: string });
        assert.equal(stdout, "413", `${flag} ${headers.join()}`);
      }
    }
    assert.equal((await fetch(server.url, { method: "POST", body: "x".repeat(1000) })).status, 200);
  });

  test(`${http1}: answers in pieces keep to the client's pace`, async () => {
    const piece = Buffer.alloc(64 * 1024);
    let written = 0;
    await using server = await open((exchange) => {
      const body = exchange.stream(200, {});
      const fill = (): void => {
        while (written < 600) if ((written++, !body.write(piece))) return;
        body.end();
      };
      body.onDrain(fill);
      fill();
    });
    const response = await fetch(server.url);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    let last = -1;
    await until("the writer to stop", () => (last === written ? true : ((last = written), false)));
    assert.ok(written < 600, "600 pieces were written to a client that reads none");
    let bytes = 0;
    for (let part = await reader.read(); !part.done; part = await reader.read()) bytes += part.value.length;
    assert.ok(written === 600 && bytes > 500 * piece.length);
  });

  test(`${http1}: a client that goes away is told, once; a body cut short is cancelled`, async () => {
    const seen: string[] = [];
    let waiting: HttpExchange | undefined;
    await using server = await open(async (exchange) => {
      exchange.onClose(() => seen.push(`closed ${exchange.path}`));
      waiting = exchange;
      if (exchange.path !== "/cut") return;
      await exchange.body(1000).catch((error: unknown) => seen.push((error as Fault).code));
    });
    for (const flag of versions.map(([, flag]) => flag)) {
      seen.length = 0;
      waiting = undefined;
      const child = execFile("curl", ["-sS", flag, `${server.url}/gone`]);
      await until("the request", () => waiting !== undefined);
      child.kill("SIGKILL");
      await until("the news", () => seen.length > 0);
      (waiting as unknown as HttpExchange).respond(200, {}, "to nobody");
      assert.deepEqual(seen, ["closed /gone"]);
    }
    seen.length = 0;
    const socket = connectTcp(server.listener.port, localhost);
    socket.write("POST /cut HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc");
    waiting = undefined;
    await until("the request", () => waiting !== undefined);
    socket.destroy();
    await until("the news", () => seen.length === 2);
    assert.deepEqual(seen.sort(), ["cancelled", "closed /cut"]);
  });

  /** Sends `request` as it is and reads all that comes back. */
  async function rawHttp(port: number, request: string): Promise<string> {
    const socket = connectTcp(port, localhost);
    let answer = "";
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
    socket.on("error", () => undefined);
    socket.write(request);
    await new Promise((resolve) => socket.on("close", resolve));
    return answer;
  }

  test(`${http1}: HTTP/1.1 that is none: 400; headers too large: 431; an unfinished request does not stay`, async () => {
    await using server = await open(tell, { headersTimeoutMs: 300, requestTimeoutMs: 600 });
    const { port } = server.listener;
    assert.match(await rawHttp(port, "NONSENSE\r\n\r\n"), /^HTTP\/1\.1 400 /);
    assert.match(await rawHttp(port, `GET / HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(20_000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
    assert.match(await rawHttp(port, "GET / HTTP/1.1\r\nhost: x\r\nunfinished"), /^HTTP\/1\.1 408 /);
    assert.equal(await rawHttp(port, ""), "", "a connection that says nothing");
    assert.equal(await rawHttp(port, "PRI * HTT"), "", "a preface that never ends");
    assert.match(
      await rawHttp(port, "GET http://shop.test/a?b HTTP/1.1\r\nhost: shop.test\r\nconnection: close\r\n\r\n"),
      /"path":"\/a","query":"b"/,
    );
  });

  test(`${http1}: a preface in single bytes is still HTTP/2`, async () => {
    await using server = await open(tell);
    const socket = connectTcp({ port: server.listener.port, host: localhost, noDelay: true });
    const received: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => received.push(chunk));
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
    for (const byte of Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings])) {
      socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until("the server's SETTINGS", () => Buffer.concat(received).length >= 9);
    assert.equal(Buffer.concat(received)[3], 4);
    socket.destroy();
  });

  test(`${http1}: draining answers what is open over HTTP/1.1 with connection: close`, async () => {
    let waiting: HttpExchange | undefined;
    await using server = await open((exchange) => void (waiting = exchange));
    const answer = fetch(server.url);
    await until("the request", () => waiting !== undefined);
    const drained = server.listener.drain(30_000);
    waiting?.respond(200, {}, "last");
    const response = await answer;
    assert.equal(response.headers.get("connection"), "close");
    assert.equal(await response.text(), "last");
    assert.equal(await drained, 0);
    await assert.rejects(fetch(server.url));
  });

  test(`${http1}: too many connections are closed, and said once for each`, async () => {
    await using server = await open(tell, { connectionsMax: 1 });
    const first = connectTcp(server.listener.port, localhost);
    await new Promise((resolve) => first.on("connect", resolve));
    assert.equal(await rawHttp(server.listener.port, "GET / HTTP/1.1\r\nhost: x\r\n\r\n"), "");
    assert.match(JSON.stringify(server.log.lines), /too many/);
    first.destroy();
  });

  test(`${http1}: a port in use and a host that is not ours are said plainly`, async () => {
    await using server = await open(tell);
    const options = { clock: new FakeClock(), log: new MemoryLog() };
    const handlers = { grpc: () => undefined, http: tell };
    await assert.rejects(
      listen({ ...options, host: localhost, port: server.listener.port }, handlers),
      (error) => error instanceof Fault && error.code === "alreadyExists" && error.message.includes(String(server.listener.port)),
    );
    await assert.rejects(
      listen({ ...options, host: "192.0.2.1", port: 0 }, handlers),
      (error) => error instanceof Fault && error.code === "invalid",
    );
  });
}
