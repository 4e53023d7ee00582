/** HTTP requests to commands: JSON and raw bodies by google.api.http, gRPC-Web by its content type. */
import { type Clock, explain, Fault, faultCodes, type Log, type Span, type Tracer } from "@mecha/kit";
import type { Command, Reply, StateEngine } from "@mecha/state";
import {
  type CallRouter,
  faultAnswer,
  type HttpAnswer,
  type HttpExchange,
  HttpFault,
  type HttpHandler,
  isGrpcWeb,
  Metadata,
  type NextMessage,
  refusalAnswer,
  runExchangeCall,
  serveGrpcWeb,
} from "@mecha/wire";
import { newCaller } from "./caller.ts";
import { faultOf, noAnswer, passesHeaders, replyBytes } from "./grpc.ts";
import { admit, admittedExchange, preflight } from "./guard.ts";
import { commandId, headersOfReply, metadataOfHeaders, traceOf } from "./headers.ts";
import type { IngressMeters } from "./meters.ts";
import type { ResolvedOptions } from "./options.ts";
import { isTopicPath, type Publish, publishFrom } from "./publish.ts";
import { checkLinesType, isByLines, messagesOfLines } from "./request-lines.ts";
import { streamForm } from "./stream-forms.ts";
import { type HttpTarget, type IngressTable, nameOf } from "./table.ts";
import { exchangeUnder, requestSpan } from "./tracing.ts";

/** What answering a request takes. */
export interface HttpDeps {
  readonly engine: StateEngine;
  readonly clock: Clock;
  readonly log: Log;
  readonly options: ResolvedOptions;
  readonly meters: IngressMeters;
  readonly tracer: Tracer | undefined;
  /** The handlers gRPC callers reach too: for gRPC-Web. */
  readonly web: CallRouter;
  /** The same for server-streaming methods over HTTP. */
  readonly streams: CallRouter;
  /** Where events for topics go; absent: there are no topics. */
  readonly publish: Publish | undefined;
  /** The table of the moment: a request keeps the one it began with. */
  table(): IngressTable;
}

/** The handler of everything that is not gRPC over HTTP/2. No promise is made for a request whose body came with its head, as most do. */
export function httpHandler(deps: HttpDeps): HttpHandler {
  return (arrived) => {
    const probe = probeAnswer(arrived.headers["k-network-probe"]);
    if (probe) {
      send(arrived, probe);
      return undefined;
    }
    let exchange = arrived;
    const refused = (problem: unknown): void => {
      refuse(exchange, problem, deps);
    };
    try {
      const admitted = admit(arrived.headers, deps.options);
      const early = preflight(arrived.method, arrived.headers, admitted);
      if (early) {
        send(arrived, early);
        return undefined;
      }
      exchange = admittedExchange(arrived, admitted);
      const waiting = isTopicPath(exchange.path)
        ? toTopic(exchange, deps)
        : isGrpcWeb(exchange)
          ? serveGrpcWeb(exchange, deps.web, webOptions(deps))
          : dispatch(exchange, deps);
      return waiting?.catch(refused);
    } catch (problem) {
      refused(problem);
      return undefined;
    }
  };
}

function toTopic(exchange: HttpExchange, { publish, options, meters, tracer }: HttpDeps): Promise<void> {
  if (publish === undefined) throw new Fault("notFound", "there are no topics here");
  const read = (from: HttpExchange): Promise<Uint8Array> => readBody(from, options);
  return publishFrom(exchange, { open: options.topics, publish, meters, tracer, readBody: read });
}

function webOptions({ clock, log, options }: HttpDeps): Parameters<typeof serveGrpcWeb>[2] {
  const onError = (error: unknown, path: string): void => {
    log.error("call handler failed", { path, error: explain(error) });
  };
  return { clock, messageMaxBytes: options.bodyMaxBytes, onError };
}

/** Knative's probes ask for `queue`. */
function probeAnswer(probe: string | undefined): HttpAnswer | undefined {
  if (probe === undefined) return undefined;
  const headers = { "content-type": "text/plain; charset=UTF-8" };
  if (probe === "queue") return { status: 200, headers, body: "queue" };
  return { status: 400, headers, body: `unexpected probe header value: ${JSON.stringify(probe.slice(0, 100))}` };
}

/** @returns A promise only if the body has to be waited for. @throws what is to be told to the caller. */
function dispatch(exchange: HttpExchange, deps: HttpDeps): Promise<void> | undefined {
  const match = deps.table().http.match(exchange.method, exchange.path);
  if (match.is === "none") throw new Fault("notFound", `no route for ${exchange.method} ${shortened(exchange.path)}`);
  if (match.is === "otherMethod") {
    const allow = match.allow.join(", ");
    throw new HttpFault(405, new Fault("unimplemented", `${shortened(exchange.path)} takes ${allow}, not ${exchange.method}`), { allow });
  }
  const target = match.value;
  const { streamedIn, streamedOut } = target.method;
  if (streamedIn && deps.options.strict) {
    throw new Fault("unimplemented", `${nameOf(target)} takes a stream of messages, which HTTP/JSON cannot bring; call it over gRPC`);
  }
  const request = (body: Uint8Array): Uint8Array =>
    target.route.request(match.segments, exchange.query, body, exchange.headers["content-type"]);
  const go = (body: Uint8Array): void => {
    if (streamedIn && isByLines(target.route)) stream(exchange, target, messagesOfLines(body, request), deps);
    else if (streamedIn || streamedOut) stream(exchange, target, oneMessage(request(body)), deps);
    else call(exchange, target, request(body), deps);
  };
  const body = bodyNow(exchange, target, deps.options);
  if (!body) return readBody(exchange, deps.options).then(go);
  go(body);
  return undefined;
}

/** The request of a method that takes one message. */
function oneMessage(message: Uint8Array): NextMessage {
  let rest: Uint8Array | undefined = message;
  return () => {
    const given = rest;
    rest = undefined;
    return given;
  };
}

/** A method that streams at least one way: its gRPC handler, with the answers in HTTP's forms. No deadline: a stream may stay open. */
function stream(exchange: HttpExchange, target: HttpTarget, next: NextMessage, deps: HttpDeps): void {
  const path = `/${target.component.service}/${target.method.name}`;
  const handler = deps.streams(path);
  if (!handler) throw new Fault("unavailable", `${nameOf(target)} is not served any more; try again`);
  const spec = {
    path,
    metadata: new Metadata(metadataOfHeaders(exchange.headers)),
    deadlineMs: undefined,
    form: streamForm(target, exchange.headers, deps.options.strict),
    clock: deps.clock,
    onError: (error: unknown) => {
      deps.log.error("call handler failed", { path, error: explain(error) });
    },
  };
  runExchangeCall(exchange, spec, handler, next);
}

const noBody = new Uint8Array(0);

/** The body, if there is none to wait for. @throws HttpFault when it is not of a type we take. */
function bodyNow(exchange: HttpExchange, { route, method }: HttpTarget, options: ResolvedOptions): Uint8Array | undefined {
  if (method.streamedIn && isByLines(route)) checkLinesType(exchange.headers);
  else if (route.takesBody && !route.takesRawBody) checkContentType(exchange.headers, options);
  else if (hasNoBody(exchange)) return noBody;
  return exchange.bodyNow?.(options.bodyMaxBytes);
}

async function readBody(exchange: HttpExchange, { bodyMaxBytes }: ResolvedOptions): Promise<Uint8Array> {
  try {
    return await exchange.body(bodyMaxBytes);
  } catch (problem) {
    if (!(problem instanceof Fault) || problem.code !== "outOfRange") throw problem;
    throw new HttpFault(413, new Fault("outOfRange", `the body is larger than ${bodyMaxBytes} bytes`, { cause: problem }));
  }
}

/** Spares GET requests the wait for a body that does not come. */
function hasNoBody({ method, headers }: HttpExchange): boolean {
  return (
    (method === "GET" || method === "DELETE") && (headers["content-length"] ?? "0") === "0" && headers["transfer-encoding"] === undefined
  );
}

const jsonType = /^application\/json[ \t]*(;[ \t]*charset="?utf-8"?[ \t]*)?$/i;

/** A body must say that it is JSON: other types are what web forms can send without asking. An empty one (`curl -X POST`) need not. */
function checkContentType(headers: HttpExchange["headers"], { strict }: ResolvedOptions): void {
  const type = headers["content-type"];
  if (
    strict
      ? type === "application/json"
      : type === undefined
        ? headers["content-length"] === "0" || hasNoLength(headers)
        : jsonType.test(type)
  ) {
    return;
  }
  const got = type === undefined ? "none is given" : `it is ${JSON.stringify(type.slice(0, 100))}`;
  throw new HttpFault(415, new Fault("invalid", `the content-type must be application/json; ${got}`));
}

/** Neither a length nor chunks: HTTP/1.1 requests without a body. */
function hasNoLength(headers: HttpExchange["headers"]): boolean {
  return headers["content-length"] === undefined && headers["transfer-encoding"] === undefined;
}

function commandOf(exchange: HttpExchange, target: HttpTarget, value: Uint8Array, options: ResolvedOptions): Command {
  const { method } = target;
  const id = commandId(exchange.headers["idempotency-key"]);
  return {
    name: method.name,
    payload: { typeUrl: method.inputTypeUrl, value },
    ...(passesHeaders(target, options) && { metadata: metadataOfHeaders(exchange.headers) }),
    ...(id !== undefined && { id }),
  };
}

/** A unary method. */
function call(exchange: HttpExchange, target: HttpTarget, message: Uint8Array, deps: HttpDeps): void {
  const { tracer, options } = deps;
  if (tracer === undefined) {
    run(exchange, target, commandOf(exchange, target, message, options), deps, undefined);
    return;
  }
  const command = (seen: HttpExchange): Command => commandOf(seen, target, message, options);
  command(exchange); // what is refused is not traced
  const span = requestSpan(tracer, target, "http", exchange.headers.traceparent);
  const under = exchangeUnder(span, exchange);
  run(under, target, command(under), deps, span);
}

/** Runs the command and answers with what comes of it. */
function run(exchange: HttpExchange, target: HttpTarget, command: Command, deps: HttpDeps, span: Span | undefined): void {
  const caller = newCaller(deps.clock.monotonic() + deps.options.requestTimeoutMs, traceOf(exchange.headers.traceparent));
  exchange.onClose(() => {
    caller.leave();
  });
  const meter = deps.meters.http(target);
  const startMs = meter.start();
  deps.engine.call(target.component.service, command, caller.context, (fault, reply) => {
    span?.end(fault && faultOf(fault));
    meter.ended(fault ? faultCodes[faultOf(fault).code].grpc : 0, startMs);
    send(exchange, fault || !reply ? faultAnswer(faultOf(fault), deps.options.strict) : answerOf(target, reply, deps));
  });
}

function answerOf(target: HttpTarget, reply: Reply, { log, options }: HttpDeps): HttpAnswer {
  const bytes = replyBytes(target, reply);
  if (!bytes) return faultAnswer(noAnswer(target), options.strict);
  try {
    const { contentType, body } = bodyOf(target, bytes);
    const headers = reply.metadata?.length ? headersOfReply(reply.metadata) : {};
    headers["content-type"] = contentType;
    return { status: 200, headers, body };
  } catch (problem) {
    // The component's mistake, not the caller's: its bytes are not what its method declares.
    log.error("reply is no message of its type", { method: nameOf(target), type: target.method.outputTypeUrl, error: explain(problem) });
    return faultAnswer(
      new Fault("internal", `${nameOf(target)} answered bytes that are no ${target.route.binding.method.output.typeName}`),
      options.strict,
    );
  }
}

function bodyOf({ route }: HttpTarget, message: Uint8Array): { readonly contentType: string; readonly body: string | Uint8Array } {
  if (!route.rawResponse) return { contentType: "application/json", body: route.response(message) };
  const { contentType, data } = route.rawResponse(message);
  return { contentType, body: data };
}

function refuse(exchange: HttpExchange, problem: unknown, { log, meters, options }: HttpDeps): void {
  if (problem instanceof Fault) {
    const answer = refusalAnswer(problem, options.strict);
    meters.refused(answer.status);
    send(exchange, answer);
    return;
  }
  meters.refused(500);
  log.error("request failed inside the ingress", { method: exchange.method, path: exchange.path, error: explain(problem) });
  send(exchange, refusalAnswer(new Fault("internal", "the request failed inside the sidecar"), options.strict));
}

function send(exchange: HttpExchange, { status, headers, body }: HttpAnswer): void {
  exchange.respond(status, headers, body);
}

function shortened(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}
