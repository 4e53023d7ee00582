/** LWWRegister: the write with the highest clock stays. */
import type { Payload } from "../../model.ts";
import { type CrdtClock, elementKey } from "../delta.ts";
import type { LWWRegister, Mutation } from "./state.ts";

/** Highest clock; between equal ones the lowest replica, then the larger value: one replica may set one custom clock twice. */
export function joinRegisters(a: LWWRegister, b: LWWRegister): LWWRegister {
  if (a.clock !== b.clock) return a.clock > b.clock ? a : b;
  if (a.replica !== b.replica) return a.replica < b.replica ? a : b;
  return elementKey(a.value) >= elementKey(b.value) ? a : b;
}

export function writeRegister(
  before: LWWRegister | undefined,
  write: { readonly value: Payload; readonly clock: CrdtClock; readonly customClockValue: bigint },
  { replica, nowMs }: Mutation,
): LWWRegister {
  return { type: "lwwregister", value: write.value, clock: clockOf(before?.clock, write, nowMs), replica };
}

/** facts/cloudstate.md §2.7 */
function clockOf(
  before: bigint | undefined,
  { clock, customClockValue }: { readonly clock: CrdtClock; readonly customClockValue: bigint },
  nowMs: number,
): bigint {
  const now = BigInt(Math.trunc(nowMs));
  switch (clock) {
    case "default":
      return before === undefined || now > before ? now : before + 1n;
    case "reverse":
      return before === undefined || -now < before ? -now : before - 1n;
    case "custom":
      return customClockValue;
    case "customAutoIncrement":
      return before === undefined || customClockValue > before ? customClockValue : before + 1n;
  }
}
