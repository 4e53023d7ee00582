/**
 * How far a peer may be behind: the age of the oldest change made here that it has not confirmed. Pings carry rising numbers; the peer answers with the
 * newest one before which it has everything durably.
 */
import type { Clock } from "@mecha/kit";

/** Pings with changes before them that are told apart; past it the newest are one. */
const openMax = 64;

/** See the file's header. */
export class Lag {
  readonly #clock: Clock;
  #asked = 0n;
  #confirmed = 0n;
  /** Monotonic ms of the first change since each ping that is not confirmed, by its number; those before it are confirmed with it. */
  #open: { ping: bigint; readonly sinceMs: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A change was made. */
  changed(): void {
    const ping = this.#asked + 1n;
    const newest = this.#open.at(-1);
    if (newest?.ping === ping) return;
    if (newest !== undefined && this.#open.length >= openMax) newest.ping = ping;
    else this.#open.push({ ping, sinceMs: this.#clock.monotonic() });
  }

  /** Number of the next ping. */
  ask(): bigint {
    return ++this.#asked;
  }

  /** The peer has everything that came before that ping. */
  confirmed(durable: bigint): void {
    if (durable > this.#asked || durable <= this.#confirmed) return; // of an earlier connection, or nothing new
    this.#confirmed = durable;
    this.#open = this.#open.filter(({ ping }) => ping > durable);
  }

  /** The connection was lost: what is not confirmed stays so until a ping on the next one is. */
  lost(): void {
    const [oldest] = this.#open;
    this.#confirmed = this.#asked;
    this.#open = oldest === undefined ? [] : [{ ping: this.#asked + 1n, sinceMs: oldest.sinceMs }];
  }

  /** Ms; 0 = it has everything. */
  get ms(): number {
    const [oldest] = this.#open;
    return oldest === undefined ? 0 : this.#clock.monotonic() - oldest.sinceMs;
  }
}
