/**
 * The stream another process opened to this one: takes its frames, answers, and knows how far what it said is stored.
 *
 * Invariants
 * I1 the first frame says who speaks: a known peer, and where the connection has a certificate, the one the certificate names
 * I2 a pong's `durable` is the newest ping before which every change is stored; one that could not be stored holds it back for good
 * I3 a stream that says nothing is ended: its opener pings
 */
import { type CancelTimer, type Clock, explain } from "@mecha/kit";
import type { ServerCall, ServerCallEvents } from "@mecha/wire";
import type { Frame } from "@mecha/wire/gen/mecha/sidecar/v1/replication";
import type { ReplicaId } from "../store.ts";
import { decodeFrame, encodeFrame, type FrameInit } from "./frames.ts";
import { ping } from "./link.ts";

/** The opener cuts at `silenceMaxMs`; so long after that it is gone. */
const silenceMaxMs = 2 * ping.silenceMaxMs;

/** What an inbox needs of the replicator. */
export interface InboxHost {
  readonly self: ReplicaId;
  readonly clock: Clock;
  /** Why nobody of that name may speak here; `undefined` = somebody may. */
  refusal(node: string): string | undefined;
  greeted(node: string): void;
  refused(from: string, problem: string): void;
  /** @param stored to be called when what the frame changed is durable; not at all when it cannot be. @throws Fault("invalid") */
  take(frame: Frame["frame"], answer: (frame: FrameInit) => void, stored: () => void): void;
}

/** See the file's header. */
export class Inbox implements ServerCallEvents {
  readonly #call: ServerCall;
  readonly #host: InboxHost;
  #greeted = false;
  #over = false;
  #heardMs: number;
  #timer: CancelTimer = () => undefined;
  #received = 0;
  /** Changes that are not stored, by their place in the stream, oldest first. */
  readonly #open = new Set<number>();
  /** Pings that are not covered, with the number of changes before them. */
  #pings: { readonly number: bigint; readonly after: number }[] = [];
  #durable = 0n;

  constructor(call: ServerCall, host: InboxHost) {
    this.#call = call;
    this.#host = host;
    this.#heardMs = host.clock.monotonic();
    this.#watch();
  }

  /** keeps I3 */
  #watch(): void {
    const { clock } = this.#host;
    this.#timer = clock.after(silenceMaxMs, () => {
      if (clock.monotonic() - this.#heardMs >= silenceMaxMs) this.#end(`nothing was said for ${silenceMaxMs} ms`);
      else this.#watch();
    });
  }

  message(bytes: Uint8Array): void {
    if (this.#over) return;
    this.#heardMs = this.#host.clock.monotonic();
    try {
      const frame = decodeFrame(bytes);
      if (!this.#greeted) this.#hello(frame);
      else if (frame.case === "ping") this.#ping(frame.value.number);
      else this.#take(frame);
    } catch (cause) {
      this.#end(explain(cause));
    }
  }

  /** keeps I1 */
  #hello(frame: Frame["frame"]): void {
    if (frame.case !== "hello") {
      this.#end("the first frame is not a hello");
      return;
    }
    const { node } = frame.value;
    const refusal = this.#host.refusal(node);
    if (refusal !== undefined) this.#end(refusal);
    else if (this.#call.isNamed?.(node) === false)
      this.#end(`it says it is ${node}, and its certificate has no such name (subjectAltName DNS:${node})`);
    else {
      this.#greeted = true;
      this.#host.greeted(node);
      this.#answer({ case: "hello", value: this.#host.self });
    }
  }

  #take(frame: Frame["frame"]): void {
    const place = ++this.#received;
    if (frame.case === "change") this.#open.add(place);
    this.#host.take(
      frame,
      (answer) => this.#answer(answer),
      () => this.#stored(place),
    );
  }

  #ping(number: bigint): void {
    this.#pings.push({ number, after: this.#received });
    this.#advance();
    this.#answer({ case: "pong", value: { number, durable: this.#durable } });
  }

  #stored(place: number): void {
    if (!this.#open.delete(place) || this.#pings.length === 0) return;
    const before = this.#durable;
    this.#advance();
    if (this.#durable > before) this.#answer({ case: "pong", value: { number: this.#durable, durable: this.#durable } });
  }

  /** keeps I2 */
  #advance(): void {
    const [oldest = Infinity] = this.#open;
    for (let [head] = this.#pings; head !== undefined && head.after < oldest; [head] = this.#pings) {
      this.#durable = head.number;
      this.#pings.shift();
    }
    if (this.#pings.length > pingsMax) this.#pings.pop();
  }

  #answer(frame: FrameInit): void {
    if (!this.#over) this.#call.send(encodeFrame(frame));
  }

  #end(problem: string): void {
    if (this.#over) return;
    this.#host.refused(this.#call.peer, problem);
    this.#finish();
    this.#call.end({ code: 9, message: problem });
  }

  halfClose(): void {
    if (this.#over) return;
    this.#finish();
    this.#call.end();
  }

  cancelled(): void {
    this.#finish();
  }

  #finish(): void {
    this.#over = true;
    this.#timer();
  }
}

/** Pings that wait for a store that does not answer; later ones are answered and not waited for. */
const pingsMax = 1_000;
