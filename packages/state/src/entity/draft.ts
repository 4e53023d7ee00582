/** Turns a function's reply into the step that will be stored, or says what is wrong with the reply. Touches nothing. */
import type { Envelope } from "../envelope.ts";
import { encodeAnswer } from "../keys/answer.ts";
import type { EngineLimits } from "../limits.ts";
import type { EntityReply, Payload } from "../model.ts";
import type { MessagePlan } from "../outbox/messages.ts";
import type { DeduplicationRecord, TimerChange } from "../rows.ts";
import type { EntityHandle, Step } from "../store.ts";
import { timerChanges } from "../timers/changes.ts";
import { firingKeyTtlMs } from "../timers/firing.ts";
import { LedgerStep } from "./ledger.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Bookkeeping of a step beside its payloads: sequence, cause, time, index entry. An estimate for the byte bounds. */
const stepOverheadBytes = 128;

const noMessages: readonly { readonly payload: Payload }[] = [];
const noEvents: readonly Payload[] = [];
const noTimers: readonly TimerChange[] = [];

/** What `draftStep` needs to know of the entity. */
export interface DraftBase {
  readonly kind: "eventSourced" | "value";
  readonly handle: EntityHandle;
  /** Sequence the reply was computed on. */
  readonly sequence: number;
  readonly wallMs: number;
  /** Store steps without a change too (E6). */
  readonly fenceReads: boolean;
  /** How long an answer is recorded. */
  readonly keyTtlMs: number;
  /** What of the reply goes to the outbox; `stored`: the step is stored anyway. */
  readonly plan: (stored: boolean) => MessagePlan | undefined;
  /** Names a timer that is set. */
  readonly newKey: () => string;
}

/** Asks for this reply's changes to be dropped and the entity to be loaded anew. Which kinds may is for the dialect to say. */
export function asksRestart({ action }: EntityReply): boolean {
  return action.do === "fail" && action.restart;
}

/** A text naming what in `reply` is past a bound; `undefined` = nothing. */
export function findExcess(kind: "eventSourced" | "value", reply: EntityReply, limits: EngineLimits): string | undefined {
  if (kind === "value") {
    if (reply.state?.do !== "update") return undefined;
    return tooLarge("state", reply.state.value, limits);
  }
  if (reply.events.length > limits.eventsPerReplyMax) {
    return `events: ${reply.events.length} in one reply, at most ${limits.eventsPerReplyMax}; emit fewer for one command`;
  }
  let bytes = 0;
  for (const event of reply.events) {
    const problem = tooLarge("event", event, limits);
    if (problem !== undefined) return problem;
    bytes += event.value.byteLength;
  }
  if (bytes > limits.uncommittedBytesMax) {
    return `events: ${bytes} bytes in one reply, at most ${limits.uncommittedBytesMax}; emit fewer for one command`;
  }
  return reply.snapshot === undefined ? undefined : tooLarge("snapshot", reply.snapshot, limits);
}

function tooLarge(field: string, payload: Payload, limits: EngineLimits): string | undefined {
  const bytes = payload.value.byteLength;
  if (bytes <= limits.payloadMaxBytes) return undefined;
  return `${field}: ${bytes} bytes of ${payload.typeUrl}, at most ${limits.payloadMaxBytes}; keep large data elsewhere and store its address`;
}

/** The step `reply` amounts to. `discard`: a restart was asked for, nothing of the reply is kept. */
export function draftStep(base: DraftBase, envelope: Envelope, reply: EntityReply, discard: boolean): LedgerStep {
  const events = discard || base.kind === "value" ? noEvents : reply.events;
  const value = discard || base.kind === "eventSourced" ? undefined : reply.state;
  const changes = events.length > 0 || value !== undefined;
  const record = envelope.command.id === undefined ? undefined : recordOf(base, envelope, envelope.command.id, reply, changes);
  const timers = timersOf(base, envelope, discard ? undefined : reply.timers);
  const asks = reply.effects.length > 0 || reply.action.do === "forward";
  const plan = asks ? base.plan(changes || record !== undefined || timers !== undefined) : undefined;
  if (!changes && record === undefined && plan === undefined && timers === undefined && !base.fenceReads) {
    // A snapshot without events is illegal and ignored, as in the reference.
    return new LedgerStep(envelope, reply, undefined, base.sequence, 0);
  }
  const step: Mutable<Step> = {
    entity: base.handle,
    expectedSequence: base.sequence,
    events,
    cause: envelope.command.name,
    timeMs: base.wallMs,
  };
  let bytes = stepOverheadBytes;
  for (const event of events) bytes += event.value.byteLength;
  if (events.length > 0 && reply.snapshot !== undefined) {
    step.snapshot = reply.snapshot;
    bytes += reply.snapshot.value.byteLength;
  }
  if (value !== undefined) {
    step.value = value;
    if (value.do === "update") bytes += value.value.value.byteLength;
  }
  if (envelope.command.id !== undefined) step.commandId = envelope.command.id;
  if (envelope.context.trace !== undefined) step.trace = envelope.context.trace;
  if (record !== undefined) {
    step.deduplication = record;
    bytes += record.answer.byteLength;
  }
  for (const message of plan?.messages ?? noMessages) bytes += stepOverheadBytes + message.payload.value.byteLength;
  if (plan !== undefined) step.outbox = plan.messages;
  if (timers !== undefined) step.timers = timers;
  for (const timer of timers ?? noTimers) bytes += stepOverheadBytes + (timer.do === "set" ? timer.payload.value.byteLength : 0);
  const drafted = new LedgerStep(envelope, reply, step, base.sequence + events.length + (value === undefined ? 0 : 1), bytes);
  drafted.plan = plan;
  return drafted;
}

/** A firing moves its timer on, whatever its command answered; behind it comes what the reply asks for (E12). */
function timersOf(base: DraftBase, { firing }: Envelope, asked: EntityReply["timers"]): readonly TimerChange[] | undefined {
  if (firing === undefined && (asked === undefined || asked.length === 0)) return undefined;
  const changes = timerChanges(asked ?? [], base.wallMs, base.newKey);
  return firing === undefined ? changes : [firing.change, ...changes];
}

/** What is recorded under the command's key: its answer, unless it failed and changed nothing; then it may be tried again (E9). */
function recordOf(base: DraftBase, envelope: Envelope, key: string, reply: EntityReply, changes: boolean): DeduplicationRecord | undefined {
  if (reply.action.do === "fail" && !changes) return undefined;
  const ttlMs = envelope.firing === undefined ? base.keyTtlMs : firingKeyTtlMs;
  return { key, payloadHash: envelope.hash, answer: encodeAnswer(reply.action), expiresMs: base.wallMs + ttlMs };
}
