/** What a service's method takes, answers and is reached by: `command({ cartId: t.string }).http("GET /carts/{cartId}").replies(CartView)`. */
import { expect } from "../mistake.ts";
import { checkSource, checkTarget, type Eventing, type EventLog, type Topic } from "./eventing.ts";
import { MessageSchema, type MessageLike, type ShapeOf } from "./fields.ts";

/** A route of google.api.http. */
export interface HttpRoute {
  readonly method: "get" | "put" | "post" | "delete" | "patch";
  /** With field names in TypeScript or protobuf spelling. */
  readonly path: string;
  /** `*` = the whole input, a field name, or "" = the query string. */
  readonly body: string;
  /** Field of the reply that is the response's body; "" = the whole reply. */
  readonly responseBody: string;
}

/** What an HTTP client may set beside the path. */
export interface HttpOptions {
  /** `*` (default of POST, PUT and PATCH), a field of the input, or "" for none (default of GET and DELETE): the rest comes from the query. */
  readonly body?: string;
  /** Answer with this field of the reply only. */
  readonly responseBody?: string;
}

type Reply = MessageLike | undefined;

/** One method of a service. Immutable: each call gives a new one. */
export class CommandSchema<In, Out, StreamedIn extends boolean = false, StreamedOut extends boolean = false> {
  declare readonly phantom?: [In, Out];
  readonly input: MessageLike;
  /** `undefined`: google.protobuf.Empty. */
  readonly reply: Reply;
  readonly routes: readonly HttpRoute[];
  readonly isStreamedIn: StreamedIn;
  readonly isStreamedOut: StreamedOut;
  readonly eventing: Eventing;

  constructor(
    input: MessageLike,
    reply: Reply,
    routes: readonly HttpRoute[],
    isStreamedIn: StreamedIn,
    isStreamedOut: StreamedOut,
    eventing: Eventing = {},
  ) {
    this.input = input;
    this.reply = reply;
    this.routes = routes;
    this.isStreamedIn = isStreamedIn;
    this.isStreamedOut = isStreamedOut;
    this.eventing = eventing;
  }

  /** What the method answers. Without it: nothing (google.protobuf.Empty). */
  replies<const M extends MessageLike>(reply: M): CommandSchema<In, ShapeOf<M>, StreamedIn, StreamedOut> {
    return new CommandSchema(this.input, reply, this.routes, this.isStreamedIn, this.isStreamedOut, this.eventing);
  }

  /**
   * Reaches the method by HTTP/JSON: `"POST /carts/{cartId}/items"`. `{name}` is a field of the input. May be called several times.
   * Without a route the method is `POST /<package.Service>/<Method>` with the input as body.
   */
  http(
    route: `${"GET" | "PUT" | "POST" | "DELETE" | "PATCH"} /${string}`,
    options: HttpOptions = {},
  ): CommandSchema<In, Out, StreamedIn, StreamedOut> {
    return new CommandSchema(
      this.input,
      this.reply,
      [...this.routes, parseRoute(route, options)],
      this.isStreamedIn,
      this.isStreamedOut,
      this.eventing,
    );
  }

  /** Actions only: the caller sends any number of messages. */
  streamedIn(): CommandSchema<In, Out, true, StreamedOut> {
    return new CommandSchema(this.input, this.reply, this.routes, true as const, this.isStreamedOut, this.eventing);
  }

  /** Actions and CRDTs: the answer is any number of messages. */
  streamedOut(): CommandSchema<In, Out, StreamedIn, true> {
    return new CommandSchema(this.input, this.reply, this.routes, this.isStreamedIn, true as const, this.eventing);
  }

  /**
   * Runs the command for each event of a source: of an event log those whose message it takes, by its full name; all others, JSON included, with
   * `command(anyEvent)`. `ctx.cloudEvent` says which one. An event is delivered again until the command has succeeded, so it may come more than once.
   * @example command(message("shop.ItemAdded", { sku: t.string })).consumes(eventLog("shop.Cart"))
   */
  consumes(source: EventLog | Topic): CommandSchema<In, Out, StreamedIn, StreamedOut> {
    checkSource(source);
    expect(
      this.eventing.in === undefined,
      () => "consumes(…) was called twice: a command has one source; declare another command for the other",
    );
    return this.#with({ ...this.eventing, in: source });
  }

  /** Publishes what the command answers, before the caller has it. */
  publishes(target: Topic): CommandSchema<In, Out, StreamedIn, StreamedOut> {
    checkTarget(target);
    return this.#with({ ...this.eventing, out: target });
  }

  #with(eventing: Eventing): CommandSchema<In, Out, StreamedIn, StreamedOut> {
    const { in: source, out } = eventing;
    expect(
      source?.is !== "topic" || source.name !== out?.name,
      () =>
        `the topic ${JSON.stringify(out?.name)} is consumed and published by one command, which would go round for ever; publish to another one`,
    );
    return new CommandSchema(this.input, this.reply, this.routes, this.isStreamedIn, this.isStreamedOut, eventing);
  }
}

/**
 * Declares a method by what it takes: fields, or a message type.
 * @example command({ cartId: t.string, sku: t.string, quantity: t.int32 }).http("POST /carts/{cartId}/items").replies({ quantity: t.int32 })
 */
export function command<const M extends MessageLike>(input: M): CommandSchema<ShapeOf<M>, void> {
  const given: MessageLike = input;
  expect(
    given instanceof MessageSchema || (typeof given === "object" && given !== null),
    () => `command(…): expected fields such as { cartId: t.string } or a message, got ${typeof given}`,
  );
  return new CommandSchema(given, undefined, [], false, false);
}

function parseRoute(route: string, options: HttpOptions): HttpRoute {
  const match = /^(GET|PUT|POST|DELETE|PATCH) (\/\S*)$/.exec(route);
  expect(
    match !== null,
    () => `http(${JSON.stringify(route)}): expected a method, one space and a path, such as "POST /carts/{cartId}/items"`,
  );
  const method = (match[1] as string).toLowerCase() as HttpRoute["method"];
  const bodyByDefault = method === "get" || method === "delete" ? "" : "*";
  return { method, path: match[2] as string, body: options.body ?? bodyByDefault, responseBody: options.responseBody ?? "" };
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- inference needs a bound that accepts every command
export type AnyCommand = CommandSchema<any, any, boolean, boolean>;
/** Commands of a service by their names in TypeScript. */
export interface Commands {
  readonly [name: string]: AnyCommand;
}
/** What a command's handler gets. */
export type InputOf<C> = C extends CommandSchema<infer In, unknown, boolean, boolean> ? In : never;
/** What it answers. */
export type ReplyOf<C> = C extends CommandSchema<unknown, infer Out, boolean, boolean> ? Out : never;
