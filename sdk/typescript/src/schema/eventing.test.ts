/** What a component says it consumes and publishes, read as a proxy reads it; and what a handler learns of an event. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createFileRegistry, fromBinary, getOption } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { packJson, packPrimitive } from "@mecha/wire";
import { eventing } from "@mecha/wire/gen/cloudstate/eventing";
import { action, anyEvent, command, eventLog, eventSourced, message, Mistake, openEvent, t, topic } from "../index.ts";
import { entitySpec } from "../serve/discovery.ts";
import { eventMetadata, testAction } from "../testing/index.ts";

const ItemAdded = message("shop.ItemAdded", { sku: t.string });
const Cart = eventSourced({
  service: "shop.Cart",
  key: "id",
  state: () => ({ skus: [] as string[] }),
  events: { itemAdded: ItemAdded },
  commands: { add: command({ id: t.string, sku: t.string }) },
  on: { itemAdded: (state, { sku }) => void state.skus.push(sku) },
  handle: { add: ({ sku }, ctx) => ctx.emit("itemAdded", { sku }) },
});
const Seen = message("shop.Seen", { id: t.string, source: t.string, subject: t.string, year: t.int32, what: t.string });
const Feed = action({
  service: "shop.Feed",
  commands: {
    itemAdded: command(ItemAdded)
      .consumes(eventLog("shop.Cart", { consumerGroup: "feed" }))
      .replies(Seen),
    anything: command(anyEvent).consumes(eventLog("shop.Cart")).replies(Seen).publishes(topic("seen")),
    order: command({ sku: t.string }).consumes(topic("orders", { consumerGroup: "g" })),
    quiet: command({ sku: t.string }),
  },
  handle: {
    itemAdded({ sku }, ctx) {
      const { id = "", source = "", subject = "", time } = ctx.cloudEvent ?? {};
      return { id, source, subject, year: time?.getUTCFullYear() ?? 0, what: sku };
    },
    anything(event, ctx) {
      const { id = "", source = "", subject = "" } = ctx.cloudEvent ?? {};
      return { id, source, subject, year: 0, what: JSON.stringify(openEvent(event) ?? event.typeUrl) };
    },
    order: () => undefined,
    quiet: () => undefined,
  },
});

test("discovery tells of sources and destinations by the option of the protocol, the imported file included", () => {
  const spec = entitySpec([Cart, Feed], { name: "t", version: "0" }, "node");
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, spec.proto));
  const methods = registry.getService("shop.Feed")?.methods ?? [];
  assert.deepEqual(
    methods.map((method) => {
      const { in: source, out } = getOption(method, eventing);
      return [
        method.input.typeName,
        source && { group: source.consumerGroup, [source.source.case ?? ""]: source.source.value },
        out?.destination.value,
      ];
    }),
    [
      ["shop.ItemAdded", { group: "feed", eventLog: "shop.Cart" }, undefined],
      ["google.protobuf.Any", { group: "", eventLog: "shop.Cart" }, "seen"],
      ["shop.FeedOrderRequest", { group: "g", topic: "orders" }, undefined],
      ["shop.FeedQuietRequest", undefined, undefined],
    ],
  );
});

const metadata = eventMetadata({
  id: "7",
  source: "shop.Cart",
  type: "shop.ItemAdded",
  subject: "42",
  time: new Date("2024-05-01T10:00:00Z"),
});

test("a handler knows the event that caused its command; a caller's command has none", async () => {
  const [seen] = await testAction(Feed, "itemAdded", [{ sku: "tea" }], { metadata });
  assert.deepEqual(seen?.reply, { id: "7", source: "shop.Cart", subject: "42", year: 2024, what: "tea" });
  const [called] = await testAction(Feed, "itemAdded", [{ sku: "tea" }]);
  assert.deepEqual(called?.reply, { id: "", source: "", subject: "", year: 0, what: "tea" });
});

const opened: [what: string, event: { typeUrl: string; value: Uint8Array }, wanted: string][] = [
  ["JSON", packJson("cart-created", { id: 1 }), '{"type":"cart-created","value":{"id":1}}'],
  ["a primitive", packPrimitive({ type: "string", value: "tea" }), '{"type":"string","value":"tea"}'],
  ["a message", { typeUrl: "type.googleapis.com/shop.Other", value: new Uint8Array() }, '"type.googleapis.com/shop.Other"'],
];
for (const [what, event, wanted] of opened) {
  test(`${what} is an event of any type`, async () => {
    const [seen] = await testAction(Feed, "anything", [event]);
    assert.equal((seen?.reply as { what: string }).what, wanted);
  });
}

test("a time that is none leaves the event as it is", async () => {
  const [seen] = await testAction(Feed, "itemAdded", [{ sku: "tea" }], { metadata: { ...metadata, "ce-time": "soon" } });
  assert.equal((seen?.reply as { year: number }).year, 0);
});

const mistakes: [what: string, declare: () => unknown, text: RegExp][] = [
  ["a log without a name", () => eventLog(""), /eventLog\(…\): the persistence id: expected a text/],
  ["a topic that is none", () => command(ItemAdded).consumes("orders" as never), /consumes\(…\): expected eventLog/],
  ["publishing to a log", () => command(ItemAdded).publishes(eventLog("a") as never), /publishes\(…\): expected topic/],
  ["two sources", () => command(ItemAdded).consumes(topic("a")).consumes(topic("b")), /consumes\(…\) was called twice/],
  ["a circle", () => command(ItemAdded).consumes(topic("a")).publishes(topic("a")), /would go round for ever/],
  [
    "many events at a time",
    () =>
      action({
        service: "shop.Wrong",
        commands: { all: command(ItemAdded).consumes(topic("a")).streamedIn() },
        handle: { all: () => undefined },
      }),
    /it consumes events and is streamedIn\(\)/,
  ],
];
for (const [what, declare, text] of mistakes) {
  test(`declared wrongly: ${what}`, () => {
    assert.throws(declare, (error) => error instanceof Mistake && text.test(error.message));
  });
}
