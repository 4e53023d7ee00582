/**
 * The stream of one active CRDT: Crdt.handle.
 *
 * Invariants
 * T1 init is the first message; it is sent when the stream opens
 * T2 after `closed`, and after `reset`, nothing is delivered and the methods do nothing
 */
import { explain } from "@mecha/kit";
import type { Command, CrdtDelta, CrdtPort, CrdtStream, CrdtStreamEvents, EntityAddress } from "@mecha/state";
import type { Channel, ClientCall, RpcStatus } from "@mecha/wire";
import type { CrdtCodec, CrdtOut } from "./crdt-codec.ts";
import { crdtPath } from "./protocol.ts";

export interface CrdtPortOptions {
  /** Makes the codec of one stream. */
  readonly codec: () => CrdtCodec;
  /** Send the caller's headers with commands. The reference does not, and its TCK compares strictly. */
  readonly commandMetadata: boolean;
  readonly report: (message: string) => void;
}

/** CRDTs of the user function behind `channel`. */
export function crdtPort(channel: Channel, options: CrdtPortOptions): CrdtPort {
  return { open: (address, delta, events) => new CloudstateCrdtStream(channel, options, address, delta, events) };
}

class CloudstateCrdtStream implements CrdtStream {
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
    this.#codec = options.codec();
    this.#call = channel.open(crdtPath, {}, { message: (bytes) => this.#message(bytes), end: (status) => this.#end(status) });
    this.#call.send(this.#codec.init(address, delta)); // keeps T1
  }

  delta(delta: CrdtDelta): void {
    this.#send(this.#codec.delta(delta));
  }

  deleted(): void {
    this.#send(this.#codec.deleted());
  }

  command(commandId: number, command: Command, streamed: boolean): void {
    const sent = this.#options.commandMetadata ? command : { name: command.name, payload: command.payload };
    this.#send(this.#codec.command(this.#address.entityId, commandId, sent, streamed));
  }

  cancelCommand(commandId: number): void {
    this.#send(this.#codec.cancel(this.#address.entityId, commandId));
  }

  halfClose(): void {
    if (this.#open) this.#call.halfClose();
  }

  reset(): void {
    if (!this.#open) return;
    this.#open = false; // keeps T2
    this.#call.cancel();
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
        this.#events.failure(out);
        return;
      case "empty":
        this.#violation("sent a message with neither an answer nor a failure");
    }
  }

  #violation(problem: string): void {
    this.#open = false; // keeps T2
    this.#call.cancel();
    const { service, entityId } = this.#address;
    this.#options.report(`Protocol error: ${service} "${entityId}" ${problem}. Its stream was cut.`);
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
