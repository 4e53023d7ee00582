/** What every part of one engine shares. Made once by `openEngine`. */
import type { Clock, Fault, Log, Tracer } from "@mecha/kit";
import type { Committer } from "./commit/committer.ts";
import type { Activations } from "./entity/activations.ts";
import type { Replication } from "./crdt/replication.ts";
import type { Replicas } from "./crdt/residence.ts";
import type { OpenCommands } from "./envelope.ts";
import type { Change, EngineLimits } from "./limits.ts";
import type { Meters } from "./meters.ts";
import type { FindTarget } from "./outbox/messages.ts";
import type { Outbox } from "./outbox/outbox.ts";
import type { Store } from "./store.ts";
import type { Dispatcher } from "./tail.ts";
import type { Timers } from "./timers/timers.ts";
import type { TimerWheel } from "./timing/wheel.ts";

/** The part of a store that entities need. Listing is for admin. */
export type EngineStore = Pick<
  Store,
  "open" | "readBack" | "events" | "commit" | "release" | "outbox" | "settle" | "sweep" | "timers" | "timersDue"
>;

/** See the file's header. */
export interface EngineParts {
  readonly store: EngineStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly wheel: TimerWheel;
  readonly limits: EngineLimits;
  readonly committer: Committer;
  readonly activations: Activations;
  /** CRDTs in memory. */
  readonly replicas: Replicas;
  /** Carries their changes to other processes; absent when there are none. */
  readonly replication: Replication | undefined;
  readonly commands: OpenCommands;
  readonly meters: Meters;
  /** `undefined`: nothing is traced. */
  readonly tracer: Tracer | undefined;
  readonly dispatcher: Dispatcher;
  readonly outbox: Outbox;
  readonly timers: Timers;
  readonly findTarget: FindTarget;
  /** A key for a command that came without one, so that what it asks for has keys. Never the same twice. */
  newKey(): string;
  readonly observe: ((change: Change) => void) | undefined;
  /** Entities are to end as soon as they rest. */
  draining(): boolean;
  fatal(fault: Fault): void;
}
