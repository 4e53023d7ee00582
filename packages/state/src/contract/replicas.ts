/** The contract's part on CRDTs: rows of replicas and tombstones (E13). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import type { EntityHandle, ReplicaChange, ReplicaId, ReplicaRow, Step, Store } from "../store.ts";
import { append, cart, committed, conflict, type StorePlace, timeMs, update } from "./steps.ts";

const utf8 = new TextEncoder();
const first: ReplicaId = { node: "a", incarnation: "1" };
const second: ReplicaId = { node: "a", incarnation: "2" };
const other: ReplicaId = { node: "b", incarnation: "1" };

function row(replica: ReplicaId, state: string): ReplicaRow {
  return { replica, state: utf8.encode(state) };
}

function step(entity: EntityHandle, expectedSequence: number, replicas: ReplicaChange): Step {
  return { entity, expectedSequence, events: [], replicas, cause: "Add", timeMs };
}

const write = (rows: readonly ReplicaRow[], gone: readonly ReplicaId[] = []): ReplicaChange => ({ do: "write", rows, gone });

/** What opening the entity shows, in the order of replicas. */
async function look(store: Store, entityId = "1"): Promise<{ readonly sequence: number; readonly rows: unknown }> {
  const { handle, sequence, replicas } = await store.open(cart(entityId), "crdt");
  store.release(handle);
  if (replicas === undefined || replicas === "deleted") return { sequence, rows: replicas };
  const rows = replicas.map(({ replica, state }) => `${replica.node}/${replica.incarnation}=${new TextDecoder().decode(state)}`);
  return { sequence, rows: rows.sort() };
}

/** Registers this part. */
export function replicaContract(inStore: (what: string, run: (store: Store) => Promise<void>) => void): void {
  inStore("a CRDT never seen has no rows; those of each replica come back, replaced one by one", async (store) => {
    const { handle, ...rest } = await store.open(cart("1"), "crdt");
    assert.deepEqual(rest, { sequence: 0 });
    assert.deepEqual(await store.commit([step(handle, 0, write([row(first, "x"), row(other, "y")]))]), [committed]);
    assert.deepEqual(await look(store), { sequence: 1, rows: ["a/1=x", "b/1=y"] });
    await store.commit([step(handle, 1, write([row(first, "z")])), step(handle, 2, write([row(second, "")]))]);
    assert.deepEqual(await look(store), { sequence: 3, rows: ["a/1=z", "a/2=", "b/1=y"] });
  });

  inStore("rows go in the step that says so, and only they", async (store) => {
    const { handle } = await store.open(cart("1"), "crdt");
    await store.commit([step(handle, 0, write([row(first, "x"), row(other, "y")]))]);
    const retired = row({ node: "a", incarnation: "retired" }, "x");
    await store.commit([step(handle, 1, write([retired, row(second, "w")], [first]))]);
    assert.deepEqual(await look(store), { sequence: 2, rows: ["a/2=w", "a/retired=x", "b/1=y"] });
  });

  inStore("a step on another sequence changes nothing (S3)", async (store) => {
    const { handle } = await store.open(cart("1"), "crdt");
    const late = step(handle, 1, { do: "delete" });
    assert.deepEqual(await store.commit([step(handle, 0, write([row(first, "x")])), step(handle, 0, write([row(first, "y")])), late]), [
      committed,
      conflict(1),
      conflict(1),
    ]);
    assert.deepEqual(await look(store), { sequence: 1, rows: ["a/1=x"] });
  });

  inStore("a deletion is for ever: it takes all rows, and later ones are taken and change nothing", async (store) => {
    const { handle } = await store.open(cart("1"), "crdt");
    await store.commit([step(handle, 0, write([row(first, "x"), row(other, "y")])), step(handle, 1, { do: "delete" })]);
    assert.deepEqual(await look(store), { sequence: 2, rows: "deleted" });
    assert.deepEqual(await store.commit([step(handle, 2, write([row(first, "x")]))]), [committed]);
    assert.deepEqual((await look(store)).rows, "deleted");
  });

  inStore("one may be deleted that never existed", async (store) => {
    const { handle } = await store.open(cart("1"), "crdt");
    assert.deepEqual(await store.commit([step(handle, 0, { do: "delete" })]), [committed]);
    assert.deepEqual(await look(store), { sequence: 1, rows: "deleted" });
  });

  inStore("a listing has CRDTs with their number of steps, and no deleted ones", async (store) => {
    const [a, b] = await Promise.all([store.open(cart("a"), "crdt"), store.open(cart("b"), "crdt")]);
    await store.commit([step(a.handle, 0, write([row(first, "x")])), step(a.handle, 1, write([row(first, "y")]))]);
    await store.commit([step(b.handle, 0, write([row(first, "x")])), step(b.handle, 1, { do: "delete" })]);
    assert.deepEqual(await store.list({ limit: 10 }), [{ address: cart("a"), kind: "crdt", sequence: 2 }]);
  });

  inStore("a CRDT is neither of the other kinds", async (store) => {
    const { handle } = await store.open(cart("1"), "crdt");
    await store.commit([step(handle, 0, write([row(first, "x")]))]);
    for (const kind of ["eventSourced", "value"] as const) {
      await assert.rejects(store.open(cart("1"), kind), (fault) => fault instanceof Fault && fault.code === "precondition");
    }
    await assert.rejects(store.commit([append(handle, 1, ["e"])]), /crdt entity/);
    await assert.rejects(store.commit([update(handle, 1, "v")]), /crdt entity/);
    const value = await store.open(cart("2"), "value");
    await assert.rejects(store.commit([step(value.handle, 0, write([]))]), /value entity/);
  });

  inStore("a store copies what it is given and hands out copies (S7)", async (store) => {
    const { handle } = await store.open(cart("1"), "crdt");
    const state = utf8.encode("x");
    const done = store.commit([step(handle, 0, write([{ replica: first, state }]))]);
    state[0] = 0;
    await done;
    const { replicas } = await store.open(cart("1"), "crdt");
    assert.ok(Array.isArray(replicas));
    (replicas as readonly ReplicaRow[])[0]?.state.fill(0);
    assert.deepEqual(await look(store), { sequence: 1, rows: ["a/1=x"] });
  });
}

/** Registers what only persistent stores can do. */
export function replicaPersistence(name: string, place: () => Promise<StorePlace>): void {
  test(`${name}: rows, sequences and tombstones are there when the store is opened again`, async () => {
    await using at = await place();
    {
      await using store = await at.open();
      const [a, b] = await Promise.all([store.open(cart("a"), "crdt"), store.open(cart("b"), "crdt")]);
      await store.commit([step(a.handle, 0, write([row(first, "x")])), step(b.handle, 0, { do: "delete" })]);
    }
    await using store = await at.open();
    assert.deepEqual(await look(store, "a"), { sequence: 1, rows: ["a/1=x"] });
    assert.deepEqual(await look(store, "b"), { sequence: 1, rows: "deleted" });
    const { handle } = await store.open(cart("a"), "crdt");
    assert.deepEqual(await store.commit([step(handle, 1, write([row(second, "y")]))]), [committed]);
  });
}
