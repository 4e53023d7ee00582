/**
 * What every Store must do. An adapter's test file is one call:
 *
 *     storeContract("memory", { persistent: false }, async () => ({ open: async () => openMemoryStore(), async [Symbol.asyncDispose]() {} }));
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, type FaultCode } from "@mecha/kit";
import { SeededRandom } from "@mecha/kit/testing";
import type { EntityAddress } from "../model.ts";
import type { EntityHandle, EntityListing, Step, Store } from "../store.ts";
import { handleContract } from "./handles.ts";
import { applyHistory, historyOf } from "./history.ts";
import { replicaContract, replicaPersistence } from "./replicas.ts";
import { rowContract, rowPersistence } from "./rows.ts";
import { allEvents, append, cart, committed, conflict, isAssertion, payload, read, remove, texts, timeMs, update } from "./steps.ts";

/** Where a store lives: an empty folder, a fresh schema. Disposed after the test, when its stores are closed. */
export interface StorePlace extends AsyncDisposable {
  open(): Promise<Store>;
}

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
  newEntities(inStore);
  appends(inStore);
  snapshots(inStore);
  values(inStore);
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

type InStore = (what: string, run: (store: Store) => Promise<void>) => void;

function newEntities(inStore: InStore): void {
  inStore("an entity never seen has sequence 0 and nothing else", async (store) => {
    const { handle, ...rest } = await store.open(cart("1"), "eventSourced");
    assert.deepEqual(rest, { sequence: 0 });
    assert.deepEqual(await store.events(handle, 0, 10), []);
    const { handle: _, ...value } = await store.open(cart("2"), "value");
    assert.deepEqual(value, { sequence: 0 });
    assert.deepEqual(await store.list({ limit: 10 }), []);
  });

  inStore("10,000 entities opened at once each get a handle of their own", async (store) => {
    const ids = Array.from({ length: 10_000 }, (_, at) => `cart-${at}`);
    const records = await Promise.all(ids.map((id) => store.open(cart(id), "eventSourced")));
    assert.equal(new Set(records.map(({ handle }) => handle)).size, ids.length);
    assert.ok(records.every(({ sequence }) => sequence === 0));
  });

  inStore("an entity is stored as one kind", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    await store.commit([append(handle, 0, ["a"])]);
    await assert.rejects(store.open(cart("1"), "value"), isFault("precondition", /shop\.Cart\/1.*eventSourced/));
    store.release(handle);
    await assert.rejects(store.open(cart("1"), "value"), isFault("precondition"));
    const value = await store.open(cart("2"), "value");
    await store.commit([update(value.handle, 0, "x")]);
    store.release(value.handle);
    await assert.rejects(store.open(cart("2"), "eventSourced"), isFault("precondition"));
  });

  inStore("an entity opened but never written may be opened as the other kind later", async (store) => {
    store.release((await store.open(cart("1"), "eventSourced")).handle);
    const { handle } = await store.open(cart("1"), "value");
    assert.deepEqual(await store.commit([update(handle, 0, "x")]), [committed]);
  });
}

function appends(inStore: InStore): void {
  inStore("an appended event comes back with everything it was given", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    const full = { commandId: "c-1", trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" };
    const step = append(handle, 0, ["a", "b"], full);
    assert.deepEqual(await store.commit([step, append(handle, 2, ["c"], { cause: "Löschen", timeMs: 0 })]), [committed, committed]);
    assert.deepEqual(await store.events(handle, 0, 10), [
      { sequence: 1, payload: payload("a"), timeMs, cause: "AddItem", ...full },
      { sequence: 2, payload: payload("b"), timeMs, cause: "AddItem", ...full },
      { sequence: 3, payload: payload("c"), timeMs: 0, cause: "Löschen" },
    ]);
  });

  inStore("empty is not absent: ids, causes and payloads of length 0 stay", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    const step = { ...append(handle, 0, [""], { commandId: "", trace: "", cause: "" }), events: [payload("", "")] };
    await store.commit([step]);
    const [event] = await store.events(handle, 0, 1);
    assert.deepEqual(event, { sequence: 1, payload: payload("", ""), timeMs, cause: "", commandId: "", trace: "" });
  });

  for (const { what, have, expected } of [
    { what: "too low", have: 3, expected: 2 },
    { what: "zero on an entity with events", have: 3, expected: 0 },
    { what: "too high", have: 3, expected: 4 },
    { what: "high on a new entity", have: 0, expected: 1 },
  ])
    inStore(`an expected sequence that is ${what} conflicts and changes nothing (S3)`, async (store) => {
      const { handle } = await store.open(cart("1"), "eventSourced");
      const events = Array.from({ length: have }, (_, at) => `e${at}`);
      await store.commit([append(handle, 0, events)]);
      const late = append(handle, expected, ["late"], { snapshot: payload("late") });
      assert.deepEqual(await store.commit([late]), [conflict(have)]);
      assert.deepEqual(await texts(store, handle), events);
      const again = await store.open(cart("1"), "eventSourced");
      assert.equal(again.sequence, have);
      assert.equal(again.snapshot, undefined);
      assert.deepEqual(await store.commit([append(again.handle, have, ["next"])]), [committed]);
    });

  inStore("steps of one entity in one call build on one another", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    const steps = Array.from({ length: 50 }, (_, at) => append(handle, at * 2, [`${at}a`, `${at}b`]));
    assert.deepEqual(
      await store.commit(steps),
      steps.map(() => committed),
    );
    assert.deepEqual(
      await texts(store, handle),
      steps.flatMap((_, at) => [`${at}a`, `${at}b`]),
    );
  });

  inStore("a failed step fails the later ones of its entity and no other's (S2)", async (store) => {
    const a = await store.open(cart("a"), "eventSourced");
    const b = await store.open(cart("b"), "eventSourced");
    const verdicts = await store.commit([
      append(a.handle, 0, ["a1"]),
      append(b.handle, 0, ["b1"]),
      append(a.handle, 7, ["a8"]),
      append(a.handle, 8, ["a9"]),
      append(b.handle, 1, ["b2"]),
    ]);
    assert.deepEqual(verdicts, [committed, committed, conflict(1), conflict(1), committed]);
    assert.deepEqual(await texts(store, a.handle), ["a1"]);
    assert.deepEqual(await texts(store, b.handle), ["b1", "b2"]);
  });

  inStore("a step without changes checks the sequence and stores nothing (E6)", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    assert.deepEqual(await store.commit([append(handle, 0, []), append(handle, 1, [])]), [committed, conflict(0)]);
    assert.deepEqual(await store.list({ limit: 1 }), []);
    const opened = await store.open(cart("1"), "eventSourced");
    assert.deepEqual(await store.commit([append(opened.handle, 0, ["a"]), append(opened.handle, 1, [])]), [committed, committed]);
    assert.deepEqual(await texts(store, opened.handle), ["a"]);
  });

  inStore("calls that overlap are carried out in call order, and a read sees all before it (S2, S6)", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    const calls = Array.from({ length: 200 }, (_, at) => store.commit([append(handle, at, [`e${at}`])]));
    const seen = texts(store, handle);
    const record = store.open(cart("1"), "eventSourced");
    assert.ok((await Promise.all(calls)).every(([verdict]) => verdict?.is === "committed"));
    assert.deepEqual(
      await seen,
      calls.map((_, at) => `e${at}`),
    );
    assert.equal((await record).sequence, 200);
  });

  inStore("many entities committing at once all get their own verdicts", async (store) => {
    const opened = await Promise.all(Array.from({ length: 100 }, (_, at) => store.open(cart(`c${at}`), "eventSourced")));
    const rounds = Array.from({ length: 10 }, (_, round) =>
      // Every seventh entity is expected one too far ahead in round 3, and so loses that round and all after it.
      opened.map(({ handle }, at) => store.commit([append(handle, round + (at % 7 === 0 && round === 3 ? 1 : 0), [`${at}/${round}`])])),
    );
    const verdicts = await Promise.all(rounds.flat());
    for (const [at, { handle }] of opened.entries()) {
      const good = at % 7 === 0 ? 3 : 10;
      assert.equal((await texts(store, handle)).length, good);
      assert.equal(verdicts.filter(([v], i) => i % 100 === at && v?.is === "committed").length, good);
    }
  });

  inStore("an empty call has no verdicts; 1,024 steps have 1,024", async (store) => {
    assert.deepEqual(await store.commit([]), []);
    const opened = await Promise.all(Array.from({ length: 32 }, (_, at) => store.open(cart(`c${at}`), "eventSourced")));
    const steps = Array.from({ length: 1_024 }, (_, at) => append(handleAt(opened, at % 32), Math.floor(at / 32), [`${at}`]));
    const verdicts = await store.commit(steps);
    assert.equal(verdicts.length, 1_024);
    assert.ok(verdicts.every(({ is }) => is === "committed"));
    assert.deepEqual((await texts(store, handleAt(opened, 5))).slice(0, 3), ["5", "37", "69"]);
  });

  inStore("payloads of several MiB and of every byte value come back unchanged", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    const big = new SeededRandom(1).bytes(5 << 20);
    const every = Uint8Array.from({ length: 256 }, (_, at) => at);
    await store.commit([{ ...append(handle, 0, []), events: [payload(every), payload(big), payload(every)], snapshot: payload(big) }]);
    const events = await allEvents(store, handle);
    assert.deepEqual(
      events.map((event) => Buffer.compare(event.payload.value, event.sequence === 2 ? big : every)),
      [0, 0, 0],
    );
    const { snapshot } = await store.open(cart("1"), "eventSourced");
    assert.equal(Buffer.compare(snapshot?.payload.value ?? every, big), 0);
  });

  inStore("bytes belong to whoever holds them (S7)", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    const mine = Uint8Array.from([1, 2, 3]);
    const done = store.commit([{ ...append(handle, 0, []), events: [payload(mine)], snapshot: payload(mine) }]);
    mine.fill(9);
    await done;
    for (let twice = 0; twice < 2; twice++) {
      const [event] = await store.events(handle, 0, 1);
      const { snapshot } = await store.open(cart("1"), "eventSourced");
      for (const value of [event?.payload.value, snapshot?.payload.value]) {
        assert.deepEqual([...(value ?? [])], [1, 2, 3]);
        value?.fill(7);
      }
    }
    // A view into a larger buffer is copied as the view, not as the buffer.
    const view = new Uint8Array(Uint8Array.from([0, 0, 5, 6, 0]).buffer, 2, 2);
    await store.commit([{ ...append(handle, 1, []), events: [payload(view)] }]);
    assert.deepEqual([...((await store.events(handle, 1, 1))[0]?.payload.value ?? [])], [5, 6]);
  });
}

function snapshots(inStore: InStore): void {
  inStore("a snapshot covers the last event of its step; a later one replaces it", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    await store.commit([append(handle, 0, ["a", "b"], { snapshot: payload("ab") }), append(handle, 2, ["c"])]);
    const first = await store.open(cart("1"), "eventSourced");
    assert.deepEqual([first.sequence, first.snapshot], [3, { sequence: 2, payload: payload("ab") }]);
    assert.deepEqual(
      (await store.events(handle, 2, 10)).map((event) => event.sequence),
      [3],
    );
    await store.commit([
      append(handle, 3, ["d"], { snapshot: payload("abcd") }),
      append(handle, 4, ["e"], { snapshot: payload("abcde", "type.example.com/other") }),
    ]);
    const second = await store.open(cart("1"), "eventSourced");
    assert.deepEqual(second.snapshot, { sequence: 5, payload: payload("abcde", "type.example.com/other") });
    assert.deepEqual(await texts(store, handle), ["a", "b", "c", "d", "e"], "events before a snapshot stay readable");
  });

  inStore("a step may bring only a snapshot", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    assert.deepEqual(await store.commit([append(handle, 0, [], { snapshot: payload("nothing yet") })]), [committed]);
    assert.deepEqual((await store.open(cart("1"), "eventSourced")).snapshot, { sequence: 0, payload: payload("nothing yet") });
    await store.commit([append(handle, 0, ["a"]), append(handle, 1, [], { snapshot: payload("a") })]);
    const { sequence, snapshot } = await store.open(cart("1"), "eventSourced");
    assert.deepEqual([sequence, snapshot], [1, { sequence: 1, payload: payload("a") }]);
  });
}

function values(inStore: InStore): void {
  inStore("a value is replaced, and each change raises its version by one", async (store) => {
    const { handle } = await store.open(cart("1"), "value");
    assert.deepEqual(await store.commit([update(handle, 0, "x")]), [committed]);
    assert.deepEqual(await store.commit([update(handle, 1, "y"), update(handle, 2, "z")]), [committed, committed]);
    const { sequence, value } = await store.open(cart("1"), "value");
    assert.deepEqual([sequence, value], [3, payload("z", "type.example.com/shop.State")]);
    assert.deepEqual(await store.events(handle, 0, 10), []);
  });

  inStore("a deleted value is gone, its version goes on", async (store) => {
    const { handle } = await store.open(cart("1"), "value");
    await store.commit([update(handle, 0, "x"), remove(handle, 1)]);
    const { handle: second, ...deleted } = await store.open(cart("1"), "value");
    assert.deepEqual(deleted, { sequence: 2 });
    assert.deepEqual(await store.commit([update(second, 0, "old")]), [conflict(2)], "a writer from before the deletion loses");
    const { handle: third } = await store.open(cart("1"), "value");
    assert.deepEqual(await store.commit([update(third, 2, "new")]), [committed]);
    assert.equal(read((await store.open(cart("1"), "value")).value), "new");
  });

  inStore("deleting what was never there is a change like any other", async (store) => {
    const { handle } = await store.open(cart("1"), "value");
    assert.deepEqual(await store.commit([remove(handle, 0)]), [committed]);
    assert.equal((await store.open(cart("1"), "value")).sequence, 1);
  });

  inStore("the second writer of a version loses, and so do its later steps", async (store) => {
    const { handle } = await store.open(cart("1"), "value");
    await store.commit([update(handle, 0, "first")]);
    assert.deepEqual(await store.commit([update(handle, 0, "second"), remove(handle, 0)]), [conflict(1), conflict(1)]);
    assert.equal(read((await store.open(cart("1"), "value")).value), "first");
  });

  inStore("a value may be empty, and may be 5 MiB", async (store) => {
    const { handle } = await store.open(cart("1"), "value");
    await store.commit([update(handle, 0, "")]);
    assert.equal((await store.open(cart("1"), "value")).value?.value.length, 0);
    const big = new SeededRandom(2).bytes(5 << 20);
    await store.commit([update(handle, 1, big)]);
    assert.equal(Buffer.compare((await store.open(cart("1"), "value")).value?.value ?? new Uint8Array(), big), 0);
  });

  inStore("a step that changes what its kind has not is a mistake of ours", async (store) => {
    const value = await store.open(cart("v"), "value");
    const events = await store.open(cart("e"), "eventSourced");
    await assert.rejects(store.commit([append(value.handle, 0, ["a"])]), isAssertion);
    await assert.rejects(store.commit([append(value.handle, 0, [], { snapshot: payload("s") })]), isAssertion);
    await assert.rejects(store.commit([append(events.handle, 0, ["a"]), update(events.handle, 1, "a")]), isAssertion);
    assert.deepEqual(await store.list({ limit: 10 }), [], "and nothing of the call is carried out");
  });
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

function handleAt(opened: readonly { readonly handle: EntityHandle }[], at: number): EntityHandle {
  const one = opened[at];
  assert.ok(one);
  return one.handle;
}

function isFault(code: FaultCode, message = /./): (error: unknown) => boolean {
  return (error) => error instanceof Fault && error.code === code && message.test(error.message);
}
