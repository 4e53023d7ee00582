/** What every ObjectLog must do. An adapter's whole test of the port is one call of this. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObjectChange, ObjectLog } from "../object-log.ts";

/** Opens an empty log. */
export type OpenObjectLog = () => Promise<ObjectLog>;

const key = "//configmaps/default/cart";
const other = "//configmaps/default/other";

export function objectLogContract(name: string, open: OpenObjectLog): void {
  test(`${name}: revisions rise by one per write, over all keys`, async () => {
    await using log = await open();
    assert.equal(log.revision, 0);
    assert.deepEqual(await log.write({ key, expected: 0, value: '{"a":1}' }), { outcome: "written", revision: 1 });
    assert.deepEqual(await log.write({ key: other, expected: 0, value: "{}" }), { outcome: "written", revision: 2 });
    assert.deepEqual(await log.write({ key, expected: 1, value: '{"a":2}' }), { outcome: "written", revision: 3 });
    assert.deepEqual(await log.write({ key, expected: 3, value: undefined }), { outcome: "written", revision: 4 });
    assert.equal(log.revision, 4);
  });

  test(`${name}: a write computed on an old state loses and is told the present`, async () => {
    await using log = await open();
    await log.write({ key, expected: 0, value: '{"a":1}' });
    const current = { key, value: '{"a":1}', revision: 1 };
    assert.deepEqual(await log.write({ key, expected: 0, value: '{"a":2}' }), { outcome: "conflict", current });
    assert.deepEqual(await log.write({ key, expected: 7, value: undefined }), { outcome: "conflict", current });
    assert.deepEqual(await log.write({ key: other, expected: 1, value: "{}" }), { outcome: "conflict", current: undefined });
    assert.deepEqual(await log.write({ key: other, expected: 0, value: undefined }), { outcome: "conflict", current: undefined });
    assert.equal(log.revision, 1);
  });

  test(`${name}: of writes made at once on one state one wins`, async () => {
    await using log = await open();
    const outcomes = await Promise.all([1, 2, 3].map((a) => log.write({ key, expected: 0, value: JSON.stringify({ a }) })));
    assert.deepEqual(
      outcomes.map(({ outcome }) => outcome),
      ["written", "conflict", "conflict"],
    );
  });

  test(`${name}: a key that was deleted can be created again`, async () => {
    await using log = await open();
    await log.write({ key, expected: 0, value: "{}" });
    await log.write({ key, expected: 1, value: undefined });
    assert.deepEqual(await log.write({ key, expected: 0, value: '{"b":1}' }), { outcome: "written", revision: 3 });
    assert.deepEqual((await log.load()).objects, [{ key, value: '{"b":1}', revision: 3 }]);
  });

  test(`${name}: load gives everything in key order, of one revision`, async () => {
    await using log = await open();
    const keys = ["//pods/a/z", "/apps/deployments/a/b", "//pods/a/b"];
    for (const one of keys) await log.write({ key: one, expected: 0, value: "{}" });
    const { revision, objects } = await log.load();
    assert.equal(revision, 3);
    assert.deepEqual(
      objects.map((object) => object.key),
      [...keys].sort(),
    );
  });

  test(`${name}: changes are told once, in order, with the state before, ahead of the writer's answer`, async () => {
    await using log = await open();
    const told: ObjectChange[] = [];
    log.onCommit((change) => told.push(change));
    await log.write({ key, expected: 0, value: "1" });
    assert.equal(told.length, 1);
    await log.write({ key: other, expected: 0, value: "2" });
    await log.write({ key, expected: 1, value: "3" });
    await log.write({ key, expected: 3, value: undefined });
    const changes: ObjectChange[] = [
      { revision: 1, key, value: "1", previous: undefined, previousRevision: 0 },
      { revision: 2, key: other, value: "2", previous: undefined, previousRevision: 0 },
      { revision: 3, key, value: "3", previous: "1", previousRevision: 1 },
      { revision: 4, key, value: undefined, previous: "3", previousRevision: 3 },
    ];
    assert.deepEqual(told, changes);
    assert.deepEqual(await log.changesAfter(0, 100), changes);
    assert.deepEqual(await log.changesAfter(1, 2), changes.slice(1, 3));
    assert.deepEqual(await log.changesAfter(4, 100), []);
  });

  test(`${name}: compaction forgets changes, not objects`, async () => {
    await using log = await open();
    await log.write({ key, expected: 0, value: "1" });
    await log.write({ key: other, expected: 0, value: "2" });
    await log.write({ key, expected: 1, value: "3" });
    await log.write({ key, expected: 3, value: undefined });
    await log.compact(3);
    assert.equal(log.compactedRevision, 3);
    await assert.rejects(log.changesAfter(2, 10), { code: "outOfRange" });
    assert.deepEqual(await log.changesAfter(3, 10), [{ revision: 4, key, value: undefined, previous: "3", previousRevision: 3 }]);
    await log.compact(1);
    assert.equal(log.compactedRevision, 3);
    await log.compact(1_000);
    assert.equal(log.compactedRevision, 4);
    assert.deepEqual((await log.load()).objects, [{ key: other, value: "2", revision: 2 }]);
    assert.deepEqual(await log.write({ key: other, expected: 2, value: "5" }), { outcome: "written", revision: 5 });
    assert.deepEqual(await log.changesAfter(4, 10), [{ revision: 5, key: other, value: "5", previous: "2", previousRevision: 2 }]);
  });

  test(`${name}: a closed log takes nothing`, async () => {
    const log = await open();
    await log[Symbol.asyncDispose]();
    await log[Symbol.asyncDispose]();
    await assert.rejects(log.write({ key, expected: 0, value: "1" }), { code: "unavailable" });
  });
}
