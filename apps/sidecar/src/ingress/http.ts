/** HTTP requests to commands: JSON and raw bodies by google.api.http, gRPC-Web by its content type. */
import { type Clock, explain, Fault, type Log } from "@mecha/kit";
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
  refusalAnswer,
  runExchangeCall,
  serveGrpcWeb,
} from "@mecha/wire";
import { newCaller } from "./caller.ts";
import { faultOf, noAnswer, passesHeaders, replyBytes } from "./grpc.ts";
import { admit, admittedExchange, preflight } from "./guard.ts";
import { commandId, headersOfReply, metadataOfHeaders, traceOf } from "./headers.ts";
import type { ResolvedOptions } from "./options.ts";
import { streamForm } from "./stream-forms.ts";
import { type HttpTarget, type IngressTable, nameOf } from "./table.ts";

/** What answering a request takes. */
export interface HttpDeps {
  readonly engine: StateEngine;
  readonly clock: Clock;
  readonly log: Log;
  readonly options: ResolvedOptions;
  /** What gRPC callers reach: gRPC-Web and streamed answers take the same handlers. */
  readonly grpc: CallRouter;
  /** The table of the moment: a request keeps the one it began with. */
  table(): IngressTable;
}

/** The handler of everything that is not gRPC over HTTP/2. */
export function httpHandler(deps: HttpDeps): HttpHandler {
  return async (arrived) => {
    const probe = probeAnswer(arrived.headers["k-network-probe"]);
    if (probe) {
      send(arrived, probe);
      return;
    }
    let exchange = arrived;
    try {
      const admitted = admit(arrived.headers, deps.options);
      const early = preflight(arrived.method, arrived.headers, admitted);
      if (early) {
        send(arrived, early);
        return;
      }
      exchange = admittedExchange(arrived, admitted);
      if (isGrpcWeb(exchange)) await serveGrpcWeb(exchange, deps.grpc, webOptions(deps));
      else await dispatch(exchange, deps);
    } catch (problem) {
      refuse(exchange, problem, deps);
    }
  };
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

async function dispatch(exchange: HttpExchange, deps: HttpDeps): Promise<void> {
  const match = deps.table().http.match(exchange.method, exchange.path);
  if (match.is === "none") throw new Fault("notFound", `no route for ${exchange.method} ${shortened(exchange.path)}`);
  if (match.is === "otherMethod") {
    const allow = match.allow.join(", ");
    throw new HttpFault(405, new Fault("unimplemented", `${shortened(exchange.path)} takes ${allow}, not ${exchange.method}`), { allow });
  }
  const target = match.value;
  if (target.method.streamedIn) {
    throw new Fault("unimplemented", `${nameOf(target)} takes a stream of messages, which HTTP/JSON cannot bring; call it over gRPC`);
  }
  const body = await readBody(exchange, target, deps.options);
  const message = target.route.request(match.segments, exchange.query, body, exchange.headers["content-type"]);
  if (target.method.streamedOut) stream(exchange, target, message, deps);
  else await run(exchange, target, commandOf(exchange, target, message, deps.options), deps);
}

/** A server-streaming method: its gRPC handler, with the answers in HTTP's forms. No deadline: a stream may stay open. */
function stream(exchange: HttpExchange, target: HttpTarget, message: Uint8Array, deps: HttpDeps): void {
  const path = `/${target.component.service}/${target.method.name}`;
  const handler = deps.grpc(path);
  if (!handler) throw new Fault("unavailable", `${nameOf(target)} is not served any more; try again`);
  let rest: Uint8Array | undefined = message;
  const next = (): Uint8Array | undefined => {
    const given = rest;
    rest = undefined;
    return given;
  };
  const spec = {
    path,
    metadata: new Metadata(metadataOfHeaders(exchange.headers)),
    deadlineMs: undefined,
    form: streamForm(target.route, exchange.headers, deps.options.strict),
    clock: deps.clock,
    onError: (error: unknown) => {
      deps.log.error("call handler failed", { path, error: explain(error) });
    },
  };
  runExchangeCall(exchange, spec, handler, next);
}

const noBody = new Uint8Array(0);

async function readBody(exchange: HttpExchange, { route }: HttpTarget, options: ResolvedOptions): Promise<Uint8Array> {
  if (route.takesBody && !route.takesRawBody) checkContentType(exchange.headers, options);
  else if (hasNoBody(exchange)) return noBody;
  try {
    return await exchange.body(options.bodyMaxBytes);
  } catch (problem) {
    if (!(problem instanceof Fault) || problem.code !== "outOfRange") throw problem;
    throw new HttpFault(413, new Fault("outOfRange", `the body is larger than ${options.bodyMaxBytes} bytes`, { cause: problem }));
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

/** Runs the command; resolves when it has been answered. */
function run(exchange: HttpExchange, target: HttpTarget, command: Command, deps: HttpDeps): Promise<void> {
  const caller = newCaller(deps.clock.monotonic() + deps.options.requestTimeoutMs, traceOf(exchange.headers.traceparent));
  exchange.onClose(() => {
    caller.leave();
  });
  return new Promise((resolve) => {
    deps.engine.call(target.component.service, command, caller.context, (fault, reply) => {
      send(exchange, fault || !reply ? faultAnswer(faultOf(fault), deps.options.strict) : answerOf(target, reply, deps));
      resolve();
    });
  });
}

function answerOf(target: HttpTarget, reply: Reply, { log, options }: HttpDeps): HttpAnswer {
  const bytes = replyBytes(target, reply);
  if (!bytes) return faultAnswer(noAnswer(target), options.strict);
  try {
    const { contentType, body } = bodyOf(target, bytes);
    return { status: 200, headers: { ...headersOfReply(reply.metadata), "content-type": contentType }, body };
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

function refuse(exchange: HttpExchange, problem: unknown, { log, options }: HttpDeps): void {
  if (problem instanceof Fault) {
    send(exchange, refusalAnswer(problem, options.strict));
    return;
  }
  log.error("request failed inside the ingress", { method: exchange.method, path: exchange.path, error: explain(problem) });
  send(exchange, refusalAnswer(new Fault("internal", "the request failed inside the sidecar"), options.strict));
}

function send(exchange: HttpExchange, { status, headers, body }: HttpAnswer): void {
  exchange.respond(status, headers, body);
}

function shortened(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}
