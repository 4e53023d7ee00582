/**
 * Durable counter add over HTTP/JSON: Mecha beside Restate in one run on one machine, both with fsync before the answer.
 *
 *   npm ci --prefix bench && npm run bench            (from the repository's root; wrk from the system's packages)
 *   node bench/counter/run.ts --keys 1,10000 --connections 64 --seconds 5 --peers mecha,restate1
 *
 * Prints a table and writes bench/results/counter.json. The load generator (wrk, one thread), the server and the function share the cores.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { loopbackFloor, syncFloor } from "./floor.ts";
import { type Peer, peerNames, startPeer } from "./peers.ts";
import { number, numbers, readOptions, some } from "../options.ts";
import { cpuMicros, type LoadResult, peakMiB, wrk } from "./processes.ts";

/** One measured cell. */
interface Cell {
  readonly peer: string;
  readonly keys: number;
  readonly connections: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
  /** Microseconds of CPU a request, by process role. */
  readonly cpuMicros: Record<string, number>;
  /** Peak resident MiB since start, by process role. */
  readonly peakMiB: Record<string, number>;
}

const {
  keys: keyCounts,
  connections: connectionCounts,
  seconds,
  peers,
} = readOptions("Durable adds over HTTP: Mecha beside Restate, both with fsync before the answer, and the machine's own floor.", {
  keys: numbers("1,100,10000", "counters the load is spread over"),
  connections: numbers("1,16,64,256", "of the load generator"),
  seconds: number(5, "of load for each cell, behind one to warm up"),
  peers: some(peerNames, "restate1,restate,mecha", "systems, in this order"),
});

function load(peer: Peer, keys: number, connections: number, seconds: number): LoadResult {
  return wrk(peer.url, peer.pathPattern, keys, connections, seconds);
}

function measure(peer: Peer, keys: number, connections: number, seconds: number): Cell {
  load(peer, keys, connections, 1); // warm up: JIT, connections, activations
  const before = peer.processes.map(({ pid }) => cpuMicros(pid));
  const result = load(peer, keys, connections, seconds);
  const perRequest = (index: number, pid: number): number => (cpuMicros(pid) - (before[index] ?? 0)) / Math.max(1, result.requests);
  return {
    peer: peer.name,
    keys,
    connections,
    perSecond: Math.round((result.requests / result.micros) * 1e6),
    p50Ms: result.p50 / 1000,
    p99Ms: result.p99 / 1000,
    errors: result.errors,
    cpuMicros: Object.fromEntries(peer.processes.map(({ role, pid }, index) => [role, Math.round(perRequest(index, pid))])),
    peakMiB: Object.fromEntries(peer.processes.map(({ role, pid }) => [role, Math.round(peakMiB(pid))])),
  };
}

const row = (c: Cell): string =>
  [
    c.peer.padEnd(29),
    String(c.keys).padStart(6),
    String(c.connections).padStart(5),
    String(c.perSecond).padStart(8),
    c.p50Ms.toFixed(2).padStart(9),
    c.p99Ms.toFixed(2).padStart(9),
    Object.values(c.cpuMicros).join(" + ").padStart(13),
    Object.values(c.peakMiB).join(" + ").padStart(11),
    String(c.errors).padStart(6),
  ].join(" ");

const cells: Cell[] = [];
const header = ["system".padEnd(29), "  keys", " conn", "   req/s", "   p50 ms", "   p99 ms", "  CPU µs/req", "   peak MiB", "errors"].join(
  " ",
);
console.log(
  `${cpus()[0]?.model ?? "unknown CPU"}, ${String(cpus().length)} cores, Node ${process.version}; CPU and memory are server + function`,
);
const floor = { sync: syncFloor(), loopback: await loopbackFloor(64, Math.min(seconds, 5)) };
console.log(
  `floor: ${String(floor.sync.perSecond)} fdatasync/s of 4 KiB; bare node:http echo at 64 connections ${String(floor.loopback.perSecond)} req/s; ` +
    `alone, a write with its fdatasync takes ${floor.sync.p50Ms.toFixed(2)} ms and an echo ${floor.loopback.p50Ms.toFixed(2)} ms (p50)\n\n${header}`,
);
for (const name of peers) {
  const peer = await startPeer(name);
  try {
    for (const keys of keyCounts) {
      for (const connections of connectionCounts) {
        const cell = measure(peer, keys, connections, seconds);
        cells.push(cell);
        console.log(row(cell));
      }
    }
    const first = await peer.add(1, 0);
    if (!(first > 0)) throw new Error(`${peer.name}: counter 1 is ${String(first)} after the load: the adds were not kept`);
  } finally {
    await peer.stop();
  }
}

console.log("\nmecha against each peer (throughput, higher is better; p99, lower is better)");
for (const mine of cells.filter(({ peer }) => peer === "mecha")) {
  for (const other of cells.filter((c) => c.peer !== "mecha" && c.keys === mine.keys && c.connections === mine.connections)) {
    const throughput = (mine.perSecond / other.perSecond).toFixed(1);
    console.log(
      `${String(mine.keys).padStart(6)} keys ${String(mine.connections).padStart(4)} conn  ${throughput.padStart(6)}× throughput  ${(mine.p99Ms / other.p99Ms).toFixed(2).padStart(6)}× p99   ${other.peer}`,
    );
  }
}
const out = join(import.meta.dirname, "../results");
mkdirSync(out, { recursive: true });
writeFileSync(
  join(out, "counter.json"),
  JSON.stringify({ machine: cpus()[0]?.model, cores: cpus().length, node: process.version, seconds, floor, cells }, null, 2),
);
