/** HTTP/JSON requests to commands. */
import { type Clock, explain, Fault, type Log } from "@mecha/kit";
import type { Command, Reply, StateEngine } from "@mecha/state";
import { faultAnswer, type HttpAnswer, type HttpExchange, HttpFault, type HttpHandler, refusalAnswer } from "@mecha/wire";
import { newCaller } from "./caller.ts";
import { faultOf, noAnswer, passesHeaders, replyBytes } from "./grpc.ts";
import { admit, preflight } from "./guard.ts";
import { commandId, headersOfReply, metadataOfHeaders, traceOf } from "./headers.ts";
import type { ResolvedOptions } from "./options.ts";
import { type HttpTarget, type IngressTable, nameOf } from "./table.ts";

/** What answering a request takes. */
export interface HttpDeps {
  readonly engine: StateEngine;
  readonly clock: Clock;
  readonly log: Log;
  readonly options: ResolvedOptions;
  /** The table of the moment: a request keeps the one it began with. */
  table(): IngressTable;
}

/** The handler of everything that is not gRPC. */
export function httpHandler(deps: HttpDeps): HttpHandler {
  return async (exchange) => {
    const probe = probeAnswer(exchange.headers["k-network-probe"]);
    if (probe) {
      send(exchange, probe, {});
      return;
    }
    let admitted: Readonly<Record<string, string>> = {};
    try {
      admitted = admit(exchange.headers, deps.options);
      const early = preflight(exchange.method, exchange.headers, admitted);
      if (early) send(exchange, early, {});
      else await dispatch(exchange, deps, admitted);
    } catch (problem) {
      refuse(exchange, problem, deps, admitted);
    }
  };
}

/** Knative's probes ask for `queue`. */
function probeAnswer(probe: string | undefined): HttpAnswer | undefined {
  if (probe === undefined) return undefined;
  const headers = { "content-type": "text/plain; charset=UTF-8" };
  if (probe === "queue") return { status: 200, headers, body: "queue" };
  return { status: 400, headers, body: `unexpected probe header value: ${JSON.stringify(probe.slice(0, 100))}` };
}

async function dispatch(exchange: HttpExchange, deps: HttpDeps, admitted: Readonly<Record<string, string>>): Promise<void> {
  const match = deps.table().http.match(exchange.method, exchange.path);
  if (match.is === "none") throw new Fault("notFound", `no route for ${exchange.method} ${shortened(exchange.path)}`);
  if (match.is === "otherMethod") {
    const allow = match.allow.join(", ");
    throw new HttpFault(405, new Fault("unimplemented", `${shortened(exchange.path)} takes ${allow}, not ${exchange.method}`), { allow });
  }
  const target = match.value;
  if (target.method.streamedIn || target.method.streamedOut) {
    throw new Fault("unimplemented", `${nameOf(target)} is streamed, which is not served over HTTP/JSON yet; call it over gRPC`);
  }
  const body = await readBody(exchange, target, deps.options);
  const message = target.route.request(match.segments, exchange.query, body);
  await run(exchange, target, commandOf(exchange, target, message, deps.options), deps, admitted);
}

const noBody = new Uint8Array(0);

async function readBody(exchange: HttpExchange, { route }: HttpTarget, options: ResolvedOptions): Promise<Uint8Array> {
  if (route.takesBody) checkContentType(exchange.headers, options);
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
function run(
  exchange: HttpExchange,
  target: HttpTarget,
  command: Command,
  deps: HttpDeps,
  admitted: Readonly<Record<string, string>>,
): Promise<void> {
  const caller = newCaller(deps.clock.monotonic() + deps.options.requestTimeoutMs, traceOf(exchange.headers.traceparent));
  exchange.onClose(() => {
    caller.leave();
  });
  return new Promise((resolve) => {
    deps.engine.call(target.component.service, command, caller.context, (fault, reply) => {
      const answer = fault || !reply ? faultAnswer(faultOf(fault), deps.options.strict) : answerOf(target, reply, deps);
      send(exchange, answer, admitted);
      resolve();
    });
  });
}

function answerOf(target: HttpTarget, reply: Reply, { log, options }: HttpDeps): HttpAnswer {
  const bytes = replyBytes(target, reply);
  if (!bytes) return faultAnswer(noAnswer(target), options.strict);
  try {
    const headers = { ...headersOfReply(reply.metadata), "content-type": "application/json" };
    return { status: 200, headers, body: target.route.response(bytes) };
  } catch (problem) {
    // The component's mistake, not the caller's: its bytes are not what its method declares.
    log.error("reply is no message of its type", { method: nameOf(target), type: target.method.outputTypeUrl, error: explain(problem) });
    return faultAnswer(
      new Fault("internal", `${nameOf(target)} answered bytes that are no ${target.route.binding.method.output.typeName}`),
      options.strict,
    );
  }
}

function refuse(exchange: HttpExchange, problem: unknown, { log, options }: HttpDeps, admitted: Readonly<Record<string, string>>): void {
  if (problem instanceof Fault) {
    send(exchange, refusalAnswer(problem, options.strict), admitted);
    return;
  }
  log.error("request failed inside the ingress", { method: exchange.method, path: exchange.path, error: explain(problem) });
  send(exchange, refusalAnswer(new Fault("internal", "the request failed inside the sidecar"), options.strict), admitted);
}

function send(exchange: HttpExchange, { status, headers, body }: HttpAnswer, more: Readonly<Record<string, string>>): void {
  exchange.respond(status, { ...headers, ...more }, body);
}

function shortened(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}
