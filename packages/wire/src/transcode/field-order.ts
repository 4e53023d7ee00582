/**
 * Order of fields. Serializers write fields by ascending number; a message put together from JSON, query and path has them in the order of
 * its parts. Receivers do not mind, but equal requests should be equal bytes: the Cloudstate TCK compares them, and so does deduplication.
 */
import { ProtoReader } from "../descriptors/reader.ts";

interface Span {
  readonly number: number;
  readonly start: number;
  readonly end: number;
}

/** `message` with its outermost fields by ascending number; those of one number stay in their order. The same bytes when they were so. */
export function inFieldOrder(message: Uint8Array): Uint8Array {
  const reader = new ProtoReader(message);
  const spans: Span[] = [];
  let last = 0;
  let sorted = true;
  while (reader.more) {
    const start = reader.pos;
    const tag = reader.tag();
    reader.skip(tag);
    const number = tag >>> 3;
    sorted &&= number >= last;
    last = number;
    spans.push({ number, start, end: reader.pos });
  }
  return sorted ? message : joined(message, spans);
}

function joined(message: Uint8Array, spans: Span[]): Uint8Array {
  const ordered = new Uint8Array(message.length);
  let at = 0;
  for (const { start, end } of spans.sort((a, b) => a.number - b.number)) {
    ordered.set(message.subarray(start, end), at);
    at += end - start;
  }
  return ordered;
}
