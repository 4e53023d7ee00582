/**
 * The stream of one activation of a CRDT entity: init, then commands, changes made elsewhere and cancellations, in any number at a time.
 *
 * R1 messages are handled in order; async handlers overlap, and past `unansweredMax` of them the proxy is paused
 * R2 when the proxy has half-closed and everything is answered, this side ends too
 */
import { explain } from "@mecha/kit";
import { type ServerCall, type ServerCallEvents, statusOk } from "@mecha/wire";
import type { CrdtDefinition } from "../define/crdt.ts";
import {
  type CrdtAnswer,
  type CrdtCancelAnswer,
  type CrdtStreamed,
  encodeCrdtCancelled,
  encodeCrdtFailure,
  encodeCrdtReply,
  encodeCrdtStreamed,
  readCrdtIn,
} from "../protocol/crdt.ts";
import { Crash } from "../run/answer.ts";
import { CrdtEntity, type CrdtOut } from "../run/crdt.ts";
import type { Surroundings } from "../run/surroundings.ts";

/** Commands that run at a time before the proxy is paused. */
const unansweredMax = 64;

export class CrdtCall implements ServerCallEvents, CrdtOut {
  readonly #call: ServerCall;
  readonly #find: (service: string) => CrdtDefinition;
  readonly #surroundings: Surroundings;
  #entity: CrdtEntity | undefined;
  #paused = false;
  #blocked = false;
  #halfClosed = false;
  #ended = false;

  constructor(call: ServerCall, find: (service: string) => CrdtDefinition, surroundings: Surroundings) {
    this.#call = call;
    this.#find = find;
    this.#surroundings = surroundings;
  }

  message(bytes: Uint8Array): void {
    if (this.#ended) return;
    try {
      this.#take(bytes);
    } catch (error) {
      this.#surroundings.log.error(explain(error));
      this.#call.send(encodeCrdtFailure(0, explain(error)));
      this.#end();
    }
    this.#update();
  }

  #take(bytes: Uint8Array): void {
    const message = readCrdtIn(bytes);
    switch (message.is) {
      case "command":
        return opened(this.#entity).command(message.command);
      case "delta":
        return opened(this.#entity).told(message.delta);
      case "cancelled":
        return opened(this.#entity).cancel(message.commandId);
      case "delete":
        return opened(this.#entity).deleted();
      case "init":
        if (this.#entity !== undefined) throw new Error("protocol error: a second init on one stream");
        this.#entity = new CrdtEntity(this.#find(message.service), message.entityId, this.#surroundings, this);
        if (message.delta !== undefined) this.#entity.told(message.delta);
        return;
      case "unknown":
        throw new Error("protocol error: a message that is neither init, delta, delete, command nor stream_cancelled");
    }
  }

  answered(commandId: number, answer: CrdtAnswer | Crash): void {
    this.#send(answer instanceof Crash ? encodeCrdtFailure(commandId, answer.description) : encodeCrdtReply(commandId, answer));
  }

  streamed(commandId: number, message: CrdtStreamed): void {
    this.#send(encodeCrdtStreamed(commandId, message));
  }

  cancelAnswered(commandId: number, answer: CrdtCancelAnswer): void {
    this.#send(encodeCrdtCancelled(commandId, answer));
  }

  /** The proxy cut the call: there is nobody to answer. */
  cancelled(): void {
    this.#ended = true;
  }

  halfClose(): void {
    this.#halfClosed = true;
    this.#update();
  }

  drain(): void {
    this.#blocked = false;
    this.#update();
  }

  #send(bytes: Uint8Array): void {
    if (this.#ended) return;
    if (!this.#call.send(bytes)) this.#blocked = true;
    // an async handler may be the last thing waited for; its answer is still being taken over
    queueMicrotask(() => this.#update());
  }

  /** keeps R1 and R2 */
  #update(): void {
    if (this.#ended) return;
    const unanswered = this.#entity?.unanswered ?? 0;
    if (this.#halfClosed && unanswered === 0) return this.#end();
    const pause = this.#blocked || unanswered >= unansweredMax;
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.#call.pause();
    else this.#call.resume();
  }

  #end(): void {
    this.#ended = true;
    this.#call.end(statusOk);
  }
}

function opened(entity: CrdtEntity | undefined): CrdtEntity {
  if (entity === undefined) throw new Error("protocol error: a message before init");
  return entity;
}
