import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeFrames, FrameDecoder } from "./frames.ts";

const allocate = (bytes: number): Uint8Array => new Uint8Array(bytes);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function decode(decoder: FrameDecoder, chunks: readonly Uint8Array[]): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    for (let message = decoder.next(); message !== undefined; message = decoder.next()) messages.push(message);
  }
  return messages;
}

/** `whole` cut at the given places. */
function cut(whole: Uint8Array, at: readonly number[]): Uint8Array[] {
  const places = [0, ...at.map((place) => place % (whole.length + 1)).sort((a, b) => a - b), whole.length];
  return places.slice(1).map((end, index) => whole.subarray(places[index], end));
}

const equal = (actual: readonly Uint8Array[], expected: readonly Uint8Array[]): void =>
  assert.deepEqual(actual.map((m) => Buffer.from(m).toString("hex")), expected.map((m) => Buffer.from(m).toString("hex"))); // prettier-ignore

test("messages come out as they went in, however the stream is cut", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 40 }), (messages, at) => {
      const decoder = new FrameDecoder(1024);
      equal(decode(decoder, cut(encodeFrames(messages, allocate), at)), messages);
      assert.equal(decoder.finish(), undefined);
    }),
  );
});

test("pushing everything before asking gives the same messages", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 40 }), (messages, at) => {
      const decoder = new FrameDecoder(1024);
      for (const chunk of cut(encodeFrames(messages, allocate), at)) decoder.push(chunk);
      equal(decode(decoder, [new Uint8Array(0)]), messages);
    }),
  );
});

test("large messages over many chunks are exact", () => {
  const messages = [1, 16_384, 16_385, 100_000, 1_000_000].map((size) => new Uint8Array(size).fill(size % 251));
  const whole = encodeFrames(messages, allocate);
  for (const size of [1, 7, 4096, 16_384]) {
    const chunks = Array.from({ length: Math.ceil(whole.length / size) }, (_, at) => whole.subarray(at * size, (at + 1) * size));
    const got = decode(new FrameDecoder(1_000_000), chunks);
    assert.deepEqual(got.map((m) => m.length), messages.map((m) => m.length)); // prettier-ignore
    assert.ok(got.every((m, at) => Buffer.compare(m, messages[at] as Uint8Array) === 0));
  }
});

test("random bytes never make the decoder throw, and after a fault nothing comes", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (chunks) => {
      const decoder = new FrameDecoder(64);
      let faulted = false;
      for (const chunk of chunks) {
        const messages = decode(decoder, [chunk]);
        if (faulted) assert.equal(messages.length, 0);
        for (const message of messages) assert.ok(message.length <= 64);
        faulted ||= decoder.fault !== undefined;
      }
      decoder.finish();
      assert.ok(decoder.fault === undefined || ["internal", "exhausted"].includes(decoder.fault.code));
    }),
    { numRuns: 2_000 },
  );
});

test("an announced length allocates nothing: only what arrives is held", () => {
  const before = process.memoryUsage().arrayBuffers;
  const decoders = Array.from({ length: 1_000 }, () => {
    const decoder = new FrameDecoder(2 ** 31);
    decode(decoder, [Uint8Array.of(0, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3)]);
    return decoder;
  });
  assert.ok(process.memoryUsage().arrayBuffers - before < 64 * 1024 * 1024);
  assert.ok(decoders.every((decoder) => decoder.fault === undefined));
});

test("a message above the limit is refused by its prefix alone", () => {
  const decoder = new FrameDecoder(10);
  equal(decode(decoder, [encodeFrames([bytes("0123456789")], allocate), Uint8Array.of(0, 0, 0, 0, 11)]), [bytes("0123456789")]);
  assert.equal(decoder.fault?.code, "exhausted");
  assert.match(decoder.fault.message, /11 bytes.*10 allowed/);
});

test("flags other than 0 and 1 are internal, the compressed flag is told", () => {
  const decoder = new FrameDecoder(10);
  equal(decode(decoder, [Uint8Array.of(1, 0, 0, 0, 1, 7)]), [Uint8Array.of(7)]);
  assert.equal(decoder.compressed, true);
  equal(decode(decoder, [Uint8Array.of(2, 0, 0, 0, 1, 7)]), []);
  assert.equal(decoder.fault?.code, "internal");
});

test("a stream that ends inside a prefix or a message is internal", () => {
  for (const part of [Uint8Array.of(0), Uint8Array.of(0, 0, 0, 0, 5), Uint8Array.of(0, 0, 0, 0, 2, 1)]) {
    const decoder = new FrameDecoder(10);
    decode(decoder, [part]);
    assert.equal(decoder.finish()?.code, "internal");
  }
});

test("work grows with the bytes, not with their square", () => {
  const message = new Uint8Array(8 * 1024 * 1024);
  const whole = encodeFrames([message], allocate);
  let copied = 0;
  const set = Uint8Array.prototype.set;
  Uint8Array.prototype.set = function (this: Uint8Array, source: Uint8Array, offset?: number) {
    copied += source.length;
    return set.call(this, source, offset);
  };
  try {
    decode(
      new FrameDecoder(message.length),
      Array.from({ length: 2049 }, (_, at) => whole.subarray(at * 4096, (at + 1) * 4096)),
    );
  } finally {
    Uint8Array.prototype.set = set;
  }
  assert.ok(copied >= message.length && copied <= 3 * message.length, `${copied} bytes copied for ${message.length}`);
});
