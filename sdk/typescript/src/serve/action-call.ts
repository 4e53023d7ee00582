/** The four RPCs of cloudstate.action, one call for each call of an action. */
import { explain, type FaultCode } from "@mecha/kit";
import { type CallHandler, type ServerCall, type ServerCallEvents, statusOk } from "@mecha/wire";
import type { ComponentBase, Method } from "../define/method.ts";
import { listed } from "../mistake.ts";
import { type ActionAnswer, type ActionIn, actionService, encodeActionResponse, readActionIn } from "../protocol/action.ts";
import { ActionContext, answerMany, answerOnce, MessageStream, type Responses } from "../run/action.ts";
import { decodeInput } from "../run/input.ts";
import type { Surroundings } from "../run/surroundings.ts";

type Find = (service: string) => ComponentBase;

/** The handlers by path. */
export function actionRoutes(find: Find, surroundings: Surroundings): Map<string, CallHandler> {
  const route =
    (streamedIn: boolean, streamedOut: boolean): CallHandler =>
    (call) =>
      new ActionCall(call, { streamedIn, streamedOut }, find, surroundings);
  return new Map([
    [`/${actionService}/handleUnary`, route(false, false)],
    [`/${actionService}/handleStreamedIn`, route(true, false)],
    [`/${actionService}/handleStreamedOut`, route(false, true)],
    [`/${actionService}/handleStreamed`, route(true, true)],
  ]);
}

interface CallShape {
  readonly streamedIn: boolean;
  readonly streamedOut: boolean;
}

/** gRPC INVALID_ARGUMENT: what arrived is not the protocol. */
const invalidArgument = 3;
/** gRPC UNIMPLEMENTED. */
const unimplemented = 12;

class ActionCall implements ServerCallEvents, Responses {
  readonly #call: ServerCall;
  readonly #shape: CallShape;
  readonly #find: Find;
  readonly #surroundings: Surroundings;
  #method: Method | undefined;
  #context: ActionContext<unknown> | undefined;
  #input: MessageStream | undefined;
  #onWritable: (() => void) | undefined;
  cancelledBy: FaultCode | undefined;
  #ended = false;

  constructor(call: ServerCall, shape: CallShape, find: Find, surroundings: Surroundings) {
    this.#call = call;
    this.#shape = shape;
    this.#find = find;
    this.#surroundings = surroundings;
  }

  message(bytes: Uint8Array): void {
    if (this.#ended) return;
    try {
      const message = readActionIn(bytes);
      if (this.#context === undefined) this.#open(message);
      else this.#take(message);
    } catch (error) {
      this.#input?.end(error as Error);
      if (this.#input === undefined) this.#end(invalidArgument, explain(error));
    }
  }

  #open(message: ActionIn): void {
    const { methods } = this.#find(message.service);
    const method = methods.get(message.name);
    if (method === undefined)
      return this.#end(unimplemented, `${message.service} has no command ${message.name}; it has ${listed(methods.keys())}`);
    if (method.streamedIn !== this.#shape.streamedIn || method.streamedOut !== this.#shape.streamedOut) {
      return this.#end(
        unimplemented,
        `${method.where} has another shape: streamed in ${method.streamedIn}, streamed out ${method.streamedOut}`,
      );
    }
    this.#method = method;
    this.#context = new ActionContext(method, message.metadata);
    if (!this.#shape.streamedIn) return void this.#run(() => decodeInput(method, message.typeUrl, message.payload));
    const input = new MessageStream(this.#call);
    this.#input = input;
    // A conforming proxy opens with a message that carries no payload; one that does is the first of the stream.
    if (message.payload !== undefined) this.#take(message);
    void this.#run(() => input);
  }

  #take(message: ActionIn): void {
    this.#input?.push(decodeInput(this.#method as Method, message.typeUrl, message.payload));
  }

  async #run(input: () => unknown): Promise<void> {
    const method = this.#method as Method;
    const context = this.#context as ActionContext<unknown>;
    const running: Method = { ...method, handler: (_, ctx: unknown) => method.handler(input(), ctx) }; // input that does not decode fails as the handler would
    if (this.#shape.streamedOut) await answerMany(running, context, undefined, this, this.#surroundings);
    else this.send(await answerOnce(running, context, undefined, this.#surroundings));
    this.#end(0, "");
  }

  halfClose(): void {
    this.#input?.end();
    if (this.#context === undefined) this.#end(invalidArgument, "no command arrived");
  }

  cancelled(reason: FaultCode): void {
    this.cancelledBy = reason;
    this.#ended = true;
    this.#context?.cancel(reason);
    this.#input?.end(new Error("the caller is gone"));
    this.#onWritable?.();
  }

  drain(): void {
    this.#onWritable?.();
    this.#onWritable = undefined;
  }

  get isCancelled(): boolean {
    return this.cancelledBy !== undefined;
  }

  send(answer: ActionAnswer): boolean {
    return this.#ended || this.#call.send(encodeActionResponse(answer));
  }

  writable(): Promise<void> {
    return this.#ended ? Promise.resolve() : new Promise((resolve) => (this.#onWritable = resolve));
  }

  #end(code: number, message: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#call.end(code === 0 ? statusOk : { code, message });
  }
}
