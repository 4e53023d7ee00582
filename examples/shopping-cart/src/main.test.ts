import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { checkSchema, testEntity } from "mecha-sdk/testing";
import { Cart } from "./main.ts";

const tea = { cartId: "42", sku: "tea", name: "Green tea", quantity: 2 };

test("adding an item is an event, and the cart has it", async () => {
  const cart = testEntity(Cart, "42");
  const { reply, events } = await cart.send("addItem", { ...tea, requestId: "r1" });
  assert.deepEqual(events, [{ name: "itemAdded", event: { sku: "tea", name: "Green tea", quantity: 2, requestId: "r1" } }]);
  assert.deepEqual(reply, { cartId: "42", items: [{ sku: "tea", name: "Green tea", quantity: 2 }], checkedOut: false });
});

test("the same item adds up, and is there after a reload", async () => {
  const cart = testEntity(Cart, "42");
  await cart.send("addItem", tea);
  await cart.send("addItem", { ...tea, quantity: 3 });
  cart.reload();
  const { reply } = await cart.send("getCart", { cartId: "42" });
  assert.deepEqual(reply, { cartId: "42", items: [{ sku: "tea", name: "Green tea", quantity: 5 }], checkedOut: false });
});

test("a cart of 250 events is the same from its snapshot", async () => {
  const cart = testEntity(Cart, "42");
  let snapshots = 0;
  for (let i = 0; i < 250; i++) snapshots += (await cart.send("addItem", { ...tea, quantity: 1 })).snapshot ? 1 : 0;
  assert.equal(snapshots, 2);
  const before = cart.state;
  cart.reload();
  assert.deepEqual(cart.state, before);
});

const refused: [what: string, command: "addItem" | "removeItem" | "checkout", message: object, failure: string, code: string][] = [
  ["a quantity of 0", "addItem", { ...tea, quantity: 0 }, "quantity must be more than 0", "invalid"],
  ["no sku", "addItem", { ...tea, sku: "" }, "sku must not be empty", "invalid"],
  ["more than fits", "addItem", { ...tea, quantity: 1_000_001 }, "at most 1,000,000 of an item fit into a cart", "outOfRange"],
  ["removing what is not there", "removeItem", { cartId: "42", sku: "milk" }, "the cart has no item milk", "notFound"],
  ["checking out nothing", "checkout", { cartId: "42" }, "the cart is empty", "precondition"],
];

for (const [what, command, message, failure, code] of refused) {
  test(`${what} is refused and changes nothing`, async () => {
    const cart = testEntity(Cart, "42");
    const sent = await cart.send(command, message as never);
    assert.deepEqual([sent.failure, sent.failureCode, sent.events, sent.state], [failure, code, [], { items: [], checkedOut: false }]);
  });
}

test("after checkout nothing changes any more", async () => {
  const cart = testEntity(Cart, "42");
  await cart.send("addItem", tea);
  await cart.send("checkout", { cartId: "42" });
  assert.equal((await cart.send("addItem", tea)).failure, "the cart is checked out");
  assert.equal((await cart.send("removeItem", { cartId: "42", sku: "tea" })).failure, "the cart is checked out");
  assert.equal((await cart.send("checkout", { cartId: "42" })).failure, "the cart is checked out already");
});

test("carts stored by earlier versions stay readable", () => {
  checkSchema([Cart], join(import.meta.dirname, "..", "schema.lock.json"));
});
