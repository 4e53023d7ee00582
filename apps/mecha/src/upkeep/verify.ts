/** The store's check, with patience: it says which part it is at once it takes long. */
import { setImmediate as turn } from "node:timers/promises";
import { type Finding, type StateFile, verifyFile } from "@mecha/store-sqlite";
import type { Io } from "../io.ts";

/** From then on each stage is said, ms. */
const quietMs = 2_000;

/** What is wrong with a file nobody writes to; empty = nothing. */
export async function verified(io: Io, file: string, is: StateFile): Promise<readonly Finding[]> {
  const startedMs = io.clock.monotonic();
  const stages = verifyFile(file, is);
  for (let next = stages.next(); ; next = stages.next()) {
    if (next.done === true) return next.value;
    if (io.clock.monotonic() - startedMs >= quietMs) io.err(`checking ${is}, ${next.value}…\n`);
    await turn(); // the line gets out, and signals in
  }
}

/** What is wrong with the files of a state in one folder, a line for each finding that names its file; empty = nothing. */
export async function problemsOf(
  io: Io,
  files: readonly { readonly name: StateFile; readonly path: string }[],
): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const { name, path } of files) lines.push(...findingLines(await verified(io, path, name)).map((line) => `${name}: ${line}`));
  return lines;
}

/** One line for each finding. */
export function findingLines(findings: readonly Finding[]): string[] {
  return findings.map(({ rule, what, count }) => `${what}${count > 1 ? `, and ${count - 1} more like it` : ""} (${rule})`);
}
