/** What every part of one engine shares. Made once by `openEngine`. */
import type { Clock, Fault, Log } from "@mecha/kit";
import type { Committer } from "./commit/committer.ts";
import type { Activations } from "./entity/activations.ts";
import type { OpenCommands } from "./envelope.ts";
import type { Change, EngineLimits } from "./limits.ts";
import type { Meters } from "./meters.ts";
import type { Store } from "./store.ts";
import type { Dispatcher } from "./tail.ts";
import type { TimerWheel } from "./timing/wheel.ts";

/** The part of a store that entities need. Listing is for admin. */
export type EngineStore = Pick<Store, "open" | "events" | "commit" | "release">;

/** See the file's header. */
export interface EngineParts {
  readonly store: EngineStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly wheel: TimerWheel;
  readonly limits: EngineLimits;
  readonly committer: Committer;
  readonly activations: Activations;
  readonly commands: OpenCommands;
  readonly meters: Meters;
  readonly dispatcher: Dispatcher;
  readonly observe: ((change: Change) => void) | undefined;
  /** Entities are to end as soon as they rest. */
  draining(): boolean;
  fatal(fault: Fault): void;
}
