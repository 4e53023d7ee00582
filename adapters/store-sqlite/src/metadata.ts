/** Metadata as it is stored: JSON of [key, text] and [key, null, base64] entries. Empty bytes = none. */
import type { CommandMetadata } from "@mecha/state/store";

type Stored = readonly (readonly [key: string, text: string] | readonly [key: string, text: null, base64: string])[];

export function metadataBytes(metadata: CommandMetadata): Uint8Array {
  const stored: Stored = metadata.map(([key, value]) =>
    typeof value === "string" ? [key, value] : [key, null, Buffer.from(value).toString("base64")],
  );
  return Buffer.from(JSON.stringify(stored));
}

export function metadataOf(bytes: Uint8Array): CommandMetadata {
  const stored = JSON.parse(Buffer.from(bytes).toString()) as Stored;
  return stored.map(([key, text, base64 = ""]) => [key, text ?? new Uint8Array(Buffer.from(base64, "base64"))]);
}
