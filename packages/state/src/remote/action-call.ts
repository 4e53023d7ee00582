/**
 * A call of an action: one of the protocol's four RPCs, chosen by the method's shape.
 *
 * Invariants
 * A1 requests not streamed: service, name, payload and metadata travel in the one message
 * A2 requests streamed: the first message carries service, name and the call's metadata and no payload; it is sent when the call opens. Later
 *    ones carry a payload, and metadata of their own if they have any. Where names are in each message (RemoteProtocol.streamedNames), there
 *    is no such first message
 * A3 after `closed`, and after `cancel`, nothing is delivered and the methods do nothing
 */
import { explain, faultCodes } from "@mecha/kit";
import type { ActionCall, ActionCallEvents, ActionOpen, CommandMetadata, ComponentMethod, Payload } from "../model.ts";
import type { Channel, ClientCall, RpcStatus } from "@mecha/wire";
import { type ActionOut, decodeActionResponse } from "./codec/decode.ts";
import { type ActionMessage, encodeActionCommand } from "./codec/encode.ts";
import { actionShape, type RemoteProtocol } from "./protocol.ts";

export interface ActionCallOptions {
  readonly protocol: RemoteProtocol;
  readonly service: string;
  readonly method: ComponentMethod;
  readonly open: ActionOpen;
  readonly events: ActionCallEvents;
  readonly report: (message: string) => void;
}

export function openActionCall(channel: Channel, options: ActionCallOptions): ActionCall {
  return new RemoteActionCall(channel, options);
}

class RemoteActionCall implements ActionCall {
  readonly #options: ActionCallOptions;
  readonly #call: ClientCall;
  #open = true;
  #responses = 0;

  constructor(channel: Channel, options: ActionCallOptions) {
    const { protocol, service, method, open, events } = options;
    this.#options = options;
    this.#call = channel.open(
      protocol.actionPaths[actionShape(method)],
      open.timeoutMs === undefined ? {} : { timeoutMs: open.timeoutMs },
      {
        message: (bytes) => this.#message(bytes),
        end: (status) => this.#end(status),
        drain: () => {
          if (this.#open) events.drain();
        },
      },
    );
    if (method.streamedIn && protocol.streamedNames === "first") this.#send({ service, name: method.name, metadata: open.metadata }); // keeps A2
  }

  message(payload: Payload, metadata?: CommandMetadata): boolean {
    if (!this.#open) return true;
    const { protocol, service, method, open } = this.#options;
    if (method.streamedIn && protocol.streamedNames === "first") return this.#send({ payload, metadata });
    return this.#send({ service, name: method.name, payload, metadata: metadata ?? open.metadata }); // keeps A1
  }

  #send(message: ActionMessage): boolean {
    const { metadata, ...bare } = message;
    return this.#call.send(encodeActionCommand(this.#options.protocol.metadata ? { ...bare, metadata } : bare));
  }

  halfClose(): void {
    if (this.#open) this.#call.halfClose();
  }

  cancel(): void {
    if (!this.#open) return;
    this.#open = false; // keeps A3
    this.#call.cancel();
  }

  pause(): void {
    if (this.#open) this.#call.pause();
  }

  resume(): void {
    if (this.#open) this.#call.resume();
  }

  #message(bytes: Uint8Array): void {
    if (!this.#open) return;
    if (++this.#responses > 1 && !this.#options.method.streamedOut) {
      this.#violation("answered more than once to a method that answers once");
      return;
    }
    let out: ActionOut;
    try {
      out = decodeActionResponse(bytes);
    } catch (fault) {
      this.#violation(`sent a malformed answer: ${explain(fault)}`);
      return;
    }
    this.#options.events.response(out);
  }

  #violation(problem: string): void {
    this.#open = false; // keeps A3
    this.#call.cancel();
    this.#fail(problem);
  }

  #fail(problem: string): void {
    const text = `${this.#options.service}.${this.#options.method.name} ${problem}`;
    this.#options.report(`Protocol error: ${text}.`);
    this.#options.events.closed(faultCodes.internal.grpc, text);
  }

  #end(status: RpcStatus): void {
    if (!this.#open) return;
    this.#open = false; // keeps A3
    if (status.code === 0 && this.#responses === 0 && !this.#options.method.streamedOut) this.#fail("ended without an answer");
    else this.#options.events.closed(status.code, status.message);
  }
}
