/**
 * Carries out what one entity's machine decides, against the store, the function and the wheel, and brings back what comes of it.
 *
 * Invariants
 * H1 what an ended activation asked for never reaches the machine: late results of the store are told by number, late callbacks of a
 *    stream by the stream's own listener
 * H2 a handle the store gives is released exactly once, also when nobody wants it any more
 */
import { Fault, faultCodeOfGrpc } from "@mecha/kit";
import type { Envelope } from "../envelope.ts";
import { forwardKey } from "../keys/derive.ts";
import type { ClientAction, EntityInit, EntityReply, EntityStream, EntityStreamEvents, Payload, Reply, StreamFailure } from "../model.ts";
import { type MessagePlan, type MessageSource, planMessages } from "../outbox/messages.ts";
import { StoredMessages } from "../outbox/stored.ts";
import type { EngineParts } from "../parts.ts";
import type { EntityHandle, ReadBack, Step } from "../store.ts";
import { chosenFailure, Tail, type TailKeys } from "../tail.ts";
import { withoutAnswer } from "../tracing.ts";
import type { EntityHost, HostedEntity } from "./host.ts";
import type { LedgerStep, Outcome } from "./ledger.ts";
import { EntityMachine } from "./machine.ts";
import { OccupantShell } from "./occupant-shell.ts";
import type { EntityActions } from "./machine/actions.ts";

/** Of the entities that run here; CRDTs have a shell of their own. */
type LoggedKind = "eventSourced" | "value";

/** One stream's callbacks; dead once the entity listens to another (H1). */
class StreamListener implements EntityStreamEvents {
  readonly #shell: EntityShell;
  constructor(shell: EntityShell) {
    this.#shell = shell;
  }
  reply(reply: EntityReply): void {
    this.#shell.streamReply(this, reply);
  }
  failure(failure: StreamFailure): void {
    this.#shell.streamFailure(this, failure);
  }
  violation(problem: string, about?: "reply" | "message"): void {
    this.#shell.streamViolation(this, problem, about ?? "message");
  }
  drain(): void {
    this.#shell.streamDrain(this);
  }
  closed(reason?: string, unreached?: boolean): void {
    this.#shell.streamClosed(this, reason, unreached === true);
  }
}

/** See the file's header. */
export class EntityShell extends OccupantShell implements EntityActions, HostedEntity {
  readonly machine: EntityMachine;
  #stream: EntityStream | undefined = undefined;
  #listener: StreamListener | undefined = undefined;
  #handle: EntityHandle | undefined = undefined;
  /** Monotonic ms: when the store or the function last answered. For meters. */
  #answeredMs = 0;
  /** Number of the current attempt to use the store (H1). */
  #attempt = 0;

  constructor(host: EntityHost, entityId: string, parts: EngineParts) {
    super(host, entityId, parts);
    this.machine = new EntityMachine(host.kind as LoggedKind, `${host.service}/${entityId}`, host.passivationMs, parts.limits, this);
  }

  override ended(): void {
    this.#attempt++;
    super.ended();
  }

  // ---- store ----------------------------------------------------------------------------------------------------------------------

  openStore(): void {
    this.#dropHandle();
    this.#openedBy(this.parts.store.open(this.address, this.host.kind, this.wallMs()));
  }

  readBack(): void {
    this.#dropHandle();
    this.#openedBy(this.parts.store.readBack(this.address, this.host.kind, this.wallMs()));
  }

  #openedBy(opening: Promise<ReadBack>): void {
    const attempt = ++this.#attempt;
    this.openedMs = this.nowMs();
    opening.then(
      (record) => this.#opened(attempt, record),
      (cause: unknown) => this.#openFailed(attempt, cause),
    );
  }

  #opened(attempt: number, record: ReadBack): void {
    if (attempt !== this.#attempt) {
      this.parts.store.release(record.handle); // keeps H2
      return;
    }
    this.#handle = record.handle;
    this.#answeredMs = this.nowMs();
    this.machine.opened(record, this.#answeredMs);
  }

  #openFailed(attempt: number, cause: unknown): void {
    this.#stopOnDataLoss(cause);
    if (attempt === this.#attempt) this.machine.openFailed(cause, this.nowMs());
  }

  readPage(afterSequence: number): void {
    const attempt = ++this.#attempt;
    const { store, limits } = this.parts;
    store.events(this.#handle as EntityHandle, afterSequence, limits.replayPageEvents).then(
      (events) => {
        if (attempt === this.#attempt) this.machine.page(events, this.nowMs());
      },
      (cause: unknown) => {
        this.#stopOnDataLoss(cause);
        if (attempt === this.#attempt) this.machine.pageFailed(cause, this.nowMs());
      },
    );
  }

  /** The medium failed: nothing may go on (S5, E4). */
  #stopOnDataLoss(cause: unknown): void {
    if (cause instanceof Fault && cause.code === "dataLoss") this.parts.fatal(cause);
  }

  releaseHandle(): void {
    this.#attempt++;
    this.parts.activations.loaded(this);
    this.#dropHandle();
  }

  #dropHandle(): void {
    if (this.#handle === undefined) return;
    const handle = this.#handle;
    this.#handle = undefined;
    this.parts.store.release(handle);
  }

  commit(step: LedgerStep): void {
    step.owner = this;
    step.handedMs = this.#answeredMs;
    const timers = step.step?.timers;
    if (timers !== undefined) this.parts.timers.handed(this.address, timers);
    this.parts.committer.add(step as LedgerStep & { readonly step: Step });
  }

  verdict(step: LedgerStep, outcome: Outcome): void {
    const timers = step.step?.timers;
    if (timers !== undefined) this.parts.timers.settled(this.address, timers, outcome);
    this.#answeredMs = this.nowMs();
    this.machine.verdict(step, outcome, this.#answeredMs);
  }

  newKey(): string {
    return this.parts.newKey();
  }

  // ---- stream ---------------------------------------------------------------------------------------------------------------------

  openStream(init: EntityInit): number {
    const port = this.host.component.function;
    this.#listener = new StreamListener(this);
    this.#countLoaded(init);
    this.#stream = port.openEntity(this.address, init, this.#listener);
    return port.window ?? 1;
  }

  #countLoaded(init: EntityInit): void {
    const { meters } = this.host;
    const payload = init.kind === "value" ? init.value : init.snapshot?.payload;
    if (payload === undefined) return;
    meters.loadedBytes += payload.value.length;
    if (init.kind === "value") return;
    meters.loadedSnapshots++;
    meters.loadedSnapshotBytes += payload.value.length;
  }

  sendEvent(sequence: number, payload: Payload): boolean {
    this.host.meters.loadedEventBytes += payload.value.length;
    this.host.meters.loadedBytes += payload.value.length;
    return (this.#stream as EntityStream).event(sequence, payload);
  }

  sendCommand(commandId: number, envelope: Envelope): void {
    this.leaves(envelope);
    (this.#stream as EntityStream).command(commandId, envelope.command);
  }

  recall(envelope: Envelope): void {
    this.endSpan(envelope, withoutAnswer);
  }

  halfClose(): void {
    this.#stream?.halfClose();
  }

  reset(): void {
    this.#attempt++;
    const stream = this.#stream;
    this.#stream = undefined;
    this.#listener = undefined;
    stream?.reset();
  }

  activated(loadedEvents: number): void {
    this.host.meters.loadedEvents += loadedEvents;
    this.nowActive();
  }

  /** @internal */
  streamReply(from: StreamListener, reply: EntityReply): void {
    if (from !== this.#listener) return;
    this.host.gate.alive();
    const expected = this.machine.atFunction;
    const nowMs = this.nowMs();
    this.#answeredMs = nowMs;
    if (expected !== undefined) this.host.meters.processed(nowMs - this.machine.sentMs);
    if (expected?.span !== undefined) this.endSpan(expected, reply.action.do === "fail" ? chosenFailure(reply.action) : undefined);
    if (expected !== undefined && reply.action.do === "reply") this.checkType(expected, reply.action.payload);
    this.machine.reply(reply, nowMs, this.parts.clock.wall());
  }

  /** @internal */
  streamFailure(from: StreamListener, { commandId, description, grpcCode }: StreamFailure): void {
    if (from !== this.#listener) return;
    this.count("failedEntities");
    this.endSpan(this.machine.atFunction, { code: "unknown", message: description });
    this.machine.failure(commandId, description, this.nowMs(), grpcCode === undefined ? "unknown" : faultCodeOfGrpc(grpcCode));
  }

  /** @internal */
  streamViolation(from: StreamListener, problem: string, about: "reply" | "message"): void {
    if (from !== this.#listener) return;
    this.count("failedEntities");
    this.endSpan(this.machine.atFunction, { code: "unknown", message: problem });
    this.machine.violation(problem, about, this.nowMs());
  }

  /** @internal */
  streamDrain(from: StreamListener): void {
    if (from === this.#listener) this.machine.drained(this.nowMs());
  }

  /** @internal */
  streamClosed(from: StreamListener, reason: string | undefined, unreached: boolean): void {
    if (from !== this.#listener) return;
    this.#stream = undefined;
    this.#listener = undefined;
    this.machine.closed(reason, unreached, this.nowMs());
  }

  // ---- outcomes -------------------------------------------------------------------------------------------------------------------

  release(step: LedgerStep): void {
    this.host.meters.completed(this.#answeredMs - step.envelope.enqueuedMs);
    if (step.step !== undefined) this.#stored(step, step.step);
    const { envelope, reply } = step;
    if (reply.effects.length === 0 && reply.action.do === "reply") envelope.finish(undefined, reply.action);
    else this.#runTail(envelope, reply.action, reply.effects, { stored: this.#messagesOf(step) });
  }

  #messagesOf({ plan, outboxId }: LedgerStep): StoredMessages | undefined {
    if (plan === undefined) return undefined;
    return new StoredMessages(this.parts.outbox, this.parts.limits, plan, outboxId, this.address);
  }

  repeat(envelope: Envelope, action: ClientAction): void {
    this.host.meters.completed(this.nowMs() - envelope.enqueuedMs);
    if (action.do === "reply") envelope.finish(undefined, action);
    else if (action.do === "forward") void this.#forwardAgain(envelope, action);
    else this.#runTail(envelope, action, [], {});
  }

  async #forwardAgain(envelope: Envelope, action: Extract<ClientAction, { do: "forward" }>): Promise<void> {
    const key = forwardKey(this.#sourceOf(envelope, envelope.command.id ?? ""));
    const { outbox, findTarget } = this.parts;
    const { service, command, payload } = action;
    const forwardWaits = await outbox.waits({ service, ...findTarget(service, command, payload), source: this.address }, key);
    this.#runTail(envelope, action, [], { forwardKey: key, forwardWaits });
  }

  plan(envelope: Envelope, reply: EntityReply, stored: boolean): MessagePlan | undefined {
    const source = this.#sourceOf(envelope, envelope.command.id ?? this.parts.newKey());
    return planMessages(source, reply, stored, this.parts.findTarget);
  }

  #sourceOf({ command, context }: Envelope, key: string): MessageSource {
    return { service: this.host.service, entityId: this.entityId, key, commandName: command.name, context };
  }

  wallMs(): number {
    return this.parts.clock.wall();
  }

  #stored(step: LedgerStep, stored: Step): void {
    this.#countStored(step, stored);
    const observe = this.parts.observe;
    if (observe === undefined || step.endSequence === stored.expectedSequence) return;
    observe({
      service: this.host.service,
      entityId: this.entityId,
      sequence: step.endSequence,
      cause: stored.cause,
      timeMs: stored.timeMs,
    });
  }

  #countStored(step: LedgerStep, stored: Step): void {
    const { meters } = this.host;
    meters.stored(this.#answeredMs - step.handedMs);
    meters.persistedBytes += step.bytes;
    if (stored.snapshot !== undefined) {
      meters.persistedSnapshots++;
      meters.persistedSnapshotBytes += stored.snapshot.value.length;
    }
    meters.persistedEvents += stored.events.length;
    for (const event of stored.events) meters.persistedEventBytes += event.value.length;
  }

  #runTail(envelope: Envelope, action: ClientAction, effects: EntityReply["effects"], keys: TailKeys): void {
    const source = this.tailSource(envelope, envelope.command.name);
    const done = (fault: Fault | undefined, answer: Reply | undefined): void => envelope.finish(fault, answer);
    new Tail(this.parts.dispatcher, source, action, effects, done, keys).run();
  }

  fatal(fault: Fault): void {
    this.parts.fatal(fault);
  }
}
