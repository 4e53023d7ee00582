/** The components without Mecha: what an event makes of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventMetadata, testAction, testEntity } from "mecha-sdk/testing";
import { Shipping, Stock } from "./main.ts";

const metadata = eventMetadata({ id: "1:7", source: "orders.Order", type: "orders.Placed", subject: "7" });

test("an order makes a parcel; one of nothing fails", async () => {
  const [packed] = await testAction(Shipping, "pack", [{ order: "7", sku: "tea", count: 2 }], { metadata });
  assert.deepEqual(packed?.reply, { sku: "tea", count: 2 });
  const [refused] = await testAction(Shipping, "pack", [{ order: "8", sku: "tea", count: 0 }], { metadata });
  assert.equal(refused?.failure, "0 of tea is no parcel");
});

test("parcels leave the stock", async () => {
  const stock = testEntity(Stock, "tea");
  await stock.send("leave", { sku: "tea", count: 2 });
  await stock.send("leave", { sku: "tea", count: 1 });
  assert.deepEqual((await stock.send("get", { sku: "tea" })).reply, { sku: "tea", left: 3, parcels: 2 });
});
