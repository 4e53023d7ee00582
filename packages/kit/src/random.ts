/** Chance as a dependency, so that a run can be repeated from its seed. */
export interface Random {
  /** A whole number from 0 to `belowExclusive - 1`; `belowExclusive` from 1 to 2^32. */
  below(belowExclusive: number): number;
  /** `length` random bytes. The host's are fit for secrets; a seeded Random's are not. */
  bytes(length: number): Uint8Array;
}

/** A random (version 4) UUID in lower case, RFC 9562 §5.4. */
export function uuid(random: Random): string {
  const b = random.bytes(16);
  b[6] = ((b[6] ?? 0) & 0x0f) | 0x40;
  b[8] = ((b[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(b, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
