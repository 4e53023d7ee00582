/** The contract's part on what is kept of one entity: its events, snapshots and value. */
import assert from "node:assert/strict";
import { SeededRandom } from "@mecha/kit/testing";
import type { EntityHandle } from "../store.ts";
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
  texts,
  timeMs,
  update,
} from "./steps.ts";

/** Registers this part. */
export function recordContract(inStore: InStore): void {
  newEntities(inStore);
  appends(inStore);
  snapshots(inStore);
  values(inStore);
}

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

function handleAt(opened: readonly { readonly handle: EntityHandle }[], at: number): EntityHandle {
  const one = opened[at];
  assert.ok(one);
  return one.handle;
}
