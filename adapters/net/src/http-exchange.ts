/** Plain HTTP requests over node:http and over HTTP/2 streams, as the one `HttpExchange` handlers see. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { constants } from "node:http2";
import type { Readable, Writable } from "node:stream";
import { explain, Fault, type Log } from "@mecha/kit";
import type { HttpBody, HttpExchange, HttpHandler } from "@mecha/wire";
import { originForm } from "./http-target.ts";

type Headers = Readonly<Record<string, string>>;

/** Runs the handler; what it throws is logged here, once, and answered with 500 without detail. */
export function serveHttp(handler: HttpHandler, exchange: BaseExchange, log: Log): void {
  Promise.try(handler, exchange).catch((error: unknown) => {
    log.error("request handler failed", { method: exchange.method, path: exchange.path, peer: exchange.peer, error: explain(error) });
    exchange.fail();
  });
}

abstract class BaseExchange implements HttpExchange {
  abstract readonly method: string;
  abstract readonly headers: Readonly<Record<string, string | undefined>>;
  readonly path: string;
  readonly query: string;
  readonly peer: string;
  protected readonly input: Readable;
  protected answered = false;
  /** The body was larger than asked for: what remains of it is not wanted. */
  protected refusedBody = false;
  #closed: (() => void) | undefined;
  #gone = false;

  constructor(target: string, peer: string, input: Readable) {
    const question = target.indexOf("?");
    this.path = question < 0 ? target : target.slice(0, question);
    this.query = question < 0 ? "" : target.slice(question + 1);
    this.peer = peer;
    this.input = input;
  }

  protected abstract begin(status: number, headers: Headers): Writable;
  protected abstract finish(output: Writable, body: Uint8Array | string): void;
  /** Breaks off an answer that has begun. */
  protected abstract breakOff(): void;

  async body(maxBytes: number): Promise<Uint8Array> {
    try {
      return await readBody(this.input, this.headers["content-length"], maxBytes);
    } catch (error) {
      this.refusedBody = error instanceof Fault && error.code === "outOfRange";
      throw error;
    }
  }

  respond(status: number, headers: Headers, body: Uint8Array | string = ""): void {
    if (this.answered || this.#gone) return;
    this.answered = true;
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    const bodiless = status === 204 || status === 304;
    this.finish(this.begin(status, bodiless ? headers : { ...headers, "content-length": String(bytes.length) }), bodiless ? "" : bytes);
  }

  stream(status: number, headers: Headers): HttpBody {
    if (this.answered || this.#gone) return goneBody;
    this.answered = true;
    const output = this.begin(status, headers);
    return {
      write: (chunk) => output.destroyed || output.write(chunk),
      onDrain: (drained) => void output.on("drain", drained),
      end: () => {
        if (!output.destroyed) this.finish(output, "");
      },
      abort: () => {
        if (!output.destroyed) this.breakOff();
      },
    };
  }

  fail(): void {
    if (this.answered) this.breakOff();
    else this.respond(500, { "content-type": "application/json" }, '{"code":13,"message":"internal error","details":[]}');
  }

  onClose(closed: () => void): void {
    this.#closed = closed;
    if (this.#gone) process.nextTick(closed);
  }

  /** The client went away before the whole answer was handed over. */
  protected clientGone(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#closed?.();
  }
}

export type { BaseExchange };

const goneBody: HttpBody = { write: () => true, onDrain: () => undefined, end: () => undefined, abort: () => undefined };

/** One request of an HTTP/1.1 connection that node:http serves. */
export class NodeHttp1Exchange extends BaseExchange {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #closing: () => boolean;

  /** `closing`: whether the listener drains, so that the connection ends with this answer. */
  constructor(request: IncomingMessage, response: ServerResponse, peer: string, closing: () => boolean) {
    super(originForm(request.url ?? "/"), peer, request);
    this.method = request.method ?? "";
    this.headers = request.headers as Record<string, string | undefined>;
    this.#request = request;
    this.#response = response;
    this.#closing = closing;
    response.on("close", () => {
      if (!response.writableFinished) this.clientGone();
    });
    response.on("error", ignored);
  }

  protected override begin(status: number, headers: Headers): Writable {
    const response = this.#response;
    if (this.refusedBody || this.#closing()) response.shouldKeepAlive = false;
    response.writeHead(status, headers);
    return response;
  }

  protected override finish(output: Writable, body: Uint8Array | string): void {
    if (body.length > 0) output.end(body);
    else output.end();
    this.#request.resume();
  }

  protected override breakOff(): void {
    this.#response.destroy();
  }
}

/** One request stream of an HTTP/2 connection. */
export class Http2Exchange extends BaseExchange {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly #stream: ServerHttp2Stream;
  #wholeAnswer = false;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, peer: string) {
    super(originForm(headers[":path"] ?? "/"), peer, stream);
    this.method = headers[":method"] ?? "";
    this.headers = plainHeaders(headers);
    this.#stream = stream;
    stream.on("error", ignored);
    stream.on("close", () => {
      // A connection that is lost finishes the writable side too.
      if (!this.#wholeAnswer || !stream.writableFinished) this.clientGone();
    });
  }

  protected override begin(status: number, headers: Headers): Writable {
    if (this.#stream.destroyed || this.#stream.closed) return this.#stream;
    const fields: Record<string, string | number> = { ":status": status };
    for (const [name, value] of Object.entries(headers)) {
      const lower = name.toLowerCase();
      if (!connectionHeaders.has(lower)) fields[lower] = value;
    }
    this.#stream.respond(fields);
    return this.#stream;
  }

  protected override finish(output: Writable, body: Uint8Array | string): void {
    const stream = this.#stream;
    if (stream.destroyed) return;
    this.#wholeAnswer = true;
    if (this.method === "HEAD" || body.length === 0) output.end();
    else output.end(body);
    if (!stream.readableEnded) discardRest(stream);
  }

  protected override breakOff(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }
}

/** What a client may still send after its answer, before it is told to stop: enough for most uploads to end by themselves. */
const discardMaxBytes = 16 * 1024 * 1024;
const discardMaxMs = 5_000;

/**
 * Takes the rest of a request whose answer is given. The client may be told to stop at once (RST_STREAM with NO_ERROR, RFC 9113 §8.1), but
 * curl 7.88 was seen to throw the answer away then; so it may go on for a while.
 */
function discardRest(stream: ServerHttp2Stream): void {
  let bytes = 0;
  const stop = (): void => {
    if (!stream.destroyed && !stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
  };
  const timer = setTimeout(stop, discardMaxMs).unref();
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > discardMaxBytes) stop();
  });
  stream.once("close", () => clearTimeout(timer));
  stream.resume();
}

/** HTTP/1.1 headers that may not occur on HTTP/2 (RFC 9113 §8.2.2). */
const connectionHeaders = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);

function plainHeaders(headers: IncomingHttpHeaders): Record<string, string | undefined> {
  const plain: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.charCodeAt(0) !== 0x3a) plain[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  plain["host"] ??= headers[":authority"];
  return plain;
}

/** Reads a whole body. @see HttpExchange.body */
function readBody(input: Readable, declared: string | undefined, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = (): Fault => new Fault("outOfRange", `the body is larger than the ${maxBytes} bytes allowed`);
  if (declared !== undefined && Number(declared) > maxBytes) return Promise.reject(tooLarge());
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    const settle = (): void => {
      input.off("data", onData);
      input.off("end", onEnd);
      input.off("close", onClose);
    };
    const onData = (chunk: Uint8Array): void => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes <= maxBytes) return;
      settle();
      input.pause();
      reject(tooLarge());
    };
    const onEnd = (): void => {
      settle();
      resolve(chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks, bytes));
    };
    const onClose = (): void => {
      settle();
      reject(new Fault("cancelled", "the client went away before its request was whole"));
    };
    input.on("data", onData);
    input.on("end", onEnd);
    input.on("close", onClose);
    if (input.readableEnded) onEnd();
    else if (input.destroyed) onClose();
  });
}

function ignored(): void {
  // `close` follows, and says what is to be said.
}
