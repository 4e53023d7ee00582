import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ClientAction } from "../model.ts";
import { type DeduplicationRecord, knownKeysMax } from "../rows.ts";
import { envelopes } from "../testing/envelope.ts";
import { decodeAnswer, encodeAnswer } from "./answer.ts";
import { derivedKeyMax, effectKey, forwardKey } from "./derive.ts";
import { commandHash, sameHash, textHash } from "./hash.ts";
import { Keys } from "./keys.ts";

const payload = fc.record({ typeUrl: fc.string(), value: fc.uint8Array() }, { noNullPrototype: true });
const metadata = fc.array(fc.tuple(fc.string(), fc.oneof(fc.string(), fc.uint8Array())));
const action: fc.Arbitrary<ClientAction> = fc.oneof(
  fc.record({ do: fc.constant("reply" as const), payload, metadata }, { noNullPrototype: true, requiredKeys: ["do", "payload"] }),
  fc.record(
    { do: fc.constant("forward" as const), service: fc.string(), command: fc.string(), payload, metadata },
    { noNullPrototype: true, requiredKeys: ["do", "service", "command", "payload"] },
  ),
  fc.record(
    { do: fc.constant("fail" as const), description: fc.string({ unit: "binary" }), restart: fc.boolean(), grpcCode: fc.nat(16) },
    { noNullPrototype: true, requiredKeys: ["do", "description", "restart"] },
  ),
  fc.record({ do: fc.constant("nothing" as const) }, { noNullPrototype: true }),
);

test("a recorded answer comes back as it was", () => {
  fc.assert(
    fc.property(action, (one) => {
      // A lone surrogate has no UTF-8; protobuf text never holds one.
      fc.pre(JSON.stringify(one).isWellFormed() && !/\\u[dD][89a-fA-F]/.test(JSON.stringify(one)));
      assert.deepEqual(decodeAnswer(encodeAnswer(one)), { ...one });
    }),
  );
});

test("bytes that are no recorded answer are a loss of data, not a crash", () => {
  const good = encodeAnswer({ do: "nothing" });
  for (const bytes of [new Uint8Array(0), Uint8Array.of(2, 0, 0, 0, 0), good.subarray(0, 7), Uint8Array.of(1, 255, 255, 255, 255, 1)])
    assert.throws(() => decodeAnswer(bytes), { code: "dataLoss" });
});

test("hashes tell names from payloads and similar commands apart", () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const same = (a: [string, string], b: [string, string]): boolean =>
    sameHash(commandHash(a[0], bytes(a[1])), commandHash(b[0], bytes(b[1])));
  assert.ok(same(["Add", "x"], ["Add", "x"]));
  for (const other of [
    ["Add", "y"],
    ["Add", ""],
    ["Ad", "dx"],
    ["Addx", ""],
    ["", "Addx"],
    ["Add", "x\0"],
  ] as [string, string][])
    assert.ok(!same(["Add", "x"], other), other.join());
  const seen = new Set(Array.from({ length: 100_000 }, (_, at) => textHash(`command ${at}`)));
  assert.equal(seen.size, 100_000);
});

test("hashes never change: they are stored", () => {
  assert.deepEqual([textHash(""), textHash("shop.Cart")], goldenHashes);
});
/** From a second implementation, in Python. */
const goldenHashes = ["b1e836cae3a2cd3e", "7b33306efb894593"];

test("derived keys name their source, hold a space, and stay short", () => {
  const source = { service: "shop.Cart", entityId: "42", key: "k" };
  assert.deepEqual([effectKey(source, 3), forwardKey(source)], ["shop.Cart/42 k/e/3", "shop.Cart/42 k/f"]);
  assert.equal(effectKey({ service: "shop.Desk", key: "k" }, 0), "shop.Desk k/e/0");
  const long = { ...source, key: "k".repeat(600) };
  const keys = [effectKey(long, 0), effectKey(long, 1), forwardKey(long), effectKey({ ...long, entityId: "43" }, 0)];
  assert.equal(new Set(keys).size, 4);
  assert.ok(keys.every((key) => key.length <= derivedKeyMax && key.includes(" ")));
});

const { make, told } = envelopes();
const record = (key: string, expiresMs = 1_000): DeduplicationRecord => ({
  key,
  payloadHash: make("a").hash,
  answer: new Uint8Array(0),
  expiresMs,
});

test("of the commands with one key one is under way, and the key is free when it is told", () => {
  const keys = new Keys();
  const [first, second, other] = [make("a", 0, {}, "k"), make("a", 0, {}, "k"), make("b", 0, {}, "k")];
  assert.deepEqual([keys.join(first), keys.join(second), keys.join(other)], ["first", "waits", "other"]);
  told.length = 0;
  first.finish(undefined, {});
  assert.deepEqual(
    told.map(({ body }) => body),
    ["a", "a"],
  );
  assert.equal(keys.join(make("b", 0, {}, "k")), "first");
});

test("records: found, expired, of another command, forgotten past the newest 1,000", () => {
  const keys = new Keys();
  const find = (key: string, wallMs = 0, body = "a"): unknown => keys.find(make(body, 0, {}, key), wallMs);
  keys.remember(record("k"));
  assert.deepEqual(find("k"), record("k"));
  assert.equal(find("k", 0, "b"), "other");
  assert.equal(find("none"), undefined);
  assert.equal(find("k", 1_000), undefined);
  assert.equal(find("k"), undefined, "an expired one is gone for good");
  for (let at = 0; at <= knownKeysMax; at++) keys.remember(record(`k${at}`));
  assert.equal(find("k0"), undefined);
  assert.ok(find("k1") && find(`k${knownKeysMax}`));
  keys.load({ records: [record("loaded")], complete: true });
  assert.deepEqual([find("k1"), find("loaded")], [undefined, record("loaded")]);
});
