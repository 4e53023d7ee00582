/** Every bound and pause of deliveries, with its reason, and what a failure leads to. Times in ms. */
import { type Fault, type FaultCode } from "@mecha/kit";

export interface DeliveryLimits {
  /** Attempts before an event is parked: with the pauses below about 80 s. More would hold up what is behind it for longer. */
  readonly attemptsMax: number;
  /** Attempts while the engine is too busy (`exhausted`): that is no fault of the event. About 8 hours. */
  readonly busyAttemptsMax: number;
  /** First and longest pause before the next attempt; doubles. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** Deliveries of one group under way at once: of different shards, so of different entities. */
  readonly sendingMax: number;
  /** Events of one group in memory. Past it nothing is read until there is room. */
  readonly bufferedMax: number;
  /** Their bytes. */
  readonly bufferedBytesMax: number;
  /** Events in one read. */
  readonly pageMax: number;
  /** The cursor is saved after so many deliveries, or so long after the first: what a crash makes a consumer see again. */
  readonly saveEvery: number;
  readonly saveAfterMs: number;
  /** And after so many events of others were passed over, so that a restart need not look at them again. */
  readonly saveEveryPassed: number;
  /** Pause after the store could not be read or written. */
  readonly storePauseMs: number;
}

export const deliveryDefaults: DeliveryLimits = {
  attemptsMax: 10,
  busyAttemptsMax: 1_000,
  backoffMinMs: 200,
  backoffMaxMs: 30_000,
  sendingMax: 64,
  bufferedMax: 1_000,
  bufferedBytesMax: 16 << 20,
  pageMax: 250,
  saveEvery: 200,
  saveAfterMs: 500,
  saveEveryPassed: 20_000,
  storePauseMs: 1_000,
};

/** What to do with an event whose delivery failed. */
export type AfterFailure = { readonly do: "retry"; readonly pauseMs: number } | { readonly do: "park" };

/** Another attempt cannot fare better: nothing about the event or its consumer changes by itself. */
const hopeless: ReadonlySet<FaultCode> = new Set(["unimplemented"]);

/** Decides. `attempts` counts the one that failed. A failure the consumer chose is tried again too: it may depend on others. */
export function afterFailure(fault: Fault, attempts: number, limits: DeliveryLimits): AfterFailure {
  const most = fault.code === "exhausted" ? limits.busyAttemptsMax : limits.attemptsMax;
  if (attempts >= most || hopeless.has(fault.code)) return { do: "park" };
  return { do: "retry", pauseMs: Math.min(limits.backoffMaxMs, limits.backoffMinMs * 2 ** Math.min(attempts - 1, 30)) };
}
