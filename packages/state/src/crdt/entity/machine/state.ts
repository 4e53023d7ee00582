/** What one CRDT entity's machine knows. The files beside this one are the transitions; none keeps anything of its own. */
import { Fault } from "@mecha/kit";
import type { Envelope } from "../../../envelope.ts";
import type { EngineLimits } from "../../../limits.ts";
import type { Replica } from "../../replica.ts";
import type { CrdtValue } from "../../value.ts";
import type { CrdtActions, CrdtPhase, PendingAnswer } from "../actions.ts";

/** A command without a first answer. */
export interface AtFunction {
  readonly envelope: Envelope;
  readonly sentMs: number;
  /** A message with `end` came before the first answer. */
  ended: boolean;
}

/** See the file's header. */
export class CrdtEntity {
  /** `shop.Cart/42`, for texts. */
  readonly name: string;
  readonly limits: EngineLimits;
  readonly out: CrdtActions;
  /** Idle time before passivation. */
  passivationMs: number;

  phase: CrdtPhase = "idle";
  queue: Envelope[] = [];
  /** Commands without a first answer, oldest first. */
  readonly atFunction = new Map<number, AtFunction>();
  /** Streamed commands that have one and go on. */
  readonly streams = new Map<number, Envelope>();
  /** Called-off ones the function has not answered, and until when it is waited for. */
  readonly calledOff = new Map<number, number>();
  readonly pending: PendingAnswer[] = [];
  lastCommandId = 0;
  /** Signs of life on this stream. */
  replies = 0;
  replica: Replica | undefined = undefined;
  /** What the function holds. */
  known: CrdtValue | undefined = undefined;
  /** The function's copy of the value is wrong (K6). */
  stale = false;
  /** Active, with nothing to do. */
  resting = false;
  /** When the rest, or the closing, began. */
  sinceMs = 0;
  /** Since when this entity tries to start, without a reply so far; -1 = it does not. */
  startingSinceMs = -1;
  watchedMs = Infinity;

  constructor(name: string, passivationMs: number, limits: EngineLimits, out: CrdtActions) {
    this.name = name;
    this.passivationMs = passivationMs;
    this.limits = limits;
    this.out = out;
  }

  /** One timer for each entity: it is set earlier at once, later only when it fires. */
  watch(dueMs: number): void {
    if (dueMs >= this.watchedMs) return;
    this.watchedMs = dueMs;
    this.out.watch(dueMs);
  }

  /** The function has said something. */
  alive(): void {
    this.replies++;
    this.startingSinceMs = -1;
  }

  endRest(): void {
    if (!this.resting) return;
    this.resting = false;
    this.out.stir();
  }

  goneAway(): Fault {
    return new Fault("cancelled", `${this.name}: the caller went away`);
  }
}
