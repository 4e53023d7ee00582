import { shards } from "./schema.ts";

/**
 * The shard of an entity: FNV-1a (32 bit) over the UTF-8 of service, entity id, persistence id and namespace, joined by NUL, its four
 * bytes xored together. Stored with every event, so it never changes.
 */
export function shardOf(parts: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of parts) hash = Math.imul(hash ^ byte, 0x01000193);
  const folded = hash ^ (hash >>> 16);
  return (folded ^ (folded >>> 8)) & (shards - 1);
}
