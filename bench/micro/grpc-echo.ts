/**
 * Our gRPC server and client beside @grpc/grpc-js, one echo method, server and client in processes of their own, rounds interleaved so that
 * a noisy machine disturbs both alike. Prints calls or messages per second (median of the rounds), ratios, and memory of idle streams.
 *
 *   node bench/micro/grpc-echo.ts [--rounds 3] [--ms 2000] [--streams 30000] [--only unary|stream|idle]
 */
import { type ChildProcess, fork } from "node:child_process";
import * as grpc from "@grpc/grpc-js";
import { connect, listen } from "../../adapters/net/src/index.ts";
import { hostClock as clock } from "../../adapters/host/src/index.ts";
import { noLog } from "../../packages/kit/src/index.ts";
import { type CallRouter, type Channel, type ClientCall, unaryHandler } from "../../packages/wire/src/index.ts";
import { number, readOptions, some } from "../options.ts";

const host = "127.0.0.1";
const body = Buffer.alloc(100, "x");
/** Messages a bidi stream keeps in flight. */
const window = 16;
type Kind = "mecha" | "grpcjs";
interface Load {
  /** Calls, or stream messages, finished. */
  run(ms: number): Promise<number>;
  close(): void;
}

// ── servers ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function serveMecha(): Promise<number> {
  const echo = unaryHandler((request) => request);
  const routes: Record<string, ReturnType<CallRouter>> = {
    "/bench.Echo/Unary": echo,
    "/bench.Echo/Bidi": (call) => ({ message: (bytes) => void call.send(bytes), halfClose: () => call.end() }),
  };
  const limits = { callsPerConnectionMax: 100_000 };
  const listener = await listen(
    { host, port: 0, clock, log: noLog, limits },
    { grpc: (path) => routes[path], http: (exchange) => exchange.respond(404, {}) },
  );
  return listener.port;
}

const raw = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };
function same(bytes: Buffer): Buffer {
  return bytes;
}
const grpcJsOptions = {
  "grpc-node.max_session_memory": Number.MAX_SAFE_INTEGER,
  "grpc.max_concurrent_streams": 100_000,
};

function serveGrpcJs(): Promise<number> {
  const server = new grpc.Server(grpcJsOptions);
  server.addService(
    {
      Unary: { path: "/bench.Echo/Unary", requestStream: false, responseStream: false, ...raw },
      Bidi: { path: "/bench.Echo/Bidi", requestStream: true, responseStream: true, ...raw },
    },
    {
      Unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => done(null, call.request),
      Bidi: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
        call.on("data", (message: Buffer) => call.write(message));
        call.on("end", () => call.end());
      },
    },
  );
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:0`, grpc.ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve(port)));
  });
}

// ── clients ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Client {
  unary(done: (failed: unknown) => void): void;
  /** Opens a stream; the answer sends one message. */
  bidi(message: () => void): { send(): void; end(): void };
  close(): void;
}

function mechaClient(port: number): Client {
  const channel: Channel = connect({ host, port, clock, limits: { callsPerConnectionMax: 100_000 } });
  const nothing = (): void => undefined;
  return {
    unary(done) {
      const call = channel.open("/bench.Echo/Unary", {}, { message: nothing, end: (status) => done(status.code ? status : undefined) });
      call.send(body);
      call.halfClose();
    },
    bidi(message) {
      const call: ClientCall = channel.open("/bench.Echo/Bidi", {}, { message, end: nothing });
      return { send: () => void call.send(body), end: () => call.halfClose() };
    },
    close: () => void channel[Symbol.asyncDispose](),
  };
}

function grpcJsClient(port: number): Client {
  const client = new grpc.Client(`${host}:${port}`, grpc.credentials.createInsecure(), {
    ...grpcJsOptions,
    "grpc.use_local_subchannel_pool": 1,
  });
  return {
    unary: (done) => void client.makeUnaryRequest("/bench.Echo/Unary", same, same, body, (error) => done(error ?? undefined)),
    bidi(message) {
      const call = client.makeBidiStreamRequest("/bench.Echo/Bidi", same, same);
      call.on("data", message);
      call.on("error", () => undefined);
      return { send: () => void call.write(body), end: () => call.end() };
    },
    close: () => client.close(),
  };
}

const newClient = (kind: Kind, port: number): Client => (kind === "mecha" ? mechaClient(port) : grpcJsClient(port));

/** `connections` × `inFlight` unary calls at a time. */
function unaryLoad(clients: readonly Client[], inFlight: number, ms: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let finished = 0;
    let running = clients.length * inFlight;
    const untilMs = performance.now() + ms;
    const next = (client: Client): void =>
      client.unary((failed) => {
        if (failed !== undefined) return reject(failed as Error);
        finished++;
        if (performance.now() < untilMs) next(client);
        else if (--running === 0) resolve(finished);
      });
    for (const client of clients) for (let n = 0; n < inFlight; n++) next(client);
  });
}

/** Streams that keep `window` messages in flight each. */
function streamLoad(clients: readonly Client[], streams: number, ms: number): Promise<number> {
  return new Promise((resolve) => {
    let finished = 0;
    let running = clients.length * streams * window;
    const untilMs = performance.now() + ms;
    for (const client of clients) {
      for (let n = 0; n < streams; n++) {
        let left = window;
        const stream = client.bidi(() => {
          finished++;
          if (performance.now() < untilMs) stream.send();
          else {
            if (--left === 0) stream.end();
            if (--running === 0) resolve(finished);
          }
        });
        for (let m = 0; m < window; m++) stream.send();
      }
    }
  });
}

// ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

type Ask =
  | { ask: "serve"; kind: Kind }
  | { ask: "unary" | "stream"; kind: Kind; port: number; connections: number; each: number; ms: number }
  | { ask: "idle"; kind: Kind; port: number; streams: number }
  | { ask: "memory" };

async function answer(ask: Ask): Promise<number> {
  switch (ask.ask) {
    case "serve":
      return ask.kind === "mecha" ? serveMecha() : serveGrpcJs();
    case "memory":
      globalThis.gc?.();
      return process.memoryUsage().rss;
    case "idle":
      return openIdle(newClient(ask.kind, ask.port), ask.streams);
    default: {
      const clients = Array.from({ length: ask.connections }, () => newClient(ask.kind, ask.port));
      const load = ask.ask === "unary" ? unaryLoad : streamLoad;
      await load(clients, ask.each, ask.ms / 4);
      const startMs = performance.now();
      const finished = await load(clients, ask.each, ask.ms);
      const perSecond = finished / ((performance.now() - startMs) / 1000);
      for (const client of clients) client.close();
      return perSecond;
    }
  }
}

/** Opens `streams` streams, sends one message on each and waits for all answers; they stay open. */
function openIdle(client: Client, streams: number): Promise<number> {
  return new Promise((resolve) => {
    let answered = 0;
    for (let n = 0; n < streams; n++) {
      client
        .bidi(() => {
          if (++answered === streams) resolve(answered);
        })
        .send();
    }
  });
}

class Worker {
  readonly #child: ChildProcess;
  constructor() {
    this.#child = fork(import.meta.filename, ["--worker"], { execArgv: ["--expose-gc"] });
  }
  ask(ask: Ask): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#child.once("exit", (code) => reject(new Error(`worker exited with ${code}`)));
      this.#child.once("message", (reply) => resolve(reply as number));
      this.#child.send(ask);
    });
  }
  end(): void {
    this.#child.removeAllListeners("exit");
    this.#child.kill();
  }
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;
const thousands = (n: number): string => `${(n / 1000).toFixed(1)} k/s`.padStart(11);

const shapes = [
  { ask: "unary", connections: 1, each: 1 },
  { ask: "unary", connections: 4, each: 16 },
  { ask: "unary", connections: 64, each: 1 },
  { ask: "stream", connections: 4, each: 16 },
] as const;
const pairs: readonly (readonly [server: Kind, client: Kind])[] = [
  ["mecha", "mecha"],
  ["mecha", "grpcjs"],
  ["grpcjs", "mecha"],
  ["grpcjs", "grpcjs"],
];

async function measure(server: Kind, client: Kind, shape: (typeof shapes)[number], ms: number): Promise<number> {
  const [serving, asking] = [new Worker(), new Worker()];
  try {
    const port = await serving.ask({ ask: "serve", kind: server });
    return await asking.ask({ ...shape, kind: client, port, ms });
  } finally {
    serving.end();
    asking.end();
  }
}

async function measureIdle(kind: Kind, streams: number): Promise<string> {
  const [serving, asking] = [new Worker(), new Worker()];
  try {
    const port = await serving.ask({ ask: "serve", kind });
    const before = [await serving.ask({ ask: "memory" }), await asking.ask({ ask: "memory" })] as const;
    await asking.ask({ ask: "idle", kind, port, streams });
    const after = [await serving.ask({ ask: "memory" }), await asking.ask({ ask: "memory" })] as const;
    const each = (side: 0 | 1): string => `${((after[side] - before[side]) / streams / 1024).toFixed(1)} KB`;
    return `${kind.padEnd(7)} ${streams} idle streams: server ${each(0)}, client ${each(1)} each`;
  } finally {
    serving.end();
    asking.end();
  }
}

async function main(): Promise<void> {
  const { rounds, ms, streams, only } = readOptions("gRPC echo: our client and server beside @grpc/grpc-js.", {
    rounds: number(3, "of each pair; the median counts"),
    ms: number(2_000, "of load a round"),
    streams: number(30_000, "open at a time when idle ones are measured"),
    only: some(["unary", "stream", "idle"], "unary,stream,idle", "what to measure"),
  });
  for (const shape of shapes) {
    if (!only.includes(shape.ask)) continue;
    const results = pairs.map(() => [] as number[]);
    for (let round = 0; round < rounds; round++) {
      for (const [at, [server, client]] of pairs.entries()) results[at]?.push(await measure(server, client, shape, ms));
    }
    const medians = results.map(median);
    const base = medians.at(-1) ?? 1;
    console.log(`${shape.ask} ${shape.connections} × ${shape.each}`);
    for (const [at, [server, client]] of pairs.entries()) {
      const value = medians[at] ?? 0;
      console.log(`  server ${server.padEnd(7)} client ${client.padEnd(7)} ${thousands(value)}  ×${(value / base).toFixed(2)}`);
    }
  }
  if (only.includes("idle")) {
    for (const kind of ["mecha", "grpcjs"] as const) {
      console.log(await measureIdle(kind, streams).catch((error: Error) => `${kind.padEnd(7)} failed: ${error.message}`));
    }
  }
}

if (process.argv.includes("--worker")) {
  process.on("SIGINT", () => process.exit(0));
  process.on("message", (ask: Ask) => void answer(ask).then((reply) => process.send?.(reply)));
} else {
  await main();
}
