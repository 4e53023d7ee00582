/** One value of a metadata entry: text, or bytes when the key ends in `-bin` (gRPC, "Custom-Metadata"). */
export type MetadataValue = string | Uint8Array;

/**
 * gRPC metadata (HTTP headers without the pseudo and protocol ones). Keys are lower case; a key may occur more than once; order is kept.
 * `-bin` values are bytes here and base64 on the wire.
 */
export class Metadata {
  static readonly empty: Metadata = new Metadata([]);
  readonly entries: readonly (readonly [key: string, value: MetadataValue])[];

  constructor(entries: readonly (readonly [key: string, value: MetadataValue])[]) {
    this.entries = entries;
  }

  /** The first text value of `key` (lower case). */
  get(key: string): string | undefined {
    for (const [name, value] of this.entries) if (name === key && typeof value === "string") return value;
    return undefined;
  }

  /** The first value of `key` (lower case), text or bytes. */
  value(key: string): MetadataValue | undefined {
    for (const [name, value] of this.entries) if (name === key) return value;
    return undefined;
  }

  /** A copy with `more` behind the present entries. */
  with(...more: readonly (readonly [string, MetadataValue])[]): Metadata {
    return more.length === 0 ? this : new Metadata([...this.entries, ...more]);
  }
}
