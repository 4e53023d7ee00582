/** Carries out what one CRDT's machine decides, against its replica, the function and the wheel, and brings back what comes of it. */
import type { Fault } from "@mecha/kit";
import type { Envelope } from "../../envelope.ts";
import type { Occupant } from "../../entity/activations.ts";
import type { FunctionGate } from "../../entity/gate.ts";
import type { EntityHost, HostedEntity } from "../../entity/host.ts";
import type { ClientAction, EntityAddress, Reply, SideEffect } from "../../model.ts";
import type { EngineParts } from "../../parts.ts";
import { Tail, type TailSource } from "../../tail.ts";
import { WheelTimer } from "../../timing/wheel.ts";
import type { CrdtDelta } from "../delta.ts";
import type { CrdtCancelled, CrdtMessage, CrdtPort, CrdtReply, CrdtStream, CrdtStreamEvents } from "../port.ts";
import type { Replica } from "../replica.ts";
import type { ReplicaUser, Resident } from "../residence.ts";
import type { CrdtState } from "../types/index.ts";
import { StreamedEnvelope } from "./call.ts";
import type { CrdtActions, PendingAnswer } from "./actions.ts";
import { CrdtMachine } from "./machine.ts";

/** The only namespace until Kubernetes resources arrive (E1). */
const defaultNamespace = "default";
const anyTypeUrl = "type.googleapis.com/google.protobuf.Any";

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
  failure(failure: { readonly commandId: number; readonly description: string }): void {
    this.#shell.streamFailure(this, failure.commandId, failure.description);
  }
  violation(problem: string): void {
    this.#shell.streamViolation(this, problem);
  }
  closed(reason?: string, unreached?: boolean): void {
    this.#shell.streamClosed(this, reason, unreached === true);
  }
}

/** See the file's header. */
export class CrdtShell extends WheelTimer implements CrdtActions, Occupant, HostedEntity, ReplicaUser {
  readonly host: EntityHost;
  readonly entityId: string;
  readonly machine: CrdtMachine;
  readonly #parts: EngineParts;
  readonly #address: EntityAddress;
  #resident: Resident | undefined = undefined;
  #stream: CrdtStream | undefined = undefined;
  #listener: StreamListener | undefined = undefined;

  memberOf: object | undefined = undefined;
  memberBefore: Occupant | undefined = undefined;
  memberAfter: Occupant | undefined = undefined;
  hasPlace = false;
  hasLoadPlace = false;
  leaving = false;

  constructor(host: EntityHost, entityId: string, parts: EngineParts) {
    super();
    this.host = host;
    this.entityId = entityId;
    this.#parts = parts;
    this.#address = { namespace: defaultNamespace, service: host.service, persistenceId: host.persistenceId, entityId };
    this.machine = new CrdtMachine(`${host.service}/${entityId}`, host.passivationMs, parts.limits, this);
  }

  #nowMs(): number {
    return this.#parts.clock.monotonic();
  }

  // ---- places ---------------------------------------------------------------------------------------------------------------------

  enter(): void {
    this.host.gate.enter(this, this.#nowMs());
  }
  admitted(): boolean {
    if (this.host.gate.closes(this, this.#nowMs())) return false;
    this.machine.entered();
    return true;
  }
  refused(fault: Fault): void {
    this.machine.refused(fault, this.#nowMs());
  }
  passivate(): void {
    this.machine.passivate(this.#nowMs());
  }
  waitingFor(): string {
    const { reason } = this.host.gate;
    return reason === "" ? "too many entities are loading" : `its function cannot be reached (${reason})`;
  }
  rest(): void {
    this.#parts.activations.rest(this);
    if (this.#parts.draining()) this.machine.passivate(this.#nowMs());
  }
  stir(): void {
    this.#parts.activations.stir(this);
  }

  /** The component's function was replaced. */
  moved(before: FunctionGate, nowMs: number): void {
    if (before.holds(this)) {
      before.leave(this);
      this.enter();
    }
    this.machine.moved(nowMs);
  }

  ended(): void {
    this.host.gate.leave(this);
    this.#parts.wheel.cancel(this);
    if (this.hasPlace) this.#count("passivatedEntities");
    this.host.entities.delete(this.entityId);
    this.#parts.activations.leave(this);
    this.#parts.commands.fewer();
  }

  #count(what: "passivatedEntities" | "activatedEntities" | "failedEntities" | "failedCommands" | "completedCommands"): void {
    this.host.meters[what]++;
    this.#parts.meters.changed(this.#nowMs());
  }

  // ---- replica --------------------------------------------------------------------------------------------------------------------

  openReplica(): void {
    this.#resident = this.#parts.replicas.acquire(this.#address, this);
  }
  opened(replica: Replica): void {
    this.machine.opened(replica, this.#nowMs());
  }
  openFailed(cause: unknown): void {
    this.machine.openFailed(cause, this.#nowMs());
  }
  changed(delta: CrdtState | undefined): void {
    this.#resident?.changed(delta);
  }
  durable(): void {
    this.machine.durable(this.#nowMs());
  }
  writeFailed(fault: Fault): void {
    this.machine.writeFailed(fault, this.#nowMs());
  }
  heard(): void {
    this.machine.heard(this.#nowMs());
  }
  releaseReplica(): void {
    this.#parts.activations.loaded(this);
    const resident = this.#resident;
    this.#resident = undefined;
    resident?.release(this);
  }
  awaitSpread(answer: PendingAnswer): boolean {
    const { replication } = this.#parts;
    if (replication === undefined || this.#resident === undefined) return false;
    return replication.awaitSpread(this.#resident, answer.consistency, (problem) => this.machine.spread(answer, problem, this.#nowMs()));
  }

  // ---- stream ---------------------------------------------------------------------------------------------------------------------

  openStream(delta: CrdtDelta | undefined): void {
    this.#listener = new StreamListener(this);
    // Discovery makes a CRDT of a service only where the protocol has them.
    this.#stream = (this.host.component.function.crdt as CrdtPort).open(this.#address, delta, this.#listener);
  }
  sendCommand(commandId: number, envelope: Envelope): void {
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
    this.#parts.activations.loaded(this);
    this.#count("activatedEntities");
  }
  streamFailed(reason: string): void {
    this.host.gate.failed(reason, this.#nowMs());
    this.#count("failedEntities");
  }

  /** @internal */
  streamReply(from: StreamListener, reply: CrdtReply): void {
    if (from !== this.#listener) return;
    this.host.gate.alive();
    this.machine.reply(reply, this.#nowMs(), this.#parts.clock.wall());
  }
  /** @internal */
  streamMessage(from: StreamListener, message: CrdtMessage): void {
    if (from === this.#listener) this.machine.message(message, this.#nowMs());
  }
  /** @internal */
  streamCancelled(from: StreamListener, cancelled: CrdtCancelled): void {
    if (from === this.#listener) this.machine.cancelled(cancelled, this.#nowMs(), this.#parts.clock.wall());
  }
  /** @internal */
  streamFailure(from: StreamListener, commandId: number, description: string): void {
    if (from !== this.#listener) return;
    this.host.gate.alive();
    this.machine.failure(commandId, description, this.#nowMs());
  }
  /** @internal */
  streamViolation(from: StreamListener, problem: string): void {
    if (from !== this.#listener) return;
    this.#count("failedEntities");
    this.machine.violation(problem, this.#nowMs());
  }
  /** @internal */
  streamClosed(from: StreamListener, reason: string | undefined, unreached: boolean): void {
    if (from !== this.#listener) return;
    this.#stream = undefined;
    this.#listener = undefined;
    this.machine.closed(reason, unreached, this.#nowMs());
  }

  // ---- outcomes -------------------------------------------------------------------------------------------------------------------

  release({ envelope, commandName, action, effects, last }: PendingAnswer): void {
    if (envelope !== undefined && action.do === "reply") this.#checkType(envelope, action);
    if (last && envelope !== undefined) this.#count("completedCommands");
    if (envelope === undefined) this.#runTail(undefined, commandName, action, effects, () => undefined);
    else if (envelope instanceof StreamedEnvelope) envelope.answer({ action, effects, last });
    else this.#runTail(envelope, commandName, action, effects, (fault, reply) => envelope.finish(fault, reply));
  }

  #runTail(
    envelope: Envelope | undefined,
    commandName: string,
    action: ClientAction,
    effects: readonly SideEffect[],
    done: (fault: Fault | undefined, reply: Reply | undefined) => void,
  ): void {
    const source: TailSource = {
      service: this.host.service,
      commandName,
      context: envelope?.context ?? { hops: 0 },
      origin: envelope?.origin,
      reportError: (message) => this.reportError(message),
      awaited: () => envelope?.awaited === true,
    };
    new Tail(this.#parts.dispatcher, source, action, effects, done).run();
  }

  /** A wrong type is reported and delivered all the same. Once for each method: it is the same mistake. */
  #checkType({ method }: Envelope, { payload }: Extract<ClientAction, { do: "reply" }>): void {
    const expected = method.outputTypeUrl;
    if (payload.typeUrl === expected || expected === anyTypeUrl || this.host.warned.has(method.name)) return;
    this.host.warned.add(method.name);
    this.reportError(
      `Warning: ${this.host.service}.${method.name}: Expected reply type_url to be [${expected}] but was [${payload.typeUrl}].`,
    );
  }

  /** Makes a streamed command of this entity. */
  streamed(
    target: ConstructorParameters<typeof StreamedEnvelope>[1],
    events: ConstructorParameters<typeof StreamedEnvelope>[2],
  ): StreamedEnvelope {
    const envelope: StreamedEnvelope = new StreamedEnvelope(
      this.#parts,
      target,
      events,
      {
        runTail: ({ action, effects }, done) => this.#runTail(envelope, target.command.name, action, effects, done),
        // The entity may have ended and begun again since.
        abandon: (gone) => (this.host.entities.get(this.entityId) as CrdtShell | undefined)?.machine.callOff(gone, this.#nowMs()),
      },
      this.#nowMs(),
    );
    return envelope;
  }

  fail(envelope: Envelope, fault: Fault): void {
    this.#count("failedCommands");
    envelope.finish(fault, undefined);
  }
  reportError(message: string): void {
    this.host.component.function.reportError(message);
  }
  warn(message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#parts.log.warn(message, fields);
  }

  // ---- time -----------------------------------------------------------------------------------------------------------------------

  watch(dueMs: number): void {
    this.#parts.wheel.arm(this, dueMs);
  }
  override expired(nowMs: number): void {
    this.machine.tick(nowMs);
  }
}
