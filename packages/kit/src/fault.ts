/**
 * The one error type. A `Fault` is something the world did (a bad request, a lost connection); a mistake in our own code is an
 * assertion and stops the process.
 */

/**
 * What a caller can do about a failure, on every transport. Closed on purpose: code branches on it. They are the 16 non-OK gRPC
 * codes under shorter names; `http` follows google.rpc.Code's own mapping.
 */
export const faultCodes = {
  cancelled: { grpc: 1, http: 499, retry: "never" },
  unknown: { grpc: 2, http: 500, retry: "never" },
  invalid: { grpc: 3, http: 400, retry: "never" },
  deadline: { grpc: 4, http: 504, retry: "same" },
  notFound: { grpc: 5, http: 404, retry: "never" },
  alreadyExists: { grpc: 6, http: 409, retry: "never" },
  denied: { grpc: 7, http: 403, retry: "never" },
  exhausted: { grpc: 8, http: 429, retry: "same" },
  precondition: { grpc: 9, http: 400, retry: "never" },
  aborted: { grpc: 10, http: 409, retry: "afterRead" }, // somebody else wrote first
  outOfRange: { grpc: 11, http: 400, retry: "never" },
  unimplemented: { grpc: 12, http: 501, retry: "never" },
  internal: { grpc: 13, http: 500, retry: "never" },
  unavailable: { grpc: 14, http: 503, retry: "same" },
  dataLoss: { grpc: 15, http: 500, retry: "never" },
  unauthenticated: { grpc: 16, http: 401, retry: "never" },
} as const satisfies Record<string, { grpc: number; http: number; retry: "never" | "same" | "afterRead" }>;

/** One of the 16 codes. */
export type FaultCode = keyof typeof faultCodes;

/** Details for a log line or an error body. Never secrets. */
export type FaultFacts = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * A failure with a code from the closed list. `message` says what was being done ("read state of cart/42") or what is wrong and how
 * to mend it; it never repeats the cause's text, which `explain` prints.
 */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: FaultCode;
  readonly facts: FaultFacts;

  constructor(code: FaultCode, message: string, more: { cause?: unknown; facts?: FaultFacts } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.facts = more.facts ?? {};
  }

  /** `error` itself when it is a Fault, else a Fault of `code` around it. For borders, where foreign errors enter. */
  static from(error: unknown, message: string, code: FaultCode = "unknown"): Fault {
    return error instanceof Fault ? error : new Fault(code, message, { cause: error });
  }
}

const byGrpc = new Map<number, FaultCode>(Object.entries(faultCodes).map(([code, { grpc }]) => [grpc, code as FaultCode]));

/** The code for a gRPC status number; numbers outside 1..16 are `unknown`, as gRPC asks of clients. */
export function faultCodeOfGrpc(status: number): FaultCode {
  return byGrpc.get(status) ?? "unknown";
}

/** The whole chain of causes on one line: "read state of cart/42: connect 10.0.0.7:5432: ECONNREFUSED". Never throws. */
export function explain(error: unknown): string {
  const parts: string[] = [];
  const seen = new Set<unknown>();
  for (let at: unknown = error; at !== undefined && at !== null && !seen.has(at); at = (at as { cause?: unknown }).cause) {
    seen.add(at);
    parts.push(ownText(at));
  }
  return parts.length > 0 ? parts.join(": ") : String(error);
}

/** What one link of the chain says by itself. */
function ownText(link: unknown): string {
  if (link instanceof AggregateError && link.message === "") {
    // Node's connection errors are aggregates without a message of their own, one error per address tried.
    return [...new Set(link.errors.map(explain))].join("; ") || link.name;
  }
  if (link instanceof Error) return link.message || link.name;
  if (typeof link === "string") return link;
  try {
    return JSON.stringify(link) ?? typeof link;
  } catch {
    return typeof link; // a cycle or a BigInt: nothing to print
  }
}

/** Stops on a mistake in our own code. Not for bad input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
