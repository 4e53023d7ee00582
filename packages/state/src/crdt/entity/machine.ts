/**
 * What one CRDT entity does next. Decides only: time comes in as `nowMs`, everything it wants done goes out through `CrdtActions`; shell.ts
 * carries that out.
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
import { assert, Fault, type FaultCode } from "@mecha/kit";
import type { Envelope } from "../../envelope.ts";
import type { EngineLimits } from "../../limits.ts";
import type { CrdtCancelled, CrdtMessage, CrdtReply, CrdtStateChange } from "../port.ts";
import type { Replica } from "../replica.ts";
import { apply, type CrdtValue, difference, wholeDelta } from "../value.ts";
import { type CrdtActions, type CrdtPhase, crdtTexts, deleted, type PendingAnswer, recoveryFault } from "./actions.ts";
import { StreamedEnvelope } from "./call.ts";

interface AtFunction {
  readonly envelope: Envelope;
  readonly sentMs: number;
  /** A message with `end` came before the first answer. */
  ended: boolean;
}

/** See the file's header. */
export class CrdtMachine {
  readonly #name: string;
  readonly #limits: EngineLimits;
  readonly #out: CrdtActions;
  passivationMs: number;

  #phase: CrdtPhase = "idle";
  #queue: Envelope[] = [];
  /** Commands without a first answer, oldest first. */
  readonly #atFunction = new Map<number, AtFunction>();
  /** Streamed commands that have one and go on. */
  readonly #streams = new Map<number, Envelope>();
  /** Called-off ones the function has not answered, and until when it is waited for. */
  readonly #calledOff = new Map<number, number>();
  readonly #pending: PendingAnswer[] = [];
  #lastCommandId = 0;
  #replies = 0;
  #replica: Replica | undefined = undefined;
  /** What the function holds. */
  #known: CrdtValue | undefined = undefined;
  /** The function's copy of the value is wrong (K6). */
  #stale = false;
  #resting = false;
  #sinceMs = 0;
  #startingSinceMs = -1;
  #watchedMs = Infinity;

  constructor(name: string, passivationMs: number, limits: EngineLimits, out: CrdtActions) {
    this.#name = name;
    this.passivationMs = passivationMs;
    this.#limits = limits;
    this.#out = out;
  }

  get phase(): CrdtPhase {
    return this.#phase;
  }
  get queued(): number {
    return this.#queue.length;
  }
  /** A command that has no first answer yet. */
  atFunction(commandId: number): { readonly envelope: Envelope; readonly sentMs: number } | undefined {
    return this.#atFunction.get(commandId);
  }
  /** Number of the last change that is on disk, counted from the activation. */
  get durableSequence(): number {
    return this.#replica?.durable ?? 0;
  }

  // ---- commands -------------------------------------------------------------------------------------------------------------------

  command(envelope: Envelope, nowMs: number): void {
    const limits = this.#limits;
    const room = envelope.internal ? limits.mailboxMax + limits.mailboxReserve : limits.mailboxMax;
    if (this.#queue.length + this.#atFunction.size >= room) {
      this.#out.fail(envelope, new Fault("exhausted", `${this.#name}: ${room} commands wait already (mailboxMax); slow down and retry`));
    } else if (this.#replica?.deleted === true) {
      this.#out.fail(envelope, deleted()); // keeps K3
    } else if (this.#phase === "active" && !this.#stale) {
      this.#send(envelope, nowMs);
    } else {
      this.#queue.push(envelope);
      if (this.#phase === "idle") this.#enter(nowMs);
      else if (this.#phase === "waiting") this.#watchQueue();
    }
  }

  #send(envelope: Envelope, nowMs: number): void {
    if (this.#resting) {
      this.#resting = false;
      this.#out.stir();
    }
    const id = ++this.#lastCommandId;
    this.#atFunction.set(id, { envelope, sentMs: nowMs, ended: false });
    this.#watch(nowMs + this.#limits.commandTimeoutMs);
    this.#out.sendCommand(id, envelope);
  }

  /** The caller of a streamed command does not want more. */
  callOff(envelope: Envelope, nowMs: number): void {
    if (this.#queue.includes(envelope)) {
      this.#queue = this.#queue.filter((other) => other !== envelope);
      this.#out.fail(envelope, this.#goneAway());
      return;
    }
    // One without a first answer is called off when that comes.
    this.#callOffStream(envelope, this.#goneAway(), nowMs);
  }

  #goneAway(): Fault {
    return new Fault("cancelled", `${this.#name}: the caller went away`);
  }

  #callOffStream(envelope: Envelope, fault: Fault, nowMs: number): void {
    for (const [id, other] of this.#streams) if (other === envelope) this.#callOff(id, envelope, fault, nowMs);
  }

  #callOff(id: number, envelope: Envelope, fault: Fault, nowMs: number): void {
    this.#streams.delete(id);
    this.#calledOff.set(id, nowMs + this.#limits.closeTimeoutMs);
    this.#watch(nowMs + this.#limits.closeTimeoutMs);
    this.#out.cancelCommand(id);
    this.#out.fail(envelope, fault);
  }

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
    const head = this.#queue[0];
    if (head !== undefined) this.#watch(this.#waitedEnoughMs(head));
  }

  #waitedEnoughMs(head: Envelope): number {
    return Math.max(head.enqueuedMs, this.#startingSinceMs) + this.#limits.functionWaitMs;
  }

  entered(): void {
    assert(this.#phase === "waiting", `${this.#name}: leave to load in phase ${this.#phase}`);
    this.#phase = "loading";
    this.#out.openReplica();
  }

  refused(fault: Fault, nowMs: number): void {
    this.#phase = "settling";
    this.#failQueue(fault);
    this.#goOn(nowMs);
  }

  opened(replica: Replica, nowMs: number): void {
    this.#replica = replica;
    if (replica.deleted || this.#queue.length === 0) {
      this.#phase = "settling";
      this.#failQueue(deleted());
      this.#goOn(nowMs);
      return;
    }
    this.#lastCommandId = 0;
    this.#replies = 0;
    this.#known = replica.value();
    this.#phase = "active";
    this.#out.openStream(this.#known && wholeDelta(this.#known));
    this.#out.activated();
    const queue = this.#queue;
    this.#queue = [];
    for (const envelope of queue) this.#send(envelope, nowMs);
  }

  openFailed(cause: unknown, nowMs: number): void {
    this.#out.warn("CRDT could not be loaded", { entity: this.#name, cause });
    this.#phase = "settling";
    this.#failQueue(recoveryFault(cause));
    this.#goOn(nowMs);
  }

  // ---- from the function ----------------------------------------------------------------------------------------------------------

  reply(reply: CrdtReply, nowMs: number, wallMs: number): void {
    if (this.#phase !== "active") return;
    const { commandId } = reply;
    const command = this.#atFunction.get(commandId);
    if (command === undefined) {
      this.#unexpected("reply", commandId, nowMs);
      return;
    }
    const { envelope } = command;
    if (reply.streamed && !(envelope instanceof StreamedEnvelope)) {
      this.#crash(`reply to ${envelope.command.name} says streamed, which its method is not`, nowMs);
      return;
    }
    this.#alive();
    if (!this.#change(reply, envelope.command.name, wallMs, nowMs)) return;
    this.#atFunction.delete(commandId);
    const goesOn = reply.streamed && !command.ended;
    const { action, effects, consistency } = reply;
    this.#answer({ envelope, commandName: envelope.command.name, action, effects, consistency, last: !goesOn });
    if (action.do === "fail" && action.restart) this.#stale = true; // keeps K6
    if (goesOn) this.#streams.set(commandId, envelope);
    if (goesOn && envelope instanceof StreamedEnvelope && envelope.over) this.#callOff(commandId, envelope, this.#goneAway(), nowMs);
    this.#afterChange(nowMs);
  }

  message(message: CrdtMessage, nowMs: number): void {
    if (this.#phase !== "active") return;
    const { commandId, action, effects, end } = message;
    const early = this.#atFunction.get(commandId); // the library of Node sends it before the reply that caused it
    const envelope = this.#streams.get(commandId) ?? early?.envelope;
    if (envelope === undefined) {
      this.#unexpected("streamed message", commandId, nowMs);
      return;
    }
    if (!(envelope instanceof StreamedEnvelope)) {
      this.#crash(`streamed message for ${envelope.command.name}, which is not streamed`, nowMs);
      return;
    }
    this.#alive();
    if (early !== undefined && end) early.ended = true;
    else if (end) this.#streams.delete(commandId);
    const last = end && early === undefined;
    this.#answer({ envelope, commandName: envelope.command.name, action, effects, consistency: "local", last });
    this.#afterChange(nowMs);
  }

  cancelled(cancelled: CrdtCancelled, nowMs: number, wallMs: number): void {
    if (this.#phase !== "active") return;
    const { commandId, effects, consistency } = cancelled;
    if (commandId < 1 || commandId > this.#lastCommandId) {
      this.#unexpected("answer to a cancellation", commandId, nowMs);
      return;
    }
    this.#alive();
    this.#calledOff.delete(commandId);
    const commandName = "cancellation";
    if (!this.#change(cancelled, commandName, wallMs, nowMs)) return;
    this.#answer({ envelope: undefined, commandName, action: { do: "nothing" }, effects, consistency, last: true });
    this.#afterChange(nowMs);
  }

  /** The function declared that a command failed: just that one. */
  failure(commandId: number, description: string, nowMs: number, code: FaultCode): void {
    if (this.#phase !== "active") return;
    this.#out.warn("function declared a failure", { entity: this.#name, command: commandId, description });
    const envelope = this.#atFunction.get(commandId)?.envelope ?? this.#streams.get(commandId);
    if (envelope === undefined) return; // of no command: ignored, as in the reference
    this.#alive();
    this.#atFunction.delete(commandId);
    this.#streams.delete(commandId);
    this.#out.fail(envelope, new Fault(code, crdtTexts.failure));
    this.#afterChange(nowMs);
  }

  #alive(): void {
    this.#replies++;
    this.#startingSinceMs = -1;
  }

  /** Something about a command that is not there. Of one that was, it comes late and is ignored. */
  #unexpected(what: string, commandId: number, nowMs: number): void {
    if (commandId === 0 || (what !== "reply" && commandId <= this.#lastCommandId)) {
      this.#out.warn("function answered a command that is over", { entity: this.#name, what, command: commandId });
      return;
    }
    this.#crash(`${what} for command ${commandId}, which is not outstanding`, nowMs);
  }

  /** Applies what the function did to the state. `false`: it could not be, and the stream is over. */
  #change({ state }: CrdtStateChange, commandName: string, wallMs: number, nowMs: number): boolean {
    const replica = this.#replica as Replica;
    if (state === undefined) return true;
    if (state.do === "delete") {
      if (replica.delete(commandName)) this.#out.changed(undefined);
      return true;
    }
    try {
      const changed = replica.change(state.delta, wallMs, commandName);
      if (changed !== undefined) {
        this.#known = apply(this.#known, state.delta, "asFunction"); // keeps K1
        this.#out.changed(changed);
      }
      return true;
    } catch (error) {
      this.#crash(`answer to ${commandName}: ${Fault.from(error, "change a CRDT", "internal").message}`, nowMs);
      return false;
    }
  }

  #answer(answer: Omit<PendingAnswer, "version" | "spread">): void {
    const pending: PendingAnswer = { ...answer, version: this.#replica?.version ?? 0, spread: true };
    this.#pending.push(pending);
    if (answer.consistency !== "local") pending.spread = !this.#out.awaitSpread(pending);
  }

  /** What follows any message of the function: answers, the end of a deleted entity, deltas, rest. */
  #afterChange(nowMs: number): void {
    this.#releaseDurable();
    if (this.#phase !== "active") return; // a caller called back, and it ended
    if (this.#replica?.deleted === true) this.#endDeleted(nowMs, false);
    else if (this.#stale) this.#closeStale(nowMs);
    else this.#tell(nowMs);
  }

  /** keeps K2 */
  #releaseDurable(): void {
    const durable = this.#replica?.durable ?? 0;
    for (let head = this.#pending[0]; head !== undefined && head.version <= durable && head.spread; head = this.#pending[0]) {
      this.#pending.shift();
      this.#out.release(head);
    }
  }

  /** keeps K1 */
  #tell(nowMs: number): void {
    if (this.#phase !== "active" || this.#stale || this.#atFunction.size > 0 || this.#calledOff.size > 0) return;
    const now = this.#replica?.value();
    if (now !== undefined) {
      const delta = this.#known === undefined ? wholeDelta(now) : difference(this.#known, now);
      if (delta === "replaced") {
        this.#crash("a peer made it another type", nowMs);
        return;
      }
      if (delta !== undefined) this.#out.sendDelta(delta);
      this.#known = now;
    }
    this.#restIfIdle(nowMs);
  }

  #restIfIdle(nowMs: number): void {
    if (this.#resting || this.#streams.size > 0 || this.#pending.length > 0 || this.#replica?.writing === true) return;
    this.#resting = true;
    this.#sinceMs = nowMs;
    this.#watch(nowMs + this.passivationMs);
    this.#out.rest();
  }

  // ---- from the store and from other replicas -------------------------------------------------------------------------------------

  /** A later version is durable. */
  durable(nowMs: number): void {
    this.#releaseDurable();
    if (this.#phase === "active") this.#tell(nowMs);
    else this.#goOn(nowMs);
  }

  /** As many replicas have the answer's version as it wanted; or why not in time. */
  spread(answer: PendingAnswer, problem: string | undefined, nowMs: number): void {
    if (problem === undefined) answer.spread = true;
    else {
      const at = this.#pending.indexOf(answer);
      if (at < 0) return;
      this.#pending.splice(at, 1);
      this.#out.warn("other replicas did not confirm in time", { entity: this.#name, consistency: answer.consistency, problem });
      // Not `deadline` or `unavailable`: those are tried again, and the change is stored.
      const text = this.#limits.bareTexts ? crdtTexts.consistency : `${crdtTexts.consistency}: ${problem}`;
      this.#unspread(answer, new Fault("unknown", text), nowMs);
    }
    this.durable(nowMs);
  }

  #unspread({ envelope, last }: PendingAnswer, fault: Fault, nowMs: number): void {
    if (envelope === undefined) return;
    if (last) this.#out.fail(envelope, fault);
    else this.#callOffStream(envelope, fault, nowMs);
  }

  /** The row was not stored: what the function and this memory know is more than what is. */
  writeFailed(fault: Fault, nowMs: number): void {
    this.#out.warn("CRDT was not stored", { entity: this.#name, cause: fault });
    const pending = this.#pending.splice(0);
    this.#leaveStream();
    for (const { envelope, last } of pending) if (envelope !== undefined && last) this.#out.fail(envelope, fault);
    this.#failAtFunction(fault);
    this.#goOn(nowMs);
  }

  /** Another replica has changed something, or a member came or went. */
  heard(nowMs: number): void {
    if (this.#phase !== "active") return;
    if (this.#replica?.deleted === true) this.#endDeleted(nowMs, true);
    else {
      this.#endRest();
      this.#tell(nowMs);
    }
  }

  /** Deleted here or elsewhere: the stream ends, and so does every command but those that have their last answer. */
  #endDeleted(nowMs: number, tell: boolean): void {
    if (tell) this.#out.sendDeleted();
    this.#close(nowMs);
    this.#failAtFunction(deleted());
    this.#failQueue(deleted());
  }

  // ---- the end of a stream --------------------------------------------------------------------------------------------------------

  violation(problem: string, nowMs: number): void {
    this.#out.warn("function broke the protocol", { entity: this.#name, problem });
    this.#terminate(nowMs);
  }

  #crash(problem: string, nowMs: number): void {
    this.#out.reportError(`${this.#name}: ${problem}`);
    this.violation(problem, nowMs);
  }

  #terminate(nowMs: number): void {
    const closing = this.#phase === "closing";
    this.#leaveStream();
    if (!closing) this.#failAtFunction(new Fault("unknown", crdtTexts.terminating));
    this.#goOn(nowMs);
  }

  closed(reason: string | undefined, unreached: boolean, nowMs: number): void {
    const closing = this.#phase === "closing";
    const waiting = [...this.#atFunction.values()].map(({ envelope }) => envelope);
    if (!closing && this.#replies === 0) this.#out.streamFailed(reason ?? "it ended the stream");
    if (!closing && unreached && this.#replies === 0) {
      this.#atFunction.clear();
      this.#queue = [...waiting, ...this.#queue];
    }
    this.#terminate(nowMs);
  }

  #closeStale(nowMs: number): void {
    if (this.#atFunction.size === 0) this.#close(nowMs);
  }

  #leaveStream(): void {
    this.#out.reset();
    this.#endRest();
    this.#stale = false;
    this.#calledOff.clear();
    this.#known = undefined;
    this.#phase = "settling";
  }

  #endRest(): void {
    if (!this.#resting) return;
    this.#resting = false;
    this.#out.stir();
  }

  /** Without a stream: starts again if somebody waits, else ends once everything is answered and written. */
  #goOn(nowMs: number): void {
    if (this.#phase !== "settling" || this.#pending.length > 0 || this.#replica?.writing === true) return;
    this.#replica = undefined;
    this.#out.releaseReplica();
    if (this.#queue.length > 0) {
      this.#enter(nowMs);
      return;
    }
    this.#phase = "idle";
    this.#out.ended();
  }

  #close(nowMs: number): void {
    this.#endRest();
    this.#phase = "closing";
    this.#sinceMs = nowMs;
    this.#watch(nowMs + this.#limits.closeTimeoutMs);
    this.#out.halfClose();
  }

  /** Ends the activation if nothing is going on (K5). */
  passivate(nowMs: number): boolean {
    if (!this.#resting) return false;
    this.#close(nowMs);
    return true;
  }

  moved(nowMs: number): void {
    if (this.#phase !== "active" && this.#phase !== "closing") return;
    this.#leaveStream();
    this.#failAtFunction(new Fault("unavailable", `${this.#name}: its function was replaced; not applied, retry`));
    this.#goOn(nowMs);
  }

  /** Stops taking part: what is not on its way to the store fails with `fault`. */
  cut(fault: Fault, nowMs: number): void {
    if (this.#phase !== "idle") this.#leaveStream();
    this.#failAtFunction(fault);
    this.#failQueue(fault);
    this.#goOn(nowMs);
  }

  /** Nothing more will come of what is pending. */
  giveUp(nowMs: number): void {
    const fault = new Fault("unknown", `${this.#name}: stopped before this was known to be stored`);
    for (const { envelope, last } of this.#pending.splice(0)) if (envelope !== undefined && last) this.#out.fail(envelope, fault);
    this.#goOn(nowMs);
  }

  /** Fails commands without an answer, and streamed ones that wait for more. */
  #failAtFunction(fault: Fault): void {
    const envelopes = [...[...this.#atFunction.values()].map(({ envelope }) => envelope), ...this.#streams.values()];
    this.#atFunction.clear();
    this.#streams.clear();
    for (const envelope of envelopes) this.#out.fail(envelope, fault);
  }

  #failQueue(fault: Fault): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const envelope of queue) this.#out.fail(envelope, fault);
  }

  // ---- time -----------------------------------------------------------------------------------------------------------------------

  tick(nowMs: number): void {
    this.#watchedMs = Infinity;
    if (this.#phase === "waiting") this.#waitOver(nowMs);
    else if (this.#phase === "active") this.#activeOver(nowMs);
    else if (this.#phase === "closing") {
      if (nowMs < this.#sinceMs + this.#limits.closeTimeoutMs) this.#watch(this.#sinceMs + this.#limits.closeTimeoutMs);
      else this.closed(undefined, false, nowMs);
    }
  }

  #waitOver(nowMs: number): void {
    const due = this.#queue.filter((envelope) => nowMs >= this.#waitedEnoughMs(envelope));
    this.#queue = this.#queue.filter((envelope) => !due.includes(envelope));
    const waited = `${this.#limits.functionWaitMs / 1000} s`;
    const text = `${this.#name}: not started within ${waited}: ${this.#out.waitingFor()}; not applied, retry`;
    for (const envelope of due) this.#out.fail(envelope, new Fault("unavailable", text));
    if (this.#phase !== "waiting") return;
    if (this.#queue.length > 0) {
      this.#watchQueue();
      return;
    }
    this.#phase = "settling";
    this.#goOn(nowMs);
  }

  #activeOver(nowMs: number): void {
    if (this.#commandOverdue(nowMs)) return;
    const before = this.#calledOff.size;
    for (const [id, dueMs] of this.#calledOff) {
      if (nowMs >= dueMs)
        this.#calledOff.delete(id); // keeps K4
      else this.#watch(dueMs);
    }
    if (this.#calledOff.size < before) this.#tell(nowMs);
    if (!this.#resting) return;
    if (nowMs < this.#sinceMs + this.passivationMs) this.#watch(this.#sinceMs + this.passivationMs);
    else this.#close(nowMs);
  }

  /** A command the function never answered: its stream is cut, so that a late answer cannot arrive (E7). */
  #commandOverdue(nowMs: number): boolean {
    const oldest = this.#atFunction.values().next().value;
    if (oldest === undefined) return false;
    const dueMs = oldest.sentMs + this.#limits.commandTimeoutMs;
    if (nowMs < dueMs) {
      this.#watch(dueMs);
      return false;
    }
    const { envelope } = oldest;
    const waited = `${this.#limits.commandTimeoutMs / 1000} s`;
    this.#out.warn("function did not answer in time", { entity: this.#name, command: envelope.command.name });
    const [id] = this.#atFunction.keys();
    this.#atFunction.delete(id as number);
    this.#out.fail(envelope, new Fault("deadline", `${this.#name}: ${envelope.command.name} got no answer within ${waited}; not applied`));
    if (this.#phase === "active") this.#terminate(nowMs);
    return true;
  }
}
