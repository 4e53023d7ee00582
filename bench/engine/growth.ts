/**
 * What a command costs as the store grows: the same load on 10,000 counters, with more and more events of other entities before it.
 *
 *     npm run bench -- growth [--events 0,1000000,10000000] [--seconds 4] [--connections 64]
 *
 * CPU is for a command, of all threads; it should not rise. The file is filled through the store, without fsync.
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { wrk } from "../counter/processes.ts";
import { number, numbers, readOptions } from "../options.ts";
import { Plain } from "./components.ts";
import { Filler, keep, printMachine, startEngine, tempState } from "./harness.ts";

const { events, seconds, connections } = readOptions("Cost of a command as the store grows.", {
  events: numbers("0,1000000,10000000", "events of other entities before each measurement, rising", 0),
  seconds: number(4, "of load for each measurement"),
  connections: number(64, "of the load generator"),
});
const keys = 10_000;
/** Others' entities hold 1,000 events each. */
const eventsEach = 1_000;
const state = tempState();
try {
  printMachine();
  const results: object[] = [];
  let filled = 0;
  for (const wanted of events) {
    const fillStart = performance.now();
    {
      await using filler = await Filler.open(state.dir);
      const others = Array.from({ length: Math.round((wanted - filled) / eventsEach) }, (_, n) => `o${String(filled)}-${String(n)}`);
      await filler.fill(Plain, others, eventsEach);
      filled = wanted;
    }
    const fillSeconds = (performance.now() - fillStart) / 1000;
    const openStart = performance.now();
    const engine = await startEngine(state.dir);
    const openMs = performance.now() - openStart;
    try {
      const load = (seconds: number): ReturnType<typeof wrk> => wrk(engine.url, "/bench.Plain/%d/add", keys, connections, seconds);
      for (let warmed = 0; warmed < 3 * keys;) warmed += load(2).requests; // most counters are active then
      const before = engine.cpu();
      const { requests, micros, p50, p99, errors } = load(seconds);
      const after = engine.cpu();
      results.push({
        "events before": wanted,
        "file MB": Math.round(statSync(join(state.dir, "state.db")).size / 2 ** 20),
        "filled in s": Number(fillSeconds.toFixed(1)),
        "open ms": Math.round(openMs),
        "req/s": Math.round((requests / micros) * 1e6),
        "p50 ms": p50 / 1000,
        "p99 ms": p99 / 1000,
        "server CPU µs": Number(((after.server - before.server) / requests).toFixed(1)),
        "function CPU µs": Number(((after.function - before.function) / requests).toFixed(1)),
        errors,
      });
    } finally {
      await engine.stop();
    }
  }
  console.table(results);
  keep("growth", results);
} finally {
  state.remove();
}
