/**
 * A process to be killed: appends to a store, and says on stdout what was acknowledged, one line each, written at once.
 *
 *     node appender.ts '{"dir": "…", "lanes": 8, "seed": 1, "steps": 1000, "durability": "full", "tailMax": 64}'
 *
 * Lane n owns entity `n`; even lanes append events, odd ones set a value. Lines:
 *     refused <code>                the store could not be opened; it ends
 *     ready
 *     go <lane> <sequence>          before the commit is called
 *     ack <lane> <sequence>         after its verdict "committed"
 *     fault <call> <code>           a call that was rejected; the process then tries each method once more and ends
 *     done                          after `steps` steps, with the store still open; it ends when stdin does
 */
import { writeSync } from "node:fs";
import { hostClockForTests } from "./clock.ts";
import { Fault, noLog } from "@mecha/kit";
import { SeededRandom } from "@mecha/kit/testing";
import type { EntityHandle, Step, Store } from "@mecha/state/store";
import { startStore } from "../store.ts";
import { type AppenderPlan, laneAddress, laneKind, payloadOf } from "./history.ts";

const plan = JSON.parse(process.argv[2] ?? "{}") as AppenderPlan;
const random = new SeededRandom(plan.seed);
let left = plan.steps;

/** Returns when the line is in the pipe, so it is said even if the next instruction is never reached. */
function say(line: string): void {
  const bytes = Buffer.from(`${line}\n`);
  for (let at = 0; at < bytes.length;) at += writeSome(bytes.subarray(at));
}

function writeSome(bytes: Uint8Array): number {
  try {
    return writeSync(1, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0; // the reader is behind: try again
    throw error;
  }
}

function step(handle: EntityHandle, lane: number, sequence: number, events: number): Step {
  const common = { entity: handle, expectedSequence: sequence, cause: "Append", timeMs: 0 };
  if (lane % 2) return { ...common, events: [], value: { do: "update", value: payloadOf(lane, sequence + 1, plan.bytes) } };
  const payloads = Array.from({ length: events }, (_, at) => payloadOf(lane, sequence + 1 + at, plan.bytes));
  const snapshot = random.below(10) === 0 ? { snapshot: payloadOf(lane, sequence + events, 50) } : {};
  return { ...common, events: payloads, ...snapshot };
}

async function runLane(store: Store, lane: number): Promise<void> {
  const { handle, sequence: from } = await store.open(laneAddress(lane), laneKind(lane));
  for (let sequence = from; left-- > 0;) {
    const events = lane % 2 ? 1 : 1 + random.below(3);
    say(`go ${lane} ${sequence + events}`);
    const [verdict] = await store.commit([step(handle, lane, sequence, events)]);
    if (verdict?.is !== "committed") throw new Error(`lane ${lane}: verdict ${JSON.stringify(verdict)}`);
    sequence += events;
    say(`ack ${lane} ${sequence}`);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Fault ? error.code : String(error);
}

async function trySome(store: Store): Promise<void> {
  for (const [name, call] of [
    ["open", () => store.open(laneAddress(0), laneKind(0))],
    ["commit", () => store.commit([])],
    ["list", () => store.list({ limit: 1 })],
  ] as const)
    await call().then(
      () => say(`fine ${name}`),
      (error: unknown) => say(`fault ${name} ${codeOf(error)}`),
    );
}

const { dir, durability = "full", tailMax } = plan;
const start = { file: `${dir}/state.db`, ownFolder: true, durability, incarnation: "test", ...(tailMax !== undefined && { tailMax }) };
const store = await startStore(start, hostClockForTests, noLog).catch((error: unknown) => {
  say(`refused ${codeOf(error)}`);
  process.exit(1);
});
say("ready");
const lanes = Array.from({ length: plan.lanes }, (_, lane) => runLane(store, lane));
const ended = await Promise.allSettled(lanes);
const failures = ended.filter((lane) => lane.status === "rejected").map((lane) => codeOf(lane.reason));
if (failures.length > 0) {
  for (const code of failures) say(`fault step ${code}`);
  await trySome(store);
} else {
  say("done");
  process.stdin.resume();
  await new Promise((resolve) => process.stdin.once("end", resolve));
}
await store[Symbol.asyncDispose]();
