/** What to do with a message whose attempt failed (E10). Decides only. */
import type { Fault, FaultCode } from "@mecha/kit";
import type { EngineLimits } from "../limits.ts";
import { isAccepted, isChosen, isLasting } from "./chosen.ts";

export type AfterFailure =
  /** The target sees to it itself. */
  | { readonly do: "done" }
  /** The user's code said no: that is an answer. */
  | { readonly do: "drop" }
  | { readonly do: "retry"; readonly pauseMs: number }
  /** Kept for people to look at. */
  | { readonly do: "bury" };

/** Attempts of a message whose target's function ends each time: it may be the message that kills it. About a minute with the pauses. */
export const unknownAttemptsMax = 10;

/** Nothing of ours was applied, or it is not known and the key tells: the next attempt may fare better. */
const passing: ReadonlySet<FaultCode> = new Set(["unavailable", "exhausted", "deadline", "aborted", "cancelled", "unknown"]);

/** Whether a stored message is tried again after its first attempt failed like this, or its target has taken it over. */
export function mayFareBetter(fault: Fault): boolean {
  return isAccepted(fault) || (!isChosen(fault) && !isLasting(fault) && passing.has(fault.code));
}

/** `attempts` counts the one that failed. */
export function afterFailure(
  fault: Fault,
  attempts: number,
  limits: Pick<EngineLimits, "outboxAttemptsMax" | "outboxBackoffMinMs" | "outboxBackoffMaxMs">,
): AfterFailure {
  if (isAccepted(fault)) return { do: "done" };
  if (isChosen(fault)) return { do: "drop" };
  if (isLasting(fault)) return { do: "bury" };
  const attemptsMax = fault.code === "unknown" ? Math.min(unknownAttemptsMax, limits.outboxAttemptsMax) : limits.outboxAttemptsMax;
  if (!passing.has(fault.code) || attempts >= attemptsMax) return { do: "bury" };
  return { do: "retry", pauseMs: Math.min(limits.outboxBackoffMaxMs, limits.outboxBackoffMinMs * 2 ** Math.min(attempts - 1, 30)) };
}
