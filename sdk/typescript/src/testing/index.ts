/**
 * mecha-sdk/testing: run entities, CRDTs and actions in a test, without a proxy, a port or a store.
 *
 *     const cart = testEntity(Cart, "42");
 *     const { reply, events } = await cart.send("addItem", { cartId: "42", sku: "tea", quantity: 2 });
 */
export { type CrdtSent, type StreamMessage, testCrdt, type TestedCrdt, type TestedStream } from "./test-crdt.ts";
export { eventMetadata } from "./event-metadata.ts";
export {
  type EffectSeen,
  type Sent,
  testAction,
  testEntity,
  type TestedEntity,
  type TestOptions,
  type TimerSeen,
  type TimerSet,
} from "./test-entity.ts";
export { checkSchema, schemaChanges, type SchemaLock, schemaLock } from "./schema-lock.ts";
