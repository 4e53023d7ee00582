/**
 * The stream of one active entity, event sourced or value.
 *
 * Invariants
 * T1 init is the first message; it is sent when the stream opens
 * T2 at most `window` commands are outstanding; they are answered in the order of sending, and any other reply is a violation
 * T3 after `closed`, and after `reset`, nothing is delivered and the methods do nothing
 */
import { assert, explain, faultCodes } from "@mecha/kit";
import type {
  Command,
  EntityAddress,
  EntityInit,
  EntityReply,
  EntityStream,
  EntityStreamEvents,
  Payload,
  StreamFailure,
} from "../model.ts";
import type { CallOptions, Channel, ClientCall, ClientCallEvents, RpcStatus } from "@mecha/wire";
import { decodeEventSourcedOut, decodeValueOut, type EntityOut } from "./codec/decode.ts";
import { commandField, encodeEntityCommand, encodeEvent, encodeEventSourcedInit, encodeValueInit } from "./codec/encode.ts";
import { passingBytes } from "./codec/writer.ts";
import type { RemoteProtocol } from "./protocol.ts";

/** Streams of entities have neither metadata nor a deadline. */
const noOptions: CallOptions = {};

/** What all streams to one function have alike. */
export interface EntityStreamOptions {
  readonly protocol: RemoteProtocol;
  /** Send the caller's headers with commands. The reference does not, and its TCK compares strictly. */
  readonly commandMetadata: boolean;
  readonly report: (message: string) => void;
  /** Commands the function takes at once (T2). */
  readonly window: number;
}

export function openEntityStream(
  channel: Channel,
  options: EntityStreamOptions,
  address: EntityAddress,
  init: EntityInit,
  events: EntityStreamEvents,
): EntityStream {
  return new RemoteEntityStream(channel, options, address, init, events);
}

/** One for each active entity: it keeps what it needs and makes no closures, and it lets go of `init`, which may hold a snapshot. */
class RemoteEntityStream implements EntityStream, ClientCallEvents {
  readonly #options: EntityStreamOptions;
  readonly #address: EntityAddress;
  readonly #events: EntityStreamEvents;
  readonly #call: ClientCall;
  readonly #kind: EntityInit["kind"];
  /** Ids of the oldest command without an answer, and of the newest; nothing is outstanding when the first is larger. */
  #first = 1;
  #last = 0;
  #open = true;
  #snapshotReported = false;

  constructor(channel: Channel, options: EntityStreamOptions, address: EntityAddress, init: EntityInit, events: EntityStreamEvents) {
    this.#options = options;
    this.#address = address;
    this.#events = events;
    this.#kind = init.kind;
    this.#call = channel.open(options.protocol.entityPaths[init.kind], noOptions, this);
    this.#call.send(init.kind === "eventSourced" ? encodeEventSourcedInit(address, init.snapshot) : encodeValueInit(address, init.value)); // keeps T1
  }

  event(sequence: number, payload: Payload): boolean {
    return this.#open ? this.#call.send(encodeEvent(sequence, payload)) : true;
  }

  command(commandId: number, command: Command): void {
    if (!this.#open) return;
    assert(commandId === this.#last + 1, `command ${commandId} follows ${this.#last}`);
    assert(commandId - this.#first < this.#options.window, `command ${commandId} sent while ${this.#first} is at the function`);
    this.#last = commandId; // keeps T2
    this.#call.send(encodeEntityCommand(commandField[this.#kind], passingBytes(this.#address.entityId), commandId, this.#sent(command)));
  }

  /** With the metadata this protocol carries and the function is to see. */
  #sent(command: Command): Command {
    const { name, payload, about, metadata } = command;
    const { commandMetadata, protocol } = this.#options;
    const whole = commandMetadata || (command.event === true && protocol.metadata);
    if (about === undefined || !protocol.metadata) return whole ? command : { name, payload };
    return { name, payload, metadata: whole && metadata !== undefined ? [...about, ...metadata] : about };
  }

  halfClose(): void {
    if (this.#open) this.#call.halfClose();
  }

  reset(): void {
    if (!this.#open) return;
    this.#open = false; // keeps T3
    this.#call.cancel();
  }

  /** @internal Of the call: something to send again. */
  drain(): void {
    if (this.#open) this.#events.drain();
  }

  /** @internal Of the call. */
  message(bytes: Uint8Array): void {
    if (!this.#open) return;
    let out: EntityOut;
    try {
      out = this.#kind === "eventSourced" ? decodeEventSourcedOut(bytes) : decodeValueOut(bytes);
    } catch (fault) {
      this.#violation(explain(fault));
      return;
    }
    switch (out.kind) {
      case "reply":
        this.#reply(out.deletes ? refusedDelete(out.reply) : this.#believed(out.reply));
        return;
      case "failure":
        this.#failure(out.failure);
        return;
      case "empty":
        this.#violation("sent a message with neither reply nor failure");
    }
  }

  #reply(reply: EntityReply): void {
    const { commandId } = reply;
    if (commandId !== this.#first || commandId > this.#last) {
      this.#violation(`replied to command ${commandId}, but ${this.#expected()}`, "reply");
      return;
    }
    this.#first++;
    this.#events.reply(reply.snapshot !== undefined && reply.events.length === 0 ? this.#withoutSnapshot(reply) : reply);
  }

  /** See `RemoteProtocol.valueFailuresRestart`. */
  #believed(reply: EntityReply): EntityReply {
    if (!this.#options.protocol.valueFailuresRestart || this.#kind !== "value" || reply.action.do !== "fail") return reply;
    return { ...reply, action: { ...reply.action, restart: true } };
  }

  /** Ends the stream as far as the engine is concerned, whatever the id: one for another command is reported beside it. */
  #failure(failure: StreamFailure): void {
    const { commandId } = failure;
    if (commandId !== 0 && (commandId !== this.#first || commandId > this.#last)) {
      this.#options.report(`Protocol error: ${this.#name()} failed command ${commandId}, but ${this.#expected()}.`);
    }
    this.#first = this.#last + 1;
    this.#events.failure(failure);
  }

  #expected(): string {
    return this.#first > this.#last ? "no command was waiting" : `command ${this.#first} was waiting`;
  }

  /** A snapshot covers the events it came with; alone it covers nothing. The reference drops it without a word; we say so, once a stream. */
  #withoutSnapshot(reply: EntityReply): EntityReply {
    if (!this.#snapshotReported) {
      this.#snapshotReported = true;
      this.#options.report(
        `Warning: ${this.#name()} sent a snapshot without events in reply to command ${reply.commandId}; it was ignored.`,
      );
    }
    const { snapshot: _, ...rest } = reply;
    return rest;
  }

  #violation(problem: string, about: "reply" | "message" = "message"): void {
    this.#open = false; // keeps T3
    this.#call.cancel();
    this.#options.report(`Protocol error: ${this.#name()} ${problem}. Its stream was cut.`);
    this.#events.violation(problem, about);
    this.#events.closed(problem);
  }

  /** @internal Of the call. */
  end(status: RpcStatus): void {
    if (!this.#open) return;
    this.#open = false; // keeps T3
    if (status.code === 0) this.#events.closed();
    else this.#events.closed(`gRPC status ${status.code}: ${status.message || "no message"}`, status.unreached === true);
  }

  #name(): string {
    return `${this.#address.service} "${this.#address.entityId}"`;
  }
}

/**
 * Kalix's request to delete an event sourced entity is refused whole rather than half obeyed: nobody should believe that data is gone which is
 * not. The function has applied the events of its reply, so it loads the entity anew.
 */
function refusedDelete({ commandId }: EntityReply): EntityReply {
  const description = "deleting an event sourced entity is not supported; record an event that says it is deleted";
  return {
    commandId,
    action: { do: "fail", description, restart: true, grpcCode: faultCodes.unimplemented.grpc },
    effects: [],
    events: [],
  };
}
