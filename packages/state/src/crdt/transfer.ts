/** CRDTs on their way out of a store and into another (`mecha entities export`, `import`): one joined state instead of a row for each replica. */
import { Fault } from "@mecha/kit";
import type { ReplicaRow } from "../store.ts";
import { decodeState, encodeState } from "./codec.ts";
import { join, joinAll } from "./types/index.ts";

/** Who writes what an import brings. No process has this name, so nobody else's row is written over (E13). */
const importer = { node: "import", incarnation: "import" };

/** What all replicas say together; `undefined` when there are none. @throws Fault("dataLoss") when a row cannot be read. */
export function joinedState(rows: readonly ReplicaRow[]): Uint8Array | undefined {
  const joined = joinAll(rows.map(({ state }) => decodeState(state)));
  return joined && encodeState(joined);
}

/**
 * The row that brings `state` to an entity with these rows: what an earlier import left is joined with it. `undefined`: they know all of it
 * already, so that importing twice changes nothing.
 * @throws Fault("invalid") when `state` is no state, Fault("precondition") when it is one of another type.
 */
export function importedRow(rows: readonly ReplicaRow[], state: Uint8Array): ReplicaRow | undefined {
  const brought = readable(state);
  const before = joinAll(rows.map((row) => decodeState(row.state)));
  if (before !== undefined && before.type !== brought.type) {
    throw new Fault("precondition", `it is stored as a ${before.type}, and this is a ${brought.type}; an entity keeps its type for ever`);
  }
  if (before !== undefined && sameBytes(encodeState(join(before, brought)), encodeState(before))) return undefined;
  const earlier = rows.find(({ replica }) => replica.node === importer.node && replica.incarnation === importer.incarnation);
  return { replica: importer, state: encodeState(earlier ? join(decodeState(earlier.state), brought) : brought) };
}

function readable(state: Uint8Array): ReturnType<typeof decodeState> {
  try {
    return decodeState(state);
  } catch (cause) {
    throw new Fault("invalid", "the state is no CRDT that this version of Mecha reads", { cause });
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
