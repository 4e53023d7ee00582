/** GCounter and PNCounter: a slot for each replica, the highest wins; the value is the sum. */
import { Fault } from "@mecha/kit";
import type { GCounter, PNCounter, Slots } from "./state.ts";

const none: Slots = new Map();
/** Largest signed 64-bit number: what the wire's increments and the libraries' counters can hold. */
const counterMax = 2n ** 63n - 1n;

export const emptyGCounter: GCounter = { type: "gcounter", up: none };
export const emptyPNCounter: PNCounter = { type: "pncounter", up: none, down: none };

export function joinGCounters(a: GCounter, b: GCounter): GCounter {
  return { type: "gcounter", up: joinSlots(a.up, b.up) };
}

export function joinPNCounters(a: PNCounter, b: PNCounter): PNCounter {
  return { type: "pncounter", up: joinSlots(a.up, b.up), down: joinSlots(a.down, b.down) };
}

function joinSlots(a: Slots, b: Slots): Slots {
  if (a === b || b.size === 0) return a;
  const joined = new Map(a);
  for (const [replica, value] of b) if (value > (joined.get(replica) ?? -1n)) joined.set(replica, value);
  return joined;
}

/** @throws Fault("invalid") when it is negative or too large. */
export function incrementGCounter(state: GCounter, increment: bigint, replica: string): GCounter {
  // An int64 below 0 that a library put into the unsigned field arrives as a number from 2^63 up.
  if (increment < 0n || increment > counterMax) {
    throw new Fault("invalid", `gcounter.increment: ${BigInt.asIntN(64, increment)}; a GCounter only grows, use a PNCounter`);
  }
  return { type: "gcounter", up: grown("gcounter.increment", state.up, increment, replica) };
}

/** @throws Fault("invalid") when the counter would leave the range of 64 bits. */
export function changePNCounter(state: PNCounter, change: bigint, replica: string): PNCounter {
  if (change < 0n) return { type: "pncounter", up: none, down: grown("pncounter.change", state.down, -change, replica) };
  return { type: "pncounter", up: grown("pncounter.change", state.up, change, replica), down: none };
}

function grown(field: string, slots: Slots, by: bigint, replica: string): Slots {
  if (by === 0n) return none;
  const value = (slots.get(replica) ?? 0n) + by;
  if (sum(slots) + by > counterMax) throw new Fault("invalid", `${field}: the counter would pass 2^63 - 1, the most 64 bits hold`);
  return new Map([[replica, value]]);
}

export function valueOfGCounter(state: GCounter): bigint {
  return atMost(sum(state.up));
}

export function valueOfPNCounter(state: PNCounter): bigint {
  const value = sum(state.up) - sum(state.down);
  return value < -counterMax ? -counterMax : atMost(value);
}

/** Concurrent increments may add up to more than the wire can say. */
function atMost(value: bigint): bigint {
  return value > counterMax ? counterMax : value;
}

function sum(slots: Slots): bigint {
  let total = 0n;
  for (const value of slots.values()) total += value;
  return total;
}
