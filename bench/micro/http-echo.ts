/**
 * What one HTTP/1.1 request costs the listener: node:http behind our contract, and our own reading and writing over node:net, taking turns.
 *
 *     node bench/micro/http-echo.ts [--seconds 3] [--rounds 3] [--connections 64] [--out result.json]
 *
 * wrk posts 12 bytes and gets them back. The server is a process of its own; `CPU µs` is its time for a request, all threads, and hardly depends
 * on what else the machine does.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { hostClock } from "@mecha/host";
import { noLog } from "@mecha/kit";
import { listen } from "@mecha/net";
import { wrk } from "../counter/processes.ts";
import { maybe, number, readOptions } from "../options.ts";

type Kind = "node" | "own";

async function serveEcho(http1: Kind): Promise<void> {
  const listener = await listen(
    { host: "127.0.0.1", port: 0, clock: hostClock, log: noLog, http1 },
    {
      grpc: () => undefined,
      http: async (exchange) => {
        const body = exchange.bodyNow?.(65_536) ?? (await exchange.body(65_536));
        exchange.respond(200, { "content-type": "application/json" }, body);
      },
    },
  );
  process.on("message", () => process.send?.(process.cpuUsage()));
  process.send?.(listener.port);
}

async function cpuMicros(child: ChildProcess): Promise<number> {
  const answer = once(child, "message");
  child.send("cpu");
  const [{ user, system }] = (await answer) as [NodeJS.CpuUsage];
  return user + system;
}

async function main(): Promise<void> {
  const flags = readOptions("One HTTP/1.1 request: our listener beside node:http, taking turns.", {
    seconds: number(3, "of load a round"),
    rounds: number(3, "of each"),
    connections: number(64, "of the load generator"),
    out: maybe("file for the results, JSON"),
  });
  const servers = await Promise.all(
    (["node", "own"] as const).map(async (kind) => {
      const child = fork(import.meta.filename, ["--serve", kind]);
      const [port] = (await once(child, "message")) as [number];
      return { kind, child, url: `http://127.0.0.1:${port}` };
    }),
  );
  const load = (url: string, seconds: number): ReturnType<typeof wrk> => wrk(url, "/counter/%d/add", 1, flags.connections, seconds);
  for (const { url } of servers) load(url, 1);
  const results: object[] = [];
  for (let round = 0; round < flags.rounds; round++) {
    for (const { kind, child, url } of servers) {
      const before = await cpuMicros(child);
      const { requests, micros, p99 } = load(url, flags.seconds);
      const cpu = ((await cpuMicros(child)) - before) / requests;
      results.push({
        http1: kind,
        "req/s": Math.round((requests / micros) * 1e6),
        "CPU µs": Number(cpu.toFixed(1)),
        "p99 ms": p99 / 1000,
      });
    }
  }
  console.table(results);
  for (const { child } of servers) child.kill();
  if (flags.out !== undefined)
    writeFileSync(flags.out, `${JSON.stringify({ node: process.version, cpu: cpus()[0]?.model, results }, undefined, 2)}\n`);
}

if (process.argv.includes("--serve")) await serveEcho(process.argv.at(-1) as Kind);
else await main();
