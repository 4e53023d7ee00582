/** Carries out what one CRDT's machine decides, against its replica, the function and the wheel, and brings back what comes of it. */
import { type Fault, faultCodeOfGrpc } from "@mecha/kit";
import type { Envelope } from "../../envelope.ts";
import type { EntityHost, HostedEntity } from "../../entity/host.ts";
import { OccupantShell } from "../../entity/occupant-shell.ts";
import type { ClientAction, Reply, SideEffect } from "../../model.ts";
import type { EngineParts } from "../../parts.ts";
import { chosenFailure, Tail } from "../../tail.ts";
import type { CrdtDelta } from "../delta.ts";
import type { CrdtCancelled, CrdtFailure, CrdtMessage, CrdtPort, CrdtReply, CrdtStream, CrdtStreamEvents } from "../port.ts";
import type { Replica } from "../replica.ts";
import type { ReplicaUser, Resident } from "../residence.ts";
import type { CrdtState } from "../types/index.ts";
import { StreamedEnvelope } from "./call.ts";
import type { CrdtActions, PendingAnswer } from "./actions.ts";
import { CrdtMachine } from "./machine.ts";

/** One stream's callbacks; dead once the entity listens to another. */
class StreamListener implements CrdtStreamEvents {
  readonly #shell: CrdtShell;
  constructor(shell: CrdtShell) {
    this.#shell = shell;
  }
  reply(reply: CrdtReply): void {
    this.#shell.streamReply(this, reply);
  }
  message(message: CrdtMessage): void {
    this.#shell.streamMessage(this, message);
  }
  cancelled(cancelled: CrdtCancelled): void {
    this.#shell.streamCancelled(this, cancelled);
  }
  failure(failure: CrdtFailure): void {
    this.#shell.streamFailure(this, failure);
  }
  violation(problem: string): void {
    this.#shell.streamViolation(this, problem);
  }
  closed(reason?: string, unreached?: boolean): void {
    this.#shell.streamClosed(this, reason, unreached === true);
  }
}

/** See the file's header. */
export class CrdtShell extends OccupantShell implements CrdtActions, HostedEntity, ReplicaUser {
  readonly machine: CrdtMachine;
  #resident: Resident | undefined = undefined;
  #stream: CrdtStream | undefined = undefined;
  #listener: StreamListener | undefined = undefined;

  constructor(host: EntityHost, entityId: string, parts: EngineParts) {
    super(host, entityId, parts);
    this.machine = new CrdtMachine(`${host.service}/${entityId}`, host.passivationMs, parts.limits, this);
  }

  // ---- replica --------------------------------------------------------------------------------------------------------------------

  openReplica(): void {
    this.openedMs = this.nowMs();
    this.#resident = this.parts.replicas.acquire(this.address, this);
  }
  opened(replica: Replica): void {
    this.machine.opened(replica, this.nowMs());
  }
  openFailed(cause: unknown): void {
    this.machine.openFailed(cause, this.nowMs());
  }
  changed(delta: CrdtState | undefined): void {
    this.#resident?.changed(delta);
  }
  durable(): void {
    this.machine.durable(this.nowMs());
  }
  writeFailed(fault: Fault): void {
    this.machine.writeFailed(fault, this.nowMs());
  }
  heard(): void {
    this.machine.heard(this.nowMs());
  }
  releaseReplica(): void {
    this.parts.activations.loaded(this);
    const resident = this.#resident;
    this.#resident = undefined;
    resident?.release(this);
  }
  awaitSpread(answer: PendingAnswer): boolean {
    const { replication } = this.parts;
    if (replication === undefined || this.#resident === undefined) return false;
    return replication.awaitSpread(this.#resident, answer.consistency, (problem) => this.machine.spread(answer, problem, this.nowMs()));
  }

  // ---- stream ---------------------------------------------------------------------------------------------------------------------

  openStream(delta: CrdtDelta | undefined): void {
    this.#listener = new StreamListener(this);
    // Discovery makes a CRDT of a service only where the protocol has them.
    this.#stream = (this.host.component.function.crdt as CrdtPort).open(this.address, delta, this.#listener);
  }
  sendCommand(commandId: number, envelope: Envelope): void {
    this.leaves(envelope);
    this.#stream?.command(commandId, envelope.command, envelope instanceof StreamedEnvelope);
  }
  sendDelta(delta: CrdtDelta): void {
    this.#stream?.delta(delta);
  }
  sendDeleted(): void {
    this.#stream?.deleted();
  }
  cancelCommand(commandId: number): void {
    this.#stream?.cancelCommand(commandId);
  }
  halfClose(): void {
    this.#stream?.halfClose();
  }
  reset(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#listener = undefined;
    stream?.reset();
  }
  activated(): void {
    this.nowActive();
  }

  /** @internal */
  streamReply(from: StreamListener, reply: CrdtReply): void {
    if (from !== this.#listener) return;
    this.host.gate.alive();
    const nowMs = this.nowMs();
    const answered = this.machine.atFunction(reply.commandId);
    if (answered !== undefined) {
      this.host.meters.processed(nowMs - answered.sentMs);
      this.endSpan(answered.envelope, reply.action.do === "fail" ? chosenFailure(reply.action) : undefined);
    }
    this.machine.reply(reply, nowMs, this.parts.clock.wall());
  }
  /** @internal */
  streamMessage(from: StreamListener, message: CrdtMessage): void {
    if (from === this.#listener) this.machine.message(message, this.nowMs());
  }
  /** @internal */
  streamCancelled(from: StreamListener, cancelled: CrdtCancelled): void {
    if (from === this.#listener) this.machine.cancelled(cancelled, this.nowMs(), this.parts.clock.wall());
  }
  /** @internal */
  streamFailure(from: StreamListener, { commandId, description, grpcCode }: CrdtFailure): void {
    if (from !== this.#listener) return;
    this.host.gate.alive();
    const code = grpcCode === undefined ? "unknown" : faultCodeOfGrpc(grpcCode);
    this.endSpan(this.machine.atFunction(commandId)?.envelope, { code, message: description });
    this.machine.failure(commandId, description, this.nowMs(), code);
  }
  /** @internal */
  streamViolation(from: StreamListener, problem: string): void {
    if (from !== this.#listener) return;
    this.count("failedEntities");
    this.machine.violation(problem, this.nowMs());
  }
  /** @internal */
  streamClosed(from: StreamListener, reason: string | undefined, unreached: boolean): void {
    if (from !== this.#listener) return;
    this.#stream = undefined;
    this.#listener = undefined;
    this.machine.closed(reason, unreached, this.nowMs());
  }

  // ---- outcomes -------------------------------------------------------------------------------------------------------------------

  release({ envelope, commandName, action, effects, last }: PendingAnswer): void {
    if (envelope !== undefined && action.do === "reply") this.checkType(envelope, action.payload);
    if (last && envelope !== undefined) this.#completed(envelope);
    if (envelope === undefined) this.#runTail(undefined, commandName, action, effects, () => undefined);
    else if (envelope instanceof StreamedEnvelope) envelope.answer({ action, effects, last });
    else this.#runTail(envelope, commandName, action, effects, (fault, reply) => envelope.finish(fault, reply));
  }

  /** How long a stream was open says nothing about how long commands take. */
  #completed(envelope: Envelope): void {
    if (envelope instanceof StreamedEnvelope) this.count("completedCommands");
    else this.host.meters.completed(this.nowMs() - envelope.enqueuedMs);
    this.parts.meters.changed(this.nowMs());
  }

  #runTail(
    envelope: Envelope | undefined,
    commandName: string,
    action: ClientAction,
    effects: readonly SideEffect[],
    done: (fault: Fault | undefined, reply: Reply | undefined) => void,
  ): void {
    const source = this.tailSource(envelope, commandName);
    new Tail(this.parts.dispatcher, source, action, effects, done).run();
  }

  /** Makes a streamed command of this entity. */
  streamed(
    target: ConstructorParameters<typeof StreamedEnvelope>[1],
    events: ConstructorParameters<typeof StreamedEnvelope>[2],
  ): StreamedEnvelope {
    const envelope: StreamedEnvelope = new StreamedEnvelope(
      this.parts,
      target,
      events,
      {
        runTail: ({ action, effects }, done) => this.#runTail(envelope, target.command.name, action, effects, done),
        // The entity may have ended and begun again since.
        abandon: (gone) => (this.host.entities.get(this.entityId) as CrdtShell | undefined)?.machine.callOff(gone, this.nowMs()),
      },
      this.nowMs(),
    );
    return envelope;
  }
}
