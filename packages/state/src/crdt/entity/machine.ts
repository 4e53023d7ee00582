/**
 * What one CRDT entity does next. Decides only: time comes in as `nowMs`, everything it wants done goes out through `CrdtActions`; shell.ts
 * carries that out. Inputs are listed here; what each does is in machine/.
 *
 *     idle → waiting → loading → active → closing → idle
 *
 * Invariants
 * K1 several commands may be at the function at once; what changes elsewhere is told only while none is, nor a called-off one, as one delta
 *    from what the function has to what is (turn-taking, facts/cloudstate.md §1.5); its own changes are never echoed
 * K2 an answer waits until the version it was given at is durable, and for the write consistency it asked for; answers leave in order
 * K3 deleted is for ever: commands fail with `Entity deleted`
 * K4 a function that says nothing about a called-off command is waited for `closeTimeoutMs`, then no more; what it says later still counts
 * K5 passivation only with nothing at the function, no streamed command open and every answer given; half-close, then `closeTimeoutMs`
 * K6 after a failure that asks for a restart nothing more is sent on the stream: what is at the function is answered, then the entity is loaded
 *    anew. Kalix's library has changed its own copy by then, and says so to nobody
 * M1 callers are told last, or in a phase in which a call back only queues
 */
import type { Fault, FaultCode } from "@mecha/kit";
import type { Envelope } from "../../envelope.ts";
import type { EngineLimits } from "../../limits.ts";
import type { CrdtCancelled, CrdtMessage, CrdtReply } from "../port.ts";
import type { Replica } from "../replica.ts";
import type { CrdtActions, CrdtPhase, PendingAnswer } from "./actions.ts";
import { entered, opened, openFailed, refused } from "./machine/activation.ts";
import { callOff, takeCommand } from "./machine/commands.ts";
import { closed, cut, giveUp, moved, passivate, violation, writeFailed } from "./machine/ending.ts";
import { failure, takeCancelled, takeMessage, takeReply } from "./machine/function.ts";
import { type AtFunction, CrdtEntity } from "./machine/state.ts";
import { durable, heard, spread } from "./machine/telling.ts";
import { tick } from "./machine/time.ts";

/** See the file's header. */
export class CrdtMachine {
  readonly #entity: CrdtEntity;

  constructor(name: string, passivationMs: number, limits: EngineLimits, out: CrdtActions) {
    this.#entity = new CrdtEntity(name, passivationMs, limits, out);
  }

  get phase(): CrdtPhase {
    return this.#entity.phase;
  }
  get queued(): number {
    return this.#entity.queue.length;
  }
  /** A command that has no first answer yet. */
  atFunction(commandId: number): Pick<AtFunction, "envelope" | "sentMs"> | undefined {
    return this.#entity.atFunction.get(commandId);
  }
  /** Number of the last change that is on disk, counted from the activation. */
  get durableSequence(): number {
    return this.#entity.replica?.durable ?? 0;
  }
  /** The shell changes it when the component changes. */
  set passivationMs(passivationMs: number) {
    this.#entity.passivationMs = passivationMs;
  }
  get passivationMs(): number {
    return this.#entity.passivationMs;
  }

  // ---- from callers ---------------------------------------------------------------------------------------------------------------

  command(envelope: Envelope, nowMs: number): void {
    takeCommand(this.#entity, envelope, nowMs);
  }
  /** The caller of a streamed command does not want more. */
  callOff(envelope: Envelope, nowMs: number): void {
    callOff(this.#entity, envelope, nowMs);
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
  opened(replica: Replica, nowMs: number): void {
    opened(this.#entity, replica, nowMs);
  }
  openFailed(cause: unknown, nowMs: number): void {
    openFailed(this.#entity, cause, nowMs);
  }
  /** A later version is durable. */
  durable(nowMs: number): void {
    durable(this.#entity, nowMs);
  }
  /** The row was not stored: what the function and this memory know is more than what is. */
  writeFailed(fault: Fault, nowMs: number): void {
    writeFailed(this.#entity, fault, nowMs);
  }
  /** As many replicas have the answer's version as it wanted; or why not in time. */
  spread(answer: PendingAnswer, problem: string | undefined, nowMs: number): void {
    spread(this.#entity, answer, problem, nowMs);
  }
  /** Another replica has changed something, or a member came or went. */
  heard(nowMs: number): void {
    heard(this.#entity, nowMs);
  }
  /** The time asked for by `watch` has come. */
  tick(nowMs: number): void {
    tick(this.#entity, nowMs);
  }

  // ---- from the function ----------------------------------------------------------------------------------------------------------

  reply(reply: CrdtReply, nowMs: number, wallMs: number): void {
    takeReply(this.#entity, reply, nowMs, wallMs);
  }
  message(message: CrdtMessage, nowMs: number): void {
    takeMessage(this.#entity, message, nowMs);
  }
  cancelled(cancelled: CrdtCancelled, nowMs: number, wallMs: number): void {
    takeCancelled(this.#entity, cancelled, nowMs, wallMs);
  }
  /** The function declared that a command failed: just that one. */
  failure(commandId: number, description: string, nowMs: number, code: FaultCode): void {
    failure(this.#entity, commandId, description, nowMs, code);
  }
  /** The function broke the protocol; the dialect has cut the stream and told the function. */
  violation(problem: string, nowMs: number): void {
    violation(this.#entity, problem, nowMs);
  }
  /** The function ended its side, or the connection was lost. `unreached`: it never saw the stream. */
  closed(reason: string | undefined, unreached: boolean, nowMs: number): void {
    closed(this.#entity, reason, unreached, nowMs);
  }

  // ---- from above -----------------------------------------------------------------------------------------------------------------

  /** Ends the activation if nothing is going on (K5). */
  passivate(nowMs: number): boolean {
    return passivate(this.#entity, nowMs);
  }
  /** The component moved to another function: its streams there are over, its queue is not. */
  moved(nowMs: number): void {
    moved(this.#entity, nowMs);
  }
  /** Stops taking part: what is not on its way to the store fails with `fault`. */
  cut(fault: Fault, nowMs: number): void {
    cut(this.#entity, fault, nowMs);
  }
  /** Nothing more will come of what is pending. */
  giveUp(nowMs: number): void {
    giveUp(this.#entity, nowMs);
  }
}
