/**
 * What travels between function and engine about a CRDT: changes of its value. The function never sees merge metadata
 * (facts/cloudstate.md §1.5).
 */
import type { Payload } from "../model.ts";

/**
 * The CRDTs there are, in the order that decides when two replicas created one entity as different types: the later one stays. What is stored
 * names a type by its place here (codec.ts), so new ones go to the end.
 */
export const crdtTypes = [
  "gcounter",
  "pncounter",
  "gset",
  "orset",
  "lwwregister",
  "flag",
  "ormap",
  "vote",
  "countermap",
  "registermap",
  "multimap",
] as const;
export type CrdtType = (typeof crdtTypes)[number];

/** Maps whose values are all of one type, and that type. Kalix has them; Cloudstate has only `ormap`, whose values are of any. */
export const entryTypes = { countermap: "pncounter", registermap: "lwwregister", multimap: "orset" } as const satisfies Partial<
  Record<CrdtType, CrdtType>
>;
export type UniformMapType = keyof typeof entryTypes;

/** How a register orders its writes. */
export type CrdtClock = "default" | "reverse" | "custom" | "customAutoIncrement";

/** How many replicas must have a change before its command is answered. */
export type WriteConsistency = "local" | "majority" | "all";

/** An entry of a map and the change of its value. */
export interface CrdtEntryDelta {
  readonly key: Payload;
  readonly delta: CrdtDelta;
}

/** A change of a value; from nothing, the whole value. Sets and maps: cleared, then removed, then updated, then added. */
export type CrdtDelta =
  | { readonly type: "gcounter"; readonly increment: bigint }
  | { readonly type: "pncounter"; readonly change: bigint }
  | { readonly type: "gset"; readonly added: readonly Payload[] }
  | { readonly type: "orset"; readonly cleared: boolean; readonly removed: readonly Payload[]; readonly added: readonly Payload[] }
  | {
      readonly type: "lwwregister";
      readonly value: Payload;
      /** Only from the function; the engine sends `default` and 0. */
      readonly clock: CrdtClock;
      readonly customClockValue: bigint;
    }
  | { readonly type: "flag"; readonly value: boolean }
  | {
      readonly type: "ormap";
      readonly cleared: boolean;
      readonly removed: readonly Payload[];
      readonly updated: readonly CrdtEntryDelta[];
      readonly added: readonly CrdtEntryDelta[];
    }
  | {
      readonly type: UniformMapType;
      readonly cleared: boolean;
      readonly removed: readonly Payload[];
      /** Changes of the type in `entryTypes`. An entry that is not there begins with its change. */
      readonly updated: readonly CrdtEntryDelta[];
    }
  | {
      readonly type: "vote";
      readonly selfVote: boolean;
      /** Only to the function. */
      readonly votesFor: number;
      /** Only to the function. */
      readonly totalVoters: number;
    };

/** Largest chunk of bytes turned into text at once: arguments of one call are bounded by the stack. */
const chunk = 4_096;

/** What an element or key is compared by: its type and bytes, as one string. */
export function elementKey({ typeUrl, value }: Payload): string {
  let key = `${typeUrl}\0`;
  for (let at = 0; at < value.length; at += chunk) key += String.fromCharCode(...value.subarray(at, at + chunk));
  return key;
}
