/** What others see of a service declared in TypeScript: protobuf-es, and grpc-js by way of protobufjs. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { getOption, toBinary } from "@bufbuild/protobuf";
import { compileEntityKey, loadDescriptors } from "@mecha/wire";
import { http } from "@mecha/wire/gen/google/api/annotations";
import { EntitySpecSchema } from "@mecha/wire/gen/cloudstate/entity";
import { fromBinary } from "@bufbuild/protobuf";
import { action, command, eventSourced, message, type ShapeOf, t, valueEntity } from "../index.ts";
import { entitySpec } from "../serve/discovery.ts";
import { buildFiles } from "./descriptors.ts";

const Size = t.enum("Size", ["SMALL", "LARGE"]);
const Item = message("Item", {
  sku: t.string,
  size: Size,
  tags: t.repeated(t.string),
  note: t.optional(t.string),
  prices: t.map(t.double),
  big: t.int64,
  small: t.int64.asNumber,
  contact: t.oneof({ email: t.string, phone: t.uint64 }),
  late: t.bool.at(40),
  later: t.bytes,
});
const Shared = message("shop.common.Address", { city: t.string });

const Cart = eventSourced({
  service: "shop.Cart",
  persistenceId: "cart",
  key: "cartId",
  passivationMs: 5_000,
  state: message("CartState", { items: t.repeated(Item) }),
  events: { itemAdded: { item: Item } },
  commands: {
    addItem: command({ cartId: t.string, item: Item, address: t.optional(Shared) })
      .http("POST /carts/{cartId}/items", { body: "item" })
      .http("PUT /carts/{cart_id}")
      .replies(Item),
    getCart: command({ cartId: t.string })
      .http("GET /carts/{cartId}", { responseBody: "items" })
      .replies({ items: t.repeated(Item) }),
  },
  on: { itemAdded: (state, { item }) => ({ items: [...state.items, item] }) },
  handle: { addItem: ({ item }) => item, getCart: (_, ctx) => ({ items: [...ctx.state.items] }) },
});

const Stock = valueEntity({
  service: "shop.Stock",
  key: ["shopId", "sku"],
  state: () => ({ count: 0 }),
  commands: { put: command({ sku: t.string, shopId: t.int32, item: Item, from: t.optional(Shared) }) },
  handle: { put() {} },
});

const Watch = action({
  service: "shop.Watch",
  commands: { watch: command({ topic: t.string }).replies(Item).streamedIn().streamedOut() },
  handle: { async *watch() {} },
});

const spec = entitySpec([Cart, Stock, Watch], { name: "shop", version: "1" }, "node");
const descriptors = loadDescriptors(spec.proto);

const tea: ShapeOf<typeof Item> = {
  sku: "tea",
  size: "LARGE",
  tags: ["hot"],
  prices: { eur: 2.5 },
  big: 2n ** 62n,
  small: 7,
  contact: { case: "phone", value: 5n },
  late: true,
  later: Uint8Array.of(1),
};

test("every component is in the specification, with its kind and its records' name", () => {
  const read = fromBinary(EntitySpecSchema, toBinary(EntitySpecSchema, spec));
  assert.deepEqual(
    read.entities.map(({ serviceName, entityType, persistenceId }) => [serviceName, entityType, persistenceId]),
    [
      ["shop.Cart", "cloudstate.eventsourced.EventSourced", "cart"],
      ["shop.Stock", "cloudstate.valueentity.ValueEntity", "shop.Stock"],
      ["shop.Watch", "cloudstate.action.ActionProtocol", ""],
    ],
  );
  assert.equal(read.entities[0]?.passivationStrategy?.strategy.value?.timeout, 5_000n);
  assert.deepEqual([read.serviceInfo?.protocolMajorVersion, read.serviceInfo?.protocolMinorVersion], [0, 2]);
});

test("fields are numbered in order; after .at(n) it goes on with n + 1", () => {
  const numbers = descriptors.message("shop.Item")?.fields.map(({ name, number }) => `${name}=${number}`);
  assert.deepEqual(numbers, [
    "sku=1",
    "size=2",
    "tags=3",
    "note=4",
    "prices=5",
    "big=6",
    "small=7",
    "email=8",
    "phone=9",
    "late=40",
    "later=41",
  ]);
});

test("a message in another package is declared once, there, and imported", () => {
  assert.equal(descriptors.message("shop.common.Address")?.file.proto.name, "mecha/shop.common.proto");
  assert.equal(descriptors.files.filter(({ package: name }) => name === "shop").length, 1);
});

test("the key is read from the bytes; several key fields are joined in field order", () => {
  const put = Stock.commands.put.input.codec;
  const key = compileEntityKey(descriptors.message("shop.StockPutRequest") as never);
  assert.equal(key?.(put.encode({ sku: "tea", shopId: 7, item: tea })), "tea-7");
});

test("routes carry field names in protobuf's spelling", () => {
  const [add, get] = descriptors.service("shop.Cart")?.methods ?? [];
  assert.ok(add && get);
  const rule = getOption(add, http);
  assert.deepEqual([rule.pattern, rule.body], [{ case: "post", value: "/carts/{cart_id}/items" }, "item"]);
  assert.deepEqual(rule.additionalBindings.map(({ pattern, body }) => [pattern.value, body]), [["/carts/{cart_id}", "*"]]); // prettier-ignore
  assert.equal(getOption(get, http).responseBody, "items");
});

test("streams and empty replies are declared", () => {
  const [watch] = descriptors.service("shop.Watch")?.methods ?? [];
  assert.equal(watch?.methodKind, "bidi_streaming");
  assert.equal(descriptors.service("shop.Stock")?.methods[0]?.output.typeName, "google.protobuf.Empty");
});

test("grpc-js, loading the descriptors as a reflection client does, exchanges the same bytes", () => {
  interface Loader {
    loadFileDescriptorSetFromBuffer(set: Buffer, options: object): Record<string, Record<string, Method>>;
  }
  interface Method {
    readonly path: string;
    readonly requestSerialize: (value: object) => Buffer;
    readonly responseDeserialize: (bytes: Buffer) => unknown;
  }
  const loader = createRequire(createRequire(import.meta.url).resolve("@grpc/grpc-js"))("@grpc/proto-loader") as Loader;
  const addItem = loader.loadFileDescriptorSetFromBuffer(Buffer.from(spec.proto), { longs: String, enums: String, oneofs: true })[
    "shop.Cart"
  ]?.["AddItem"];
  assert.equal(addItem?.path, "/shop.Cart/AddItem");
  const theirs = addItem.requestSerialize({
    cart_id: "42",
    item: { sku: "tea", size: "SIZE_LARGE", tags: ["hot"], big: "5", small: 6, phone: "7" },
  });
  const { input } = Cart.commands.addItem;
  const item = {
    sku: "tea",
    size: "LARGE",
    tags: ["hot"],
    prices: {},
    big: 5n,
    small: 6,
    contact: { case: "phone", value: 7n },
    late: false,
    later: new Uint8Array(0),
  };
  assert.deepEqual(input.codec.decode(theirs), { cartId: "42", item });
  const reply = Cart.definition.methods.get("AddItem")?.output.codec.encode(tea) as Uint8Array;
  const { sku, size, big, phone } = addItem.responseDeserialize(Buffer.from(reply)) as Record<string, unknown>;
  assert.deepEqual([sku, size, big, phone], ["tea", "SIZE_LARGE", String(2n ** 62n), "5"]);
});

// Compile-time only: without its mistake each of these lines is an error.
type Input = Parameters<NonNullable<typeof Cart.commands.addItem.phantom>>[0];
// @ts-expect-error -- a number is no string
export const wrongType: Input["cartId"] = 5;
// @ts-expect-error -- quantity is not a field
export const unknownField: ShapeOf<typeof Item> = { ...tea, quantity: 1 };
// @ts-expect-error -- MEDIUM is no Size
export const unknownName: ShapeOf<typeof Item>["size"] = "MEDIUM";

test("fields used in several places become a message in each", () => {
  const id = { id: t.string };
  const commands = { get: command(id).replies(id), put: command(id) };
  const built = buildFiles([{ service: "demo.Shared", keys: ["id"], commands, messages: new Map() }]);
  const { methods } = built.service("demo.Shared");
  assert.deepEqual(
    methods.flatMap(({ input, output }) => [input.typeName, output.typeName]),
    ["demo.SharedGetRequest", "demo.SharedGetReply", "demo.SharedPutRequest", "google.protobuf.Empty"],
  );
});
