/**
 * What main thread and worker say to each other: batches of operations packed into one ArrayBuffer, which is transferred, not copied.
 * A structured clone of a thousand small step objects costs more than storing them does.
 *
 *     batch     = u32 length of what follows, then operations
 *     operation = u8 kind, u32 length of its body, body
 *
 * Numbers are little-endian; sequences, positions and times are doubles (exact to 2^53). Text is u32 length + UTF-8.
 *
 * P1 a word (type URL, command name) is sent as text once and as a number from then on: u16 id, high bit = "its text follows". Both sides
 *    see every batch in order, so their tables agree. Past `wordsMax` words are sent as text each time.
 * P2 because of P1 a step is always read to its end, also when its verdict is already known
 */

/** Main → worker. */
export const ask = {
  open: 1,
  events: 2,
  list: 3,
  commit: 4,
  release: 5,
  idle: 6,
  close: 7,
  settle: 8,
  outbox: 9,
  timersDue: 10,
  timers: 11,
  sweep: 12,
  feeds: 13,
} as const;
/** Worker → main. */
export const answer = { opened: 1, events: 2, listed: 3, verdicts: 4, fault: 5, closed: 6, rows: 7, swept: 8, served: 9 } as const;

/** Words remembered on each side. A project has a few hundred event types; past this they only cost more bytes. */
export const wordsMax = 4_096;
const wordFollows = 0x8000;
const wordInline = 0xffff;

/** Bytes before the operations. */
const headerBytes = 4;
/** First buffer of a batch; it doubles as needed. */
const batchBytes = 4_096;
/** Text up to this length is looked at letter by letter, which is faster than a call into the runtime when it is ASCII. */
const shortText = 32;

/** Flags of a step. Of a CRDT, `update` has replica rows instead of a payload. */
export const stepHas = { commandId: 1, trace: 2, snapshot: 4, update: 8, delete: 16, key: 32, outbox: 64, timers: 128 } as const;
/** Flags of an opened record. */
export const recordHas = { snapshot: 1, value: 2, keys: 4, moreKeys: 8, replicas: 16, tombstone: 32 } as const;
/** Flags of an outbox message in a step. */
export const messageHas = { entityId: 1, metadata: 2, trace: 4 } as const;
/** What a step does to a timer. */
export const timerDoes = { set: 1, cancel: 2, fired: 3, failed: 4 } as const;
/** What became of an outbox message. */
export const settledTo = { removed: 1, waiting: 2, dead: 3 } as const;
/** Flags of an event. */
export const eventHas = { commandId: 1, trace: 2 } as const;
/** Verdicts that say more than `committed`, in `answer.verdicts`. `sent`: committed, with messages in the outbox. */
export const verdictIs = { conflict: 1, sent: 2, duplicate: 3 } as const;

/** Packs batches. One for each direction, as it keeps the word table. */
export class Writer {
  #buffer = Buffer.alloc(0);
  #view = new DataView(new ArrayBuffer(0));
  #at = headerBytes;
  readonly #words = new Map<string, number>();

  /** Bytes waiting in the batch. */
  get size(): number {
    return this.#at - headerBytes;
  }

  /** Hands over the batch and begins the next. */
  take(): ArrayBuffer {
    this.#reserve(0);
    this.#view.setUint32(0, this.#at - headerBytes, true);
    const batch = this.#view.buffer;
    this.#buffer = Buffer.alloc(0);
    this.#view = new DataView(new ArrayBuffer(0));
    this.#at = headerBytes;
    return batch;
  }

  /** Begins an operation. @returns what `end` needs. */
  begin(kind: number): number {
    this.u8(kind);
    this.u32(0);
    return this.#at;
  }
  end(began: number): void {
    this.#view.setUint32(began - 4, this.#at - began, true);
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#at++] = value;
  }
  u16(value: number): void {
    this.#reserve(2);
    this.#view.setUint16(this.#at, value, true);
    this.#at += 2;
  }
  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }
  f64(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }
  bytes(value: Uint8Array): void {
    this.u32(value.length);
    this.#reserve(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
  }
  text(value: string): void {
    this.#reserve(4 + value.length * 3);
    const length = this.#shortAscii(value) ? value.length : this.#buffer.write(value, this.#at + 4, "utf8");
    this.#view.setUint32(this.#at, length, true);
    this.#at += 4 + length;
  }
  word(value: string): void {
    const known = this.#words.get(value);
    if (known !== undefined) {
      this.u16(known);
      return;
    }
    if (this.#words.size < wordsMax) {
      this.u16(this.#words.size | wordFollows);
      this.#words.set(value, this.#words.size);
    } else this.u16(wordInline);
    this.text(value);
  }

  /** Writes short ASCII in place; false when `value` is neither. */
  #shortAscii(value: string): boolean {
    if (value.length > shortText) return false;
    const from = this.#at + 4;
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit >= 0x80) return false;
      this.#buffer[from + i] = unit;
    }
    return true;
  }

  #reserve(more: number): void {
    const need = this.#at + more;
    if (need <= this.#view.byteLength) return;
    const grown = Buffer.from(new ArrayBuffer(Math.max(batchBytes, need, this.#view.byteLength * 2)));
    grown.set(this.#buffer.subarray(0, Math.min(this.#at, this.#buffer.length)));
    this.#buffer = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Unpacks batches of one direction. */
export class Reader {
  #buffer = Buffer.alloc(0);
  #view = new DataView(new ArrayBuffer(0));
  #at = 0;
  #end = 0;
  readonly #words: string[] = [];

  /** Starts on a batch. */
  open(batch: ArrayBuffer): void {
    this.#buffer = Buffer.from(batch);
    this.#view = new DataView(batch);
    this.#at = headerBytes;
    this.#end = headerBytes + this.#view.getUint32(0, true);
  }

  /** Where reading stands; `at = x` goes back or on. Only within the open batch. */
  get at(): number {
    return this.#at;
  }
  set at(at: number) {
    this.#at = at;
  }
  get done(): boolean {
    return this.#at >= this.#end;
  }

  u8(): number {
    return this.#view.getUint8(this.#at++);
  }
  u16(): number {
    this.#at += 2;
    return this.#view.getUint16(this.#at - 2, true);
  }
  u32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }
  f64(): number {
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8, true);
  }
  /** A view into the batch: copy it to keep it. */
  view(): Uint8Array {
    const length = this.u32();
    this.#at += length;
    return this.#buffer.subarray(this.#at - length, this.#at);
  }
  /** A copy, so that a small payload does not keep a large batch in memory (S7). */
  bytes(): Uint8Array {
    const view = this.view();
    const copy = new Uint8Array(view.length);
    copy.set(view);
    return copy;
  }
  text(): string {
    const length = this.u32();
    this.#at += length;
    return this.#buffer.toString("utf8", this.#at - length, this.#at);
  }
  word(): string {
    const id = this.u16();
    if (id === wordInline) return this.text();
    if (id & wordFollows) return (this.#words[id & ~wordFollows] = this.text());
    return this.#words[id] ?? "";
  }
}
