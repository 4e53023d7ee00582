/** Failures of requests over HTTP: which status, which body. */
import { explain, Fault, faultCodes } from "@mecha/kit";

/** Compatible texts of Cloudstate 0.2's proxy instead of ours. */
export type Strictness = "cloudstate-0.2" | undefined;

/** A complete answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** A Fault whose HTTP status is not the one of its code (405, 413, 415), or that needs headers. */
export class HttpFault extends Fault {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, fault: Fault, headers: Readonly<Record<string, string>> = {}) {
    super(fault.code, fault.message, { cause: fault.cause, facts: fault.facts });
    this.status = status;
    this.headers = headers;
  }
}

/** The status a Fault has over HTTP. */
export function httpStatusOf(fault: Fault): number {
  return fault instanceof HttpFault ? fault.status : faultCodes[fault.code].http;
}

/**
 * A Fault as an HTTP answer: google.rpc.Status as JSON, with the status its code maps to. Causes are for the log, not for the caller.
 *
 * @param strict The reference proxy's texts: a failure of the user's code, and whatever else a call ended with, is 500 with the bare
 *   description as text.
 */
export function faultAnswer(fault: Fault, strict?: Strictness): HttpAnswer {
  const headers = fault instanceof HttpFault ? fault.headers : {};
  if (strict) return { status: 500, headers: { ...headers, "content-type": "text/plain; charset=UTF-8" }, body: fault.message };
  return {
    status: httpStatusOf(fault),
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify({ code: faultCodes[fault.code].grpc, message: fault.message, details: [] }),
  };
}

/** Reason phrases the reference proxy answers with, by status. */
const reasons: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  413: "Payload Too Large",
  501: "Not Implemented",
};

/**
 * A request that was refused before it reached a component. Strict: the bare reason, and 400 for the wrong content type, as the
 * reference proxy has it.
 */
export function refusalAnswer(fault: Fault, strict?: Strictness): HttpAnswer {
  if (!strict) return faultAnswer(fault);
  const own = httpStatusOf(fault);
  const status = own === 415 ? 400 : own;
  const headers = fault instanceof HttpFault ? fault.headers : {};
  return { status, headers: { ...headers, "content-type": "text/plain; charset=UTF-8" }, body: reasons[status] ?? explain(fault) };
}
