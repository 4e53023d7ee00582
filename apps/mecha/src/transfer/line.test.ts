import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "@mecha/kit";
import { bytesOf, fileMetadata, metadataOf, readLine } from "./line.ts";
import { anyRecord } from "./testing.ts";

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test("what is written is read", () => {
  fc.assert(fc.property(anyRecord, (record) => assert.deepEqual(plain(readLine(JSON.stringify(record))), plain(record))));
});

test("any text is a line or a Fault that names the field", () => {
  const broken = fc.tuple(anyRecord, fc.string({ maxLength: 12 }), fc.jsonValue()).map(([record, name, value]) => {
    const fields = plain(record) as Record<string, unknown>;
    const names = Object.keys(fields);
    return JSON.stringify({ ...fields, [names[name.length % names.length] ?? name]: value });
  });
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), broken), (text) => {
      try {
        readLine(text);
      } catch (problem) {
        assert.ok(problem instanceof Fault && problem.code === "invalid", String(problem));
        assert.match(problem.message, /`|JSON|entity/u);
      }
    }),
  );
});

const event = {
  record: "event",
  service: "s",
  persistenceId: "p",
  id: "i",
  sequence: 1,
  time: "2026-11-20T12:00:00.000Z",
  cause: "c",
  payload: { type: "t", base64: "" },
};

for (const [what, change, says] of [
  ["no object", undefined, /the line: expected a JSON object, got 7/],
  ["unknown record", { record: "evnt" }, /`record`: expected export, event, value, crdt, timers or end, got "evnt"/],
  ["misspelt field", { comandId: "x" }, /`comandId` is no field of this record/],
  ["missing field", { cause: undefined }, /`cause`: expected text, got nothing/],
  ["sequence 0", { sequence: 0 }, /`sequence`: expected a whole number from 1, got 0/],
  ["no time", { time: "yesterday" }, /`time`: expected a time like .*, got "yesterday"/],
  ["a day that is none", { time: "2026-13-45T12:00:00Z" }, /`time`: expected a time/],
  ["empty id", { id: "" }, /entityId of an entity is empty/],
  ["neither json nor base64", { payload: { type: "t" } }, /`payload`: expected one of `json` and `base64`/],
  ["both", { payload: { type: "t", json: 1, base64: "" } }, /`payload`: expected one of/],
  ["not base64", { payload: { type: "t", base64: "a!" } }, /`payload.base64`: expected base64, got "a!"/],
  ["a timer without a name", { timers: [{}] }, /`timers\[0\].name`: expected text, got nothing/],
  ["timers that are no list", { timers: {} }, /`timers`: expected a list/],
] as const) {
  test(`refused: ${what}`, () => {
    const text = change === undefined ? "7" : JSON.stringify({ ...event, ...change });
    assert.throws(() => readLine(text), says);
  });
}

test("metadata of timers keeps text and bytes apart", () => {
  const metadata = [["a", "b"], ["c-bin", Uint8Array.of(0, 255)]] as const; // prettier-ignore
  assert.deepEqual(metadataOf(fileMetadata(metadata)), metadata);
  assert.deepEqual([...bytesOf("AP8=")], [0, 255]);
});
