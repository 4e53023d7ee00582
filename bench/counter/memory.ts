/**
 * Memory of all processes of Mecha beside Restate's, at the same points of the same load: just started, after a hot key, after many keys, after a minute in
 * which nobody asked for anything.
 *
 *     npm run bench -- memory [--seconds 20] [--keys 10000] [--connections 64] [--idle 60] [--peers restate1,mecha]
 *
 * RSS counts what processes share (Node's own program, above all) in each of them, PSS once in all. Durations are the same for everybody, so the faster system has
 * done more when it is looked at; `requests` says how much.
 */
import { cpus } from "node:os";
import { keep } from "../engine/harness.ts";
import { number, readOptions, some } from "../options.ts";
import { type Peer, peerNames, startPeer } from "./peers.ts";
import { type Memory, memoryOf, wrk } from "./processes.ts";

const { seconds, keys, connections, idle, peers } = readOptions("Memory of Mecha and its function beside Restate's, RSS and PSS.", {
  seconds: number(20, "of load, on the hot key and again on all keys"),
  keys: number(10_000, "counters behind the hot one"),
  connections: number(64, "of the load generator"),
  idle: number(60, "seconds without a request before the last look", 0),
  peers: some(peerNames, "restate1,restate,mecha", "systems, in this order"),
});

/** One look at one system. */
interface Look {
  readonly peer: string;
  readonly when: string;
  /** Answered since the start. */
  readonly requests: number;
  readonly processes: readonly ({ readonly role: string } & Memory)[];
}

/** After a load or a start: what was under way is finished. */
const settleMs = 2_000;
const looks: Look[] = [];

console.log(`${cpus()[0]?.model ?? "unknown CPU"}, ${String(cpus().length)} cores, Node ${process.version}; MiB of server + function\n`);
console.log(["system".padEnd(29), "when".padEnd(22), "requests".padStart(9), "RSS".padStart(20), "PSS".padStart(20)].join(" "));
for (const name of peers) {
  const peer = await startPeer(name);
  try {
    await watch(peer);
  } finally {
    await peer.stop();
  }
}
compare();
keep("memory", { seconds, keys, connections, idle, looks });

async function watch(peer: Peer): Promise<void> {
  let requests = 0;
  const load = (over: number): void => void (requests += wrk(peer.url, peer.pathPattern, over, connections, seconds).requests);
  await pause(settleMs);
  look(peer, "just started", requests);
  load(1);
  await pause(settleMs);
  look(peer, "after a hot key", requests);
  load(keys);
  look(peer, `after ${String(keys)} keys`, requests); // at once: this is the memory under load
  await pause(idle * 1_000);
  look(peer, `${String(idle)} s later`, requests);
}

function look(peer: Peer, when: string, requests: number): void {
  const processes = peer.processes.map(({ role, pid }) => ({ role, ...memoryOf(pid) }));
  looks.push({ peer: peer.name, when, requests, processes });
  const column = (of: (memory: Memory) => number): string =>
    `${processes.map((each) => of(each).toFixed(0)).join(" + ")} = ${sum(processes, of).toFixed(0)}`.padStart(20);
  console.log(
    [peer.name.padEnd(29), when.padEnd(22), String(requests).padStart(9), column(({ rss }) => rss), column(({ pss }) => pss)].join(" "),
  );
}

function sum(processes: readonly Memory[], of: (memory: Memory) => number): number {
  return processes.reduce((total, each) => total + of(each), 0);
}

function compare(): void {
  const mine = looks.filter(({ peer }) => peer === "mecha");
  if (mine.length === 0 || mine.length === looks.length) return;
  console.log("\nmecha's memory as a share of each peer's");
  for (const { when, processes } of mine)
    for (const other of looks.filter((each) => each.peer !== "mecha" && each.when === when)) {
      const share = (of: (memory: Memory) => number): string => (sum(processes, of) / sum(other.processes, of)).toFixed(2);
      console.log(`  ${when.padEnd(22)} RSS ${share(({ rss }) => rss)}×   PSS ${share(({ pss }) => pss)}×   ${other.peer}`);
    }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
