/** One request of an HTTP/1.1 connection and its answer, as handlers see it. */
import type { Socket } from "node:net";
import { explain, Fault, type Log } from "@mecha/kit";
import type { HttpBody, HttpExchange, HttpHandler } from "@mecha/wire";
import type { RequestHead } from "@mecha/wire/http1";
import { originForm } from "../http-target.ts";
import { answerHead } from "./answer-head.ts";
import type { Http1Connection } from "./connection.ts";

type Headers = Readonly<Record<string, string>>;

/** Who waits for the body. */
interface BodyReaderWait {
  readonly maxBytes: number;
  resolve(bytes: Uint8Array): void;
  reject(fault: Fault): void;
}

/** Answers of up to this many characters go out as one text, head and body together. */
const textMaxLength = 16 * 1024;

const internalError = '{"code":13,"message":"internal error","details":[]}';

export class Http1Exchange implements HttpExchange {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly peer: string;
  readonly #head: RequestHead;
  readonly #connection: Http1Connection;
  readonly #socket: Socket;
  #pieces: Uint8Array[] = [];
  /** Bytes of the body that are here and not handed over. */
  heldBytes = 0;
  #wait: BodyReaderWait | undefined;
  #bodyRefused = false;
  #bodyCut = false;
  #continued = false;
  #answered = false;
  #keepAlive = false;
  #handedOver = false;
  #written = false;
  #gone = false;
  #onClose: (() => void) | undefined;
  #onDrain: (() => void) | undefined;

  constructor(head: RequestHead, connection: Http1Connection) {
    const target = originForm(head.target);
    const question = target.indexOf("?");
    this.method = head.method;
    this.path = question < 0 ? target : target.slice(0, question);
    this.query = question < 0 ? "" : target.slice(question + 1);
    this.headers = head.headers;
    this.peer = connection.peer;
    this.#head = head;
    this.#connection = connection;
    this.#socket = connection.socket;
  }

  /** @internal An answer has begun. */
  get isAnswered(): boolean {
    return this.#answered;
  }

  /** @internal All of the answer has been given to the socket. */
  get isHandedOver(): boolean {
    return this.#handedOver;
  }

  /** Hands the request to `handler`; what it throws is logged here, once, and answered with 500 without detail. */
  run(handler: HttpHandler, log: Log): void {
    const failed = (error: unknown): void => {
      log.error("request handler failed", { method: this.method, path: this.path, peer: this.peer, error: explain(error) });
      if (this.#answered) this.#socket.destroy();
      else this.respond(500, { "content-type": "application/json" }, internalError);
    };
    try {
      const running = handler(this);
      if (running !== undefined) running.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  // ---- the body, coming in --------------------------------------------------------------------------------------------------------

  /** @internal A piece of the body. */
  take(view: Uint8Array): void {
    if (this.#answered || this.#bodyRefused) return; // read only to find its end
    this.#pieces.push(view);
    this.heldBytes += view.length;
    const wait = this.#wait;
    if (wait !== undefined && this.heldBytes > wait.maxBytes) this.#refuseBody(wait);
  }

  #refuseBody(wait: BodyReaderWait): void {
    this.#wait = undefined;
    this.#bodyRefused = true;
    this.#forgetBody();
    wait.reject(tooLarge(wait.maxBytes));
  }

  #forgetBody(): void {
    this.#pieces = [];
    this.heldBytes = 0;
  }

  /** @internal All of it is here. */
  bodyEnded(): void {
    const wait = this.#wait;
    this.#wait = undefined;
    if (wait !== undefined) wait.resolve(this.#wholeBody());
    if (this.#written) this.#connection.drainedBody(this);
  }

  /** @internal The bytes after the head are no body. */
  bodyBroken(): void {
    this.#bodyRefused = true;
    this.refuse(400);
  }

  /** @internal Answers a request that is wrong, or too slow. Its handler, if it has one already, hears that the client went away. */
  refuse(status: number): void {
    if (this.#answered) {
      this.#socket.destroy();
      return;
    }
    this.#bodyRefused = true;
    this.#bodyCut = true;
    this.respond(status, {});
    this.#cutBody();
    const onClose = this.#onClose;
    this.#onClose = undefined;
    onClose?.();
  }

  #cutBody(): void {
    this.#bodyCut = true;
    const wait = this.#wait;
    this.#wait = undefined;
    wait?.reject(new Fault("cancelled", "the client went away before its request was whole"));
  }

  #wholeBody(): Uint8Array {
    const pieces = this.#pieces;
    const bytes = pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces, this.heldBytes);
    this.#forgetBody();
    return bytes;
  }

  bodyNow(maxBytes: number): Uint8Array | undefined {
    if (!this.#connection.bodyIsWhole || this.#bodyRefused || this.#bodyCut || this.heldBytes > maxBytes) return undefined;
    return this.#wholeBody();
  }

  body(maxBytes: number): Promise<Uint8Array> {
    const { body } = this.#head;
    if (this.#bodyCut) return Promise.reject(new Fault("cancelled", "the client went away before its request was whole"));
    if ((typeof body === "number" && body > maxBytes) || this.heldBytes > maxBytes) {
      this.#bodyRefused = true;
      this.#forgetBody();
      return Promise.reject(tooLarge(maxBytes));
    }
    if (this.#connection.bodyIsWhole) return Promise.resolve(this.#wholeBody());
    return new Promise((resolve, reject) => {
      this.#wait = { maxBytes, resolve, reject };
      this.#askForBody();
    });
  }

  #askForBody(): void {
    if (this.#head.expectsContinue && !this.#continued) {
      this.#continued = true;
      this.#socket.write("HTTP/1.1 100 Continue\r\n\r\n", "latin1");
    }
    this.#connection.bodyAsked();
  }

  /** @internal Somebody waits for the body: reading goes on, within that wait's limit. */
  get isAsked(): boolean {
    return this.#wait !== undefined || this.#answered || this.#bodyRefused;
  }

  // ---- the answer, going out ------------------------------------------------------------------------------------------------------

  respond(status: number, headers: Headers, body: Uint8Array | string = ""): void {
    if (this.#answered || this.#gone) return;
    const bodiless = status === 204 || status === 304;
    const length = typeof body === "string" ? Buffer.byteLength(body) : body.length;
    let head = answerHead(status, headers, this.#connection.host.clock);
    if (!bodiless) head += `content-length: ${length}\r\n`;
    head += this.#begin();
    if (length === 0 || bodiless || this.method === "HEAD") this.#write(head, "");
    else this.#write(head, body, length);
    this.#connection.bodyAsked();
  }

  /** Marks the answer as begun. @returns The end of its head. */
  #begin(): string {
    this.#answered = true;
    const { minor, keepAlive, expectsContinue } = this.#head;
    // A client that was not told to send its body may send it or not (RFC 9110 §10.1.1): nobody could tell what comes next.
    const clean = !this.#bodyRefused && (!expectsContinue || this.#continued || this.#connection.bodyIsWhole);
    this.#keepAlive = keepAlive && this.#connection.goesOn(clean);
    this.#forgetBody();
    return this.#keepAlive ? (minor === 0 ? "connection: keep-alive\r\n\r\n" : "\r\n") : "connection: close\r\n\r\n";
  }

  /** The whole answer in one write. */
  #write(head: string, body: Uint8Array | string, length = 0): void {
    const socket = this.#socket;
    this.#handedOver = true;
    if (typeof body === "string" && body.length === length && length <= textMaxLength) {
      socket.write(head + body, "latin1", this.#connection.wrote); // ASCII: as many bytes as characters
      return;
    }
    socket.cork();
    socket.write(head, "latin1");
    if (typeof body === "string") socket.write(body, "utf8", this.#connection.wrote);
    else socket.write(body, this.#connection.wrote);
    socket.uncork();
  }

  /** @internal The answer has been written out whole. */
  wrote(): void {
    if (this.#gone) return;
    this.#written = true;
    this.#connection.answered(this, this.#keepAlive);
  }

  stream(status: number, headers: Headers): HttpBody {
    if (this.#answered || this.#gone) return goneBody;
    const chunked = this.#head.minor === 1;
    const silent = this.method === "HEAD";
    const socket = this.#socket;
    let head = answerHead(status, headers, this.#connection.host.clock);
    if (chunked) head += "transfer-encoding: chunked\r\n";
    head += this.#begin();
    if (!chunked) this.#keepAlive = false; // HTTP/1.0: the end of the connection is the end of the body
    socket.write(head, "latin1");
    this.#connection.bodyAsked();
    let ended = false;
    return {
      write: (chunk) => {
        if (ended || silent || chunk.length === 0 || socket.destroyed) return true;
        return chunked ? writeChunk(socket, chunk) : socket.write(chunk);
      },
      onDrain: (drained) => void (this.#onDrain = drained),
      end: () => {
        if (ended || socket.destroyed) return;
        ended = true;
        this.#onDrain = undefined;
        this.#handedOver = true;
        socket.write(chunked && !silent ? "0\r\n\r\n" : "", "latin1", this.#connection.wrote);
      },
      abort: () => {
        if (!ended) socket.destroy();
      },
    };
  }

  /** @internal The socket takes more. */
  drained(): void {
    this.#onDrain?.();
  }

  onClose(closed: () => void): void {
    this.#onClose = closed;
    if (this.#gone) process.nextTick(closed);
  }

  /** @internal The connection is gone before the answer was handed over whole. */
  gone(): void {
    this.#gone = true;
    this.#cutBody();
    if (!this.#written) this.#onClose?.();
  }
}

const goneBody: HttpBody = { write: () => true, onDrain: () => undefined, end: () => undefined, abort: () => undefined };

function writeChunk(socket: Socket, chunk: Uint8Array | string): boolean {
  const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
  socket.cork();
  socket.write(`${bytes.length.toString(16)}\r\n`, "latin1");
  socket.write(bytes);
  const roomy = socket.write("\r\n", "latin1");
  socket.uncork();
  return roomy;
}

function tooLarge(maxBytes: number): Fault {
  return new Fault("outOfRange", `the body is larger than the ${maxBytes} bytes allowed`);
}
