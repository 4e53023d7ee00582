/** All CRDT types behind one set of functions: join, change, what may be stored. The laws are in state.ts. */
import { Fault } from "@mecha/kit";
import { type CrdtDelta, type CrdtType, crdtTypes } from "../delta.ts";
import { changePNCounter, emptyGCounter, emptyPNCounter, incrementGCounter, joinGCounters, joinPNCounters } from "./counters.ts";
import { changeORMap, changeUniformMap, emptyORMap, emptyUniformMap, instanceOf, joinMaps, type NestedOperations } from "./map.ts";
import { joinRegisters, writeRegister } from "./register.ts";
import { addToGSet, changeORSet, emptyORSet, joinGSets, joinORSets } from "./sets.ts";
import type { CrdtState, MapInstance, Mutation, ORMap } from "./state.ts";
import { castVote, emptyVote, joinVotes } from "./vote.ts";

export type { CrdtState, Mutation } from "./state.ts";

/** The least state that has seen all both have (J1). Of two types the later in `crdtTypes` stays. */
export function join(a: CrdtState, b: CrdtState): CrdtState {
  if (a === b) return a;
  if (a.type !== b.type) return crdtTypes.indexOf(a.type) > crdtTypes.indexOf(b.type) ? a : b;
  switch (a.type) {
    case "gcounter":
      return joinGCounters(a, b as typeof a);
    case "pncounter":
      return joinPNCounters(a, b as typeof a);
    case "gset":
      return joinGSets(a, b as typeof a);
    case "orset":
      return joinORSets(a, b as typeof a);
    case "lwwregister":
      return joinRegisters(a, b as typeof a);
    case "flag":
      return a.on ? a : b;
    case "ormap":
    case "countermap":
    case "registermap":
    case "multimap":
      return joinMaps(a, b as typeof a, nested);
    case "vote":
      return joinVotes(a, b as typeof a);
  }
}

/** Joins any number; `undefined` when there is none. */
export function joinAll(states: Iterable<CrdtState | undefined>): CrdtState | undefined {
  let joined: CrdtState | undefined;
  for (const state of states) if (state !== undefined) joined = joined === undefined ? state : join(joined, state);
  return joined;
}

/**
 * What a change asked for by the function does to `state`: a delta, to be joined. `undefined` state: the entity is created with it.
 * @throws Fault("invalid") saying what is wrong when the change cannot be: another type, a shrinking GCounter, a Flag turned off.
 */
export function mutate(state: CrdtState | undefined, delta: CrdtDelta, by: Mutation): CrdtState {
  if (state !== undefined && state.type !== delta.type) {
    throw new Fault("invalid", `a change of a ${nameOf(delta.type)} for a ${nameOf(state.type)}; an entity keeps its type for ever`);
  }
  const before = <S extends CrdtState>(empty: S): S => (state ?? empty) as S;
  switch (delta.type) {
    case "gcounter":
      return incrementGCounter(before(emptyGCounter), delta.increment, by.replica);
    case "pncounter":
      return changePNCounter(before(emptyPNCounter), delta.change, by.replica);
    case "gset":
      return addToGSet(delta.added);
    case "orset":
      return changeORSet(before(emptyORSet), delta, by.replica);
    case "lwwregister":
      return writeRegister(state?.type === "lwwregister" ? state : undefined, delta, by);
    case "flag":
      if (!delta.value && state?.type === "flag" && state.on) throw new Fault("invalid", "flag.value: false; a Flag cannot be turned off");
      return { type: "flag", on: delta.value };
    case "ormap":
      return changeORMap(before(emptyORMap), delta, by, nested);
    case "countermap":
    case "registermap":
    case "multimap":
      return changeUniformMap(before(emptyUniformMap(delta.type)), delta, by, nested);
    case "vote":
      return castVote(before(emptyVote), delta.selfVote, by.replica);
  }
}

const nested: NestedOperations = { join, mutate };

/** The value of a map's entry. */
export function entryState(entry: Parameters<typeof instanceOf>[0]): CrdtState {
  return instanceOf(entry, nested).state;
}

/** What may be stored of a state: all but votes, as the connections that cast them are gone after a restart (E13). */
export function withoutVotes(state: CrdtState): CrdtState {
  if (state.type === "vote") return emptyVote;
  return state.type === "ormap" ? mapWithoutVotes(state) : state;
}

function mapWithoutVotes(map: ORMap): ORMap {
  const entries = new Map(map.dots.entries);
  for (const [key, { element, dots }] of entries) {
    entries.set(key, { element, dots: dots.map((dot) => ({ ...dot, value: instanceWithoutVotes(dot.value) })) });
  }
  return { type: "ormap", dots: { context: map.dots.context, entries } };
}

function instanceWithoutVotes(instance: MapInstance): MapInstance {
  const state = withoutVotes(instance.state);
  return state === instance.state ? instance : { state, writers: instance.writers };
}

const names: Readonly<Record<CrdtType, string>> = {
  gcounter: "GCounter",
  pncounter: "PNCounter",
  gset: "GSet",
  orset: "ORSet",
  lwwregister: "LWWRegister",
  flag: "Flag",
  ormap: "ORMap",
  vote: "Vote",
  countermap: "CounterMap",
  registermap: "RegisterMap",
  multimap: "MultiMap",
};

/** The type as people write it. */
export function nameOf(type: CrdtType): string {
  return names[type];
}
