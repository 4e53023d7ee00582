/** A CRDT as its rows in the store say, for people: nobody's votes are stored, so none are counted. */
import type { ReplicaRow } from "../store.ts";
import { decodeState } from "./codec.ts";
import { joinAll } from "./types/index.ts";
import { type CrdtValue, valueOf } from "./value.ts";

/** `undefined`: the rows say nothing. @throws Fault("dataLoss") when a row cannot be read. */
export function storedValue(rows: readonly ReplicaRow[]): CrdtValue | undefined {
  const state = joinAll(rows.map((row) => decodeState(row.state)));
  return state && valueOf(state, { replica: "", live: [] });
}
