/**
 * States as bytes, for the store and for other replicas.
 *
 *     state   = u8 version (1), names, body
 *     names   = count, then for each: length, UTF-8          replica ids and type URLs, each once
 *     body    = u8 type (index in `crdtTypes`), then by type
 *     slots   = count, then name, value for each
 *     payload = name of the type URL, length, bytes
 *     context = count, then for each: name, up to, count of those beyond, each as its distance from the one before
 *     dots    = context, count of entries, then for each: payload, count of dots, then for each: name, number, and for maps its instance
 *
 * All numbers are LEB128; a register's clock and nothing else can be negative and is zigzag. Written from our own design, 2026.
 *
 * Invariants
 * B1 any bytes give a state or Fault("dataLoss") that says where; counts are checked against the bytes that are left before anything is made
 * B2 `decodeState(encodeState(state))` is the state
 */
import { Fault } from "@mecha/kit";
import type { Payload } from "../model.ts";
import { type CrdtType, crdtTypes, elementKey, entryTypes } from "./delta.ts";
import type { Context, Seen } from "./types/context.ts";
import type { Dots, Dotted } from "./types/dots.ts";
import type { CrdtState, MapInstance, Slots } from "./types/state.ts";

const version = 1;
/** Maps within maps. Deeper ones would be a mistake, and the stack is finite. */
const depthMax = 32;
const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { fatal: true });

/** @throws Fault("invalid") when maps are nested more than 32 deep. */
export function encodeState(state: CrdtState): Uint8Array {
  const body = new Bytes();
  const names = new Names(body);
  writeState(state, body, names, 0);
  const head = new Bytes();
  head.byte(version);
  head.size(names.list.length);
  for (const name of names.list) head.block(utf8.encode(name));
  return joinBytes(head.done(), body.done());
}

function joinBytes(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

function writeState(state: CrdtState, out: Bytes, names: Names, depth: number): void {
  if (depth > depthMax) throw new Fault("invalid", `a map nested more than ${depthMax} deep; keep entities flatter`);
  out.byte(crdtTypes.indexOf(state.type));
  switch (state.type) {
    case "gcounter":
      writeSlots(state.up, out, names);
      return;
    case "pncounter":
      writeSlots(state.up, out, names);
      writeSlots(state.down, out, names);
      return;
    case "gset":
      out.size(state.elements.size);
      for (const element of state.elements.values()) writePayload(element, out, names);
      return;
    case "orset":
      writeDots(state.dots, out, names, () => undefined);
      return;
    case "lwwregister":
      writePayload(state.value, out, names);
      out.number(state.clock >= 0n ? state.clock << 1n : (-state.clock << 1n) - 1n);
      names.write(state.replica);
      return;
    case "flag":
      out.byte(state.on ? 1 : 0);
      return;
    case "ormap":
    case "countermap":
    case "registermap":
    case "multimap":
      writeDots(state.dots, out, names, (instance) => {
        writeCounts(instance.writers, out, names);
        writeState(instance.state, out, names, depth + 1);
      });
      return;
    case "vote":
      writeCounts(state.voters, out, names);
  }
}

function writeSlots(slots: Slots, out: Bytes, names: Names): void {
  out.size(slots.size);
  for (const [replica, value] of slots) {
    names.write(replica);
    out.number(value);
  }
}

function writeCounts(counts: ReadonlyMap<string, number>, out: Bytes, names: Names): void {
  out.size(counts.size);
  for (const [replica, count] of counts) {
    names.write(replica);
    out.size(count);
  }
}

function writePayload({ typeUrl, value }: Payload, out: Bytes, names: Names): void {
  names.write(typeUrl);
  out.block(value);
}

function writeDots<T>({ context, entries }: Dots<T>, out: Bytes, names: Names, writeValue: (value: T) => void): void {
  out.size(context.size);
  for (const [replica, { upTo, beyond }] of context) {
    names.write(replica);
    out.size(upTo);
    out.size(beyond.length);
    let before = upTo;
    for (const number of beyond) {
      out.size(number - before);
      before = number;
    }
  }
  out.size(entries.size);
  for (const { element, dots } of entries.values()) {
    writePayload(element, out, names);
    out.size(dots.length);
    for (const { replica, number, value } of dots) {
      names.write(replica);
      out.size(number);
      writeValue(value);
    }
  }
}

/** Names, numbered as they come up. */
class Names {
  readonly list: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #out: Bytes;

  constructor(out: Bytes) {
    this.#out = out;
  }

  write(name: string): void {
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.list.push(name) - 1;
      this.#numbers.set(name, number);
    }
    this.#out.size(number);
  }
}

/** Bytes that grow. */
class Bytes {
  #bytes = new Uint8Array(256);
  #length = 0;

  done(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** A count or other number up to 2^53 - 1. */
  size(value: number): void {
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.byte((rest % 0x80) | 0x80);
    this.byte(rest);
  }

  number(value: bigint): void {
    let rest = value;
    for (; rest >= 0x80n; rest >>= 7n) this.byte(Number(rest & 0x7fn) | 0x80);
    this.byte(Number(rest));
  }

  block(value: Uint8Array): void {
    this.size(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

// ---- reading --------------------------------------------------------------------------------------------------------------------------

/** @throws Fault("dataLoss") when the bytes are not a state this version knows (B1). */
export function decodeState(bytes: Uint8Array): CrdtState {
  const input = new Input(bytes);
  const found = input.byte();
  if (found !== version) throw input.fault(`format ${found}, this version of Mecha reads ${version}`);
  input.names = list(input.count(), () => input.utf8());
  const state = readState(input, 0);
  if (input.left > 0) throw input.fault(`${input.left} bytes too many`);
  return state;
}

function list<T>(count: number, read: () => T): T[] {
  const items: T[] = [];
  for (let left = count; left > 0; left--) items.push(read());
  return items;
}

function readState(input: Input, depth: number): CrdtState {
  if (depth > depthMax) throw input.fault(`maps nested more than ${depthMax} deep`);
  const number = input.byte();
  const type = crdtTypes[number];
  if (type === undefined) throw input.fault(`type ${number}`);
  switch (type) {
    case "gcounter":
      return { type, up: readSlots(input) };
    case "pncounter":
      return { type, up: readSlots(input), down: readSlots(input) };
    case "gset":
      return { type, elements: new Map(list(input.count(), () => readPayload(input)).map((element) => [elementKey(element), element])) };
    case "orset":
      return { type, dots: readDots(input, () => undefined) };
    case "lwwregister": {
      const value = readPayload(input);
      const zigzag = input.number();
      return { type, value, clock: zigzag & 1n ? -((zigzag + 1n) >> 1n) : zigzag >> 1n, replica: input.name() };
    }
    case "flag":
      return { type, on: input.byte() === 1 };
    case "ormap":
      return { type, dots: readDots(input, () => readInstance(input, depth)) };
    case "countermap":
    case "registermap":
    case "multimap":
      return { type, dots: readDots(input, () => readInstance(input, depth, entryTypes[type])) };
    case "vote":
      return { type, voters: readCounts(input) };
  }
}

/** @param type The one type its state may have; absent: any. */
function readInstance(input: Input, depth: number, type?: CrdtType): MapInstance {
  const writers = readCounts(input);
  const state = readState(input, depth + 1);
  if (type !== undefined && state.type !== type) throw input.fault(`a ${state.type} in a map of ${type}`);
  return { writers, state };
}

function readSlots(input: Input): Slots {
  return new Map(list(input.count(), () => [input.name(), input.number()]));
}

function readCounts(input: Input): ReadonlyMap<string, number> {
  return new Map(list(input.count(), () => [input.name(), input.size()]));
}

function readPayload(input: Input): Payload {
  return { typeUrl: input.name(), value: input.block().slice() };
}

function readDots<T>(input: Input, readValue: () => T): Dots<T> {
  const context: Context = new Map(list(input.count(), () => [input.name(), readSeen(input)]));
  const entries = list(input.count(), () => {
    const element = readPayload(input);
    const dots = list(input.count(), (): Dotted<T> => ({ replica: input.name(), number: input.size(), value: readValue() }));
    if (dots.length === 0) throw input.fault("an element without a dot");
    return [elementKey(element), { element, dots }] as const;
  });
  return { context, entries: new Map(entries) };
}

function readSeen(input: Input): Seen {
  const upTo = input.size();
  let last = upTo;
  return { upTo, beyond: list(input.count(), () => (last += input.size())) };
}

/** A cursor over bytes nobody vouches for. */
class Input {
  readonly #bytes: Uint8Array;
  #at = 0;
  names: readonly string[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  fault(problem: string, cause?: unknown): Fault {
    const where = `at byte ${this.#at} of ${this.#bytes.length}`;
    return new Fault("dataLoss", `a stored CRDT is not readable: ${problem} ${where}`, cause === undefined ? {} : { cause });
  }

  byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw this.fault("the end");
    this.#at++;
    return byte;
  }

  size(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 63; scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw this.fault("a number past 2^53 - 1");
      if (byte < 0x80) return value;
    }
    throw this.fault("a number of more than 9 bytes");
  }

  /** A number of things that follow, each of a byte at least. */
  count(): number {
    const count = this.size();
    if (count > this.left) throw this.fault(`${count} things in ${this.left} bytes`);
    return count;
  }

  number(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 84n; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw this.fault("a number of more than 12 bytes");
  }

  block(): Uint8Array {
    const length = this.count();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  utf8(): string {
    const block = this.block();
    try {
      return text.decode(block);
    } catch (cause) {
      throw this.fault("a name that is not UTF-8", cause);
    }
  }

  name(): string {
    const number = this.size();
    const name = this.names[number];
    if (name === undefined) throw this.fault(`name ${number} of ${this.names.length}`);
    return name;
  }
}
