/**
 * The canonical bytes of a message that was put together from body, query and path: as a serializer would have written the merged message.
 * Receivers do not mind, but equal requests should be equal bytes: the Cloudstate TCK compares them, and so does deduplication.
 *
 * Invariants
 * O1 the bytes decode to the same message as before
 * O2 fields come by ascending number; of a field that is not repeated and no message only the last occurrence is left, of a oneof only the
 *    last member, and no default of a field without presence
 */
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { ProtoReader } from "../descriptors/reader.ts";
import { isImplicit } from "./plain.ts";

/** One field on the wire: tag and value. */
interface Span {
  readonly field: DescField | undefined;
  readonly number: number;
  readonly start: number;
  /** Where the value begins, behind the tag. */
  readonly value: number;
  readonly end: number;
}

/** Compiles the ordering of one message type's outermost fields. It hands back the same bytes when they were in order. */
export function compileFieldOrder(message: DescMessage): (bytes: Uint8Array) => Uint8Array {
  const byNumber = new Map(message.fields.map((field) => [field.number, field]));
  return (bytes) => {
    const spans = spansOf(bytes, byNumber);
    const kept = withoutOverridden(spans).filter((span) => !isWrittenDefault(bytes, span));
    kept.sort((a, b) => a.number - b.number); // stable: occurrences of one field stay in their order
    return kept.length === spans.length && kept.every((span, at) => span === spans[at]) ? bytes : joined(bytes, kept);
  };
}

function spansOf(bytes: Uint8Array, byNumber: ReadonlyMap<number, DescField>): Span[] {
  const reader = new ProtoReader(bytes);
  const spans: Span[] = [];
  while (reader.more) {
    const start = reader.pos;
    const tag = reader.tag();
    const value = reader.pos;
    reader.skip(tag);
    spans.push({ field: byNumber.get(tag >>> 3), number: tag >>> 3, start, value, end: reader.pos });
  }
  return spans;
}

/** Read from the back: what a later occurrence overrides, or a later member of the same oneof clears, is left out. */
function withoutOverridden(spans: readonly Span[]): Span[] {
  const kept: Span[] = [];
  const winners = new Map<unknown, number>();
  for (const span of spans.toReversed()) {
    const { field, number } = span;
    const key = field?.oneof ?? number;
    const winner = winners.get(key);
    const merges = field === undefined || field.fieldKind === "message" || field.fieldKind === "list" || field.fieldKind === "map";
    // A member of a oneof met before its rival (seen from the back) stays out, even when the same member comes again further in front.
    if (winner === undefined || (winner === number && merges)) {
      kept.push(span);
      winners.set(key, number);
    } else if (winner !== number) winners.set(key, cleared);
  }
  return kept.reverse();
}

/** No field has this number: nothing of that oneof is taken any more. */
const cleared = -1;

/** Zero in all types: a number of zero bytes, or a length of none. */
function isWrittenDefault(bytes: Uint8Array, { field, value, end }: Span): boolean {
  if (field?.fieldKind !== "scalar" && field?.fieldKind !== "enum") return false;
  if (!isImplicit(field)) return false;
  for (let at = value; at < end; at++) if (bytes[at] !== 0) return false;
  return true;
}

function joined(message: Uint8Array, spans: readonly Span[]): Uint8Array {
  const ordered = new Uint8Array(spans.reduce((sum, { start, end }) => sum + end - start, 0));
  let at = 0;
  for (const { start, end } of spans) {
    ordered.set(message.subarray(start, end), at);
    at += end - start;
  }
  return ordered;
}
