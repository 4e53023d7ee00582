/**
 * The stream of one active CRDT: Cloudstate's Crdt.handle, Kalix's ReplicatedEntities.Handle.
 *
 * Invariants
 * T1 init is the first message; it is sent when the stream opens
 * T2 after `closed`, and after `reset`, nothing is delivered and the methods do nothing
 * T3 a value the protocol has no word for cuts the stream, on an empty stack: a function is never told half of what there is
 */
import { explain } from "@mecha/kit";
import type { Channel, ClientCall, RpcStatus } from "@mecha/wire";
import type { CrdtDelta } from "../../crdt/delta.ts";
import type { CrdtPort, CrdtStream, CrdtStreamEvents } from "../../crdt/port.ts";
import type { Command, EntityAddress } from "../../model.ts";
import type { CrdtCodec, CrdtOut } from "./codec.ts";

export interface CrdtPortOptions {
  /** The RPC whose stream is one activation. */
  readonly path: string;
  /** Makes the codec of one stream. */
  readonly codec: (address: EntityAddress) => CrdtCodec;
  /** Send the caller's headers with commands. The reference does not, and its TCK compares strictly. */
  readonly commandMetadata: boolean;
  readonly report: (message: string) => void;
}

/** CRDTs of the user function behind `channel`. */
export function crdtPort(channel: Channel, options: CrdtPortOptions): CrdtPort {
  return { open: (address, delta, events) => new RemoteCrdtStream(channel, options, address, delta, events) };
}

class RemoteCrdtStream implements CrdtStream {
  readonly #options: CrdtPortOptions;
  readonly #address: EntityAddress;
  readonly #events: CrdtStreamEvents;
  readonly #codec: CrdtCodec;
  readonly #call: ClientCall;
  #open = true;

  constructor(channel: Channel, options: CrdtPortOptions, address: EntityAddress, delta: CrdtDelta | undefined, events: CrdtStreamEvents) {
    this.#options = options;
    this.#address = address;
    this.#events = events;
    this.#codec = options.codec(address);
    this.#call = channel.open(options.path, {}, { message: (bytes) => this.#message(bytes), end: (status) => this.#end(status) });
    this.#tell(() => this.#codec.init(address, delta)); // keeps T1
  }

  delta(delta: CrdtDelta): void {
    this.#tell(() => this.#codec.delta(delta));
  }

  deleted(): void {
    this.#send(this.#codec.deleted());
  }

  command(commandId: number, command: Command, streamed: boolean): void {
    const sent = this.#options.commandMetadata ? command : { name: command.name, payload: command.payload };
    this.#send(this.#codec.command(this.#address.entityId, commandId, sent, streamed));
  }

  cancelCommand(commandId: number): void {
    const cancel = this.#codec.cancel?.(this.#address.entityId, commandId);
    if (cancel !== undefined) this.#send(cancel);
  }

  halfClose(): void {
    if (this.#open) this.#call.halfClose();
  }

  reset(): void {
    if (!this.#open) return;
    this.#open = false; // keeps T2
    this.#call.cancel();
  }

  #tell(encode: () => Uint8Array): void {
    let message: Uint8Array;
    try {
      message = encode();
    } catch (fault) {
      queueMicrotask(() => this.#cut(explain(fault))); // keeps T3
      return;
    }
    this.#send(message);
  }

  #send(message: Uint8Array): void {
    if (this.#open) this.#call.send(message);
  }

  #message(bytes: Uint8Array): void {
    if (!this.#open) return;
    let out: CrdtOut;
    try {
      out = this.#codec.decode(bytes);
    } catch (fault) {
      this.#violation(explain(fault));
      return;
    }
    switch (out.kind) {
      case "reply":
        this.#events.reply(out.reply);
        return;
      case "message":
        this.#events.message(out.message);
        return;
      case "cancelled":
        this.#events.cancelled(out.cancelled);
        return;
      case "failure":
        this.#events.failure(out.failure);
        return;
      case "empty":
        this.#violation("sent a message with neither an answer nor a failure");
    }
  }

  #violation(problem: string): void {
    this.#cut(problem, "Protocol error: ");
  }

  #cut(problem: string, heading = ""): void {
    if (!this.#open) return;
    this.#open = false; // keeps T2
    this.#call.cancel();
    const { service, entityId } = this.#address;
    this.#options.report(`${heading}${service} "${entityId}" ${problem}. Its stream was cut.`);
    this.#events.violation(problem);
    this.#events.closed(problem);
  }

  #end(status: RpcStatus): void {
    if (!this.#open) return;
    this.#open = false; // keeps T2
    if (status.code === 0) this.#events.closed();
    else this.#events.closed(`gRPC status ${status.code}: ${status.message || "no message"}`, status.unreached === true);
  }
}
