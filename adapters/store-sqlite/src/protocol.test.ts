import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Reader, wordsMax, Writer } from "./protocol.ts";
import { shardOf } from "./shard.ts";

const field = fc.oneof(
  fc.record({ is: fc.constant("text" as const), value: fc.string({ unit: "grapheme", maxLength: 80 }) }),
  fc.record({ is: fc.constant("word" as const), value: fc.constantFrom("a", "b", "shop.ItemAdded", "é", "") }),
  fc.record({ is: fc.constant("bytes" as const), value: fc.uint8Array({ maxLength: 9_000 }) }),
  fc.record({ is: fc.constant("f64" as const), value: fc.double({ noNaN: true }) }),
  fc.record({ is: fc.constant("u32" as const), value: fc.nat() }),
);

test("what is written is read, over several batches", () => {
  fc.assert(
    fc.property(fc.array(fc.array(field), { maxLength: 4 }), (batches) => {
      const [writer, reader] = [new Writer(), new Reader()];
      for (const fields of batches) {
        const began = writer.begin(7);
        for (const one of fields) write(writer, one);
        writer.end(began);
        const size = writer.size;
        reader.open(writer.take());
        assert.equal(writer.size, 0);
        assert.equal(reader.u8(), 7);
        assert.equal(reader.u32(), size - 5);
        for (const { is, value } of fields) assert.deepEqual(reader[is](), value);
        assert.ok(reader.done);
      }
    }),
  );
});

function write(writer: Writer, one: ReturnType<typeof field.generate>["value"]): void {
  if (one.is === "text" || one.is === "word") writer[one.is](one.value);
  else if (one.is === "bytes") writer.bytes(one.value);
  else writer[one.is](one.value);
}

test("words past the table's limit are still words", () => {
  const [writer, reader] = [new Writer(), new Reader()];
  const words = Array.from({ length: wordsMax + 100 }, (_, at) => `word ${at}`);
  for (let twice = 0; twice < 2; twice++) {
    for (const word of words) writer.word(word);
    reader.open(writer.take());
    for (const word of words) assert.equal(reader.word(), word);
    assert.ok(reader.done);
  }
});

test("a step can be read twice: its words mean the same", () => {
  const [writer, reader] = [new Writer(), new Reader()];
  for (const word of ["a", "b", "a"]) writer.word(word);
  reader.open(writer.take());
  const from = reader.at;
  for (let twice = 0; twice < 2; twice++) {
    reader.at = from;
    assert.deepEqual([reader.word(), reader.word(), reader.word()], ["a", "b", "a"]);
  }
});

test("shards never change: golden values", () => {
  const shard = (text: string): number => shardOf(Buffer.from(text));
  assert.deepEqual(["shop.Cart\0cart-1\0carts\0default", "shop.Cart\0cart-2\0carts\0default", "a\0é\0b\0c"].map(shard), goldenShards);
  const used = new Set(Array.from({ length: 5_000 }, (_, at) => shard(`shop.Cart\0cart-${at}\0carts\0default`)));
  assert.equal(used.size, 256, "5,000 similar ids reach every shard");
});

/** From a second implementation, in Python. */
const goldenShards = [21, 176, 28];
