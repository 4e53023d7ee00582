/**
 * HTTP/1.1 on one connection, over node:net. Why not node:http: a request cost about 20 µs of CPU there and 9 µs here, half of it the kernel's
 * (docs/performance/engine.md). node:http stays behind the same contract suite (`ListenOptions.http1`).
 *
 * Invariants
 * K1 one request at a time: what a client sends behind one that is not answered yet waits in the kernel, but for the chunk in hand
 * K2 a connection is used again only if its last request was read to its end and understood; else it ends with the answer
 * K3 each request taken is reported as opened once and as closed once: answered and written out, or its connection gone
 * K4 after the last answer the client may finish sending (thrown away, bounded): closing at once would make the kernel drop the answer
 */
import type { Socket } from "node:net";
import type { Clock, Log } from "@mecha/kit";
import type { HttpHandler } from "@mecha/wire";
import { BodyReader, parseHead } from "@mecha/wire/http1";
import { reasonOf } from "./answer-head.ts";
import { Http1Exchange } from "./exchange.ts";

/** What all connections of a listener share. */
export interface Http1Host {
  readonly clock: Clock;
  readonly log: Log;
  readonly handler: HttpHandler;
  readonly headersMaxBytes: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly idleMs: number;
  /** The listener drains: connections end with their answers. */
  isDraining(): boolean;
}

/** What a connection reports of its requests (K3). */
export interface RequestCount {
  opened(): void;
  closed(): void;
}

const headEnd = Buffer.from("\r\n\r\n");
const cr = 13;
const lf = 10;
/** Empty lines before a request that are overlooked: clients of old sent one after a body (RFC 9112 §2.2). */
const emptyLinesMax = 4;
/** What a client may still send behind its last answer (K4): enough for most uploads to end by themselves. */
const discardMaxBytes = 16 * 1024 * 1024;
const discardMaxMs = 5_000;
/** Bytes of a body nobody has asked for yet, past which reading stops. */
const unaskedMaxBytes = 64 * 1024;

export class Http1Connection {
  readonly host: Http1Host;
  readonly socket: Socket;
  readonly peer: string;
  readonly #count: RequestCount;
  /** Bytes that are not read yet: a head that is not whole, or what came behind a request. */
  #rest: Buffer | undefined;
  #exchange: Http1Exchange | undefined;
  /** While the body of the request, or what is left of it, is being read. */
  #body: BodyReader | undefined;
  #reading = false;
  #paused = false;
  /** The last answer has been given; what comes is thrown away (K4). */
  #ending = false;
  #clientEnded = false;
  #discarded = 0;
  /** Since when the connection is in the state it is in: waiting for a request, reading one, or ending. */
  #sinceMs: number;

  /** One function each for all requests. */
  readonly #take = (view: Uint8Array): void => this.#exchange?.take(view);
  /** @internal For the last write of an answer. After an error `close` follows. */
  readonly wrote = (error?: Error | null): void => {
    if (!error) this.#exchange?.wrote();
  };

  constructor(socket: Socket, peer: string, host: Http1Host, count: RequestCount) {
    this.socket = socket;
    this.peer = peer;
    this.host = host;
    this.#count = count;
    this.#sinceMs = host.clock.monotonic();
    socket.on("data", (chunk: Buffer) => this.#received(chunk));
    socket.on("end", () => this.#ended());
    socket.on("drain", () => this.#exchange?.drained());
    socket.once("close", () => this.#closed());
  }

  /** Nothing of a request has come and none is open. */
  get isIdle(): boolean {
    return this.#exchange === undefined && this.#rest === undefined && !this.#ending;
  }

  /** Ends what takes too long. Called now and then. */
  check(nowMs: number): void {
    const { headersTimeoutMs, requestTimeoutMs, idleMs } = this.host;
    const forMs = nowMs - this.#sinceMs;
    if (this.#ending) {
      if (forMs > discardMaxMs) this.socket.destroy();
    } else if (this.#exchange !== undefined) {
      if (this.#body !== undefined && forMs > requestTimeoutMs) this.#tooSlow(this.#exchange);
    } else if (this.#rest !== undefined) {
      if (forMs > headersTimeoutMs) this.#refuse(408);
    } else if (forMs > idleMs) this.socket.destroy();
  }

  #tooSlow(exchange: Http1Exchange): void {
    if (exchange.isAnswered) this.socket.destroy();
    else exchange.refuse(408);
  }

  // ---- reading --------------------------------------------------------------------------------------------------------------------

  #received(chunk: Buffer): void {
    if (this.#ending) {
      this.#discarded += chunk.length;
      if (this.#discarded > discardMaxBytes) this.socket.destroy();
      return;
    }
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    if (this.#rest === undefined && this.#exchange === undefined) this.#sinceMs = this.host.clock.monotonic();
    this.#rest = undefined;
    this.#read(bytes, 0);
  }

  /** Reads requests until the bytes are used up, or one is under way (keeps K1). */
  #read(bytes: Buffer, from: number): void {
    if (this.#reading) {
      this.#keep(bytes, from);
      return;
    }
    this.#reading = true;
    let at = from;
    while (at < bytes.length && !this.#ending) {
      const before = at;
      if (this.#exchange === undefined) at = this.#readRequest(bytes, at);
      else if (this.#body !== undefined) at = this.#readBody(this.#exchange, this.#body, bytes, at);
      if (at === before) break;
    }
    this.#reading = false;
    if (at < bytes.length && !this.#ending) this.#keep(bytes, at);
    else this.#flow();
  }

  #keep(bytes: Buffer, from: number): void {
    this.#rest = from === 0 ? bytes : bytes.subarray(from);
    this.#flow();
  }

  /** Goes on with what was kept, once the request before it is over. */
  #readKept(): void {
    const kept = this.#rest;
    this.#rest = undefined;
    if (kept !== undefined && !this.#ending) this.#read(kept, 0);
    else this.#flow();
  }

  /** Keeps K1: a client that sends ahead waits; a body nobody asked for too. */
  #flow(): void {
    const ahead = this.#exchange !== undefined && this.#body === undefined && this.#rest !== undefined;
    const unasked = this.#body !== undefined && this.#exchange?.isAsked === false && this.#exchange.heldBytes > unaskedMaxBytes;
    const pause = !this.#ending && (ahead || unasked);
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.socket.pause();
    else this.socket.resume();
  }

  /** @returns Where the request's bytes end; `from` when its head is not whole. */
  #readRequest(bytes: Buffer, from: number): number {
    let at = from;
    for (let lines = 0; bytes[at] === cr && bytes[at + 1] === lf; at += 2) {
      if (++lines > emptyLinesMax) return this.#refuse(400, bytes.length);
    }
    const end = bytes.indexOf(headEnd, at);
    const { headersMaxBytes } = this.host;
    if (end < 0 ? bytes.length - at > headersMaxBytes : end - at > headersMaxBytes) return this.#refuse(431, bytes.length);
    if (end < 0) return from;
    const head = parseHead(bytes.toString("latin1", at, end));
    if ("refused" in head) return this.#refuse(head.refused, bytes.length);
    at = end + headEnd.length;
    const exchange = new Http1Exchange(head, this);
    this.#exchange = exchange;
    this.#count.opened();
    if (head.body !== 0) {
      this.#body = new BodyReader(head.body);
      at = this.#readBody(exchange, this.#body, bytes, at);
    }
    if (this.#exchange === exchange && !exchange.isAnswered) exchange.run(this.host.handler, this.host.log);
    return at;
  }

  /** Gives the body's bytes to its request; those that came after the answer are thrown away. */
  #readBody(exchange: Http1Exchange, body: BodyReader, bytes: Buffer, from: number): number {
    const at = body.read(bytes, from, this.#take);
    if (body.broken) {
      this.#body = undefined;
      exchange.bodyBroken();
      return bytes.length;
    }
    if (!body.done) return at;
    this.#body = undefined;
    exchange.bodyEnded();
    return at;
  }

  /** The body is wanted (now): the client may send it. */
  bodyAsked(): void {
    this.#flow();
  }

  /** Nothing of the request's body is to come. */
  get bodyIsWhole(): boolean {
    return this.#body === undefined;
  }

  // ---- answering ------------------------------------------------------------------------------------------------------------------

  /** Whether the connection goes on after the answer being given (K2). `clean`: the rest of the request will be read. */
  goesOn(clean: boolean): boolean {
    return clean && !this.#clientEnded && !this.host.isDraining();
  }

  /** The answer has been written out whole. */
  answered(exchange: Http1Exchange, keepAlive: boolean): void {
    if (this.#exchange !== exchange) return;
    if (!keepAlive) this.#endAfterAnswer();
    else if (this.#body === undefined) this.#next();
    else this.#flow(); // the rest of the body is read first
  }

  /** The request is over in every respect; keeps K3. */
  #next(): void {
    this.#exchange = undefined;
    this.#count.closed();
    this.#sinceMs = this.host.clock.monotonic();
    if (this.#clientEnded || this.host.isDraining()) this.#end();
    else if (!this.#reading) this.#readKept();
  }

  #endAfterAnswer(): void {
    this.#exchange = undefined;
    this.#count.closed();
    this.#end();
  }

  /** The body was read to its end after the answer. */
  drainedBody(exchange: Http1Exchange): void {
    if (this.#exchange === exchange) this.#next();
  }

  /** Keeps K4. */
  #end(): void {
    this.#ending = true;
    this.#rest = undefined;
    this.#body = undefined;
    this.#sinceMs = this.host.clock.monotonic();
    this.#flow();
    this.socket.end();
  }

  /** Answers what is no request; the connection ends. @returns `used`, for the reading loop. */
  #refuse(status: number, used = 0): number {
    if (this.socket.writable) {
      this.socket.write(`HTTP/1.1 ${String(status)} ${reasonOf(status)}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`, "latin1");
    }
    this.#end();
    return used;
  }

  /** Ends the connection if no request is open on it: for draining. */
  closeIfIdle(): void {
    if (this.isIdle) this.socket.destroy();
  }

  // ---- the end --------------------------------------------------------------------------------------------------------------------

  #ended(): void {
    this.#clientEnded = true;
    if (this.#ending) return;
    // As in node:http: who hangs up does not wait for an answer. One that is on its way goes out.
    if (this.#exchange === undefined) this.#end();
    else if (!this.#exchange.isHandedOver || this.#body !== undefined) this.socket.destroy();
  }

  #closed(): void {
    const exchange = this.#exchange;
    this.#rest = undefined;
    this.#ending = true;
    if (exchange === undefined) return;
    this.#exchange = undefined;
    this.#body = undefined;
    this.#count.closed();
    exchange.gone();
  }
}
