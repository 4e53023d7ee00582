/** The store's check, with patience: it says which part it is at once it takes long. */
import { setImmediate as turn } from "node:timers/promises";
import { type Finding, verifyFile } from "@mecha/store-sqlite";
import type { Io } from "../io.ts";

/** From then on each stage is said, ms. */
const quietMs = 2_000;

/** What is wrong with a file nobody writes to; empty = nothing. */
export async function verified(io: Io, file: string): Promise<readonly Finding[]> {
  const startedMs = io.clock.monotonic();
  const stages = verifyFile(file);
  for (let next = stages.next(); ; next = stages.next()) {
    if (next.done === true) return next.value;
    if (io.clock.monotonic() - startedMs >= quietMs) io.err(`checking ${next.value}…\n`);
    await turn(); // the line gets out, and signals in
  }
}

/** One line for each finding. */
export function findingLines(findings: readonly Finding[]): string[] {
  return findings.map(({ rule, what, count }) => `${what}${count > 1 ? `, and ${count - 1} more like it` : ""} (${rule})`);
}
