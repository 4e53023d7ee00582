/**
 * A 64-bit hash to tell a repeated command from another one under the same key (E9), and to shorten derived keys. It guards against mistakes, not
 * against attacks: who can choose both commands can as well choose two keys.
 *
 * Two 32-bit multiply-and-xor lanes with different constants, mixed at the end with those of MurmurHash3 (public domain). One in 10^10 pairs of
 * different commands under one key would be taken for the same if a key were reused 6 × 10^4 times.
 */

const utf8 = new TextEncoder();
const seedA = 0xdeadbeef;
const seedB = 0x41c6ce57;

/** Of a command: its name and its payload. */
export function commandHash(name: string, payload: Uint8Array): Uint8Array {
  const lanes = { a: seedA, b: seedB };
  feed(lanes, utf8.encode(name));
  feed(lanes, separator);
  feed(lanes, payload);
  return finish(lanes);
}

/** Of a text, in hexadecimal. */
export function textHash(text: string): string {
  const lanes = { a: seedA, b: seedB };
  feed(lanes, utf8.encode(text));
  return Array.from(finish(lanes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

const separator = new Uint8Array(1);

function feed(lanes: { a: number; b: number }, bytes: Uint8Array): void {
  let { a, b } = lanes;
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x9e3779b1);
    b = Math.imul(b ^ byte, 0x5f356495);
    a ^= a >>> 15;
    b ^= b >>> 13;
  }
  lanes.a = a;
  lanes.b = b;
}

function finish({ a, b }: { readonly a: number; readonly b: number }): Uint8Array {
  const hash = new Uint8Array(8);
  const view = new DataView(hash.buffer);
  view.setUint32(0, mix(a ^ Math.imul(b, 0x85ebca6b)));
  view.setUint32(4, mix(b ^ Math.imul(a, 0xc2b2ae35)));
  return hash;
}

function mix(lane: number): number {
  let h = lane;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
