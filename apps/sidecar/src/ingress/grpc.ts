/** gRPC calls to commands: unary calls of every kind of component, streamed calls of actions, streamed answers of CRDTs. */
import { Fault, type FaultCode } from "@mecha/kit";
import type { CallContext, Command, CommandMetadata, Reply, StateEngine, StreamedCall } from "@mecha/state";
import { type CallHandler, type ServerCall, type ServerCallEvents, statusOfFault } from "@mecha/wire";
import { type Caller, newCaller } from "./caller.ts";
import { commandId, metadataOfCall, responseMetadata, traceOf } from "./headers.ts";
import type { ResolvedOptions } from "./options.ts";
import { nameOf, type Target } from "./table.ts";

/** The handler of one method. */
export function grpcHandler(target: Target, engine: StateEngine, options: ResolvedOptions): CallHandler {
  const { component, method } = target;
  if (!method.streamedIn && !method.streamedOut) return (call) => unaryCall(call, target, engine, options);
  if (component.kind === "action" || (component.kind === "crdt" && !method.streamedIn)) return (call) => streamedCall(call, target, engine);
  const refusal = new Fault(
    "unimplemented",
    `${nameOf(target)} is streamed; methods of entities take one message and answer one, those of CRDTs may answer many`,
  );
  return (call) => {
    fail(call, refusal);
    return { message() {} };
  };
}

function unaryCall(call: ServerCall, target: Target, engine: StateEngine, options: ResolvedOptions): ServerCallEvents {
  const caller = newCaller(call.deadlineMs, traceOf(call.metadata.get("traceparent")));
  let message: Uint8Array | undefined;
  return {
    message(bytes) {
      if (message) fail(call, oneMessage(target, "more than one"));
      message = bytes;
    },
    halfClose() {
      if (!message) {
        fail(call, oneMessage(target, "none"));
        return;
      }
      const command = commandOf(call, target, message, options);
      if (!command) return;
      engine.call(target.component.service, command, caller.context, (fault, reply) => {
        if (fault || !reply) fail(call, faultOf(fault));
        else answer(call, target, reply);
      });
    },
    cancelled() {
      caller.leave();
    },
  };
}

/** `undefined`: the call has been ended with what is wrong. */
function commandOf(call: ServerCall, target: Target, value: Uint8Array, options: ResolvedOptions): Command | undefined {
  const { component, method } = target;
  const payload = { typeUrl: method.inputTypeUrl, value };
  const metadata = passesHeaders(target, options) ? metadataOfCall(call.metadata) : undefined;
  try {
    const id = commandId(call.metadata.get("idempotency-key"));
    return { name: method.name, payload, ...(metadata && { metadata }), ...(id !== undefined && { id }) };
  } catch (fault) {
    fail(call, Fault.from(fault, `read the headers of a call of ${component.service}`, "invalid"));
    return undefined;
  }
}

/** keeps the reference's rule: actions get headers, entities only when asked for. */
export function passesHeaders({ component }: Target, options: ResolvedOptions): boolean {
  return component.kind === "action" || options.passHeadersToEntities;
}

function answer(call: ServerCall, target: Target, reply: Reply): void {
  const value = replyBytes(target, reply);
  if (!value) {
    fail(call, noAnswer(target));
    return;
  }
  sendReplyHeaders(call, reply.metadata);
  call.send(value);
  call.end();
}

const empty = new Uint8Array(0);

/** The answer's message; `undefined` when a component that must answer did not. */
export function replyBytes({ answersEmpty }: Target, reply: Reply): Uint8Array | undefined {
  return reply.payload ? reply.payload.value : answersEmpty ? empty : undefined;
}

export function noAnswer(target: Target): Fault {
  return new Fault("internal", `${nameOf(target)} answered nothing; its method declares an answer`);
}

function sendReplyHeaders(call: ServerCall, metadata: CommandMetadata | undefined): void {
  const headers = responseMetadata(metadata);
  if (headers) call.sendHeaders(headers);
}

function oneMessage(target: Target, got: string): Fault {
  return new Fault("internal", `${nameOf(target)} takes one message; the call sent ${got}`);
}

export function faultOf(error: Error | undefined): Fault {
  return error ? Fault.from(error, "the call failed", "internal") : new Fault("internal", "the call ended without an answer");
}

function fail(call: ServerCall, fault: Fault): void {
  call.end(statusOfFault(fault));
}

/** A call of an action that streams at least one way. */
function streamedCall(call: ServerCall, target: Target, engine: StateEngine): ServerCallEvents {
  const caller = newCaller(call.deadlineMs, traceOf(call.metadata.get("traceparent")));
  const relay = new StreamRelay(call, target, engine, caller);
  return target.method.streamedIn ? relay.streamedIn() : relay.oneIn();
}

/** Carries messages both ways and makes each side wait for the other (back-pressure). */
class StreamRelay {
  readonly #call: ServerCall;
  readonly #target: Target;
  readonly #engine: StateEngine;
  readonly #caller: Caller;
  #stream: StreamedCall | undefined;
  #firstReply = true;
  /** Method answers one message: held until the stream ends well. */
  #single: Uint8Array | undefined;
  #over = false;

  constructor(call: ServerCall, target: Target, engine: StateEngine, caller: Caller) {
    this.#call = call;
    this.#target = target;
    this.#engine = engine;
    this.#caller = caller;
  }

  /** Client-streaming and duplex: the stream opens with the call, so that the function sees its headers at once. */
  streamedIn(): ServerCallEvents {
    const stream = this.#open();
    return {
      message: (bytes) => {
        if (!stream.message(bytes)) this.#call.pause();
      },
      halfClose: () => {
        stream.halfClose();
      },
      ...this.#common(),
    };
  }

  /** Server-streaming: the stream opens with the one message. */
  oneIn(): ServerCallEvents {
    let message: Uint8Array | undefined;
    return {
      message: (bytes) => {
        if (message) this.#end(oneMessage(this.#target, "more than one"));
        message = bytes;
      },
      halfClose: () => {
        if (this.#over) return;
        if (!message) {
          this.#end(oneMessage(this.#target, "none"));
          return;
        }
        const stream = this.#open();
        stream.message(message);
        stream.halfClose();
      },
      ...this.#common(),
    };
  }

  #common(): Pick<ServerCallEvents, "drain" | "cancelled"> {
    return {
      drain: () => {
        this.#stream?.resume();
      },
      cancelled: (_reason: FaultCode) => {
        this.#over = true;
        this.#caller.leave();
        this.#stream?.cancel();
      },
    };
  }

  #open(): StreamedCall {
    const { component, method } = this.#target;
    const metadata = metadataOfCall(this.#call.metadata);
    const context: CallContext = this.#caller.context;
    this.#stream = this.#engine.stream(
      component.service,
      method.name,
      context,
      {
        reply: (reply) => {
          this.#reply(reply);
        },
        drain: () => {
          this.#call.resume();
        },
        closed: (fault) => {
          this.#closed(fault);
        },
      },
      metadata,
    );
    return this.#stream;
  }

  #reply(reply: Reply): void {
    if (this.#over) return;
    if (this.#firstReply) sendReplyHeaders(this.#call, reply.metadata);
    this.#firstReply = false;
    const value = replyBytes({ ...this.#target, answersEmpty: false }, reply);
    if (!value) return; // a reply without payload is an action's way to answer nothing
    if (!this.#target.method.streamedOut) {
      if (this.#single) {
        this.#stream?.cancel();
        this.#end(new Fault("internal", `${nameOf(this.#target)} answered more than once; its method declares one answer`));
      }
      this.#single = value;
    } else if (!this.#call.send(value)) this.#stream?.pause();
  }

  #closed(fault: Error | undefined): void {
    if (this.#over) return;
    if (fault) this.#end(faultOf(fault));
    else if (this.#target.method.streamedOut) this.#end(undefined);
    else {
      const single = this.#single ?? replyBytes(this.#target, {});
      if (single) this.#call.send(single);
      this.#end(single ? undefined : noAnswer(this.#target));
    }
  }

  #end(fault: Fault | undefined): void {
    if (this.#over) return;
    this.#over = true;
    if (fault) fail(this.#call, fault);
    else this.#call.end();
  }
}
