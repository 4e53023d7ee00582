/**
 * What one entity does next. Decides only: time comes in as `nowMs`, everything it wants done goes out through `EntityActions`.
 * The shell (shell.ts) carries that out and brings back what came of it.
 *
 *     idle → waiting → loading → replaying → active → closing → idle
 *                         ↑ settling ←───────────┴────────┘ (stream lost, steps under way)
 *                         └ frozen (the store could not say what became of a step)
 *
 * Invariants (numbers of ENGINE.md)
 * E2 steps are released in order, each when durable
 * E3 a stream opens only when every step above `durableSequence` is committed or failed; replay ends exactly there; commands not yet sent
 *    stay queued
 * E7 a command at the function is never withdrawn; past `commandTimeoutMs` the stream is reset and the command fails as not applied
 * E8 passivation only with nothing at the function, nothing queued and nothing uncommitted; never two streams at once
 * E9 a command whose key is known does not reach the function: it waits for the one under way, or gets the recorded answer; a key is looked up
 *    when the command arrives, for those under way, and again when its turn comes, for what was recorded meanwhile
 * M1 callers are told last, or in a phase in which a call back only queues: an answer may call this very entity again
 */
import { assert, Fault, type FaultCode } from "@mecha/kit";
import type { Envelope } from "../envelope.ts";
import { decodeAnswer } from "../keys/answer.ts";
import { compare, type Known, keyOfAnother, Keys } from "../keys/keys.ts";
import type { EngineLimits } from "../limits.ts";
import type { ClientAction, EntityInit, EntityReply } from "../model.ts";
import type { MessagePlan } from "../outbox/messages.ts";
import type { EntityHandle, EntityRecord, StoredEvent } from "../store.ts";
import { timersProblem } from "../timers/changes.ts";
import { asksRestart, draftStep, findExcess } from "./draft.ts";
import { Ledger, type LedgerStep, type Outcome } from "./ledger.ts";
import { Mailbox } from "./mailbox.ts";
import { type EventSink, Replay, type ReplayState } from "./replay.ts";
import { type EntityTexts, eventSourcedTexts, valueTexts } from "./texts.ts";

/** Where an entity is. `waiting`: for room or for a function that cannot be reached. */
export type Phase = "idle" | "waiting" | "loading" | "replaying" | "active" | "closing" | "settling" | "frozen";

/** What a machine asks for. Each is carried out at once; results arrive as inputs of the machine. */
export interface EntityActions extends EventSink {
  /** Asks for leave to load; `entered` or `refused` follows, at once or later. */
  enter(): void;
  /** Opens the record (a handle held before is released first); `opened` or `openFailed` follows. */
  openStore(): void;
  /** Reads events after a sequence; `page` or `pageFailed` follows. */
  readPage(afterSequence: number): void;
  openStream(init: EntityInit): void;
  sendCommand(commandId: number, envelope: Envelope): void;
  halfClose(): void;
  /** Cuts the stream. Does nothing without one. */
  reset(): void;
  /** The entity is active: loading is over. `loadedEvents` counts what was replayed. */
  activated(loadedEvents: number): void;
  /** A stream ended before the function showed a sign of life: back off. */
  streamFailed(reason: string): void;
  /** Hands a step to the committer; `verdict` follows. */
  commit(step: LedgerStep): void;
  /** A step is durable: run its tail. */
  release(step: LedgerStep): void;
  /** A command was answered before: give that answer again (E9). */
  repeat(envelope: Envelope, action: ClientAction): void;
  /** What of a reply goes to the outbox. Asked only for replies with effects or a forward. */
  plan(envelope: Envelope, reply: EntityReply, stored: boolean): MessagePlan | undefined;
  /** A name for what has none yet; never the same twice. */
  newKey(): string;
  /** Wall ms now, for keys that expire. */
  wallMs(): number;
  /** A command ends without a step, or its step failed. */
  fail(envelope: Envelope, fault: Fault): void;
  /** Idle from now on: it may be passivated. */
  rest(): void;
  /** No longer idle. */
  stir(): void;
  /** Calls `tick` at `dueMs`; replaces the time asked for before. */
  watch(dueMs: number): void;
  /** What `enter` is waiting for, to end a sentence with. */
  waitingFor(): string;
  /** Lets go of the record's handle, if one is held. */
  releaseHandle(): void;
  /** Back in `idle`, with nothing left: the machine may be dropped. */
  ended(): void;
  /** Tells the function about its mistake. */
  reportError(message: string): void;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
  /** A promise between engine and store was broken; the process must stop. */
  fatal(fault: Fault): void;
}

/** What a stream begins with. */
function initOf(kind: "eventSourced" | "value", record: EntityRecord): EntityInit {
  if (kind === "value") return record.value === undefined ? { kind } : { kind, value: record.value };
  return record.snapshot === undefined ? { kind } : { kind, snapshot: record.snapshot };
}

/** Pause before the store is asked again what became of a step. */
const readBackPauseMs = 200;

/** See the file's header. */
export class EntityMachine {
  readonly #kind: "eventSourced" | "value";
  /** `shop.Cart/42`, for texts. */
  readonly #name: string;
  readonly #limits: EngineLimits;
  readonly #out: EntityActions;
  readonly #texts: EntityTexts;
  /** Idle time before passivation. The shell changes it when the component changes. */
  passivationMs: number;

  #phase: Phase = "idle";
  readonly #mailbox = new Mailbox();
  readonly #ledger = new Ledger();
  readonly #keys = new Keys();
  /** The one command the function is working on. */
  #atFunction: Envelope | undefined = undefined;
  #sentMs = 0;
  #lastCommandId = 0;
  /** Replies on this stream; 0 = no sign of life yet. */
  #replies = 0;
  #assignedSequence = 0;
  #durableSequence = 0;
  /** Whether the record must be where we left it (E3); not so at first, nor after somebody else wrote. */
  #ownSequence = false;
  /** Open a new stream even if no command waits (restart=true). */
  #reopen = false;
  #resting = false;
  /** When the phase, or the rest, began; while replaying, when the function last took something. */
  #sinceMs = 0;
  #watchedMs = Infinity;
  /** Since when this entity tries to start, without a reply so far; -1 = it does not. */
  #startingSinceMs = -1;
  /** When a frozen entity asks the store again; -1 = an answer is under way. */
  #readBackAtMs = -1;
  #handle: EntityHandle = 0 as EntityHandle;

  /** Under way while `replaying`. */
  #replaying: Replay | undefined = undefined;

  constructor(kind: "eventSourced" | "value", name: string, passivationMs: number, limits: EngineLimits, out: EntityActions) {
    this.#kind = kind;
    this.#name = name;
    this.#texts = kind === "value" ? valueTexts : eventSourcedTexts;
    this.passivationMs = passivationMs;
    this.#limits = limits;
    this.#out = out;
  }

  get phase(): Phase {
    return this.#phase;
  }
  /** Last durable sequence (value entities: version). */
  get durableSequence(): number {
    return this.#durableSequence;
  }
  /** Last sequence given to a step, durable or not. */
  get assignedSequence(): number {
    return this.#assignedSequence;
  }
  get queued(): number {
    return this.#mailbox.size;
  }
  /** Steps not yet released. */
  get uncommitted(): number {
    return this.#ledger.size;
  }
  /** The command at the function. */
  get atFunction(): Envelope | undefined {
    return this.#atFunction;
  }
  /** When the last command was sent, monotonic ms. */
  get sentMs(): number {
    return this.#sentMs;
  }
  /** Active, with nothing to do. */
  get resting(): boolean {
    return this.#resting;
  }

  // ---- commands -------------------------------------------------------------------------------------------------------------------

  /** A command for this entity. */
  command(envelope: Envelope, nowMs: number): void {
    if (envelope.command.id !== undefined && this.#joins(envelope)) return;
    const limits = this.#limits;
    const room = envelope.internal ? limits.mailboxMax + limits.mailboxReserve : limits.mailboxMax;
    if (this.#mailbox.size >= room) {
      this.#out.fail(envelope, new Fault("exhausted", `${this.#name}: ${room} commands wait already (mailboxMax); slow down and retry`));
      return;
    }
    this.#mailbox.push(envelope);
    if (this.#phase === "active") this.#pump(nowMs);
    else if (this.#phase === "idle") this.#enter(nowMs);
    else if (this.#phase === "waiting") this.#watchQueue();
  }

  /** Whether a command with a key is answered, or waits for the one that is under way (E9). */
  #joins(envelope: Envelope): boolean {
    switch (this.#keys.join(envelope)) {
      case "first":
        return this.#repeats(envelope, this.#keys.find(envelope, this.#out.wallMs()));
      case "waits":
        return true;
      case "other":
        return this.#repeats(envelope, "other");
    }
  }

  /** Gives the recorded answer, if there is one. */
  #repeats(envelope: Envelope, known: Known): boolean {
    if (known === undefined) return false;
    if (known === "other") this.#out.fail(envelope, keyOfAnother(this.#name, envelope));
    else this.#out.repeat(envelope, decodeAnswer(known.answer));
    return true;
  }

  /** It does not need the function: a firing that nobody wants any more, or a command that was answered before. */
  #isSettled(envelope: Envelope): boolean {
    if (envelope.firing?.stale === true) {
      this.#out.fail(envelope, new Fault("cancelled", `${this.#name}: timer ${envelope.firing.row.name} was set anew or cancelled`));
      return true;
    }
    return envelope.command.id !== undefined && this.#repeats(envelope, this.#keys.find(envelope, this.#out.wallMs()));
  }

  /** The next command that nobody has answered yet. */
  #next(): Envelope | undefined {
    for (let envelope = this.#mailbox.shift(); envelope !== undefined; envelope = this.#mailbox.shift()) {
      if (!this.#isSettled(envelope)) return envelope;
      // The answer may have called us again.
      if (this.#phase !== "active" || this.#atFunction !== undefined) return undefined;
    }
    return undefined;
  }

  /** Sends the next command if the function is free and the bounds allow it (E3). */
  #pump(nowMs: number): void {
    if (this.#phase !== "active" || this.#atFunction !== undefined) return;
    const ledger = this.#ledger;
    const limits = this.#limits;
    if (ledger.size > 0) {
      if (!limits.pipelining || ledger.size >= limits.uncommittedStepsMax || ledger.bytes >= limits.uncommittedBytesMax) return;
    }
    const envelope = this.#next();
    if (envelope === undefined) {
      const free = this.#phase === "active" && this.#atFunction === undefined;
      if (free && ledger.size === 0 && !this.#resting) this.#rest(nowMs);
      return;
    }
    if (this.#resting) {
      this.#resting = false;
      this.#out.stir();
    }
    this.#atFunction = envelope;
    this.#sentMs = nowMs;
    this.#watch(nowMs + limits.commandTimeoutMs);
    this.#out.sendCommand(++this.#lastCommandId, envelope);
  }

  #rest(nowMs: number): void {
    this.#resting = true;
    this.#sinceMs = nowMs;
    this.#watch(nowMs + this.passivationMs);
    this.#out.rest();
  }

  /** One timer for each entity: it is set earlier at once, later only when it fires. */
  #watch(dueMs: number): void {
    if (dueMs >= this.#watchedMs) return;
    this.#watchedMs = dueMs;
    this.#out.watch(dueMs);
  }

  // ---- activation -----------------------------------------------------------------------------------------------------------------

  #enter(nowMs: number): void {
    this.#phase = "waiting";
    if (this.#startingSinceMs < 0) this.#startingSinceMs = nowMs;
    this.#out.enter();
    if (this.#phase === "waiting") this.#watchQueue();
  }

  #watchQueue(): void {
    const head = this.#mailbox.head;
    if (head !== undefined) this.#watch(this.#waitedEnoughMs(head));
  }

  /** When `head` has waited long enough: time spent behind others at a working function does not count. */
  #waitedEnoughMs(head: Envelope): number {
    return Math.max(head.enqueuedMs, this.#startingSinceMs) + this.#limits.functionWaitMs;
  }

  /** Leave to load was given. */
  entered(): void {
    assert(this.#phase === "waiting", `${this.#name}: leave to load in phase ${this.#phase}`);
    this.#phase = "loading";
    this.#out.openStore();
  }

  /** There is no room. */
  refused(fault: Fault, nowMs: number): void {
    assert(this.#phase === "waiting", `${this.#name}: refusal in phase ${this.#phase}`);
    this.#phase = "settling";
    this.#reopen = false;
    this.#failQueue(fault);
    this.#goOn(nowMs);
  }

  /** The record is open. */
  opened(record: EntityRecord, nowMs: number): void {
    this.#handle = record.handle;
    if (this.#phase === "frozen") {
      this.#decide(record);
      this.#phase = "loading";
    } else if (this.#ownSequence && record.sequence !== this.#durableSequence) {
      const found = `the store says ${record.sequence}, ${this.#durableSequence} was committed`;
      this.#out.fatal(new Fault("dataLoss", `reload ${this.#name}: ${found}`));
      return;
    }
    this.#durableSequence = record.sequence;
    this.#assignedSequence = record.sequence;
    this.#ownSequence = true;
    this.#keys.load(record.keys);
    if (this.#mailbox.size === 0 && !this.#reopen) {
      this.#phase = "settling";
      this.#goOn(nowMs);
      return;
    }
    this.#replay(record, nowMs);
  }

  #replay(record: EntityRecord, nowMs: number): void {
    this.#phase = "replaying";
    this.#reopen = false;
    this.#lastCommandId = 0;
    this.#replies = 0;
    this.#sinceMs = nowMs;
    this.#watch(nowMs + this.#limits.commandTimeoutMs);
    this.#out.openStream(initOf(this.#kind, record));
    const covered = this.#kind === "value" ? record.sequence : (record.snapshot?.sequence ?? 0);
    const replay = new Replay(covered, record.sequence);
    this.#replaying = replay;
    this.#replayOn(replay, replay.state, nowMs);
  }

  #replayOn(replay: Replay, state: ReplayState, nowMs: number): void {
    switch (state) {
      case "needsPage":
        this.#out.readPage(replay.replayed);
        break;
      case "done":
        this.#activate(replay.loadedEvents, nowMs);
        break;
      case "broken":
        this.#recoveryFailed(new Fault("dataLoss", `replay ${this.#name}: ${replay.problem}`), nowMs);
        break;
      case "blocked":
        break; // `drained` goes on
    }
  }

  #activate(loadedEvents: number, nowMs: number): void {
    this.#replaying = undefined;
    this.#phase = "active";
    this.#out.activated(loadedEvents);
    this.#pump(nowMs);
  }

  /** The record could not be opened. */
  openFailed(cause: unknown, nowMs: number): void {
    if (this.#phase === "frozen") this.#readBackFailed(nowMs);
    else this.#recoveryFailed(cause, nowMs);
  }

  /** Events to replay. */
  page(events: readonly StoredEvent[], nowMs: number): void {
    const replay = this.#replaying;
    if (replay === undefined) return;
    replay.take(events);
    this.#replayOn(replay, replay.feed(this.#out), nowMs);
  }

  /** Events could not be read. */
  pageFailed(cause: unknown, nowMs: number): void {
    this.#recoveryFailed(cause, nowMs);
  }

  /** The function has room for events again. */
  drained(nowMs: number): void {
    const replay = this.#replaying;
    if (replay === undefined || !replay.blocked) return;
    replay.drained();
    this.#sinceMs = nowMs;
    this.#replayOn(replay, replay.feed(this.#out), nowMs);
  }

  /** Everybody waiting hears of it; the next command tries again. */
  #recoveryFailed(cause: unknown, nowMs: number): void {
    this.#warn("entity could not be loaded", cause, { command: this.#mailbox.head?.command.name });
    this.#leaveStream();
    this.#reopen = false;
    this.#failQueue(this.#recoveryFault(cause));
    this.#goOn(nowMs);
  }

  /** The reference's text, with the store's code: it says whether a retry makes sense. What the caller did wrong is said plainly. */
  #recoveryFault(cause: unknown): Fault {
    if (!(cause instanceof Fault)) return new Fault("unknown", this.#texts.recovery, { cause });
    if (cause.code === "invalid" || cause.code === "precondition") return cause;
    return new Fault(cause.code, this.#texts.recovery, { cause });
  }

  // ---- replies --------------------------------------------------------------------------------------------------------------------

  /** The function answered a command. */
  reply(reply: EntityReply, nowMs: number, wallMs: number): void {
    if (this.#phase === "closing") return; // its command has failed already; nobody waits for it
    const envelope = this.#atFunction;
    if (this.#phase !== "active" || envelope === undefined || reply.commandId !== this.#lastCommandId) {
      const problem = this.#wrongReply(reply.commandId);
      this.#out.reportError(`${this.#name}: ${problem}`);
      this.#crash(this.#texts.reply, problem, nowMs);
      return;
    }
    const excess = findExcess(this.#kind, reply, this.#limits);
    if (excess !== undefined) {
      this.#refuseReply(new Fault("exhausted", this.#replyText(envelope, excess)), nowMs);
      return;
    }
    const wrong = reply.timers && timersProblem(reply.timers);
    if (wrong !== undefined) {
      this.#refuseReply(new Fault("internal", this.#replyText(envelope, wrong)), nowMs);
      return;
    }
    this.#atFunction = undefined;
    this.#replies++;
    this.#startingSinceMs = -1;
    const restart = asksRestart(this.#kind, reply);
    const { fenceReads, keyTtlMs } = this.#limits;
    const plan = (stored: boolean): MessagePlan | undefined => this.#out.plan(envelope, reply, stored);
    const newKey = (): string => this.#out.newKey();
    const base = { kind: this.#kind, handle: this.#handle, sequence: this.#assignedSequence, wallMs, fenceReads, keyTtlMs, plan, newKey };
    const step = draftStep(base, envelope, reply, restart);
    this.#assignedSequence = step.endSequence;
    this.#ledger.push(step);
    if (step.step !== undefined) this.#out.commit(step);
    else if (this.#ledger.head === step) this.#releaseSettled();
    // A release answers the caller, who may have called back into us: look at the phase again.
    if (restart && this.#phase === "active") this.#close(nowMs, true);
    else this.#pump(nowMs);
  }

  #wrongReply(commandId: number): string {
    const expected = this.#atFunction === undefined ? "no command was outstanding" : `expected one for ${this.#lastCommandId}`;
    return `reply for command ${commandId}, ${expected}`;
  }

  #replyText(envelope: Envelope, problem: string): string {
    return `${this.#name}: reply to ${envelope.command.name}: ${problem}`;
  }

  /** The reply cannot be stored. The function has applied it already, so it must be loaded afresh. */
  #refuseReply(fault: Fault, nowMs: number): void {
    this.#out.reportError(fault.message);
    this.#leaveStream();
    this.#failAtFunction(fault);
    this.#goOn(nowMs);
  }

  // ---- steps ----------------------------------------------------------------------------------------------------------------------

  /** What became of a step. Verdicts of one entity come in the order of its steps. */
  verdict(step: LedgerStep, outcome: Outcome, nowMs: number): void {
    if (outcome.is === "committed") this.#committed(step, outcome.outboxId);
    else if (outcome.is === "unknown" && step.fault === undefined) this.#freeze(step);
    else this.#stepFailed(step, outcome);
    this.#releaseSettled();
    if (this.#phase === "active") this.#pump(nowMs);
    else if (this.#phase === "frozen" && this.#ledger.underWay === 0) this.#readBack(nowMs);
    else this.#goOn(nowMs);
  }

  #committed(step: LedgerStep, outboxId: number | undefined): void {
    if (step.fault !== undefined) {
      // S2: a later step never survives without the earlier.
      this.#out.fatal(new Fault("dataLoss", `${this.#name}: the store committed ${step.endSequence} after an earlier step had failed`));
      this.#ledger.settle(step, "failed");
      return;
    }
    step.outboxId = outboxId;
    this.#ledger.settle(step, "durable");
  }

  /** Releases from the front, in order (E2). */
  #releaseSettled(): void {
    for (let step = this.#ledger.shiftSettled(); step !== undefined; step = this.#ledger.shiftSettled()) {
      if (step.fault !== undefined) {
        const { envelope, known } = step;
        if (known === undefined || !this.#repeats(envelope, compare(envelope, known))) this.#out.fail(envelope, step.fault);
        continue;
      }
      this.#durableSequence = step.endSequence;
      if (step.step?.deduplication !== undefined) this.#keys.remember(step.step.deduplication);
      this.#out.release(step);
    }
  }

  #stepFailed(step: LedgerStep, outcome: Outcome): void {
    this.#ledger.settle(step, "failed");
    if (step.fault !== undefined) return; // condemned with an earlier one
    const fault = this.#faultOf(outcome);
    if (outcome.is === "duplicate") step.known = outcome.record;
    this.#warn("step was not stored", fault, { command: step.envelope.command.name });
    this.#ledger.fail(step, fault);
    this.#ownSequence = false;
    if (this.#phase === "frozen") return;
    this.#leaveStream();
    this.#failAtFunction(fault);
  }

  #faultOf(outcome: Outcome): Fault {
    if (outcome.is === "dropped") return outcome.fault;
    if (outcome.is === "conflict") {
      return new Fault("aborted", `${this.#name}: somebody else wrote first; not applied, read again and retry`, {
        facts: { actualSequence: outcome.actualSequence },
      });
    }
    // Those behind it; it has its answer.
    if (outcome.is === "duplicate")
      return new Fault("unavailable", `${this.#name}: a command before was a repeated one; not applied, retry`);
    return new Fault("unavailable", `${this.#name}: it is owned elsewhere now; not applied, retry`);
  }

  /** Nobody is answered until the store has been read back (E4). */
  #freeze(step: LedgerStep): void {
    this.#ledger.settle(step, "unsure");
    this.#ownSequence = false;
    if (this.#phase === "frozen") return;
    this.#leaveStream();
    this.#phase = "frozen";
    this.#failAtFunction(new Fault("unavailable", `${this.#name}: the store did not answer; not applied, retry`));
  }

  #readBack(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#readBackAtMs = -1;
    this.#out.openStore();
  }

  #decide(record: EntityRecord): void {
    const keys = new Set(record.keys?.records.map(({ key }) => key));
    const not = new Fault("unavailable", `${this.#name}: the store did not take it; not applied, retry`);
    this.#ledger.decide(record.sequence, keys, { not, maybe: this.#undecidable() });
    this.#releaseSettled();
  }

  /** Asks again for a while; then admits that nobody can know. */
  #readBackFailed(nowMs: number): void {
    if (nowMs - this.#sinceMs < this.#limits.commandTimeoutMs) {
      this.#readBackAtMs = nowMs + readBackPauseMs;
      this.#watch(this.#readBackAtMs);
      return;
    }
    this.giveUp(nowMs);
  }

  /** Answers what the store cannot decide. Only frozen entities have such steps. */
  giveUp(nowMs: number): void {
    if (this.#phase !== "frozen") return;
    this.#phase = "settling";
    const head = this.#ledger.head;
    if (head !== undefined) this.#ledger.fail(head, this.#undecidable());
    this.#releaseSettled();
    this.#goOn(nowMs);
  }

  #undecidable(): Fault {
    return new Fault("unknown", `${this.#name}: the store cannot say whether this was applied`);
  }

  // ---- the end of a stream --------------------------------------------------------------------------------------------------------

  /**
   * The function declared a failure; the text is for the log, not for the caller (facts/cloudstate.md §1.12).
   * @param code what the caller gets beside the reference's text; only some protocols let the function choose one.
   */
  failure(commandId: number, description: string, nowMs: number, code: FaultCode = "unknown"): void {
    if (this.#phase === "closing") return;
    this.#warn("function declared a failure", description, { command: this.#atFunction?.command.name, commandId });
    const replaying = this.#phase === "replaying";
    if (replaying) this.#leaveStream();
    else this.#close(nowMs, false);
    this.#failCurrent(replaying, new Fault(code, this.#texts.failure));
    this.#goOn(nowMs);
  }

  /** The function broke the protocol; the dialect has cut the stream and told the function. */
  violation(problem: string, about: "reply" | "message", nowMs: number): void {
    this.#crash(about === "reply" ? this.#texts.reply : this.#texts.message, problem, nowMs);
  }

  #crash(text: string, problem: string, nowMs: number): void {
    this.#warn("function broke the protocol", problem);
    const phase = this.#phase;
    this.#leaveStream();
    if (phase !== "closing") this.#failCurrent(phase === "replaying", new Fault("unknown", text));
    this.#goOn(nowMs);
  }

  /** Fails the command at the function. While replaying, all that wait: the next attempt would fare no better. */
  #failCurrent(replaying: boolean, fault: Fault): void {
    this.#failAtFunction(fault);
    if (!replaying) {
      this.#terminateQueue();
      return;
    }
    const first = this.#mailbox.shift();
    const waiting = this.#mailbox.size;
    if (first !== undefined) this.#out.fail(first, fault);
    this.#failFirst(waiting, new Fault("unknown", this.#texts.queued));
  }

  #terminateQueue(): void {
    if (this.#limits.failQueueOnTermination) this.#failQueue(new Fault("unknown", this.#texts.queued));
  }

  /** The function ended its side, or the connection was lost. */
  closed(reason: string | undefined, unreached: boolean, nowMs: number): void {
    const phase = this.#phase;
    const envelope = this.#atFunction;
    const again = unreached && this.#replies === 0;
    if (phase !== "closing" && (phase === "replaying" || (this.#replies === 0 && (envelope !== undefined || unreached)))) {
      this.#out.streamFailed(reason ?? "it ended the stream");
    }
    this.#leaveStream();
    if (envelope !== undefined && again) {
      this.#atFunction = undefined;
      this.#mailbox.unshift(envelope);
    } else if (envelope !== undefined) {
      this.#warn("function ended its stream under a command", reason ?? "it ended the stream", { command: envelope.command.name });
      this.#failAtFunction(new Fault("unknown", this.#texts.termination));
      this.#terminateQueue();
    }
    this.#goOn(nowMs);
  }

  /** One line for a failure, whomever it strikes. What the user's code chose is none: that is the caller's answer. */
  #warn(
    message: string,
    cause: unknown,
    { command = this.#atFunction?.command.name, ...more }: Readonly<Record<string, unknown>> = {},
  ): void {
    this.#out.warn(message, { entity: this.#name, ...(command !== undefined && { command }), ...more, cause });
  }

  /** Cuts the stream, if there is one; what comes next is `goOn`'s. */
  #leaveStream(): void {
    this.#out.reset();
    this.#endRest();
    this.#replaying = undefined;
    this.#phase = "settling";
  }

  #endRest(): void {
    if (!this.#resting) return;
    this.#resting = false;
    this.#out.stir();
  }

  /** With no stream and nothing under way (E3): starts again if somebody waits, else ends. In other phases there is nothing to do. */
  #goOn(nowMs: number): void {
    if (this.#phase !== "settling" || this.#ledger.size > 0) return;
    this.#out.releaseHandle();
    if (this.#mailbox.size > 0 || this.#reopen) {
      this.#enter(nowMs);
      return;
    }
    this.#phase = "idle";
    this.#out.ended();
  }

  /** Half-closes; what is under way goes on. `reopen`: start again at once. */
  #close(nowMs: number, reopen: boolean): void {
    this.#endRest();
    this.#phase = "closing";
    this.#reopen = reopen;
    this.#sinceMs = nowMs;
    this.#watch(nowMs + this.#limits.closeTimeoutMs);
    this.#out.halfClose();
  }

  /** Ends the activation if nothing is going on (E8). `false`: something is. */
  passivate(nowMs: number): boolean {
    if (!this.#resting) return false;
    this.#close(nowMs, false);
    return true;
  }

  /** The component moved to another function: its streams there are over, its queue is not. */
  moved(nowMs: number): void {
    if (this.#phase !== "replaying" && this.#phase !== "active" && this.#phase !== "closing") return;
    this.#leaveStream();
    this.#failAtFunction(new Fault("unavailable", `${this.#name}: its function was replaced; not applied, retry`));
    this.#goOn(nowMs);
  }

  /** Stops taking part: everything not handed to the committer fails with `fault`. */
  cut(fault: Fault, nowMs: number): void {
    this.#reopen = false;
    if (this.#phase !== "frozen" && this.#phase !== "idle") this.#leaveStream();
    this.#failAtFunction(fault);
    this.#failQueue(fault);
    this.#goOn(nowMs);
  }

  #failAtFunction(fault: Fault): void {
    const envelope = this.#atFunction;
    if (envelope === undefined) return;
    this.#atFunction = undefined;
    this.#out.fail(envelope, fault);
  }

  /** Fails what is queued now; a caller who calls again from its answer queues anew. */
  #failQueue(fault: Fault): void {
    this.#failFirst(this.#mailbox.size, fault);
  }

  #failFirst(count: number, fault: Fault): void {
    for (let left = count; left > 0; left--) {
      const envelope = this.#mailbox.shift();
      if (envelope !== undefined) this.#out.fail(envelope, fault);
    }
  }

  // ---- time -----------------------------------------------------------------------------------------------------------------------

  /** The time asked for by `watch` has come. */
  tick(nowMs: number): void {
    this.#watchedMs = Infinity;
    switch (this.#phase) {
      case "waiting":
        this.#waitOver(nowMs);
        break;
      case "replaying":
        this.#replayOver(nowMs);
        break;
      case "active":
        this.#activeOver(nowMs);
        break;
      case "closing":
        if (nowMs < this.#sinceMs + this.#limits.closeTimeoutMs) this.#watch(this.#sinceMs + this.#limits.closeTimeoutMs);
        else this.closed(undefined, false, nowMs);
        break;
      case "frozen":
        this.#frozenOver(nowMs);
        break;
      case "idle":
      case "loading":
      case "settling":
        break;
    }
  }

  #waitOver(nowMs: number): void {
    for (let head = this.#mailbox.head; head !== undefined; head = this.#mailbox.head) {
      if (nowMs < this.#waitedEnoughMs(head)) break;
      this.#mailbox.shift();
      this.#out.fail(head, this.#notStarted());
      if (this.#phase !== "waiting") return;
    }
    if (this.#mailbox.size > 0 || this.#reopen) {
      this.#watchQueue();
      return;
    }
    this.#phase = "settling";
    this.#goOn(nowMs);
  }

  #notStarted(): Fault {
    const waited = `${this.#limits.functionWaitMs / 1000} s`;
    return new Fault("unavailable", `${this.#name}: not started within ${waited}: ${this.#out.waitingFor()}; not applied, retry`);
  }

  #frozenOver(nowMs: number): void {
    if (this.#readBackAtMs < 0) return;
    if (nowMs < this.#readBackAtMs) {
      this.#watch(this.#readBackAtMs);
      return;
    }
    this.#readBackAtMs = -1;
    this.#out.openStore();
  }

  #replayOver(nowMs: number): void {
    const dueMs = this.#sinceMs + this.#limits.commandTimeoutMs;
    if (nowMs < dueMs) {
      this.#watch(dueMs);
      return;
    }
    this.#out.streamFailed("it does not take the events replayed to it");
    this.#leaveStream();
    this.#goOn(nowMs);
  }

  #activeOver(nowMs: number): void {
    const envelope = this.#atFunction;
    if (envelope === undefined) {
      if (!this.#resting) return; // the verdict under way will make it rest
      if (nowMs < this.#sinceMs + this.passivationMs) this.#watch(this.#sinceMs + this.passivationMs);
      else this.#close(nowMs, false);
      return;
    }
    const dueMs = this.#sentMs + this.#limits.commandTimeoutMs;
    if (nowMs < dueMs) {
      this.#watch(dueMs);
      return;
    }
    const waited = `${this.#limits.commandTimeoutMs / 1000} s`;
    this.#warn("function did not answer in time", `no answer within ${waited}`, { command: envelope.command.name });
    this.#leaveStream();
    this.#failAtFunction(new Fault("deadline", `${this.#name}: ${envelope.command.name} got no answer within ${waited}; not applied`));
    this.#goOn(nowMs);
  }
}
