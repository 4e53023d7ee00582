/**
 * The stream of one activation of an entity, as the proxy opens it: init, events, then commands: one at a time, or as many as discovery.ts says.
 *
 * S1 messages are handled in order; while an async handler runs, later ones wait, and past `waitingMax` the proxy is paused
 * S2 a failure of the stream is the last thing sent on it
 * S3 behind an answer that asks for a restart nothing is handled: the state is not trusted; the proxy sends what it sent ahead again, on another
 *    stream
 */
import { explain } from "@mecha/kit";
import { type ServerCall, type ServerCallEvents, statusOk } from "@mecha/wire";
import type { EventSourcedDefinition, ValueEntityDefinition } from "../define/definitions.ts";
import { isThenable } from "../define/state.ts";
import { encodeStreamFailure } from "../protocol/common.ts";
import { encodeEventSourcedReply, type EventSourcedAnswer, readEventSourcedIn } from "../protocol/event-sourced.ts";
import { encodeValueEntityReply, readValueEntityIn, type ValueEntityAnswer } from "../protocol/value-entity.ts";
import { Crash } from "../run/answer.ts";
import { EventSourcedEntity } from "../run/event-sourced.ts";
import type { Surroundings } from "../run/surroundings.ts";
import { ValueEntity } from "../run/value-entity.ts";
import { window } from "./discovery.ts";

/** Messages that wait for an async handler before the proxy is paused: more than a proxy sends ahead. */
const waitingMax = 2 * window;

/** What a handled message gives: nothing, or the answer to a command. */
type Handled<A> = undefined | { readonly commandId: number; readonly answer: A | Crash | Promise<A | Crash> };

abstract class EntityCall<A> implements ServerCallEvents {
  readonly #call: ServerCall;
  protected readonly surroundings: Surroundings;
  #waiting: Uint8Array[] = [];
  #busy = false;
  #paused = false;
  #blocked = false;
  #halfClosed = false;
  /** keeps S3 */
  #restarting = false;
  #ended = false;

  constructor(call: ServerCall, surroundings: Surroundings) {
    this.#call = call;
    this.surroundings = surroundings;
  }

  /** Handles one message. A throw fails the stream. */
  protected abstract take(bytes: Uint8Array): Handled<A>;
  protected abstract encode(commandId: number, answer: A): Uint8Array;
  /** Whether `answer` asks for a restart. */
  protected abstract restarts(answer: A): boolean;

  message(bytes: Uint8Array): void {
    if (this.#ended || this.#restarting) return;
    if (!this.#busy) return this.#handle(bytes);
    this.#waiting.push(bytes);
    this.#updateFlow();
  }

  halfClose(): void {
    this.#halfClosed = true;
    if (!this.#busy) this.#end();
  }

  cancelled(): void {
    this.#ended = true;
    this.#waiting = [];
  }

  drain(): void {
    this.#blocked = false;
    this.#updateFlow();
  }

  #handle(bytes: Uint8Array): void {
    let handled: Handled<A>;
    try {
      handled = this.take(bytes);
    } catch (error) {
      this.surroundings.log.error(explain(error));
      return this.#fail(0, explain(error));
    }
    if (handled === undefined) return;
    const { commandId, answer } = handled;
    if (!isThenable(answer)) return this.#answer(commandId, answer);
    this.#busy = true;
    void answer.then((settled) => {
      this.#busy = false;
      this.#answer(commandId, settled);
      this.#handleWaiting();
    });
  }

  #answer(commandId: number, answer: A | Crash): void {
    if (this.#ended) return;
    if (answer instanceof Crash) {
      this.#fail(commandId, answer.description);
      return;
    }
    if (this.restarts(answer)) {
      this.#restarting = true;
      this.#waiting = [];
    }
    if (!this.#call.send(this.encode(commandId, answer))) {
      this.#blocked = true;
      this.#updateFlow();
    }
  }

  #handleWaiting(): void {
    while (!this.#busy && !this.#ended && this.#waiting.length > 0) this.#handle(this.#waiting.shift() as Uint8Array);
    if (!this.#busy && this.#halfClosed) this.#end();
    this.#updateFlow();
  }

  /** keeps S1 */
  #updateFlow(): void {
    const pause = !this.#ended && (this.#blocked || this.#waiting.length >= waitingMax);
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#call.pause();
    else this.#call.resume();
  }

  /** keeps S2 */
  #fail(commandId: number, description: string): void {
    this.#call.send(encodeStreamFailure(commandId, description));
    this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#waiting = [];
    this.#call.end(statusOk);
  }
}

type Find<D> = (service: string) => D;

export class EventSourcedCall extends EntityCall<EventSourcedAnswer> {
  readonly #find: Find<EventSourcedDefinition>;
  #entity: EventSourcedEntity | undefined;

  constructor(call: ServerCall, find: Find<EventSourcedDefinition>, surroundings: Surroundings) {
    super(call, surroundings);
    this.#find = find;
  }

  protected take(bytes: Uint8Array): Handled<EventSourcedAnswer> {
    const message = readEventSourcedIn(bytes);
    switch (message.is) {
      case "command":
        return { commandId: message.command.id, answer: opened(this.#entity).run(message.command) };
      case "event":
        opened(this.#entity).replay(message.sequence, message.payload);
        return undefined;
      case "init": {
        if (this.#entity !== undefined) throw new Error("protocol error: a second init on one stream");
        this.#entity = new EventSourcedEntity(this.#find(message.service), message.entityId, this.surroundings);
        if (message.snapshot !== undefined) this.#entity.restore(message.snapshot.sequence, message.snapshot.payload);
        return undefined;
      }
      case "unknown":
        throw new Error("protocol error: a message that is neither init, event nor command");
    }
  }

  protected encode(commandId: number, answer: EventSourcedAnswer): Uint8Array {
    return encodeEventSourcedReply(commandId, answer);
  }

  protected restarts({ outcome }: EventSourcedAnswer): boolean {
    return outcome.do === "fail" && outcome.restart;
  }
}

export class ValueEntityCall extends EntityCall<ValueEntityAnswer> {
  readonly #find: Find<ValueEntityDefinition>;
  #entity: ValueEntity | undefined;

  constructor(call: ServerCall, find: Find<ValueEntityDefinition>, surroundings: Surroundings) {
    super(call, surroundings);
    this.#find = find;
  }

  protected take(bytes: Uint8Array): Handled<ValueEntityAnswer> {
    const message = readValueEntityIn(bytes);
    switch (message.is) {
      case "command":
        return { commandId: message.command.id, answer: opened(this.#entity).run(message.command) };
      case "init": {
        if (this.#entity !== undefined) throw new Error("protocol error: a second init on one stream");
        this.#entity = new ValueEntity(this.#find(message.service), message.entityId, this.surroundings);
        this.#entity.restore(message.value);
        return undefined;
      }
      case "unknown":
        throw new Error("protocol error: a message that is neither init nor command");
    }
  }

  protected encode(commandId: number, answer: ValueEntityAnswer): Uint8Array {
    return encodeValueEntityReply(commandId, answer);
  }

  /** A value is put back as it was: nothing needs to be loaded. */
  protected restarts(): boolean {
    return false;
  }
}

function opened<E>(entity: E | undefined): E {
  if (entity === undefined) throw new Error("protocol error: a message before init");
  return entity;
}
