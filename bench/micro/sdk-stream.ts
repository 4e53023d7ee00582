/**
 * Commands a second through one process written with the SDK, over the Cloudstate protocol: a command in, an event and a reply out.
 *
 *     node bench/micro/sdk-stream.ts [--seconds 2] [--out result.json]
 *
 * `alone`: the entity's stream without sockets, one thread: what the SDK itself costs (decode, handler, event, state, encode).
 * `sockets`: a child process that serves, this process as its proxy with N entity streams, one command in flight on each. Both processes
 * share the machine; `function µs` is the CPU time of the child for a command.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { create, toBinary } from "@bufbuild/protobuf";
import { hostClock } from "@mecha/host";
import { noLog } from "@mecha/kit";
import { connect } from "@mecha/net";
import { Metadata, type ServerCall } from "@mecha/wire";
import { EventSourcedStreamInSchema } from "@mecha/wire/gen/cloudstate/event_sourced";
import { command, eventSourced, serve, t } from "mecha-sdk";
import { EventSourcedCall } from "../../sdk/typescript/src/serve/entity-call.ts";
import { maybe, number, readOptions } from "../options.ts";

const Counter = eventSourced({
  service: "bench.Counter",
  key: "id",
  state: () => ({ total: 0 }),
  events: { added: { amount: t.int32 } },
  commands: { add: command({ id: t.string, amount: t.int32 }).replies({ total: t.int32 }) },
  on: {
    added(state, { amount }) {
      state.total += amount;
    },
  },
  handle: {
    add({ amount }, ctx) {
      ctx.emit("added", { amount });
      return { total: ctx.state.total };
    },
  },
});

const path = "/cloudstate.eventsourced.EventSourced/handle";
const payload = {
  typeUrl: "type.googleapis.com/bench.CounterAddRequest",
  value: Counter.commands.add.input.codec.encode({ id: "c1", amount: 1 }),
};

function streamIn(message: Parameters<typeof create<typeof EventSourcedStreamInSchema>>[1] & object): Uint8Array {
  return toBinary(EventSourcedStreamInSchema, create(EventSourcedStreamInSchema, message));
}

async function main(): Promise<void> {
  const args = readOptions("A function written with the SDK: commands a second, alone and over sockets.", {
    seconds: number(2, "of each measurement"),
    out: maybe("file for the results, JSON"),
  });
  const runMs = args.seconds * 1000;
  const results: object[] = [];
  for (const development of [false, true]) results.push(alone(runMs, development));
  for (const streams of [1, 16, 256]) results.push(await overSockets(runMs, streams));
  console.table(results);
  if (args.out !== undefined)
    writeFileSync(args.out, `${JSON.stringify({ cpu: cpus()[0]?.model, node: process.version, results }, undefined, 2)}\n`);
}

/** The stream's machine with a call that drops what it is sent. */
function alone(runMs: number, development: boolean): object {
  let answers = 0;
  const call: ServerCall = {
    path,
    metadata: Metadata.empty,
    deadlineMs: undefined,
    peer: "bench",
    pause() {},
    resume() {},
    sendHeaders() {},
    send: () => (answers++, true),
    end(status) {
      throw new Error(`the stream ended: ${JSON.stringify(status)}`);
    },
  };
  const stream = new EventSourcedCall(call, () => Counter.definition, { log: noLog, development });
  stream.message(streamIn({ message: { case: "init", value: { serviceName: "bench.Counter", entityId: "c1" } } }));
  const bytes = streamIn({ message: { case: "command", value: { entityId: "c1", id: 1n, name: "Add", payload } } });
  const round = (ms: number): number => {
    const before = answers;
    const start = performance.now();
    while (performance.now() - start < ms) for (let i = 0; i < 1_000; i++) stream.message(bytes);
    return (answers - before) / (performance.now() - start);
  };
  round(runMs / 2); // warm
  const perMs = round(runMs);
  return {
    what: `alone, ${development ? "development" : "production"}`,
    "commands/s": Math.round(perMs * 1000),
    "function µs": Number((1000 / perMs).toFixed(2)),
  };
}

async function overSockets(runMs: number, streams: number): Promise<object> {
  const child = fork(import.meta.filename, ["--serve"], { env: { ...process.env, NODE_ENV: "production" } });
  const [port] = (await once(child, "message")) as [number];
  const channel = connect({ host: "127.0.0.1", port, clock: hostClock });
  let answers = 0;
  let running = true;
  const commandOf = (id: number): Uint8Array =>
    streamIn({ message: { case: "command", value: { entityId: `c${id}`, id: 1n, name: "Add", payload } } });
  for (let n = 0; n < streams; n++) {
    const bytes = commandOf(n);
    const call = channel.open(path, {}, {
      message() {
        answers++;
        if (running) call.send(bytes);
      },
      end(status) {
        if (running) throw new Error(`a stream ended: ${JSON.stringify(status)}`);
      },
    }); // prettier-ignore
    call.send(streamIn({ message: { case: "init", value: { serviceName: "bench.Counter", entityId: `c${n}` } } }));
    call.send(bytes);
  }
  await new Promise((resolve) => setTimeout(resolve, runMs / 2)); // warm
  const [cpuBefore, countBefore, start] = [await cpuOf(child), answers, performance.now()];
  await new Promise((resolve) => setTimeout(resolve, runMs));
  const [cpuAfter, count, seconds] = [await cpuOf(child), answers - countBefore, (performance.now() - start) / 1000];
  running = false;
  await channel[Symbol.asyncDispose]();
  child.kill("SIGTERM");
  await once(child, "exit");
  return {
    what: `sockets, ${streams} streams`,
    "commands/s": Math.round(count / seconds),
    "function µs": Number(((cpuAfter - cpuBefore) / count).toFixed(2)),
  };
}

/** CPU time of the child so far, µs. */
async function cpuOf(child: ChildProcess): Promise<number> {
  const answer = once(child, "message");
  child.send("cpu");
  const [{ user, system }] = (await answer) as [NodeJS.CpuUsage];
  return user + system;
}

if (process.argv.includes("--serve")) {
  const server = await serve([Counter], { port: 0, host: "127.0.0.1", log: noLog });
  process.on("message", () => process.send?.(process.cpuUsage()));
  process.send?.(server.port);
} else await main();
