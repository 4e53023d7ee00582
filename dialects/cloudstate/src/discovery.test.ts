import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { Fault } from "@mecha/kit";
import { MemoryLog } from "@mecha/kit/testing";
import { descriptorSet, FakeChannel, type MethodType, shopFile } from "@mecha/state/remote/testing";
import { ActionCommandSchema } from "@mecha/wire/gen/cloudstate/action";
import { type EntitySpec, EntitySpecSchema, ProxyInfoSchema, UserFunctionErrorSchema } from "@mecha/wire/gen/cloudstate/entity";
import { EntitySpecExtensionSchema, ProxyInfoExtensionSchema } from "@mecha/wire/gen/mecha/extensions/v1/extensions";
import { discover } from "./discovery.ts";
import { discoverPath, reportErrorPath } from "./protocol.ts";

/** Just the parts a test changes, all plain. */
type SpecInit = Pick<Exclude<MessageInitShape<typeof EntitySpecSchema>, EntitySpec>, "proto" | "entities" | "serviceInfo">;

const eventSourced = "cloudstate.eventsourced.EventSourced";
const value = "cloudstate.valueentity.ValueEntity";
const crdt = "cloudstate.crdt.Crdt";
const action = "cloudstate.action.ActionProtocol";
const add: MethodType = { name: "AddItem", input: "Add" };
const version = { protocolMajorVersion: 0, protocolMinorVersion: 2 };
const cart = { entityType: eventSourced, serviceName: "shop.Cart", persistenceId: "carts" };

/** A spec that is in order, with `changes`. */
function spec(changes: SpecInit = {}): SpecInit {
  return { proto: descriptorSet(shopFile("Cart", [add])), entities: [cart], serviceInfo: version, ...changes };
}

/** A function that answers discovery with `bytes` and takes reports. */
function functionSaying(bytes: Uint8Array): FakeChannel {
  return new FakeChannel((call) => {
    call.deliver(call.path === discoverPath ? bytes : toBinary(EmptySchema, create(EmptySchema)));
    call.end();
  });
}
const functionWith = (said: SpecInit): FakeChannel => functionSaying(toBinary(EntitySpecSchema, create(EntitySpecSchema, said)));
const reportsTo = (channel: FakeChannel): string[] =>
  channel.to(reportErrorPath).map((call) => fromBinary(UserFunctionErrorSchema, call.sent[0] as Uint8Array).message);

const options = { proxyVersion: "1.2.3" };

test("the function is told who asks", async () => {
  const channel = functionWith(spec());
  await discover(channel, options);
  const [call] = channel.to(discoverPath);
  assert.ok(call?.halfClosed);
  const sent = call.sent[0] as Uint8Array;
  assert.deepEqual(fromBinary(ProxyInfoExtensionSchema, sent).mechaExtensions, ["timers", "window", "carrier"]);
  const { $typeName, ...info } = fromBinary(ProxyInfoSchema, sent, { readUnknownFields: false });
  assert.equal($typeName, "cloudstate.ProxyInfo");
  assert.deepEqual(info, {
    protocolMajorVersion: 0,
    protocolMinorVersion: 2,
    proxyName: "mecha",
    proxyVersion: "1.2.3",
    supportedEntityTypes: [eventSourced, value, crdt, action],
  });
});

test("a service becomes a component with its methods and their entity keys", async () => {
  const passivationStrategy = { strategy: { case: "timeout" as const, value: { timeout: 100n } } };
  const serviceInfo = {
    ...version,
    serviceName: "shop",
    serviceVersion: "7",
    serviceRuntime: "go",
    supportLibraryName: "lib",
    supportLibraryVersion: "3",
  };
  const found = await discover(functionWith(spec({ entities: [{ ...cart, passivationStrategy }], serviceInfo })), options);
  const [component] = found.components;
  assert.ok(component);
  const { methods, function: port, ...rest } = component;
  assert.deepEqual(rest, { kind: "eventSourced", service: "shop.Cart", persistenceId: "carts", passivationMs: 100 });
  assert.equal(port, found.function);
  const method = methods.get("AddItem");
  assert.ok(method?.entityId);
  assert.equal(method.entityId(Uint8Array.of(0x0a, 1, 0x78, 0x12, 2, 0x34, 0x32)), "42");
  assert.deepEqual(
    { ...method, entityId: undefined },
    {
      name: "AddItem",
      streamedIn: false,
      streamedOut: false,
      inputTypeUrl: "type.googleapis.com/shop.Add",
      outputTypeUrl: "type.googleapis.com/shop.Plain",
      entityId: undefined,
    },
  );
  assert.deepEqual(found.info, {
    serviceName: "shop",
    serviceVersion: "7",
    runtime: "go",
    library: "lib",
    libraryVersion: "3",
    protocol: "0.2",
  });
});

test("a function says how many commands of an entity it takes at once; others take one", async () => {
  const said = toBinary(EntitySpecSchema, create(EntitySpecSchema, spec()));
  const extension = toBinary(EntitySpecExtensionSchema, create(EntitySpecExtensionSchema, { window: 8 }));
  const windowOf = async (bytes: Uint8Array): Promise<unknown> => (await discover(functionSaying(bytes), options)).function.window;
  assert.equal(await windowOf(Uint8Array.of(...said, ...extension)), 8);
  assert.equal(await windowOf(said), 1);
});

test("an entity without a persistence id has its service's name, an action has none", async () => {
  const unnamed = await discover(functionWith(spec({ entities: [{ entityType: value, serviceName: "shop.Cart" }] })), options);
  assert.deepEqual(
    unnamed.components.map(({ kind, persistenceId, passivationMs }) => [kind, persistenceId, passivationMs]),
    [["value", "shop.Cart", undefined]],
  );
  const stateless = await discover(functionWith(spec({ entities: [{ entityType: action, serviceName: "shop.Cart" }] })), options);
  assert.deepEqual(
    stateless.components.map(({ kind, persistenceId }) => [kind, persistenceId]),
    [["action", ""]],
  );
});

test("a CRDT may have methods that answer a stream", async () => {
  const methods: readonly MethodType[] = [add, { name: "Watch", input: "Add", streamedOut: true }];
  const { components } = await discover(
    functionWith(spec({ proto: descriptorSet(shopFile("Cart", methods)), entities: [{ ...cart, entityType: crdt }] })),
    options,
  );
  const [component] = components;
  assert.ok(component?.kind === "crdt" && component.function.crdt);
  assert.deepEqual(
    [...component.methods.values()].map(({ name, streamedOut }) => [name, streamedOut]),
    [
      ["AddItem", false],
      ["Watch", true],
    ],
  );
});

test("an action may have methods of all four shapes and needs no key", async () => {
  const shapes = [false, true].flatMap((streamedIn) =>
    [false, true].map((streamedOut) => ({ name: `M${streamedIn}${streamedOut}`, input: "Plain", streamedIn, streamedOut })),
  );
  const { components } = await discover(
    functionWith(spec({ proto: descriptorSet(shopFile("Cart", shapes)), entities: [{ entityType: action, serviceName: "shop.Cart" }] })),
    options,
  );
  const methods = [...(components[0]?.methods.values() ?? [])];
  assert.deepEqual(
    methods.map(({ name, streamedIn, streamedOut }) => ({ name, input: "Plain", streamedIn, streamedOut })),
    shapes,
  );
});

const withService = (method: MethodType, entityType: string): SpecInit =>
  spec({ proto: descriptorSet(shopFile("Cart", [method])), entities: [{ ...cart, entityType }] });

const rejections: readonly [what: string, said: SpecInit, texts: readonly RegExp[]][] = [
  ["no entities", spec({ entities: [] }), [/lists no entities/]],
  [
    "a service that is not in the descriptors",
    spec({ entities: [{ ...cart, serviceName: "shop.Basket" }] }),
    [/Service shop\.Basket is not in the descriptors/],
  ],
  [
    "an unsupported entity type",
    spec({ entities: [{ ...cart, entityType: "cloudstate.view.View" }] }),
    [
      /shop\.Cart has the unsupported entity type "cloudstate\.view\.View"; supported are .*EventSourced, .*ValueEntity, .*Crdt, .*ActionProtocol/,
    ],
  ],
  [
    "an event sourced entity with a streamed request",
    withService({ ...add, streamedIn: true }, eventSourced),
    [/Method shop\.Cart\.AddItem is streamed/],
  ],
  ["a value entity with a streamed reply", withService({ ...add, streamedOut: true }, value), [/Method shop\.Cart\.AddItem is streamed/]],
  ["a CRDT with a streamed request", withService({ ...add, streamedIn: true }, crdt), [/AddItem takes a stream, which CRDTs cannot serve/]],
  [
    "an event sourced method without an entity key",
    withService({ name: "Look", input: "Plain" }, eventSourced),
    [/Method shop\.Cart\.Look takes shop\.Plain, which has no entity key: mark a field/],
  ],
  ["a value entity method without an entity key", withService({ name: "Look", input: "Plain" }, value), [/which has no entity key/]],
  [
    "another protocol version",
    spec({ serviceInfo: { protocolMajorVersion: 0, protocolMinorVersion: 3 } }),
    [/speaks protocol 0\.3, and 0\.2 is needed.*protocol to "any"/],
  ],
  [
    "a newer major version with our minor",
    spec({ serviceInfo: { protocolMajorVersion: 1, protocolMinorVersion: 2 } }),
    [/speaks protocol 1\.2/],
  ],
  ["no protocol version", spec({ serviceInfo: {} }), [/reports no protocol version, and 0\.2 is needed/]],
  [
    "an import that is missing",
    spec({ proto: descriptorSet(shopFile("Cart", [add], ["lost.proto"])) }),
    [/lack lost\.proto.*shop\.proto imports lost\.proto/],
  ],
  [
    "imports in a circle",
    spec({ proto: descriptorSet(shopFile("Cart", [add], ["shop.proto"])) }),
    [/in a circle: shop\.proto imports shop\.proto/],
  ],
  ["descriptors that are none", spec({ proto: Uint8Array.of(0xff, 0xff) }), [/descriptors are not a serialized FileDescriptorSet/]],
  ["a service listed twice", spec({ entities: [cart, cart] }), [/Service shop\.Cart is listed more than once/]],
  [
    "a negative passivation timeout",
    spec({ entities: [{ ...cart, passivationStrategy: { strategy: { case: "timeout", value: { timeout: -1n } } } }] }),
    [/passivation timeout of -1 ms/],
  ],
  [
    "several things at once: all are named",
    spec({
      entities: [
        { ...cart, entityType: "x" },
        { ...cart, serviceName: "shop.Basket" },
      ],
      serviceInfo: {},
    }),
    [/no protocol version/, /unsupported entity type "x"/, /shop\.Basket is not in/],
  ],
];

for (const [what, said, texts] of rejections) {
  test(`refused, and the function is told: ${what}`, async () => {
    const channel = functionWith(said);
    await assert.rejects(discover(channel, options), (fault) => {
      assert.ok(fault instanceof Fault && fault.code === "precondition");
      for (const text of texts) assert.match(fault.message, text);
      assert.deepEqual(reportsTo(channel), [fault.message]);
      return true;
    });
  });
}

test("refused, and the function is told: an answer that is not an EntitySpec", async () => {
  const channel = functionSaying(Uint8Array.of(0x0a, 0x7f));
  await assert.rejects(discover(channel, options), /not a cloudstate\.EntitySpec/);
  assert.equal(reportsTo(channel).length, 1);
});

test("with protocolCompatibility any, a function that reports no version is taken", async () => {
  const { info } = await discover(functionWith(spec({ serviceInfo: {} })), { ...options, protocolCompatibility: "any" });
  assert.equal(info.protocol, "0.0");
});

test("a failed call is a Fault with its code, and nothing is reported", async () => {
  const channel = new FakeChannel((call) => call.end({ code: 14, message: "connect ECONNREFUSED" }));
  await assert.rejects(discover(channel, options), (fault) => fault instanceof Fault && fault.code === "unavailable");
  assert.deepEqual(channel.to(reportErrorPath), []);
});

test("a function that takes no reports does not hide what was wrong", async () => {
  const channel = new FakeChannel((call) => {
    if (call.path === discoverPath) call.deliver(new Uint8Array());
    call.end(call.path === discoverPath ? undefined : { code: 12, message: "no such method" });
  });
  const log = new MemoryLog();
  await assert.rejects(discover(channel, { ...options, log }), /lists no entities/);
  assert.deepEqual(
    log.lines.map((line) => line.message),
    ["report to the user function failed"],
  );
});

test("a call that fails with the code of a refused answer is worth asking again", async () => {
  const channel = new FakeChannel((call) => call.end({ code: 9, message: "still starting" }));
  await assert.rejects(discover(channel, options), (fault) => fault instanceof Fault && fault.code === "unavailable");
});

const anyVersion = { ...options, protocolCompatibility: "any" } as const;
const stateless = { entityType: "cloudstate.function.StatelessFunction", serviceName: "shop.Cart" };

test("protocol 0.0: a stateless function is an action with an RPC service of its own, named in every message, without metadata", async () => {
  const streamed: MethodType = { name: "Chat", input: "Add", streamedIn: true, streamedOut: true };
  const proto = descriptorSet(shopFile("Cart", [add, streamed]));
  const channel = functionWith(spec({ entities: [stateless], serviceInfo: {}, proto }));
  const [component] = (await discover(channel, anyVersion)).components;
  assert.ok(component);
  assert.equal(component.kind, "action");
  const method = component.methods.get("Chat");
  assert.ok(method);
  const events = { response() {}, drain() {}, closed() {} };
  const call = component.function.openAction("shop.Cart", method, { metadata: [["x-a", "1"]] }, events);
  call.message({ typeUrl: "type.googleapis.com/shop.Add", value: Uint8Array.of(1) }, [["x-b", "2"]]);
  const [opened] = channel.to("/cloudstate.function.StatelessFunction/handleStreamed");
  assert.deepEqual(
    opened?.sent.map((bytes) => fromBinary(ActionCommandSchema, bytes)),
    [
      create(ActionCommandSchema, {
        serviceName: "shop.Cart",
        name: "Chat",
        payload: { typeUrl: "type.googleapis.com/shop.Add", value: Uint8Array.of(1) },
      }),
    ],
  );
});

test("protocol 0.0 is one of version 0.0: a function of 0.2 has no stateless functions", async () => {
  await assert.rejects(
    discover(functionWith(spec({ entities: [stateless] })), anyVersion),
    /unsupported entity type "cloudstate\.function/,
  );
});

test("protocol 0.0: CRDTs are taken, by a port of their own", async () => {
  const old = { ...cart, entityType: crdt };
  const { components, function: main } = await discover(functionWith(spec({ entities: [old], serviceInfo: {} })), anyVersion);
  assert.equal(components[0]?.kind, "crdt");
  assert.ok(components[0]?.function.crdt);
  assert.notEqual(components[0]?.function, main, "0.2 sends changes where 0.0 sends states");
});
