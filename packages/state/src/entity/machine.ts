/**
 * What one entity does next. Decides only: time comes in as `nowMs`, everything it wants done goes out through `EntityActions`.
 * The shell (shell.ts) carries that out and brings back what came of it. Inputs are listed here; what each does is in machine/.
 *
 *     idle → waiting → loading → replaying → active → closing → idle
 *                         ↑ settling ←───────────┴────────┘ (stream lost, steps under way)
 *                         └ frozen (the store could not say what became of a step)
 *
 * Invariants (numbers of ENGINE.md)
 * E2 steps are released in order, each when durable
 * E3 a stream opens only when every step above `durableSequence` is committed or failed; replay ends exactly there; commands not yet sent
 *    stay queued
 * E7 a command at the function is never withdrawn; past `commandTimeoutMs` the stream is reset and the command fails as not applied.
 *    At the function is the oldest without a reply; those sent ahead behind it are as good as queued:
 * W1 only an active entity has commands out; replies come in the order of sending
 * W2 when no more replies can come, those sent ahead go back to the front of the queue, in order: they were not applied. Their handlers may
 *    have run, or will run again: what handlers do elsewhere is at least once, as E3 says
 * W3 when the function ended a stream without a word, those sent ahead go one at a time until one has ended it again or all are answered: a command
 *    that kills its function takes no more than one other with it
 * W4 a firing is never sent ahead: a command before it may cancel its timer
 * E8 passivation only with nothing at the function, nothing queued and nothing uncommitted; never two streams at once
 * E9 a command whose key is known does not reach the function: it waits for the one under way, or gets the recorded answer; a key is looked up
 *    when the command arrives, for those under way, and again when its turn comes, for what was recorded meanwhile
 * M1 callers are told last, or in a phase in which a call back only queues: an answer may call this very entity again
 */
import type { Fault, FaultCode } from "@mecha/kit";
import type { Envelope } from "../envelope.ts";
import type { EngineLimits } from "../limits.ts";
import type { EntityReply } from "../model.ts";
import type { ReadBack, StoredEvent } from "../store.ts";
import type { LedgerStep, Outcome } from "./ledger.ts";
import type { EntityActions } from "./machine/actions.ts";
import { takeCommand } from "./machine/commands.ts";
import { drained, entered, opened, openFailed, page, recoveryFailed, refused } from "./machine/loading.ts";
import { EntityState, type Phase } from "./machine/state.ts";
import { giveUp, verdict } from "./machine/steps.ts";
import { closed, crash, cut, failure, moved, passivate, takeReply } from "./machine/stream.ts";
import { tick } from "./machine/waiting.ts";

/** See the file's header. */
export class EntityMachine {
  readonly #entity: EntityState;

  constructor(kind: "eventSourced" | "value", name: string, passivationMs: number, limits: EngineLimits, out: EntityActions) {
    this.#entity = new EntityState(kind, name, passivationMs, limits, out);
  }

  get phase(): Phase {
    return this.#entity.phase;
  }
  /** Last durable sequence (value entities: version). */
  get durableSequence(): number {
    return this.#entity.durableSequence;
  }
  /** Last sequence given to a step, durable or not. */
  get assignedSequence(): number {
    return this.#entity.assignedSequence;
  }
  /** Commands not sent. */
  get queued(): number {
    return this.#entity.mailbox.size;
  }
  /** Steps not yet released. */
  get uncommitted(): number {
    return this.#entity.ledger.size;
  }
  /** The command at the function: the oldest of those sent. */
  get atFunction(): Envelope | undefined {
    return this.#entity.atFunction;
  }
  /** Since when it is there, monotonic ms. */
  get sentMs(): number {
    return this.#entity.sentMs;
  }
  /** Active, with nothing to do. */
  get resting(): boolean {
    return this.#entity.resting;
  }
  /** The shell changes it when the component changes. */
  set passivationMs(passivationMs: number) {
    this.#entity.passivationMs = passivationMs;
  }
  get passivationMs(): number {
    return this.#entity.passivationMs;
  }

  /** A command for this entity. */
  command(envelope: Envelope, nowMs: number): void {
    takeCommand(this.#entity, envelope, nowMs);
  }

  // ---- what came of the actions ---------------------------------------------------------------------------------------------------

  /** Leave to load was given. */
  entered(): void {
    entered(this.#entity);
  }
  /** There is no room. */
  refused(fault: Fault, nowMs: number): void {
    refused(this.#entity, fault, nowMs);
  }
  /** The record is open. */
  opened(record: ReadBack, nowMs: number): void {
    opened(this.#entity, record, nowMs);
  }
  /** The record could not be opened. */
  openFailed(cause: unknown, nowMs: number): void {
    openFailed(this.#entity, cause, nowMs);
  }
  /** Events to replay. */
  page(events: readonly StoredEvent[], nowMs: number): void {
    page(this.#entity, events, nowMs);
  }
  /** Events could not be read. */
  pageFailed(cause: unknown, nowMs: number): void {
    recoveryFailed(this.#entity, cause, nowMs);
  }
  /** What became of a step. Verdicts of one entity come in the order of its steps. */
  verdict(step: LedgerStep, outcome: Outcome, nowMs: number): void {
    verdict(this.#entity, step, outcome, nowMs);
  }
  /** The time asked for by `watch` has come. */
  tick(nowMs: number): void {
    tick(this.#entity, nowMs);
  }

  // ---- from the function ----------------------------------------------------------------------------------------------------------

  /** The function has room for events again. */
  drained(nowMs: number): void {
    drained(this.#entity, nowMs);
  }
  /** The function answered a command. */
  reply(reply: EntityReply, nowMs: number, wallMs: number): void {
    takeReply(this.#entity, reply, nowMs, wallMs);
  }
  /**
   * The function declared a failure; the text is for the log, not for the caller (facts/cloudstate.md §1.12).
   * @param code what the caller gets beside the reference's text; only some protocols let the function choose one.
   */
  failure(commandId: number, description: string, nowMs: number, code: FaultCode = "unknown"): void {
    failure(this.#entity, commandId, description, code, nowMs);
  }
  /** The function broke the protocol; the dialect has cut the stream and told the function. */
  violation(problem: string, about: "reply" | "message", nowMs: number): void {
    const { texts } = this.#entity;
    crash(this.#entity, about === "reply" ? texts.reply : texts.message, problem, nowMs);
  }
  /** The function ended its side, or the connection was lost. `unreached`: it never saw the stream. */
  closed(reason: string | undefined, unreached: boolean, nowMs: number): void {
    closed(this.#entity, reason, unreached, nowMs);
  }

  // ---- from above -----------------------------------------------------------------------------------------------------------------

  /** Ends the activation if nothing is going on (E8). `false`: something is. */
  passivate(nowMs: number): boolean {
    return passivate(this.#entity, nowMs);
  }
  /** The component moved to another function: its streams there are over, its queue is not. */
  moved(nowMs: number): void {
    moved(this.#entity, nowMs);
  }
  /** Stops taking part: everything not handed to the committer fails with `fault`. */
  cut(fault: Fault, nowMs: number): void {
    cut(this.#entity, fault, nowMs);
  }
  /** Answers what the store cannot decide. Only frozen entities have such steps. */
  giveUp(nowMs: number): void {
    giveUp(this.#entity, nowMs);
  }
}
