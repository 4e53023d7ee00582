/**
 * The stream to one other process: made again whenever it is lost, with what could not be sent kept within bounds.
 *
 * Invariants
 * L1 the first frame in each direction says who speaks; nothing else is taken before, nor from a process of another name
 * L2 what cannot be sent for long is dropped, and the link says so: the two then compare everything they know, as after a new connection
 * L3 each attempt has a connection of its own: one that a cut left half open would swallow the next attempts, too
 * L4 a peer that says nothing is lost: it is asked every `ping.everyMs`
 * L5 one line in the log for each change, not for each attempt
 */
import { type CancelTimer, type Clock, explain, type Log } from "@mecha/kit";
import type { Channel, ClientCall } from "@mecha/wire";
import type { Frame, Pong } from "@mecha/wire/gen/mecha/sidecar/v1/replication";
import type { ReplicaId } from "../store.ts";
import { decodeFrame, encodeFrame, exchangePath, type FrameInit } from "./frames.ts";
import { Lag } from "./lag.ts";

/** Frames kept for a peer that is slow; about 1 KB each. */
export const framesKeptMax = 10_000;
/** Pauses between attempts to reach a peer, doubling. */
export const reconnect = { firstMs: 100, lastMs: 5_000 } as const;
/** How long a peer may take to say who it is. */
export const helloTimeoutMs = 5_000;
/** How often a peer is asked, and how long it may say nothing. A pause of garbage collection takes tens of milliseconds, a lost packet three seconds. */
export const ping = { everyMs: 1_000, silenceMaxMs: 5_000 } as const;

/** Another process. */
export interface Peer {
  /** Its name, as it is to say. */
  readonly node: string;
  /** A new way to it; closed when it is not used any more (L3). */
  readonly connect: () => Channel;
}

export interface LinkEvents {
  /** It said who it is: frames can be sent. */
  up(link: Link): void;
  /** Not any more. */
  down(link: Link): void;
  frame(frame: Frame["frame"], link: Link): void;
  /** After frames were dropped there is room again (L2). */
  behind(link: Link): void;
}

/** See the file's header. */
export class Link {
  readonly peer: Peer;
  readonly lag: Lag;
  readonly #self: () => ReplicaId;
  readonly #events: LinkEvents;
  readonly #clock: Clock;
  readonly #log: Log;
  #channel: Channel | undefined = undefined;
  #closing: Promise<void> = Promise.resolve();
  #call: ClientCall | undefined = undefined;
  #remote: ReplicaId | undefined = undefined;
  #pauseMs: number = reconnect.firstMs;
  #timer: CancelTimer = () => undefined;
  #heardMs = 0;
  #waiting: Uint8Array[] = [];
  #full = false;
  #dropped = false;
  #stopped = false;
  /** The reason that was logged last (L5). */
  #said: string | undefined = undefined;

  constructor(peer: Peer, self: () => ReplicaId, events: LinkEvents, ports: { readonly clock: Clock; readonly log: Log }) {
    this.peer = peer;
    this.#self = self;
    this.#events = events;
    this.#clock = ports.clock;
    this.#log = ports.log;
    this.lag = new Lag(ports.clock);
  }

  /** Who is at the other end; `undefined` = nobody. */
  get remote(): ReplicaId | undefined {
    return this.#remote;
  }

  start(): void {
    if (this.#stopped) return;
    this.#channel = this.peer.connect(); // keeps L3
    const call = this.#channel.open(
      exchangePath,
      {},
      {
        message: (bytes) => {
          if (call === this.#call) this.#message(bytes);
        },
        drain: () => {
          if (call === this.#call) this.#drain();
        },
        end: ({ code, message }) => {
          if (call === this.#call) this.#lost(message === "" ? `it ended the stream with status ${code}` : message);
        },
      },
    );
    this.#call = call;
    this.#timer = this.#clock.after(helloTimeoutMs, () => this.#lost(`it did not say who it is within ${helloTimeoutMs} ms`));
    call.send(encodeFrame({ case: "hello", value: this.#self() })); // keeps L1
  }

  /** Resolves when nothing is left of it. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer();
    this.#remote = undefined;
    this.#leave();
    await this.#closing;
  }

  /** Sends when it can; past the bound drops (L2). Without a connection it does nothing: what is missing is found when there is one. */
  send(frame: FrameInit): void {
    if (frame.case === "change") this.lag.changed();
    if (this.#remote === undefined || this.#dropped) return;
    if (!this.#full) {
      this.#full = this.#call?.send(encodeFrame(frame)) === false;
    } else if (this.#waiting.length < framesKeptMax) {
      this.#waiting.push(encodeFrame(frame));
    } else {
      this.#waiting = [];
      this.#dropped = true;
      this.#log.warn("a peer takes changes too slowly; it will be compared with", { peer: this.peer.node });
    }
  }

  #drain(): void {
    this.#full = false;
    this.#heardMs = this.#clock.monotonic();
    for (let frame = this.#waiting.shift(); frame !== undefined; frame = this.#waiting.shift()) {
      if (this.#call?.send(frame) !== false) continue;
      this.#full = true;
      return;
    }
    if (!this.#dropped) return;
    this.#dropped = false;
    this.#events.behind(this);
  }

  #message(bytes: Uint8Array): void {
    this.#heardMs = this.#clock.monotonic();
    try {
      const frame = decodeFrame(bytes);
      if (this.#remote === undefined) this.#hello(frame);
      else if (frame.case === "pong") this.#pong(frame.value);
      else this.#events.frame(frame, this);
    } catch (cause) {
      this.#lost(explain(cause));
    }
  }

  /** keeps L1 */
  #hello(frame: Frame["frame"]): void {
    if (frame.case !== "hello") {
      this.#lost("it did not say who it is first");
    } else if (frame.value.node !== this.peer.node) {
      this.#lost(`it says it is ${JSON.stringify(frame.value.node)}`);
    } else {
      const { node, incarnation } = frame.value;
      this.#timer();
      this.#pauseMs = reconnect.firstMs;
      this.#said = undefined;
      this.#remote = { node, incarnation };
      this.#log.info("a peer is connected", { peer: node });
      this.#pingLater();
      this.#events.up(this);
    }
  }

  #pingLater(): void {
    this.#timer = this.#clock.after(ping.everyMs, () => {
      if (this.#clock.monotonic() - this.#heardMs > ping.silenceMaxMs) {
        this.#lost(`it has said nothing for ${ping.silenceMaxMs} ms`); // keeps L4
        return;
      }
      // Not behind frames that wait: it asks whether somebody is there, and then covers nothing.
      if (!this.#full) this.#call?.send(encodeFrame({ case: "ping", value: { number: this.lag.ask() } }));
      this.#pingLater();
    });
  }

  #pong({ durable }: Pong): void {
    this.lag.confirmed(durable);
  }

  #lost(reason: string): void {
    this.#timer();
    const wasUp = this.#remote !== undefined;
    this.#remote = undefined;
    this.#waiting = [];
    this.#full = false;
    this.#dropped = false;
    this.#leave();
    if (this.#stopped) return;
    if (this.#said !== reason) {
      this.#said = reason; // keeps L5
      this.#log.warn(wasUp ? "a peer was lost" : "a peer cannot be reached", { peer: this.peer.node, reason });
    }
    if (wasUp) this.#events.down(this);
    this.#timer = this.#clock.after(this.#pauseMs, () => this.start());
    this.#pauseMs = Math.min(reconnect.lastMs, this.#pauseMs * 2);
  }

  #leave(): void {
    this.lag.lost();
    const call = this.#call;
    const channel = this.#channel;
    this.#call = undefined;
    this.#channel = undefined;
    call?.cancel();
    if (channel !== undefined) this.#closing = Promise.all([this.#closing, channel[Symbol.asyncDispose]()]).then(() => undefined);
  }
}
