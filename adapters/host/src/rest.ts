/**
 * Gives memory back when a process comes to rest. V8 collects when somebody allocates: a process that has nothing to do keeps what the last load left, and the
 * pages of its young generation, for as long as it rests (27 MB of a function, 16 MB of a server after a minute of load).
 *
 * R1 it collects only after `quietMs` of next to no work, so that no caller waits for it, and once for each rest
 * R2 it does not collect where there is nothing to give back, nor a heap so large that a caller who comes meanwhile would wait for long
 */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { CancelTimer, Clock } from "@mecha/kit";

/** What the process did and holds, as `processUse` reads it; tests bring their own. */
export interface Use {
  /** CPU time so far, ms. */
  readonly cpuMs: number;
  /** Resident bytes. */
  readonly bytes: number;
  /** Bytes of V8's heap. */
  readonly heapBytes: number;
  /** Collects everything, and gives free pages back. */
  collect(): void;
}

/** Between two looks. */
const lookEveryMs = 2_500;
/** Looks in a row without work before a collection. Together 5 s: longer than the pauses of people who type. */
const quietLooks = 2;
/** CPU of a process at rest, ms a look: 2 % of a core. Timers and health checks of an idle Mecha take 0.5 %. */
const restingCpuMs = lookEveryMs * 0.02;
/** Growth since the last collection that is worth another; it takes 100 to 200 ms. */
const growthBytes = 8 << 20;

/** A heap above this is left to V8: 50 MB take about 100 ms, and a caller who comes just then waits for it. */
const heapMaxBytes = 96 << 20;

/** Watches until cancelled. The first rest is that after the start, which leaves as much as a load does. */
export function giveBackAtRest(clock: Clock, use: () => Use = processUse): CancelTimer {
  let quiet = 0;
  let kept = 0;
  let lastCpuMs = use().cpuMs;
  let cancel: CancelTimer = () => undefined;
  const look = (): void => {
    const now = use();
    quiet = now.cpuMs - lastCpuMs <= restingCpuMs ? quiet + 1 : 0;
    // keeps R1 and R2
    if (quiet === quietLooks && now.bytes - kept >= growthBytes && now.heapBytes <= heapMaxBytes) {
      now.collect();
      kept = use().bytes;
    }
    lastCpuMs = use().cpuMs; // the collection is no work
    cancel = clock.after(lookEveryMs, look);
  };
  cancel = clock.after(lookEveryMs, look);
  return () => cancel();
}

/** Of this process. */
export function processUse(): Use {
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1_000, bytes: process.memoryUsage.rss(), heapBytes: getHeapStatistics().total_heap_size, collect };
}

/** V8's own collector, which no flag of the command line has to lay open: functions are started by others too. */
function collect(): void {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as (options: { readonly type: "major"; readonly flavor: "last-resort" }) => void;
  // "last-resort" also gives back the young generation and pages that are partly used; "regular" gave back nothing.
  gc({ type: "major", flavor: "last-resort" });
}
