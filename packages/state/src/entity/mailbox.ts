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

  /** Puts back all of `other`, in its order, and leaves it empty. */
  takeBack(other: Mailbox): void {
    const last = other.#tail;
    if (last === undefined) return;
    last.next = this.#head;
    this.#head = other.#head;
    this.#tail ??= last;
    this.size += other.size;
    other.#head = other.#tail = undefined;
    other.size = 0;
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
