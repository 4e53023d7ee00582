/** The contract's part on handles: two of one entity, one through which a step was lost (S3), one after an uncertain verdict (E4). */
import assert from "node:assert/strict";
import { append, cart, committed, conflict, type InStore, isAssertion, payload, texts } from "./steps.ts";

export function handleContract(inStore: InStore): void {
  inStore("two handles of one entity are one record: the second writer of a sequence loses", async (store) => {
    const [first, second] = await Promise.all([store.open(cart("1"), "eventSourced"), store.open(cart("1"), "eventSourced")]);
    assert.notEqual(first.handle, second.handle);
    assert.deepEqual(await store.commit([append(first.handle, 0, ["a"]), append(second.handle, 0, ["b"])]), [committed, conflict(1)]);
    const third = await store.open(cart("1"), "eventSourced");
    assert.deepEqual(await store.commit([append(third.handle, 1, ["c"])]), [committed]);
    store.release(first.handle);
    store.release(second.handle);
    assert.deepEqual(await store.commit([append(third.handle, 2, ["d"])]), [committed]);
    assert.deepEqual(await texts(store, third.handle), ["a", "c", "d"]);
  });

  inStore("a step handed over before release is carried out", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    const done = store.commit([append(handle, 0, ["a"])]);
    const seen = store.events(handle, 0, 10);
    store.release(handle);
    store.release(handle);
    assert.deepEqual(await done, [committed]);
    assert.equal((await seen).length, 1);
    const again = await store.open(cart("1"), "eventSourced");
    assert.equal(again.sequence, 1);
    assert.deepEqual(await store.commit([append(again.handle, 1, ["b"])]), [committed]);
  });

  inStore("a released handle is a mistake of ours", async (store) => {
    const { handle } = await store.open(cart("1"), "eventSourced");
    store.release(handle);
    await assert.rejects(store.commit([append(handle, 0, ["a"])]), isAssertion);
    await assert.rejects(store.events(handle, 0, 1), isAssertion);
    const { handle: next } = await store.open(cart("1"), "eventSourced");
    assert.notEqual(next, handle, "handles are not used again");
  });

  inStore("an entity opened and released 1,000 times goes on where it was", async (store) => {
    for (let at = 0; at < 1_000; at++) {
      const { handle, sequence } = await store.open(cart("1"), "eventSourced");
      assert.equal(sequence, at);
      assert.deepEqual(await store.commit([append(handle, at, [`e${at}`])]), [committed]);
      store.release(handle);
    }
  });

  inStore("a step behind one that lost is not stored, although it fits what somebody else wrote meanwhile (S3)", async (store) => {
    const first = await store.open(cart("a"), "eventSourced");
    const second = await store.open(cart("a"), "eventSourced");
    assert.deepEqual(await store.commit([append(second.handle, 0, ["theirs"])]), [committed]);
    assert.deepEqual(await store.commit([append(first.handle, 0, ["mine"]), append(first.handle, 1, ["mine 2"])]), [
      conflict(1),
      conflict(1),
    ]);
    assert.deepEqual(await store.commit([append(first.handle, 1, ["mine 2"])]), [conflict(1)]);
    assert.deepEqual(await store.commit([append(second.handle, 1, ["theirs 2"])]), [committed], "the other handle is not lost");
    store.release(first.handle);
    const again = await store.open(cart("a"), "eventSourced");
    assert.deepEqual(await store.commit([append(again.handle, 2, ["mine again"])]), [committed]);
    assert.deepEqual(await texts(store, again.handle), ["theirs", "theirs 2", "mine again"]);
  });

  inStore("reading back after an uncertain verdict shows what is stored (E4)", async (store) => {
    const { handle } = await store.open(cart("a"), "eventSourced");
    await store.commit([append(handle, 0, ["a"], { snapshot: payload("a") })]);
    const { handle: back, ...found } = await store.readBack(cart("a"), "eventSourced");
    const { handle: opened, ...record } = await store.open(cart("a"), "eventSourced");
    assert.ok(back !== opened);
    assert.deepEqual(found, record);
    assert.deepEqual(await store.commit([append(back, 1, ["b"])]), [committed]);
  });
}
