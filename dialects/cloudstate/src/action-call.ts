/**
 * A call of an action: one of the four ActionProtocol RPCs, chosen by the method's shape.
 *
 * Invariants
 * A1 requests not streamed: service, name, payload and metadata travel in the one message
 * A2 requests streamed: the first message carries service, name and the call's metadata and no payload; it is sent when the call opens. Later
 *    ones carry a payload, and metadata of their own if they have any
 * A3 after `closed`, and after `cancel`, nothing is delivered and the methods do nothing
 */
import { explain, faultCodes } from "@mecha/kit";
import type { ActionCall, ActionCallEvents, ActionOpen, CommandMetadata, ComponentMethod, Payload } from "@mecha/state";
import type { Channel, ClientCall, RpcStatus } from "@mecha/wire";
import { type ActionOut, decodeActionResponse } from "./codec/decode.ts";
import { encodeActionCommand } from "./codec/encode.ts";

const serviceName = "cloudstate.action.ActionProtocol";

/** `/cloudstate.action.ActionProtocol/handle…` for a method of that shape. */
export function actionPath(method: Pick<ComponentMethod, "streamedIn" | "streamedOut">): string {
  if (method.streamedIn) return `/${serviceName}/${method.streamedOut ? "handleStreamed" : "handleStreamedIn"}`;
  return `/${serviceName}/${method.streamedOut ? "handleStreamedOut" : "handleUnary"}`;
}

export interface ActionCallOptions {
  readonly service: string;
  readonly method: ComponentMethod;
  readonly open: ActionOpen;
  readonly events: ActionCallEvents;
  readonly report: (message: string) => void;
}

export function openActionCall(channel: Channel, options: ActionCallOptions): ActionCall {
  return new CloudstateActionCall(channel, options);
}

class CloudstateActionCall implements ActionCall {
  readonly #options: ActionCallOptions;
  readonly #call: ClientCall;
  #open = true;
  #responses = 0;

  constructor(channel: Channel, options: ActionCallOptions) {
    const { service, method, open, events } = options;
    this.#options = options;
    this.#call = channel.open(actionPath(method), open.timeoutMs === undefined ? {} : { timeoutMs: open.timeoutMs }, {
      message: (bytes) => this.#message(bytes),
      end: (status) => this.#end(status),
      drain: () => {
        if (this.#open) events.drain();
      },
    });
    if (method.streamedIn) this.#call.send(encodeActionCommand({ service, name: method.name, metadata: open.metadata })); // keeps A2
  }

  message(payload: Payload, metadata?: CommandMetadata): boolean {
    if (!this.#open) return true;
    const { service, method, open } = this.#options;
    if (method.streamedIn) return this.#call.send(encodeActionCommand({ payload, metadata }));
    return this.#call.send(encodeActionCommand({ service, name: method.name, payload, metadata: metadata ?? open.metadata })); // keeps A1
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
