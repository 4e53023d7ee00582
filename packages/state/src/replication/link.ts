/**
 * The stream to one other process: made again whenever it is lost, with what could not be sent kept within bounds.
 *
 * Invariants
 * L1 the first frame in each direction says who speaks; nothing else is taken before, nor from a process of another name
 * L2 what cannot be sent for long is dropped, and the link says so: the two then compare everything they know, as after a new connection
 */
import { type CancelTimer, type Clock, explain, type Log } from "@mecha/kit";
import type { Channel, ClientCall } from "@mecha/wire";
import type { Frame } from "@mecha/wire/gen/mecha/sidecar/v1/replication";
import type { ReplicaId } from "../store.ts";
import { decodeFrame, encodeFrame, exchangePath, type FrameInit } from "./frames.ts";

/** Frames kept for a peer that is slow; about 1 KB each. */
export const framesKeptMax = 10_000;
/** Pauses between attempts to reach a peer, doubling. */
export const reconnect = { firstMs: 100, lastMs: 5_000 } as const;
/** How long a peer may take to say who it is. */
export const helloTimeoutMs = 5_000;

/** Another process. */
export interface Peer {
  /** Its name, as it is to say. */
  readonly node: string;
  /** The way to it. Its owner closes it. */
  readonly channel: Channel;
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
  readonly #self: () => ReplicaId;
  readonly #events: LinkEvents;
  readonly #clock: Clock;
  readonly #log: Log;
  #call: ClientCall | undefined = undefined;
  #remote: ReplicaId | undefined = undefined;
  #pauseMs: number = reconnect.firstMs;
  #timer: CancelTimer = () => undefined;
  #waiting: Uint8Array[] = [];
  #full = false;
  #dropped = false;
  #stopped = false;

  constructor(peer: Peer, self: () => ReplicaId, events: LinkEvents, ports: { readonly clock: Clock; readonly log: Log }) {
    this.peer = peer;
    this.#self = self;
    this.#events = events;
    this.#clock = ports.clock;
    this.#log = ports.log;
  }

  /** Who is at the other end; `undefined` = nobody. */
  get remote(): ReplicaId | undefined {
    return this.#remote;
  }

  start(): void {
    if (this.#stopped) return;
    const call = this.peer.channel.open(
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
          if (call === this.#call) this.#lost(`status ${code}: ${message}`);
        },
      },
    );
    this.#call = call;
    this.#timer = this.#clock.after(helloTimeoutMs, () => this.#cut("it did not say who it is"));
    call.send(encodeFrame({ case: "hello", value: this.#self() })); // keeps L1
  }

  stop(): void {
    this.#stopped = true;
    this.#timer();
    const call = this.#call;
    this.#call = undefined;
    this.#remote = undefined;
    call?.cancel();
  }

  /** Sends when it can; past the bound drops (L2). Without a connection it does nothing: what is missing is found when there is one. */
  send(frame: FrameInit): void {
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
    try {
      const frame = decodeFrame(bytes);
      if (this.#remote !== undefined) this.#events.frame(frame, this);
      else if (frame.case === "hello" && frame.value.node === this.peer.node) this.#greeted(frame.value);
      else this.#cut(frame.case === "hello" ? `it says it is ${JSON.stringify(frame.value.node)}` : "it did not say who it is first");
    } catch (cause) {
      this.#cut(explain(cause));
    }
  }

  #greeted({ node, incarnation }: ReplicaId): void {
    this.#timer();
    this.#pauseMs = reconnect.firstMs;
    this.#remote = { node, incarnation };
    this.#events.up(this);
  }

  #cut(problem: string): void {
    const call = this.#call;
    this.#lost(problem);
    call?.cancel();
  }

  #lost(reason: string): void {
    this.#timer();
    const wasUp = this.#remote !== undefined;
    this.#call = undefined;
    this.#remote = undefined;
    this.#waiting = [];
    this.#full = false;
    this.#dropped = false;
    if (this.#stopped) return;
    if (wasUp) {
      this.#log.warn("a peer was lost", { peer: this.peer.node, reason });
      this.#events.down(this);
    }
    this.#timer = this.#clock.after(this.#pauseMs, () => this.start());
    this.#pauseMs = Math.min(reconnect.lastMs, this.#pauseMs * 2);
  }
}
