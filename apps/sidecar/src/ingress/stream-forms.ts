/**
 * How the answers of a streaming method look over HTTP. One answer (client-streaming) is JSON as a unary method's is. Several: server-sent events for who accepts them, raw bytes for google.api.HttpBody, else
 * JSON, one object a line. A failure before the first answer has its own HTTP status; a later one is said in the stream's own words:
 *
 * - JSON lines: a last line `{"error":{"code":…,"message":…,"details":[]}}`
 * - server-sent events: `event: failure` with the same object; and `event: end` when all is well, because an EventSource would call again
 * - raw bytes have no words for it: the answer is broken off
 */
import { Fault } from "@mecha/kit";
import {
  type AnswerForm,
  type Chunk,
  faultAnswer,
  faultOfStatus,
  type HttpAnswer,
  type HttpExchange,
  type HttpRoute,
  type Metadata,
  type RawBody,
  type RpcStatus,
  type Strictness,
} from "@mecha/wire";
import type { HttpTarget } from "./table.ts";

/** The form of an answer to this request. */
export function streamForm({ route, method }: HttpTarget, headers: HttpExchange["headers"], strict: Strictness): AnswerForm {
  if (route.rawResponse) return new RawForm(route, route.rawResponse, strict);
  if (!method.streamedOut) return new OneForm(route, strict);
  return acceptsEvents(headers.accept) ? new EventsForm(route, strict) : new LinesForm(route, strict);
}

function acceptsEvents(accept: string | undefined): boolean {
  return accept?.split(",").some((one) => one.split(";", 1)[0]?.trim().toLowerCase() === "text/event-stream") ?? false;
}

abstract class StreamForm implements AnswerForm {
  protected readonly route: HttpRoute;
  protected readonly strict: Strictness;
  protected abstract readonly contentType: string;

  constructor(route: HttpRoute, strict: Strictness) {
    this.route = route;
    this.strict = strict;
  }

  protected abstract said(bytes: Uint8Array): Chunk;
  abstract end(status: RpcStatus): Chunk | undefined;

  /** @throws Fault("internal"): bytes that are no answer are the component's mistake, not the caller's. */
  message(bytes: Uint8Array): Chunk {
    try {
      return this.said(bytes);
    } catch (cause) {
      const { parent, name, output } = this.route.binding.method;
      throw new Fault("internal", `${parent.typeName}.${name} answered bytes that are no ${output.typeName}`, { cause });
    }
  }

  headers(metadata: Metadata): Record<string, string> {
    const headers: Record<string, string> = {};
    for (const [name, value] of metadata.entries)
      if (typeof value === "string") headers[name] = Object.hasOwn(headers, name) ? `${headers[name]}, ${value}` : value;
    return { ...headers, "content-type": this.contentType, "cache-control": "no-store", "x-content-type-options": "nosniff" };
  }

  refusal(status: RpcStatus): HttpAnswer {
    return faultAnswer(faultOfStatus(status), this.strict);
  }
}

/** One answer, held back by the call until it has ended well. */
class OneForm extends StreamForm {
  protected override readonly contentType = "application/json";

  protected override said(bytes: Uint8Array): string {
    return this.route.response(bytes);
  }

  /** Headers may be out when a call fails late; there are no words for it then. */
  override end(status: RpcStatus): string | undefined {
    return status.code === 0 ? "" : undefined;
  }
}

class LinesForm extends StreamForm {
  protected override readonly contentType: string;

  constructor(route: HttpRoute, strict: Strictness) {
    super(route, strict);
    this.contentType = strict ? "application/json" : "application/x-ndjson";
  }

  protected override said(bytes: Uint8Array): string {
    return `${this.route.response(bytes)}\n`;
  }

  override end(status: RpcStatus): string {
    return status.code === 0 ? "" : `{"error":${statusJson(status)}}\n`;
  }
}

class EventsForm extends StreamForm {
  protected override readonly contentType = "text/event-stream";

  /** The JSON has no line breaks: the codec writes none. */
  protected override said(bytes: Uint8Array): string {
    return `data: ${this.route.response(bytes)}\n\n`;
  }

  override end(status: RpcStatus): string {
    return status.code === 0 ? "event: end\ndata: {}\n\n" : `event: failure\ndata: ${statusJson(status)}\n\n`;
  }
}

class RawForm extends StreamForm {
  readonly #read: (message: Uint8Array) => RawBody;
  /** The first message's: the headers are out when the next one comes. */
  #contentType: string | undefined;

  constructor(route: HttpRoute, read: (message: Uint8Array) => RawBody, strict: Strictness) {
    super(route, strict);
    this.#read = read;
  }

  protected override get contentType(): string {
    return this.#contentType ?? "application/octet-stream";
  }

  protected override said(bytes: Uint8Array): Uint8Array {
    const { contentType, data } = this.#read(bytes);
    this.#contentType ??= contentType;
    return data;
  }

  override end(status: RpcStatus): string | undefined {
    return status.code === 0 ? "" : undefined;
  }
}

/** google.rpc.Status, as in refusals. */
function statusJson({ code, message }: RpcStatus): string {
  return JSON.stringify({ code, message, details: [] });
}
