/** gRPC-Web requests to the handlers gRPC has. Unary and server-streaming, as the protocol allows; over HTTP/1.1 and h2 alike. */
import { type Clock, Fault } from "@mecha/kit";
import { endExchangeCall, type ExchangeCallSpec, runExchangeCall } from "../exchange-call/index.ts";
import { metadataOf } from "../grpc/headers.ts";
import { statusOfFault } from "../grpc/status.ts";
import { parseTimeout } from "../grpc/timeout.ts";
import type { HttpExchange } from "../http.ts";
import type { CallRouter } from "../rpc.ts";
import { webBodyMaxBytes, webEncodingOf, WebForm, webMessages } from "./form.ts";

export interface WebOptions {
  readonly clock: Clock;
  /** Largest request message, bytes. */
  readonly messageMaxBytes: number;
  /** Hears what a handler threw that is no Fault. */
  readonly onError: (error: unknown, path: string) => void;
}

/** Whether a request is gRPC-Web: a POST whose content type says so. */
export function isGrpcWeb({ method, headers }: Pick<HttpExchange, "method" | "headers">): boolean {
  return method === "POST" && webEncodingOf(headers["content-type"]) !== undefined;
}

/** Headers of an answer a web page must be allowed to read (`access-control-expose-headers`), besides the metadata. */
export const webStatusHeaders = ["grpc-status", "grpc-message", "grpc-status-details-bin"] as const;

/** Answers a request for which `isGrpcWeb` holds. Resolves when the handler has its messages, or the refusal is out. */
export async function serveGrpcWeb(exchange: HttpExchange, router: CallRouter, options: WebOptions): Promise<void> {
  const { clock, messageMaxBytes, onError } = options;
  const { path, headers } = exchange;
  const encoding = webEncodingOf(headers["content-type"]);
  if (!encoding) throw new Fault("invalid", "the content type is not gRPC-Web");
  const timeout = headers["grpc-timeout"];
  const timeoutMs = timeout === undefined ? undefined : parseTimeout(timeout);
  const spec: ExchangeCallSpec = {
    path,
    metadata: metadataOf(rawHeaders(headers)),
    deadlineMs: timeoutMs === undefined ? undefined : clock.monotonic() + timeoutMs,
    form: new WebForm(encoding),
    clock,
    onError: (error) => onError(error, path),
  };
  const refuse = (fault: Fault): void => endExchangeCall(exchange, spec, statusOfFault(fault));
  if (timeout !== undefined && timeoutMs === undefined) {
    refuse(new Fault("internal", "grpc-timeout: expected up to eight digits and one of H M S m u n"));
    return;
  }
  const handler = router(path);
  if (!handler) {
    refuse(new Fault("unimplemented", `unknown method ${path}`));
    return;
  }
  try {
    const body = await exchange.body(webBodyMaxBytes(encoding, messageMaxBytes));
    runExchangeCall(exchange, spec, handler, webMessages(encoding, body, messageMaxBytes));
  } catch (problem) {
    if (!(problem instanceof Fault)) throw problem;
    refuse(problem.code === "outOfRange" ? new Fault("exhausted", `the message is larger than ${messageMaxBytes} bytes`) : problem);
  }
}

/** Headers of fetch and XMLHttpRequest that say nothing to a method. */
const browserHeaders = /^(accept|accept-encoding|accept-language|origin|referer|sec-.*|x-grpc-web|x-user-agent|cache-control|pragma)$/;

function rawHeaders(headers: HttpExchange["headers"]): string[] {
  const raw: string[] = [];
  for (const [name, value] of Object.entries(headers)) if (value !== undefined && !browserHeaders.test(name)) raw.push(name, value);
  return raw;
}
