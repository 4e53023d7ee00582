/**
 * CRDT states with their merge metadata. Immutable; a change is itself a (small) state, and applying it is joining it.
 *
 * Invariants
 * J1 `join` is associative, commutative and idempotent, for any states, also of different types
 * J2 joining deltas in any order, any number of times, is joining the full states they were part of
 * J3 only the replica itself ever writes under its id, so "the highest of each replica" loses nothing
 */
import type { Payload } from "../../model.ts";
import type { UniformMapType } from "../delta.ts";
import type { Dots } from "./dots.ts";

/** By replica, each the highest it has said. */
export type Slots = ReadonlyMap<string, bigint>;

export interface GCounter {
  readonly type: "gcounter";
  readonly up: Slots;
}

export interface PNCounter {
  readonly type: "pncounter";
  readonly up: Slots;
  readonly down: Slots;
}

export interface GSet {
  readonly type: "gset";
  readonly elements: ReadonlyMap<string, Payload>;
}

export interface ORSet {
  readonly type: "orset";
  readonly dots: Dots<undefined>;
}

export interface LWWRegister {
  readonly type: "lwwregister";
  readonly value: Payload;
  readonly clock: bigint;
  readonly replica: string;
}

export interface Flag {
  readonly type: "flag";
  readonly on: boolean;
}

/** One replica's version of a map entry's value. Never changed: an update makes another one. */
export interface MapInstance {
  readonly state: CrdtState;
  /**
   * Under which number each replica writes into the value. A key that is removed and added again begins anew, and a replica that took part
   * before takes a new number: what it says then must not be taken for what it said earlier.
   */
  readonly writers: ReadonlyMap<string, number>;
}

export interface ORMap {
  readonly type: "ormap";
  readonly dots: Dots<MapInstance>;
}

/** A map whose values are all of one type; otherwise as `ORMap`. */
export interface UniformMap {
  readonly type: UniformMapType;
  readonly dots: Dots<MapInstance>;
}

export interface Vote {
  readonly type: "vote";
  /** How often each replica changed its mind; odd = for. */
  readonly voters: ReadonlyMap<string, number>;
}

export type CrdtState = GCounter | PNCounter | GSet | ORSet | LWWRegister | Flag | ORMap | UniformMap | Vote;

/** Who changes a state, and when. */
export interface Mutation {
  /** The replica's id: node and incarnation. */
  readonly replica: string;
  /** Wall clock, ms. */
  readonly nowMs: number;
}
