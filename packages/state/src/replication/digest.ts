/** A state in 64 bits: the same for equal states in whatever order their parts came, different (but for one pair in 2^64) for others. */
import { elementKey } from "../crdt/delta.ts";
import type { Dots } from "../crdt/types/dots.ts";
import type { CrdtState } from "../crdt/types/state.ts";

const mask = 2n ** 64n - 1n;
/** FNV-1a, 64 bits. */
const fnvOffset = 0xcbf29ce484222325n;
const fnvPrime = 0x100000001b3n;

function hashText(text: string): bigint {
  let hash = fnvOffset;
  for (let at = 0; at < text.length; at++) hash = ((hash ^ BigInt(text.charCodeAt(at))) * fnvPrime) & mask;
  return mix(hash);
}

/**
 * MurmurHash3's finalizer. Without it sums collide: FNV of texts that differ in their last letter differ by multiples of the prime, so the sets
 * {a, c, d} and {a, b, e} had one digest, as a property test found.
 */
function mix(hash: bigint): bigint {
  let mixed = ((hash ^ (hash >> 33n)) * 0xff51afd7ed558ccdn) & mask;
  mixed = ((mixed ^ (mixed >> 33n)) * 0xc4ceb9fe1a85ec53n) & mask;
  return mixed ^ (mixed >> 33n);
}

/** Hashes a list whose order counts. */
function hashList(...parts: readonly (string | number | bigint)[]): bigint {
  return hashText(parts.map((part) => `${typeof part}:${part.toString().length}:${part}`).join(","));
}

/** Hashes a collection whose order does not: the sum, so that each part can be found in any place. */
function hashAll<T>(items: Iterable<T>, hash: (item: T) => bigint): bigint {
  let sum = 0n;
  let count = 0;
  for (const item of items) {
    sum = (sum + hash(item)) & mask;
    count++;
  }
  return hashList(count, sum);
}

/** See the file's header. */
export function digest(state: CrdtState): bigint {
  const pairs = (map: ReadonlyMap<string, bigint | number>): bigint => hashAll(map, ([key, value]) => hashList(key, value));
  switch (state.type) {
    case "gcounter":
      return hashList(state.type, pairs(state.up));
    case "pncounter":
      return hashList(state.type, pairs(state.up), pairs(state.down));
    case "gset":
      return hashList(
        state.type,
        hashAll(state.elements.keys(), (key) => hashText(key)),
      );
    case "orset":
      return hashList(
        state.type,
        digestDots(state.dots, () => 0n),
      );
    case "lwwregister":
      return hashList(state.type, elementKey(state.value), state.clock, state.replica);
    case "flag":
      return hashList(state.type, state.on ? 1 : 0);
    case "ormap":
    case "countermap":
    case "registermap":
    case "multimap":
      return hashList(
        state.type,
        digestDots(state.dots, (instance) => hashList(digest(instance.state), pairs(instance.writers))),
      );
    case "vote":
      return hashList(state.type, pairs(state.voters));
  }
}

function digestDots<T>({ context, entries }: Dots<T>, hashValue: (value: T) => bigint): bigint {
  const seen = hashAll(context, ([replica, { upTo, beyond }]) => hashList(replica, upTo, beyond.join()));
  const elements = hashAll(entries, ([key, { dots }]) =>
    hashList(
      key,
      hashAll(dots, (dot) => hashList(dot.replica, dot.number, hashValue(dot.value))),
    ),
  );
  return hashList(seen, elements);
}
