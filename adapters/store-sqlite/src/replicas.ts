/** Rows of CRDT replicas (E13): written inside the group's transaction, read when an entity is opened. */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Reader, Writer } from "./protocol.ts";

/** A row of a step, still in the batch. */
interface StepRow {
  readonly node: string;
  readonly incarnation: string;
  readonly state: Uint8Array;
}

/** What a step does to an entity's rows, still in the batch. */
export interface ReplicaStep {
  readonly rows: readonly StepRow[];
  readonly gone: readonly Omit<StepRow, "state">[];
}

/** Reads what `writeReplicas` of store.ts wrote. */
export function readReplicas(reader: Reader): ReplicaStep {
  const rows = Array.from({ length: reader.u32() }, () => ({ node: reader.text(), incarnation: reader.text(), state: reader.view() }));
  const gone = Array.from({ length: reader.u32() }, () => ({ node: reader.text(), incarnation: reader.text() }));
  return { rows, gone };
}

export class ReplicaRows {
  readonly #put: StatementSync;
  readonly #remove: StatementSync;
  readonly #clear: StatementSync;
  readonly #bury: StatementSync;
  readonly #buried: StatementSync;

  constructor(db: DatabaseSync) {
    // The table's type_url and codec wait for rows that are not in the engine's own form.
    this.#put = db.prepare("INSERT OR REPLACE INTO replica VALUES (?, ?, ?, ?, '', 0, 0, ?, ?)");
    this.#remove = db.prepare("DELETE FROM replica WHERE entity = ? AND node = ? AND incarnation = ?");
    this.#clear = db.prepare("DELETE FROM replica WHERE entity = ?");
    this.#bury = db.prepare("INSERT OR REPLACE INTO replica VALUES (?, '', '', ?, '', 0, 1, ?, x'')");
    this.#buried = db.prepare("SELECT 1 FROM replica WHERE entity = ? AND node = '' AND incarnation = ''");
  }

  /** Nothing changes a deleted entity. */
  write(entity: number, { rows, gone }: ReplicaStep, version: number, timeMs: number): void {
    if (this.#buried.get(entity) !== undefined) return;
    for (const { node, incarnation, state } of rows) this.#put.run(entity, node, incarnation, version, timeMs, state);
    for (const { node, incarnation } of gone) this.#remove.run(entity, node, incarnation);
  }

  /** Leaves the tombstone alone, for ever. */
  delete(entity: number, version: number, timeMs: number): void {
    this.#clear.run(entity);
    this.#bury.run(entity, version, timeMs);
  }
}

/** Writes the rows of an opened entity: their number, then each. */
export function writeRows(out: Writer, rows: readonly (readonly unknown[])[]): void {
  out.u32(rows.length);
  for (const [node, incarnation, , state] of rows) {
    out.text(String(node));
    out.text(String(incarnation));
    out.bytes(state as Uint8Array);
  }
}
