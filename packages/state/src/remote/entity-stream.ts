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
import type { Channel, ClientCall, RpcStatus } from "@mecha/wire";
import { decodeEventSourcedOut, decodeValueOut, type EntityOut } from "./codec/decode.ts";
import { commandField, encodeEntityCommand, encodeEvent, encodeEventSourcedInit, encodeValueInit } from "./codec/encode.ts";
import { textBytes } from "./codec/writer.ts";
import type { RemoteProtocol } from "./protocol.ts";

export interface EntityStreamOptions {
  readonly protocol: RemoteProtocol;
  readonly address: EntityAddress;
  readonly init: EntityInit;
  readonly events: EntityStreamEvents;
  /** Send the caller's headers with commands. The reference does not, and its TCK compares strictly. */
  readonly commandMetadata: boolean;
  readonly report: (message: string) => void;
  /** Commands the function takes at once (T2). */
  readonly window: number;
}

export function openEntityStream(channel: Channel, options: EntityStreamOptions): EntityStream {
  return new RemoteEntityStream(channel, options);
}

class RemoteEntityStream implements EntityStream {
  readonly #options: EntityStreamOptions;
  readonly #call: ClientCall;
  readonly #decode: (bytes: Uint8Array) => EntityOut;
  readonly #commandField: number;
  readonly #entityId: Uint8Array;
  /** Ids of the oldest command without an answer, and of the newest; nothing is outstanding when the first is larger. */
  #first = 1;
  #last = 0;
  #open = true;
  #snapshotReported = false;

  constructor(channel: Channel, options: EntityStreamOptions) {
    const { protocol, address, init } = options;
    this.#options = options;
    this.#decode = init.kind === "eventSourced" ? decodeEventSourcedOut : decodeValueOut;
    this.#commandField = commandField[init.kind];
    this.#entityId = textBytes(address.entityId);
    this.#call = channel.open(
      protocol.entityPaths[init.kind],
      {},
      {
        message: (bytes) => this.#message(bytes),
        end: (status) => this.#end(status),
        drain: () => {
          if (this.#open) options.events.drain();
        },
      },
    );
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
    this.#call.send(encodeEntityCommand(this.#commandField, this.#entityId, commandId, this.#sent(command)));
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

  #message(bytes: Uint8Array): void {
    if (!this.#open) return;
    let out: EntityOut;
    try {
      out = this.#decode(bytes);
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
    this.#options.events.reply(reply.snapshot !== undefined && reply.events.length === 0 ? this.#withoutSnapshot(reply) : reply);
  }

  /** See `RemoteProtocol.valueFailuresRestart`. */
  #believed(reply: EntityReply): EntityReply {
    const { protocol, init } = this.#options;
    if (!protocol.valueFailuresRestart || init.kind !== "value" || reply.action.do !== "fail") return reply;
    return { ...reply, action: { ...reply.action, restart: true } };
  }

  /** Ends the stream as far as the engine is concerned, whatever the id: one for another command is reported beside it. */
  #failure(failure: StreamFailure): void {
    const { commandId } = failure;
    if (commandId !== 0 && (commandId !== this.#first || commandId > this.#last)) {
      this.#options.report(`Protocol error: ${this.#name()} failed command ${commandId}, but ${this.#expected()}.`);
    }
    this.#first = this.#last + 1;
    this.#options.events.failure(failure);
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
    this.#options.events.violation(problem, about);
    this.#options.events.closed(problem);
  }

  #end(status: RpcStatus): void {
    if (!this.#open) return;
    this.#open = false; // keeps T3
    const { events } = this.#options;
    if (status.code === 0) events.closed();
    else events.closed(`gRPC status ${status.code}: ${status.message || "no message"}`, status.unreached === true);
  }

  #name(): string {
    return `${this.#options.address.service} "${this.#options.address.entityId}"`;
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
