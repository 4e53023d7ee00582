import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import type { JsonObject } from "@mecha/kinds";
import { StatusError } from "../status.ts";
import { decodeProtobuf } from "./decode.ts";

interface Fixture {
  readonly apiVersion: string;
  readonly kind: string;
  /** Base64, as Go's encoder wrote it. */
  readonly body: string;
  /** What Go's JSON encoder wrote for the same object. */
  readonly json: JsonObject;
}

/** Written by tests/tools/kube-protobuf from the Go types themselves. */
const fixtures = JSON.parse(readFileSync(new URL("gen/fixtures.json", import.meta.url), "utf8")) as readonly Fixture[];
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));

test("bodies Go programs send read as the JSON they would have sent", () => {
  assert.ok(fixtures.length > 140);
  for (const { apiVersion, kind, body, json } of fixtures) assert.deepEqual(decodeProtobuf(bytes(body)), json, `${apiVersion} ${kind}`);
});

const refused = (reason: string, message: RegExp) => (error: unknown) =>
  error instanceof StatusError && error.reason === reason && message.test(error.message);

test("what is no such body is refused", () => {
  assert.throws(() => decodeProtobuf(new TextEncoder().encode("{}")), refused("BadRequest", /expected prefix/));
  assert.throws(() => decodeProtobuf(bytes(fixtures[0]!.body).subarray(0, 40)), refused("BadRequest", /cannot be read/));
  const widget = Uint8Array.of(0x6b, 0x38, 0x73, 0, 0x0a, 0x0f, 0x0a, 5, ...Buffer.from("x.y/v"), 0x12, 6, ...Buffer.from("Widget"));
  assert.throws(() => decodeProtobuf(widget), refused("UnsupportedMediaType", /Widget .* has no Protobuf form/));
});

test("whatever bytes come, they are an object or a StatusError", () => {
  const bodies = fixtures.map((fixture) => bytes(fixture.body));
  const broken = fc
    .tuple(fc.constantFrom(...bodies), fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }), fc.nat())
    .map(([body, edits, cut]) => {
      const copy = body.slice(0, Math.max(5, cut % (body.length * 4)));
      for (const [at, byte] of edits) copy[5 + (at % copy.length)] = byte;
      return copy;
    });
  fc.assert(
    fc.property(broken, (body) => {
      try {
        assert.equal(typeof decodeProtobuf(body), "object");
      } catch (error) {
        assert.ok(error instanceof StatusError, String(error));
      }
    }),
    { numRuns: 3_000 },
  );
});
