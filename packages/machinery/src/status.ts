/** Failures as the API says them: meta/v1 Status (facts: platform §6.5). Thrown as StatusError by whoever decides, answered by the server. */
import type { FieldProblem, JsonObject } from "@mecha/kinds";

/** `reason` of a Status, with the HTTP code that goes with it. */
export const statusReasons = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  /** The server failed without saying why; the body has no reason. */
  Unknown: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;

export type StatusReason = keyof typeof statusReasons;

/** One of several causes of a failure. */
export interface StatusCause {
  readonly reason: string;
  readonly message: string;
  readonly field?: string;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  /** Plural for NotFound, AlreadyExists and Conflict; the kind for Invalid. */
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** A request failed; `status()` is the body. */
export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly reason: StatusReason;
  /** HTTP status code. */
  readonly code: number;
  readonly details: StatusDetails | undefined;
  /** Told beside the failure, in headers. */
  readonly warnings: string[] = [];
  /** Where a list that cannot be continued as it was may go on nevertheless. */
  continueToken: string | undefined;

  constructor(reason: StatusReason, message: string, details?: StatusDetails) {
    super(message);
    this.reason = reason;
    this.code = statusReasons[reason];
    this.details = details;
  }

  /** The answer's body. */
  status(): JsonObject {
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: this.continueToken === undefined ? {} : { continue: this.continueToken },
      status: "Failure",
      message: this.message,
      ...(this.reason !== "Unknown" && { reason: this.reason }),
      ...(this.details && { details: this.details }),
      code: this.code,
    };
  }
}

/** What a resource is called in messages: `deployments.apps`, `pods`. */
export function qualifiedResource(plural: string, group: string): string {
  return group === "" ? plural : `${plural}.${group}`;
}

export function notFound(plural: string, group: string, name: string): StatusError {
  return new StatusError("NotFound", `${qualifiedResource(plural, group)} "${name}" not found`, {
    name,
    ...(group !== "" && { group }),
    kind: plural,
  });
}

/** No such resource, in a group that is served. */
export function noSuchResource(): StatusError {
  return new StatusError("NotFound", "the server could not find the requested resource", {});
}

export function methodNotAllowed(): StatusError {
  return new StatusError("MethodNotAllowed", "the server does not allow this method on the requested resource", {});
}

/** @param before Put before the sentence. */
export function alreadyExists(plural: string, group: string, name: string, before = ""): StatusError {
  return new StatusError("AlreadyExists", `${before}${qualifiedResource(plural, group)} "${name}" already exists`, {
    name,
    ...(group !== "" && { group }),
    kind: plural,
  });
}

export function conflict(plural: string, group: string, name: string, why = modified): StatusError {
  return new StatusError("Conflict", `Operation cannot be fulfilled on ${qualifiedResource(plural, group)} "${name}": ${why}`, {
    name,
    ...(group !== "" && { group }),
    kind: plural,
  });
}

const modified = "the object has been modified; please apply your changes to the latest version and try again";

/** 422 with every problem: the message lists them as the server does, each once, `[a, b]` when there are several. */
export function invalid(kind: string, group: string, name: string, problems: readonly FieldProblem[]): StatusError {
  const texts = [...new Set(problems.map(({ field, message }) => `${field}: ${message}`))];
  const list = texts.length === 1 ? (texts[0] ?? "") : `[${texts.join(", ")}]`;
  return new StatusError("Invalid", `${qualifiedResource(kind, group)} "${name}" is invalid: ${list}`, {
    ...(name !== "" && { name }),
    ...(group !== "" && { group }),
    ...(kind !== "" && { kind }),
    causes: problems.map(({ type, field, message }) => ({ reason: type, message, field })),
  });
}
