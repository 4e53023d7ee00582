/** The contract's part on what a step stores beside its entity: keys (E9), messages (E10), timers (E12). */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CommandMetadata } from "../model.ts";
import {
  type DeduplicationRecord,
  type EntityHandle,
  knownKeysMax,
  noEntity,
  type OutboxMessage,
  type OutboxRow,
  type Step,
  type Store,
  type TimerChange,
  type TimerRow,
} from "../store.ts";
import { append, cart, committed, conflict, type InStore, payload, read, type StorePlace, texts, timeMs, update } from "./steps.ts";

const day = 24 * 3_600_000;
const utf8 = new TextEncoder();
const metadata: CommandMetadata = [
  ["x-tenant", "blau"],
  ["x-raw-bin", new Uint8Array([0, 255, 7])],
];

/** Registers this part. */
export function rowContract(inStore: InStore): void {
  keys(inStore);
  messages(inStore);
  timers(inStore);
  together(inStore);
}

function record(key: string, more: Partial<DeduplicationRecord> = {}): DeduplicationRecord {
  return { key, payloadHash: utf8.encode(`#${key}`), answer: utf8.encode(`answer to ${key}`), expiresMs: timeMs + day, ...more };
}

function keyed(
  handle: EntityHandle,
  sequence: number,
  key: string,
  more: Partial<DeduplicationRecord> = {},
  step: Partial<Step> = {},
): Step {
  return append(handle, sequence, [`by ${key}`], { deduplication: record(key, more), ...step });
}

function message(body: string, more: Partial<OutboxMessage> = {}): OutboxMessage {
  const rest = { command: "Add", payload: payload(body), hops: 1, origin: "side effect of shop.Cart.AddItem" };
  return { key: `k/${body}`, service: "shop.Mirror", entityId: "m", ...rest, ...more };
}

function set(name: string, dueMs: number, more: Partial<Extract<TimerChange, { do: "set" }>> = {}): TimerChange {
  return { do: "set", name, dueMs, schedule: "", command: "Remind", payload: payload(name), ...more };
}

async function knownKeys(store: Store, id = "1", nowMs = timeMs): Promise<{ keys: string[]; complete: boolean | undefined }> {
  const { handle, keys: known } = await store.open(cart(id), "eventSourced", nowMs);
  store.release(handle);
  return { keys: (known?.records ?? []).map(({ key }) => key), complete: known?.complete };
}

const bodies = (rows: readonly OutboxRow[]): (string | undefined)[] => rows.map((row) => read(row.payload));
const waiting = (store: Store): Promise<readonly OutboxRow[]> => store.outbox({ state: "waiting", limit: 1_000 });

function keys(inStore: InStore): void {
  inStore("a key comes along when its entity is opened, and no other's does", async (store) => {
    const { handle, keys: none } = await store.open(cart("1"), "eventSourced", timeMs);
    const other = await store.open(cart("2"), "eventSourced", timeMs);
    assert.equal(none, undefined);
    assert.deepEqual(await store.commit([keyed(handle, 0, "a"), keyed(handle, 1, "ü b"), keyed(other.handle, 0, "a")]), [
      committed,
      committed,
      committed,
    ]);
    const again = await store.open(cart("1"), "eventSourced", timeMs);
    assert.deepEqual(again.keys, { records: [record("a"), record("ü b")], complete: true });
  });

  inStore("a known key answers what was recorded and changes nothing, whatever sequence is expected (S8)", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced", timeMs);
    await store.commit([keyed(handle, 0, "a")]);
    const again = { answer: utf8.encode("another") };
    for (const sequence of [1, 0, 9])
      assert.deepEqual(await store.commit([keyed(handle, sequence, "a", again)]), [{ is: "duplicate", record: record("a") }]);
    assert.deepEqual(await texts(store, handle), ["by a"]);
    const opened = await store.open(cart("1"), "eventSourced", timeMs);
    assert.deepEqual(await store.commit([append(opened.handle, 1, ["next"])]), [committed]);
  });

  inStore("a step behind a repeated one is not stored, although that one changed nothing (S3)", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced", timeMs);
    await store.commit([keyed(handle, 0, "a")]);
    const [first, second] = await store.commit([keyed(handle, 1, "a"), append(handle, 1, ["behind"])]);
    assert.deepEqual([first?.is, second], ["duplicate", conflict(1)]);
    assert.deepEqual(await texts(store, handle), ["by a"]);
  });

  inStore("the second step with a key in one call is the duplicate", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced", timeMs);
    const steps = [keyed(handle, 0, "a"), keyed(handle, 1, "a"), keyed(handle, 1, "b"), keyed(handle, 1, "c")];
    assert.deepEqual(await store.commit(steps), [committed, { is: "duplicate", record: record("a") }, conflict(1), conflict(1)]);
    assert.deepEqual(await texts(store, handle), ["by a"]);
    assert.deepEqual((await knownKeys(store)).keys, ["a"]);
  });

  inStore("a step with nothing but a key is stored; the entity then exists as its kind", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced", timeMs);
    assert.deepEqual(await store.commit([append(handle, 0, [], { deduplication: record("a", { answer: new Uint8Array(0) }) })]), [
      committed,
    ]);
    store.release(handle);
    const again = await store.open(cart("1"), "eventSourced", timeMs);
    assert.deepEqual([again.sequence, again.keys?.records[0]?.answer.length], [0, 0]);
    assert.deepEqual(await store.commit([append(again.handle, 0, ["x"]), keyed(again.handle, 1, "a")]), [
      committed,
      { is: "duplicate", record: record("a", { answer: new Uint8Array(0) }) },
    ]);
    const [listed] = await store.list({ limit: 10 });
    assert.equal(listed?.sequence, 1);
  });

  inStore("values have keys too", async (store) => {
    const { handle } = await store.open(cart("1"), "value", timeMs);
    const step = { ...update(handle, 0, "x"), deduplication: record("a") };
    assert.deepEqual(await store.commit([step, { ...step, expectedSequence: 1 }]), [committed, { is: "duplicate", record: record("a") }]);
    const again = await store.open(cart("1"), "value", timeMs);
    assert.deepEqual([read(again.value), again.sequence, again.keys?.records.length], ["x", 1, 1]);
  });

  inStore("an expired key does not come along, and may be used anew", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced", timeMs);
    await store.commit([keyed(handle, 0, "a", { expiresMs: timeMs + 10 }), keyed(handle, 1, "b")]);
    assert.deepEqual((await knownKeys(store, "1", timeMs + 9)).keys, ["a", "b"]);
    assert.deepEqual((await knownKeys(store, "1", timeMs + 10)).keys, ["b"]);
    const later = keyed(handle, 2, "a", {}, { timeMs: timeMs + 10 });
    assert.deepEqual(await store.commit([later]), [committed]);
    assert.deepEqual((await knownKeys(store, "1", timeMs + 10)).keys, ["b", "a"]);
  });

  inStore("of many keys the newest come along, and the store knows the others all the same", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced", timeMs);
    const count = knownKeysMax + 5;
    await store.commit(Array.from({ length: knownKeysMax }, (_, at) => keyed(handle, at, `k${at}`)));
    assert.deepEqual([(await knownKeys(store)).keys.length, (await knownKeys(store)).complete], [knownKeysMax, true]);
    await store.commit(Array.from({ length: 5 }, (_, at) => keyed(handle, knownKeysMax + at, `k${knownKeysMax + at}`)));
    const { keys: known, complete } = await knownKeys(store);
    assert.equal(complete, false);
    assert.deepEqual([known.length, known[0], known.at(-1)], [knownKeysMax, "k5", `k${count - 1}`]);
    assert.deepEqual(await store.commit([keyed(handle, count, "k0")]), [{ is: "duplicate", record: record("k0") }]);
  });

  inStore("large answers do not all come along", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced", timeMs);
    const answer = new Uint8Array(600_000).fill(7);
    await store.commit([
      keyed(handle, 0, "a", { answer }),
      keyed(handle, 1, "b", { answer }),
      keyed(handle, 2, "c", { answer: new Uint8Array(2 << 20) }),
    ]);
    assert.deepEqual(await knownKeys(store), { keys: [], complete: false });
    await store.commit([keyed(handle, 3, "d", { answer })]);
    assert.deepEqual(await knownKeys(store), { keys: ["d"], complete: false });
  });

  inStore("a sweep forgets what has expired, a bounded number at a time", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced", timeMs);
    await store.commit(Array.from({ length: 10 }, (_, at) => keyed(handle, at, `k${at}`, { expiresMs: timeMs + at + 1 })));
    assert.equal(await store.sweep(timeMs, 100), 0);
    assert.equal(await store.sweep(timeMs + 6, 4), 4);
    assert.equal(await store.sweep(timeMs + 6, 4), 2);
    assert.deepEqual((await knownKeys(store, "1", 0)).keys, ["k6", "k7", "k8", "k9"]);
  });
}

function messages(inStore: InStore): void {
  inStore("messages come back with everything they were given, in order, and with their numbers", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    const full = message("b", { metadata, trace: "00-aa-bb-01", hops: 31 });
    const { entityId: _, ...toAction } = message("c", { service: "shop.Mail" });
    const verdicts = await store.commit([
      append(handle, 0, ["x"], { outbox: [message("a"), full] }),
      append(handle, 1, ["y"]),
      append(handle, 2, [], { outbox: [toAction] }),
    ]);
    assert.deepEqual(verdicts, [{ is: "committed", outboxId: 1 }, committed, { is: "committed", outboxId: 3 }]);
    const row = { source: cart("1"), timeMs, state: "waiting", attempts: 0, dueMs: 0 };
    assert.deepEqual(await waiting(store), [
      { ...message("a"), ...row, id: 1 },
      { ...full, ...row, id: 2 },
      { ...toAction, ...row, id: 3 },
    ]);
  });

  inStore("a step that fails leaves no message", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced", timeMs);
    const outbox = [message("a")];
    const known = keyed(handle, 0, "k");
    await store.commit([known, append(handle, 7, ["x"], { outbox }), { ...known, expectedSequence: 1, outbox }]);
    assert.deepEqual(await waiting(store), []);
  });

  inStore("messages of nobody's: an action's", async (store) => {
    const step: Step = { entity: noEntity, expectedSequence: 0, events: [], cause: "Send", timeMs, outbox: [message("a"), message("b")] };
    assert.deepEqual(await store.commit([step, step]), [
      { is: "committed", outboxId: 1 },
      { is: "committed", outboxId: 3 },
    ]);
    assert.deepEqual(bodies(await waiting(store)), ["a", "b", "a", "b"]);
    assert.ok((await waiting(store)).every(({ source }) => source === undefined));
    assert.deepEqual(await store.list({ limit: 1 }), []);
  });

  inStore("what became of messages shows in the next read", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    await store.commit([append(handle, 0, ["x"], { outbox: ["a", "b", "c", "d"].map((body) => message(body)) })]);
    store.settle([
      { id: 1, to: "removed" },
      { id: 2, to: "waiting", attempts: 3, dueMs: timeMs + 5, failure: "unavailable: äh" },
      { id: 3, to: "dead", attempts: 9, failure: "invalid: no" },
      { id: 99, to: "removed" },
      { id: 1, to: "waiting", attempts: 1, dueMs: 0 },
    ]);
    const [b, d] = await waiting(store);
    assert.deepEqual([b?.id, b?.attempts, b?.dueMs, b?.failure], [2, 3, timeMs + 5, "unavailable: äh"]);
    assert.deepEqual([d?.id, d?.attempts, d?.failure], [4, 0, undefined]);
    const [c] = await store.outbox({ state: "dead", limit: 10 });
    assert.deepEqual([c?.id, c?.attempts, c?.failure, c?.state], [3, 9, "invalid: no", "dead"]);
    store.settle([{ id: 3, to: "waiting", attempts: 0, dueMs: 0 }]);
    assert.deepEqual(bodies(await waiting(store)), ["b", "c", "d"]);
    assert.equal((await waiting(store))[1]?.failure, undefined);
  });

  inStore("messages are paged, and read by lane", async (store) => {
    const a = await store.open(cart("a"), "eventSourced");
    const b = await store.open(cart("b"), "eventSourced");
    const { entityId: _, ...toAction } = message("5", { service: "shop.Mail" });
    const nobody: Step = { entity: noEntity, expectedSequence: 0, events: [], cause: "Send", timeMs, outbox: [message("6"), toAction] };
    await store.commit([
      append(a.handle, 0, ["x"], { outbox: [message("1"), message("2", { entityId: "n" }), message("3", { service: "shop.Other" })] }),
      append(b.handle, 0, ["x"], { outbox: [message("4"), toAction] }),
      append(a.handle, 1, ["y"], { outbox: [message("7")] }),
      nobody,
    ]);
    const page = async (more: Partial<Parameters<Store["outbox"]>[0]>): Promise<(string | undefined)[]> =>
      bodies(await store.outbox({ state: "waiting", limit: 100, ...more }));
    assert.deepEqual(await page({ limit: 2 }), ["1", "2"]);
    assert.deepEqual(await page({ limit: 2, afterId: 2 }), ["3", "4"]);
    const toMirror = { service: "shop.Mirror", entityId: "m" };
    assert.deepEqual(await page({ lane: { source: cart("a"), ...toMirror } }), ["1", "7"]);
    assert.deepEqual(await page({ lane: { source: cart("a"), ...toMirror }, afterId: 1 }), ["7"]);
    assert.deepEqual(await page({ lane: { source: cart("b"), service: "shop.Mail" } }), ["5"]);
    assert.deepEqual(await page({ lane: toMirror }), ["6"]);
    assert.deepEqual(await page({ lane: { source: cart("never"), ...toMirror } }), []);
  });

  inStore("a page of messages holds about 1 MiB", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    const large = { payload: payload(new Uint8Array(700_000)) };
    const huge = { payload: payload(new Uint8Array(3 << 20)) };
    await store.commit([append(handle, 0, ["x"], { outbox: [message("a", large), message("b", large), message("c", huge)] })]);
    const ids = async (afterId: number): Promise<number[]> =>
      (await store.outbox({ state: "waiting", limit: 10, afterId })).map(({ id }) => id);
    assert.deepEqual([await ids(0), await ids(1), await ids(2)], [[1], [2], [3]]);
  });
}

function timers(inStore: InStore): void {
  const due = async (store: Store, nowMs: number, limit = 100): Promise<string[]> =>
    (await store.timersDue(nowMs, limit)).map(({ name }) => name);

  inStore("a timer comes back with everything it was given, when it is due", async (store) => {
    const { handle } = await store.open(cart("1"), "value");
    const full = set("remind", timeMs + 100, { schedule: "every 5 min", metadata });
    assert.deepEqual(await store.commit([append(handle, 0, [], { timers: [full] })]), [committed]);
    assert.deepEqual(await store.timersDue(timeMs + 99, 10), []);
    const { do: _, ...rest } = full as Extract<TimerChange, { do: "set" }>;
    const row: TimerRow = { ...rest, id: 1, address: cart("1"), kind: "value", firings: 0 };
    assert.deepEqual(await store.timersDue(timeMs + 100, 10), [row]);
    assert.deepEqual(await store.timers({ limit: 10 }), [row]);
  });

  inStore("timers are due in the order of their times, a page at a time", async (store) => {
    const a = await store.open(cart("a"), "eventSourced");
    const b = await store.open(cart("b"), "eventSourced");
    await store.commit([
      append(a.handle, 0, [], { timers: [set("a3", 3), set("a1", 1), set("a2", 2)] }),
      append(b.handle, 0, ["x"], { timers: [set("b2", 2), set("b9", 9)] }),
    ]);
    assert.deepEqual(await due(store, 5), ["a1", "a2", "b2", "a3"]);
    const first = await store.timersDue(5, 2);
    assert.deepEqual(
      (await store.timersDue(5, 2, first.at(-1))).map(({ name }) => name),
      ["b2", "a3"],
    );
    const names = async (query: Partial<Parameters<Store["timers"]>[0]>): Promise<string[]> =>
      (await store.timers({ limit: 100, ...query })).map(({ name }) => name);
    assert.deepEqual(await names({}), ["a3", "a1", "a2", "b2", "b9"]);
    assert.deepEqual(await names({ service: "shop.Cart", entityId: "b" }), ["b2", "b9"]);
    assert.deepEqual(await names({ service: "shop.None" }), []);
    const [, second] = await store.timers({ limit: 2 });
    assert.deepEqual(await names({ afterId: second?.id ?? 0, limit: 2 }), ["a2", "b2"]);
  });

  inStore("a timer is set anew, cancelled, fired once and fired again, each with its step", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    const step = (...changes: readonly TimerChange[]): Step => append(handle, 0, [], { timers: changes });
    await store.commit([step(set("once", 1), set("often", 1), set("gone", 1), set("moved", 1))]);
    const [{ id } = { id: 0 }] = await store.timers({ limit: 1 });
    await store.commit([step({ do: "cancel", name: "gone" }, { do: "cancel", name: "never" }, set("moved", 50))]);
    await store.commit([
      step(
        { do: "fired", name: "once", dueMs: 1 },
        { do: "fired", name: "often", dueMs: 1, nextDueMs: 2 },
        { do: "fired", name: "moved", dueMs: 1, nextDueMs: 99 },
        { do: "fired", name: "never", dueMs: 1, nextDueMs: 99 },
      ),
    ]);
    const left = async (): Promise<unknown[]> => (await store.timers({ limit: 10 })).map(({ name, dueMs }) => [name, dueMs]);
    assert.deepEqual(await left(), [
      ["often", 2],
      ["moved", 50],
    ]);
    await store.commit([
      step({ do: "fired", name: "often", dueMs: 2 }, set("once", 7)),
      append(handle, 5, [], { timers: [set("late", 1)] }),
    ]);
    assert.deepEqual(await due(store, 1_000), ["once", "moved"]);
    assert.ok(id > 0);
  });

  inStore("a timer counts its firings, says why one was given up, and is parked when no other follows", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    const commit = async (...changes: readonly TimerChange[]): Promise<void> =>
      assert.deepEqual(await store.commit([append(handle, 0, [], { timers: changes })]), [committed]);
    const all = async (): Promise<unknown[]> =>
      (await store.timers({ limit: 10 })).map(({ name, dueMs, firings, failure, parked }) => [name, dueMs, firings, failure, parked]);
    await commit(set("often", 1), set("once", 1), set("moved", 50));
    await commit({ do: "fired", name: "often", dueMs: 1, nextDueMs: 2 });
    await commit(
      { do: "failed", name: "often", dueMs: 2, nextDueMs: 3, failure: "too large" },
      { do: "failed", name: "once", dueMs: 1, failure: "gone ☂" },
      { do: "failed", name: "moved", dueMs: 1, failure: "of a setting before" },
      { do: "failed", name: "never", dueMs: 1, failure: "there is none" },
    );
    const parked = ["once", 1, 0, "gone ☂", true];
    assert.deepEqual(await all(), [["often", 3, 2, "too large", undefined], parked, ["moved", 50, 0, undefined, undefined]]);
    assert.deepEqual(await due(store, 1_000), ["often", "moved"]);
    await commit({ do: "fired", name: "often", dueMs: 3, nextDueMs: 4 }, set("once", 5));
    assert.deepEqual((await all()).slice(0, 2), [
      ["often", 4, 3, undefined, undefined],
      ["once", 5, 0, undefined, undefined],
    ]);
    await commit(set("often", 9));
    assert.deepEqual((await all())[0], ["often", 9, 0, undefined, undefined]);
  });
}

function together(inStore: InStore): void {
  inStore("everything of a step is stored, or nothing (S4)", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced", timeMs);
    const all = { outbox: [message("a")], timers: [set("t", 1)] };
    const steps = [keyed(handle, 0, "a", {}, all), keyed(handle, 0, "b", {}, all), keyed(handle, 1, "a", {}, all)];
    const [first, second, third] = await store.commit(steps);
    assert.deepEqual([first, second, third?.is], [{ is: "committed", outboxId: 1 }, conflict(1), "duplicate"]);
    assert.deepEqual([(await waiting(store)).length, (await store.timers({ limit: 10 })).length], [1, 1]);
    assert.deepEqual((await knownKeys(store)).keys, ["a"]);
  });

  inStore("limits are checked", async (store) => {
    for (const limit of [0, 1_001]) {
      await assert.rejects(store.outbox({ state: "waiting", limit }), /assertion failed/);
      await assert.rejects(store.timers({ limit }), /assertion failed/);
      await assert.rejects(store.timersDue(0, limit), /assertion failed/);
      await assert.rejects(store.sweep(0, limit), /assertion failed/);
    }
  });
}

/** Registers what only persistent stores can do. */
export function rowPersistence(name: string, place: () => Promise<StorePlace>): void {
  test(`${name}: keys, messages and timers are there when the store is opened again`, async () => {
    await using at = await place();
    for (let round = 0; round < 3; round++) {
      await using store = await at.open();
      const { handle, sequence, keys: known } = await store.open(cart("1"), "eventSourced", timeMs);
      assert.deepEqual(
        known?.records.map(({ key }) => key) ?? [],
        Array.from({ length: round }, (_, n) => `k${n}`),
      );
      assert.deepEqual(
        bodies(await waiting(store)),
        Array.from({ length: round }, (_, n) => `kept ${n}`),
      );
      assert.equal((await store.timersDue(timeMs, 10)).length, round);
      const outbox = [message(`kept ${round}`), message("gone")];
      const [verdict] = await store.commit([keyed(handle, sequence, `k${round}`, {}, { outbox, timers: [set(`t${round}`, 1)] })]);
      assert.ok(verdict?.is === "committed" && verdict.outboxId !== undefined);
      store.settle([{ id: verdict.outboxId + 1, to: "removed" }]);
    }
  });
}
