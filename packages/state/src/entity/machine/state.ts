/** What one entity's machine knows. The files beside this one are the transitions; none keeps anything of its own. */
import type { Envelope } from "../../envelope.ts";
import { Keys } from "../../keys/keys.ts";
import type { EngineLimits } from "../../limits.ts";
import type { EntityHandle } from "../../store.ts";
import { Ledger } from "../ledger.ts";
import { Mailbox } from "../mailbox.ts";
import type { Replay } from "../replay.ts";
import { type EntityTexts, eventSourcedTexts, valueTexts } from "../texts.ts";
import type { EntityActions } from "./actions.ts";

/** Where an entity is. `waiting`: for room or for a function that cannot be reached. */
export type Phase = "idle" | "waiting" | "loading" | "replaying" | "active" | "closing" | "settling" | "frozen";

/** See the file's header. */
export class EntityState {
  readonly kind: "eventSourced" | "value";
  /** `shop.Cart/42`, for texts. */
  readonly name: string;
  readonly limits: EngineLimits;
  readonly out: EntityActions;
  readonly texts: EntityTexts;
  /** Idle time before passivation. */
  passivationMs: number;

  phase: Phase = "idle";
  readonly mailbox = new Mailbox();
  readonly ledger = new Ledger();
  readonly keys = new Keys();
  /** The command at the function, and behind it those sent ahead: it answers them in this order. Only while `active` (W1). */
  readonly sent = new Mailbox();
  /** Their payload bytes. */
  sentBytes = 0;
  /** Since when the first of them is at the function. */
  sentMs = 0;
  /** How many commands this stream takes at once. */
  window = 1;
  /** Commands in front of the queue of which one may have ended the function: they go one at a time (W3). */
  suspects = 0;
  lastCommandId = 0;
  /** Replies on this stream; 0 = no sign of life yet. */
  replies = 0;
  assignedSequence = 0;
  durableSequence = 0;
  /** Whether the record must be where we left it (E3); not so at first, nor after somebody else wrote. */
  ownSequence = false;
  /** Open a new stream even if no command waits (restart=true). */
  reopen = false;
  /** Active, with nothing to do. */
  resting = false;
  /** When the phase, or the rest, began; while replaying, when the function last took something. */
  sinceMs = 0;
  watchedMs = Infinity;
  /** Since when this entity tries to start, without a reply so far; -1 = it does not. */
  startingSinceMs = -1;
  /** When a frozen entity asks the store again; -1 = an answer is under way. */
  readBackAtMs = -1;
  handle: EntityHandle = 0 as EntityHandle;
  /** Under way while `replaying`. */
  replaying: Replay | undefined = undefined;

  constructor(kind: "eventSourced" | "value", name: string, passivationMs: number, limits: EngineLimits, out: EntityActions) {
    this.kind = kind;
    this.name = name;
    this.texts = kind === "value" ? valueTexts : eventSourcedTexts;
    this.passivationMs = passivationMs;
    this.limits = limits;
    this.out = out;
  }

  /** The command at the function. */
  get atFunction(): Envelope | undefined {
    return this.sent.head;
  }

  /** Commands that are not at the function: queued, or sent ahead and perhaps queued again. */
  get waiting(): number {
    return this.mailbox.size + Math.max(0, this.sent.size - 1);
  }

  /** Its id. */
  get firstCommandId(): number {
    return this.lastCommandId - this.sent.size + 1;
  }

  /** One timer for each entity: it is set earlier at once, later only when it fires. */
  watch(dueMs: number): void {
    if (dueMs >= this.watchedMs) return;
    this.watchedMs = dueMs;
    this.out.watch(dueMs);
  }

  /** One line for a failure, whomever it strikes. What the user's code chose is none: that is the caller's answer. */
  warn(
    message: string,
    cause: unknown,
    { command = this.atFunction?.command.name, ...more }: Readonly<Record<string, unknown>> = {},
  ): void {
    this.out.warn(message, { entity: this.name, ...(command !== undefined && { command }), ...more, cause });
  }
}
