import type { Envelope } from "../envelope.ts";

/** Commands waiting at one entity, first in, first out. Linked through the envelopes: no allocation, O(1) at both ends. */
export class Mailbox {
  #head: Envelope | undefined = undefined;
  #tail: Envelope | undefined = undefined;
  size = 0;

  /** The longest waiting. */
  get head(): Envelope | undefined {
    return this.#head;
  }

  push(envelope: Envelope): void {
    envelope.next = undefined;
    if (this.#tail === undefined) this.#head = envelope;
    else this.#tail.next = envelope;
    this.#tail = envelope;
    this.size++;
  }

  /** Puts back a command that was taken out and turned out never to have left. */
  unshift(envelope: Envelope): void {
    envelope.next = this.#head;
    this.#head = envelope;
    if (this.#tail === undefined) this.#tail = envelope;
    this.size++;
  }

  shift(): Envelope | undefined {
    const envelope = this.#head;
    if (envelope === undefined) return undefined;
    this.#head = envelope.next;
    if (this.#head === undefined) this.#tail = undefined;
    envelope.next = undefined;
    this.size--;
    return envelope;
  }
}
