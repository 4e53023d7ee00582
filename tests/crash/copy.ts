/** Judges a copy of the database taken while Mecha was stopped: it is whole, and has everything that had been acknowledged by then. */
import { DatabaseSync } from "node:sqlite";
import { verifyFile } from "@mecha/store-sqlite";
import { join } from "node:path";
import type { Acknowledged } from "./asking.ts";

const text = new TextDecoder();

/**
 * What is wrong with the copy in `folder`; empty = nothing. `acknowledged` by the moment of the stop. Of a register only the last value is
 * stored, so a value is looked for only when nothing was sent to the register after it: those are in `lastValues`.
 */
export function judgeCopy(folder: string, acknowledged: readonly Acknowledged[], lastValues: ReadonlySet<string>): readonly string[] {
  const file = join(folder, "state.db");
  const problems = findings(file);
  const db = new DatabaseSync(file);
  try {
    const stored = new Set<string>();
    for (const [table, service] of [
      ["event", "crash.Ledger"],
      ["event", "crash.Bell"],
      ["value", "crash.Register"],
    ] as const) {
      const rows = db.prepare(`SELECT r.payload FROM ${table} r JOIN entity e ON e.id = r.entity WHERE e.service = ?`);
      for (const { payload } of rows.all(service)) {
        for (const [id] of text.decode(payload as Uint8Array).matchAll(/[\w-]+\.\d+\./gu)) stored.add(id);
      }
    }
    for (const { id, stored: as } of acknowledged) {
      // The length byte before an id may look like a letter of it: any stored text that ends with it is it.
      if ((as === "event" || lastValues.has(id)) && !stored.has(id) && ![...stored].some((one) => one.endsWith(id))) {
        problems.push(`copy: ${id} had been acknowledged and is not in it`);
      }
    }
  } finally {
    db.close();
  }
  return problems;
}

function findings(file: string): string[] {
  const stages = verifyFile(file);
  for (let next = stages.next(); ; next = stages.next()) {
    if (next.done === true) return next.value.map(({ rule, what, count }) => `copy: ${rule}: ${what} (${String(count)})`);
  }
}

/** What is wrong with the store of a Mecha that has ended. */
export function judgeStopped(stateDir: string): readonly string[] {
  return findings(join(stateDir, "state.db")).map((problem) => problem.replace("copy", "store"));
}
