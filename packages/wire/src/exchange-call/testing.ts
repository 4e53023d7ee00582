/** An HTTP exchange that went nowhere: records its answer. For unit tests of what answers exchanges. */
import { Fault } from "@mecha/kit";
import type { HttpBody, HttpExchange } from "../http.ts";

export class RecordedExchange implements HttpExchange {
  readonly method = "POST";
  readonly path: string;
  readonly query = "";
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly peer = "test";
  status: number | undefined;
  answerHeaders: Readonly<Record<string, string>> = {};
  /** Chunks of the answer, in the order they were given. */
  readonly chunks: Buffer[] = [];
  /** How the answer was given. */
  how: "not" | "whole" | "streaming" | "ended" | "aborted" = "not";
  /** What `write` answers. */
  room = true;
  readonly #body: Uint8Array;
  #closed: (() => void) | undefined;
  #drained: (() => void) | undefined;
  readonly #done = Promise.withResolvers<void>();

  constructor(path: string, headers: Readonly<Record<string, string>>, body: Uint8Array = new Uint8Array(0)) {
    this.path = path;
    this.headers = headers;
    this.#body = body;
  }

  /** Resolves when the answer is over. */
  get done(): Promise<void> {
    return this.#done.promise;
  }
  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
  /** The client leaves. */
  leave(): void {
    this.#closed?.();
  }
  drain(): void {
    this.room = true;
    this.#drained?.();
  }

  async body(maxBytes: number): Promise<Uint8Array> {
    if (this.#body.length > maxBytes) throw new Fault("outOfRange", "too large");
    return this.#body;
  }
  respond(status: number, headers: Readonly<Record<string, string>>, body: Uint8Array | string = ""): void {
    this.#begin(status, headers);
    this.chunks.push(Buffer.from(body));
    this.how = "whole";
    this.#done.resolve();
  }
  stream(status: number, headers: Readonly<Record<string, string>>): HttpBody {
    this.#begin(status, headers);
    this.how = "streaming";
    return {
      write: (chunk) => {
        this.chunks.push(Buffer.from(chunk));
        return this.room;
      },
      onDrain: (drained) => void (this.#drained = drained),
      end: () => this.#end("ended"),
      abort: () => this.#end("aborted"),
    };
  }
  onClose(closed: () => void): void {
    this.#closed = closed;
  }

  #begin(status: number, headers: Readonly<Record<string, string>>): void {
    if (this.how !== "not") throw new Error("answered twice");
    this.status = status;
    this.answerHeaders = headers;
  }
  #end(how: "ended" | "aborted"): void {
    if (this.how !== "streaming") throw new Error(`ended when ${this.how}`);
    this.how = how;
    this.#done.resolve();
  }
}
