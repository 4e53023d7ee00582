/**
 * What every Store must do. An adapter's test file is one call:
 *
 *     storeContract("memory", { persistent: false }, async () => ({ open: async () => openMemoryStore(), async [Symbol.asyncDispose]() {} }));
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom } from "@mecha/kit/testing";
import type { EntityAddress } from "../model.ts";
import type { EntityHandle, EntityListing, Step, Store } from "../store.ts";
import { handleContract } from "./handles.ts";
import { applyHistory, historyOf } from "./history.ts";
import { recordContract } from "./records.ts";
import { replicaContract, replicaPersistence } from "./replicas.ts";
import { rowContract, rowPersistence } from "./rows.ts";
import {
  allEvents,
  append,
  cart,
  committed,
  conflict,
  type InStore,
  isAssertion,
  isFault,
  payload,
  read,
  remove,
  type StorePlace,
  texts,
  update,
} from "./steps.ts";

/** What a store is made for. Tests of what it is not made for are not registered, so a run shows no skips. */
export interface StoreCapabilities {
  /** A store opened again in its place has what was committed. */
  readonly persistent: boolean;
}

/** Registers the suite. `place` is called once for each test. */
export function storeContract(name: string, { persistent }: StoreCapabilities, place: () => Promise<StorePlace>): void {
  const inStore = (what: string, run: (store: Store) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      await using at = await place();
      await using store = await at.open();
      await run(store);
    });
  };
  recordContract(inStore);
  pages(inStore);
  addresses(inStore);
  listings(inStore);
  handleContract(inStore);
  closing(name, place);
  rowContract(inStore);
  replicaContract(inStore);
  if (!persistent) return;
  persistence(name, place);
  rowPersistence(name, place);
  replicaPersistence(name, place);
}

function pages(inStore: InStore): void {
  inStore("events come in pages, ascending and without a gap", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    const other = await store.open(cart("2"), "eventSourced");
    for (let from = 0; from < 10_000; from += 1_000) {
      const step = (entity: EntityHandle) => (_: unknown, at: number) => append(entity, from + at, [`e${from + at}`]);
      await store.commit([...Array.from({ length: 1_000 }, step(handle)), ...Array.from({ length: 1_000 }, step(other.handle))]);
    }
    for (const limit of [333, 4_096]) {
      const all = await allEvents(store, handle, 0, limit);
      assert.equal(all.length, 10_000);
      assert.ok(all.every((event, at) => event.sequence === at + 1 && read(event.payload) === `e${at}`));
    }
    const middle = await store.events(handle, 5_000, 3);
    assert.deepEqual(
      middle.map((event) => event.sequence),
      [5_001, 5_002, 5_003],
    );
    assert.deepEqual(await store.events(handle, 10_000, 10), []);
    assert.deepEqual(await store.events(handle, 20_000, 10), []);
  });

  inStore("a page ends near 1 MiB, and an event larger than that comes alone", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    const sizes = [300_000, 300_000, 300_000, 300_000, 3 << 20, 10];
    await store.commit(sizes.map((size, at) => ({ ...append(handle, at, []), events: [payload(new Uint8Array(size))] })));
    const all = await allEvents(store, handle);
    assert.deepEqual(
      all.map((event) => event.payload.value.length),
      sizes,
    );
    const first = await store.events(handle, 0, 100);
    assert.ok(first.length >= 3 && first.length <= 4, `${first.length} events of 300 kB in a page`);
    assert.equal((await store.events(handle, 4, 100)).length, 1);
  });

  inStore("a limit out of range is a mistake of ours", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    await assert.rejects(store.events(handle, 0, 0), isAssertion);
    await assert.rejects(store.events(handle, 0, 4_097), isAssertion);
    await assert.rejects(store.list({ limit: 0 }), isAssertion);
    await assert.rejects(store.list({ limit: 1_001 }), isAssertion);
  });
}

/** Ids that break a store which quotes, joins, trims, folds or truncates. */
const oddIds = [
  "'",
  '"',
  "'; DROP TABLE event; --",
  "%",
  "_",
  "\\",
  "\n",
  " ",
  " x",
  "x ",
  "x",
  "X",
  "é",
  "e\u0301",
  "日本語",
  "🛒",
  "\uffff",
  "a/b",
  "a|b",
  "a\u0001b",
  "null",
  "0",
  "00",
  "1e3",
  "x".repeat(512),
  "x".repeat(511),
  "é".repeat(256),
];

function addresses(inStore: InStore): void {
  inStore("odd ids are ids like any other", async (store) => {
    const opened = await Promise.all(oddIds.map((id) => store.open(cart(id), "eventSourced")));
    await store.commit(opened.map(({ handle }, at) => append(handle, 0, [`of ${at}`])));
    for (const { handle } of opened) store.release(handle);
    for (const [at, id] of oddIds.entries()) {
      const { handle, sequence } = await store.open(cart(id), "eventSourced");
      assert.equal(sequence, 1, JSON.stringify(id));
      assert.deepEqual(await texts(store, handle), [`of ${at}`]);
    }
    const listed = await store.list({ limit: 1_000 });
    assert.deepEqual(
      listed.map(({ address }) => address.entityId),
      [...oddIds].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
  });

  inStore("addresses that read the same when joined are different entities (E1)", async (store) => {
    const alike: EntityAddress[] = [
      cart("bc", { persistenceId: "a" }),
      cart("c", { persistenceId: "ab" }),
      cart("abc", { persistenceId: "abc" }),
      cart("a", { persistenceId: "b|c" }),
      cart("c|a", { persistenceId: "b" }),
      cart("x", { service: "shop.Cart", persistenceId: "y" }),
      cart("x", { service: "shop.Car", persistenceId: "ty" }),
      cart("y", { service: "shop.Cart", persistenceId: "x" }),
      cart("x", { namespace: "other", persistenceId: "y" }),
      cart("x", { namespace: "othe", persistenceId: "ry" }),
    ];
    const opened = await Promise.all(alike.map((address) => store.open(address, "eventSourced")));
    await store.commit(opened.map(({ handle }, at) => append(handle, 0, [`of ${at}`])));
    for (const [at, address] of alike.entries()) {
      const { handle, sequence } = await store.open(address, "eventSourced");
      assert.equal(sequence, 1);
      assert.deepEqual(await texts(store, handle), [`of ${at}`]);
    }
    assert.equal((await store.list({ limit: 100 })).length, alike.length);
  });

  for (const [what, id] of [
    ["empty", ""],
    ["513 bytes", "x".repeat(513)],
    ["more than 512 bytes in fewer characters", "é".repeat(257)],
    ["NUL", "a\0b"],
    ["a lone surrogate", "a\ud800"],
  ] as const)
    inStore(`an id that is ${what} is refused by name`, async (store) => {
      for (const part of ["namespace", "service", "persistenceId", "entityId"] as const)
        await assert.rejects(store.open(cart("1", { [part]: id }), "value"), isFault("invalid", new RegExp(part)));
    });
}

function listings(inStore: InStore): void {
  inStore("entities are listed by service and id, with what they are", async (store) => {
    const a = await store.open(cart("a"), "eventSourced");
    const b = await store.open(cart("b", { service: "shop.Account" }), "value");
    const gone = await store.open(cart("gone", { service: "shop.Account" }), "value");
    await store.commit([append(a.handle, 0, ["1", "2"], { snapshot: payload("s") }), append(a.handle, 2, ["3"])]);
    await store.commit([update(b.handle, 0, "x"), update(b.handle, 1, "y"), update(gone.handle, 0, "x"), remove(gone.handle, 1)]);
    const ofA: EntityListing = { address: cart("a"), kind: "eventSourced", sequence: 3, snapshotSequence: 2 };
    const ofB: EntityListing = { address: cart("b", { service: "shop.Account" }), kind: "value", sequence: 2 };
    assert.deepEqual(await store.list({ limit: 10 }), [ofB, ofA]);
    assert.deepEqual(await store.list({ service: "shop.Cart", limit: 10 }), [ofA]);
    assert.deepEqual(await store.list({ service: "shop", limit: 10 }), []);
  });

  inStore("a listing is read page by page, each entity once", async (store) => {
    const want: EntityAddress[] = [];
    for (const service of ["a.A", "b.B"])
      for (let at = 0; at < 25; at++)
        for (const persistenceId of ["p", "q"]) want.push(cart(`${at}`.padStart(2, "0"), { service, persistenceId }));
    const opened = await Promise.all([...want].reverse().map((address) => store.open(address, "eventSourced")));
    await store.commit(opened.map(({ handle }) => append(handle, 0, ["x"])));
    for (const limit of [1, 7, 50, 1_000]) {
      const got: EntityAddress[] = [];
      for (let page = await store.list({ limit }); page.length > 0;) {
        got.push(...page.map(({ address }) => address));
        page = await store.list({ limit, after: got.at(-1) ?? cart("") });
      }
      assert.deepEqual(got, want, `limit ${limit}`);
    }
    const afterBoth = await store.list({ limit: 1, after: { service: "a.A", entityId: "03" } });
    assert.equal(afterBoth[0]?.address.entityId, "04", "without a persistence id every one of that entity id is passed");
    const inB = await store.list({ service: "b.B", limit: 10, after: { service: "a.A", entityId: "24" } });
    assert.equal(inB[0]?.address.service, "b.B");
    assert.deepEqual(await store.list({ service: "a.A", limit: 10, after: { service: "b.B", entityId: "00" } }), []);
  });
}

function closing(name: string, place: () => Promise<StorePlace>): void {
  test(`${name}: closing finishes what was called, then everything is unavailable`, async () => {
    await using at = await place();
    const store = await at.open();
    const { handle } = await store.open(cart("1"), "eventSourced");
    const calls = Array.from({ length: 20 }, (_, n) => store.commit([append(handle, n, ["x"])]));
    await Promise.all([store[Symbol.asyncDispose](), store[Symbol.asyncDispose]()]);
    assert.ok((await Promise.all(calls)).every(([verdict]) => verdict?.is === "committed"));
    await assert.rejects(store.open(cart("1"), "eventSourced"), isFault("unavailable"));
    await assert.rejects(store.commit([append(handle, 20, ["x"])]), isFault("unavailable"));
    await assert.rejects(store.events(handle, 0, 1), isFault("unavailable"));
    await assert.rejects(store.list({ limit: 1 }), isFault("unavailable"));
    store.release(handle);
    await store[Symbol.asyncDispose]();
  });

  test(`${name}: a store nobody used closes`, async () => {
    await using at = await place();
    await using _ = await at.open();
  });
}

function persistence(name: string, place: () => Promise<StorePlace>): void {
  test(`${name}: what was committed is there when the store is opened again`, async () => {
    await using at = await place();
    for (let round = 0; round < 5; round++) {
      await using store = await at.open();
      const [events, value, gone] = await Promise.all([
        store.open(cart("events"), "eventSourced"),
        store.open(cart("value"), "value"),
        store.open(cart("gone"), "value"),
      ]);
      assert.deepEqual([events.sequence, value.sequence, gone.sequence], [round * 3, round * 2, round * 2]);
      assert.deepEqual([read(value.value), gone.value], [round === 0 ? undefined : `${round - 1}`, undefined]);
      assert.deepEqual(events.snapshot, round === 0 ? undefined : { sequence: round * 3 - 1, payload: payload(`until ${round * 3 - 1}`) });
      const all = await allEvents(store, events.handle);
      assert.deepEqual(
        all.map((event) => event.sequence),
        Array.from({ length: round * 3 }, (_, n) => n + 1),
      );
      assert.equal((await store.list({ limit: 10 })).length, round === 0 ? 0 : 2);
      if (round > 0) await assert.rejects(store.open(cart("events"), "value"), isFault("precondition"));
      const steps: Step[] = [
        append(events.handle, round * 3, ["a", "b"], { snapshot: payload(`until ${round * 3 + 2}`) }),
        append(events.handle, round * 3 + 2, ["c"]),
        update(value.handle, round * 2, "in between"),
        update(value.handle, round * 2 + 1, `${round}`),
        update(gone.handle, round * 2, "x"),
        remove(gone.handle, round * 2 + 1),
        append(events.handle, 0, ["never"]),
      ];
      const verdicts = await store.commit(steps);
      assert.deepEqual(verdicts, [...Array<unknown>(6).fill(committed), conflict(round * 3 + 3)]);
    }
  });

  test(`${name}: a history means the same wherever it is cut by closing and opening`, async () => {
    await using at = await place();
    const acts = historyOf(new SeededRandom(7), 120);
    await using other = await place();
    assert.deepEqual(await applyHistory(acts, () => at.open(), false), await applyHistory(acts, () => other.open(), true));
  });
}
