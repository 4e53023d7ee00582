/** What a compiled codec promises, and the choices there are. */
import type { DescMessage } from "@bufbuild/protobuf";
import type { BinaryWriter } from "@bufbuild/protobuf/wire";

/** How the plain objects look. */
export interface CodecOptions {
  /** Decoded objects carry `$typeName`, as the generated types of protobuf-es ask. Default false. */
  readonly typeName?: boolean;
  /** Enums as numbers, or as value names without the enum's prefix (`COLOR_RED` → `"RED"`). Default `number`. */
  readonly enums?: "number" | "name";
  /**
   * `true`: a message field without the `optional` word is never absent: decoding fills in an empty message, encoding demands it, and so
   * it does of every other field that is not optional, repeated, a map or in a oneof. Default false: absent fields encode as their default.
   */
  readonly required?: boolean;
  /** Encoding refuses properties the message does not have; names that begin with `$` excepted. Default false: they are ignored. */
  readonly exact?: boolean;
}

/** Turns one message type into bytes and back. */
export interface Codec<T = unknown> {
  readonly desc: DescMessage;
  /** @throws Fault("invalid") naming the field, when `value` does not fit the message. */
  encode(value: T): Uint8Array;
  /** As `encode`, appending to `writer` without a length. */
  write(value: T, writer: BinaryWriter): void;
  /** @throws Fault("invalid") when the bytes are no such message. */
  decode(bytes: Uint8Array): T;
}
