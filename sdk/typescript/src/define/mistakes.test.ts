/** What a beginner gets wrong, and the text that helps. The text is the feature: each is compared whole. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  action,
  command,
  commandRef,
  type CommandRef,
  eventSourced,
  type EventSourced,
  message,
  Mistake,
  serve,
  t,
  valueEntity,
} from "../index.ts";
import { testAction, testEntity } from "../testing/index.ts";

/** A correct entity, to break one part at a time. */
const good = {
  service: "shop.Cart",
  key: "cartId",
  state: () => ({ total: 0 }),
  events: { itemAdded: { sku: t.string, quantity: t.int32 } },
  commands: { addItem: command({ cartId: t.string, sku: t.string, quantity: t.int32 }).replies({ total: t.int32 }) },
  on: {
    itemAdded(state: { total: number }, { quantity }: { quantity: number }) {
      state.total += quantity;
    },
  },
  handle: { addItem: (): unknown => ({ total: 0 }) },
};

type Loose = Record<string, unknown>;
const define = (changes: Loose): unknown => eventSourced({ ...good, ...changes } as never);
const cart = (
  addItem: (
    input: Loose,
    ctx: Loose & { emit(name: string, event: unknown): void; state: { total: number }; fail(text: string): never },
  ) => unknown,
  changes: Loose = {},
) => testEntity(eventSourced({ ...good, ...changes, handle: { addItem } } as never) as EventSourced<{ addItem: CommandRef }>, "42");
const add = { cartId: "42", sku: "tea", quantity: 2 };

const declared: [what: string, declare: () => unknown, text: string][] = [
  ["no service name", () => define({ service: undefined }), 'service: undefined is no service name; write a package and a name, such as "shop.Cart"'],
  ["no commands", () => define({ commands: {} }), "shop.Cart: declare at least one command: commands: { get: command({ id: t.string }) }"],
  ["a handler is missing", () => define({ handle: {} }), "shop.Cart: command addItem has no handler; add handle: { addItem(…) { … } }"],
  ["all handlers are missing", () => define({ handle: undefined }), "shop.Cart: handle is missing; it holds one function for each command: handle: { addItem(…) { … } }"],
  ["a handler has a typing error in its name", () => define({ handle: { ...good.handle, adItem: () => 1 } }), "shop.Cart: handle.adItem handles no command; did you mean addItem?; declared: addItem"],
  ["a handler is no function", () => define({ handle: { addItem: 5 } }), "shop.Cart: handle.addItem is no function but number"],
  ["an event has no handler", () => define({ on: {} }), "shop.Cart: event itemAdded has no handler; add on: { itemAdded(…) { … } }"],
  ["an event handler is async", () => define({ on: { itemAdded: async () => {} } }), "shop.Cart: on.itemAdded is async; event handlers must be synchronous, because they run again at each replay. Do the waiting in the command handler"],
  ["the key is forgotten", () => define({ key: undefined }), 'shop.Cart: key is missing; name the field of every command that holds the entity\'s id: key: "cartId"'],
  ["a command lacks the key", () => define({ commands: { addItem: command({ sku: t.string }) } }), "shop.Cart.addItem: its input has no field cartId, which is the key of the entity; add cartId: t.string to the command, or change key"],
  ["the key is a list", () => define({ commands: { addItem: command({ cartId: t.repeated(t.string) }) } }), "shop.Cart.addItem: the key cartId is a list or a message; a key is a single value such as t.string"],
  ["the state is missing", () => define({ state: undefined }), "shop.Cart: state is missing; give a function that makes the state of a new entity: state: () => ({ items: {} })"],
  ["the state is made by an arrow function without brackets", () => define({ state: () => {} }), "shop.Cart: state() must return the state of a new entity, such as { items: {} }; it returned undefined"],
  ["a field is a string", () => define({ events: { itemAdded: { sku: "string" } } }), "shop.CartItemAdded.sku: expected a field such as t.string or a message, got string; is it t.string, without quotes and brackets?"],
  ["a field name is snake_case", () => define({ events: { itemAdded: { item_sku: t.string } } }), "shop.CartItemAdded.item_sku: a field name is lowerCamelCase, letters and digits, such as cartId"],
  ["two fields have one number", () => define({ events: { itemAdded: { sku: t.string, quantity: t.int32.at(1) } } }), "shop.CartItemAdded: fields sku and quantity both have number 1; give one another .at(n)"],
  ["a field number is reserved", () => define({ events: { itemAdded: { sku: t.string.at(19_500) } } }), "shop.CartItemAdded.sku: field number 19500 is not allowed; use 1 to 536870911, except 19000 to 19999"],
  ["a route names no field", () => define({ commands: { addItem: command({ cartId: t.string }).http("POST /carts/{cartID}") } }), "shop.Cart.addItem: the route POST /carts/{cartID} names cartID, which is no field of the input; did you mean cartId?"],
  ["a route is no route", () => command({}).http("carts" as never), 'http("carts"): expected a method, one space and a path, such as "POST /carts/{cartId}/items"'],
  ["two messages have one name", () => define({ events: { itemAdded: message("Item", { a: t.string }) }, commands: { addItem: command({ cartId: t.string, item: message("Item", { b: t.string }) }) } }), "two different things are named shop.Item; give one of them another name"],
  ["two events are one message", () => { const one = message("One", {}); return define({ events: { a: one, b: one }, on: { a() {}, b() {} } }); }, "shop.Cart: events a and b are the same message shop.One; stored events are told apart by it, so each needs its own"],
  ["an entity has a streamed command", () => define({ commands: { addItem: command({ cartId: t.string }).streamedOut() } }), "shop.Cart: command addItem is streamed; entities answer each command once. Use an action for streams"],
  ["snapshotEvery is negative", () => define({ snapshotEvery: -1 }), "shop.Cart: snapshotEvery: expected a whole number, 0 or more, got -1"],
  ["a reference names no input", () => (commandRef as (...args: unknown[]) => unknown)("shop.Stock", "reserve"), 'commandRef("shop.Stock", "reserve"): say what the command takes: commandRef("shop.Stock", "reserve", { sku: t.string })'],
]; // prettier-ignore

for (const [what, declare, text] of declared) {
  test(`declared wrongly: ${what}`, () => {
    assert.throws(declare, (error) => error instanceof Mistake && assert.equal(error.message, text) === undefined);
  });
}

type Handler = Parameters<typeof cart>[0];
const handled: [what: string, handler: Handler, text: string, changes?: Loose][] = [
  ["it returns nothing", () => undefined, "shop.Cart.addItem returned nothing; it answers shop.CartAddItemReply: is a return missing?"],
  ["a reply's field has the wrong type", () => ({ total: "2" }), 'shop.Cart.addItem returned a wrong reply: shop.CartAddItemReply.total: expected a whole number from -2147483648 to 2147483647, got "2" (a string)'],
  ["a reply's field is missing", () => ({}), "shop.Cart.addItem returned a wrong reply: shop.CartAddItemReply.total: missing; expected a whole number from -2147483648 to 2147483647"],
  ["a reply has a field too many", () => ({ total: 1, totl: 1 }), "shop.Cart.addItem returned a wrong reply: shop.CartAddItemReply.totl: no such field; did you mean total?; shop.CartAddItemReply has total"],
  ["it replies where nothing is declared", () => ({ ok: true }), "shop.Cart.addItem returned an object, but it is declared to answer nothing; declare the reply: command(…).replies({ … })", { commands: { addItem: command({ cartId: t.string, sku: t.string, quantity: t.int32 }) } }],
  ["it emits an event nobody declared", (_, ctx) => ctx.emit("itemAded", {}), 'shop.Cart.addItem: emit("itemAded"): shop.Cart declares no such event; did you mean itemAdded?; declared: itemAdded'],
  ["it emits an event with a wrong field", (_, ctx) => ctx.emit("itemAdded", { sku: "tea", quantity: 1.5 }), 'shop.Cart.addItem: emit("itemAdded"): shop.CartItemAdded.quantity: expected a whole number from -2147483648 to 2147483647, got 1.5 (a number)'],
  ["it changes the state", (_, ctx) => { ctx.state.total = 5; }, "shop.Cart: the state was changed in a command handler (property total); only events change state: ctx.emit an event, and change the state in its handler under `on`"],
  ["an event handler gives a promise", (_, ctx) => ctx.emit("itemAdded", { sku: "tea", quantity: 1 }), "shop.Cart: the handler of event itemAdded is async; event handlers must be synchronous, because they run again at each replay. Do the waiting in the command handler", { on: { itemAdded: () => Promise.resolve({}) } }],
  ["the state cannot be stored", (_, ctx) => { ctx.emit("itemAdded", { sku: "tea", quantity: 1 }); return { total: 1 }; }, "shop.Cart: the state cannot be stored as JSON: state.items is a Map; JSON keeps plain objects, arrays, strings, numbers, booleans and null", { state: () => ({ items: new Map() }), on: { itemAdded() {} }, snapshotEvery: 1 }],
]; // prettier-ignore

for (const [what, handler, text, changes] of handled) {
  test(`handled wrongly: ${what}`, async () => {
    await assert.rejects(
      cart(handler, changes).send("addItem", add),
      (error) => error instanceof Mistake && assert.equal(error.message, text) === undefined,
    );
  });
}

test("handled wrongly: it emits after it has answered", async () => {
  let late: unknown;
  const done = Promise.withResolvers<void>();
  await cart((_, ctx) => {
    setImmediate(() => {
      try {
        ctx.emit("itemAdded", { sku: "tea", quantity: 1 });
      } catch (error) {
        late = error;
      }
      done.resolve();
    });
    return { total: 0 };
  }).send("addItem", add);
  await done.promise;
  assert.equal((late as Mistake).message, "shop.Cart.addItem: ctx.emit was called after the command was answered; is an await missing?");
});

test("an unexpected error keeps its stack for the log and leaves nothing behind", async () => {
  const entity = cart((_, ctx) => {
    ctx.emit("itemAdded", { sku: "tea", quantity: 7 });
    throw new TypeError("the price list is empty");
  });
  await assert.rejects(entity.send("addItem", add), /the price list is empty/);
  assert.deepEqual(entity.state, { total: 0 });
});

test("a command that does not fit says which field", async () => {
  await assert.rejects(
    cart(() => ({ total: 0 })).send("addItem", { cartId: "42", sku: "tea" }),
    /shop\.CartAddItemRequest\.quantity: missing/,
  );
});

test("a streamed-out handler that is no generator is explained", async () => {
  const Numbers = action({
    service: "demo.Numbers",
    commands: { count: command({ to: t.int32 }).replies({ n: t.int32 }).streamedOut() },
    handle: { count: () => ({ n: 1 }) as never },
  });
  await assert.rejects(testAction(Numbers, "count", [{ to: 3 }]), {
    message:
      "demo.Numbers.count is declared streamedOut() and must give an async iterable; write it as a generator: async *count(…) { yield … }",
  });
});

const quiet = { port: 0, host: "127.0.0.1", handleSignals: false };
const named = (service: string, persistenceId: string) =>
  valueEntity({ service, persistenceId, key: "id", state: () => ({}), commands: { get: command({ id: t.string }) }, handle: { get() {} } });

const served: [what: string, components: () => Parameters<typeof serve>[0], text: string][] = [
  ["nothing", () => [], "serve([…]): give at least one component: serve([Cart])"],
  ["something else", () => [{} as never], "serve([…]): one of the components is none; make them with eventSourced, valueEntity, crdt or action"],
  ["two entities with one service name", () => [named("shop.A", "a"), named("shop.A", "b")], "two components have the service name shop.A; each needs its own"],
  ["two entities with one persistenceId", () => [named("shop.A", "a"), named("shop.B", "a")], 'shop.A and shop.B have the same persistenceId "a": they would share records; give each its own'],
]; // prettier-ignore

for (const [what, components, text] of served) {
  test(`served wrongly: ${what}`, async () => {
    await assert.rejects(serve(components(), quiet), { name: "Mistake", message: text });
  });
}

test("served wrongly: the port is taken", async () => {
  const { noLog } = await import("@mecha/kit");
  await using first = await serve([named("shop.A", "a")], { ...quiet, log: noLog });
  await assert.rejects(serve([named("shop.A", "a")], { ...quiet, log: noLog, port: first.port }), {
    message: `port ${first.port} on 127.0.0.1 is taken by another process; set PORT to a free one, or end the other process (find it with: lsof -i :${first.port})`,
  });
});
