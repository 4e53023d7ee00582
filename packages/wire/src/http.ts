/** Plain HTTP as its handlers see it: the same for HTTP/1.1 and h2, transport unseen. */

/** One request with its answer still to be given. Exactly one of `respond` and `stream` is called, once. */
export interface HttpExchange {
  readonly method: string;
  /** Path as sent, percent-encoded, without the query. Begins with `/`. */
  readonly path: string;
  /** What follows `?`, without it; empty when there is none. */
  readonly query: string;
  /** Names in lower case; a header sent twice is joined with `, ` (`set-cookie` does not occur in requests). `host` is set on h2 too. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly peer: string;
  /**
   * The whole body.
   * @throws Fault("outOfRange") when it is larger than `maxBytes` (answer 413), Fault("cancelled") when the client goes away first.
   */
  body(maxBytes: number): Promise<Uint8Array>;
  /** The whole body if it is here already and no larger than `maxBytes`; else `undefined`, and `body` will tell. Spares the wait most requests need not. */
  bodyNow?(maxBytes: number): Uint8Array | undefined;
  /** Answers. Adds content-length and, on HTTP/1.1, date. */
  respond(status: number, headers: Readonly<Record<string, string>>, body?: Uint8Array | string): void;
  /** Answers in pieces. */
  stream(status: number, headers: Readonly<Record<string, string>>): HttpBody;
  /** Called at most once when the client goes away before the answer was handed over whole. */
  onClose(closed: () => void): void;
}

/** A response body written in pieces. */
export interface HttpBody {
  /** `false`: wait for `onDrain`. */
  write(chunk: Uint8Array | string): boolean;
  onDrain(drained: () => void): void;
  end(): void;
  /** Breaks the answer off, so that the client sees that it is not whole. For what cannot be said in the body itself. */
  abort(): void;
}

/** Answers a request. A rejection or throw answers 500 without detail and is logged. */
export type HttpHandler = (exchange: HttpExchange) => void | Promise<void>;
