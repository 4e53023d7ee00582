import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { Fault } from "@mecha/kit";
import { FakeClock, MemoryLog, SeededRandom, settle } from "@mecha/kit/testing";
import { type EntitySpec, EntitySpecSchema, ProxyInfoSchema, UserFunctionErrorSchema } from "@mecha/wire/gen/cloudstate/entity";
import { backoffMs, discover, discoverPath, discoverWithBackoff } from "./discovery.ts";
import { reportErrorPath } from "./report.ts";
import { descriptorSet, type FakeCall, FakeChannel, type MethodType, shopFile } from "./testing.ts";

/** Just the parts a test changes, all plain. */
type SpecInit = Pick<Exclude<MessageInitShape<typeof EntitySpecSchema>, EntitySpec>, "proto" | "entities" | "serviceInfo">;

const eventSourced = "cloudstate.eventsourced.EventSourced";
const value = "cloudstate.valueentity.ValueEntity";
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
  const { $typeName, ...info } = fromBinary(ProxyInfoSchema, call.sent[0] as Uint8Array);
  assert.equal($typeName, "cloudstate.ProxyInfo");
  assert.deepEqual(info, {
    protocolMajorVersion: 0,
    protocolMinorVersion: 2,
    proxyName: "mecha",
    proxyVersion: "1.2.3",
    supportedEntityTypes: [eventSourced, value, action],
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
    spec({ entities: [{ ...cart, entityType: "cloudstate.crdt.Crdt" }] }),
    [/shop\.Cart has the unsupported entity type "cloudstate\.crdt\.Crdt"; supported are .*EventSourced, .*ValueEntity, .*ActionProtocol/],
  ],
  [
    "an event sourced entity with a streamed request",
    withService({ ...add, streamedIn: true }, eventSourced),
    [/Method shop\.Cart\.AddItem is streamed/],
  ],
  ["a value entity with a streamed reply", withService({ ...add, streamedOut: true }, value), [/Method shop\.Cart\.AddItem is streamed/]],
  [
    "an event sourced method without an entity key",
    withService({ name: "Look", input: "Plain" }, eventSourced),
    [/Method shop\.Cart\.Look takes shop\.Plain, which has no entity key: mark a field/],
  ],
  ["a value entity method without an entity key", withService({ name: "Look", input: "Plain" }, value), [/which has no entity key/]],
  [
    "another protocol version",
    spec({ serviceInfo: { protocolMajorVersion: 0, protocolMinorVersion: 3 } }),
    [/speaks protocol 0\.3, and 0\.2 is needed.*protocolCompatibility/],
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

test("asking again backs off from 1 s to 10 s with a jitter of a fifth, until the function answers", async () => {
  const clock = new FakeClock();
  const at: number[] = [];
  const good = toBinary(EntitySpecSchema, create(EntitySpecSchema, spec()));
  const channel = new FakeChannel((call) => {
    at.push(clock.monotonic());
    if (at.length > 6) call.deliver(good);
    call.end(at.length > 6 ? undefined : { code: 14, message: "not yet" });
  });
  const log = new MemoryLog();
  const found = discoverWithBackoff(channel, { ...options, clock, random: new SeededRandom(1), log });
  await clock.advance(60_000);
  assert.equal((await found).components.length, 1);
  const gaps = at.slice(1).map((ms, i) => ms - (at[i] as number));
  [1_000, 2_000, 4_000, 8_000, 10_000, 10_000].forEach((base, i) => {
    const gap = gaps[i] as number;
    assert.ok(gap >= base && gap <= base * 1.2, `gap ${i} was ${gap} ms`);
  });
  assert.ok(new Set(gaps.map((gap) => gap % 1_000)).size > 1, "jitter differs");
  assert.deepEqual(
    log.lines.map((line) => line.fields["attempt"]),
    [1, 2, 3, 4, 5, 6],
  );
});

test("an answer that is refused is not asked for again, even after failed calls with the same code", async () => {
  const clock = new FakeClock();
  let asked = 0;
  const channel = new FakeChannel((call) => {
    if (call.path === discoverPath && ++asked === 1) return call.end({ code: 9, message: "still starting" });
    call.deliver(new Uint8Array());
    call.end();
  });
  const refused = assert.rejects(discoverWithBackoff(channel, { ...options, clock, random: new SeededRandom(1) }), /lists no entities/);
  await clock.advance(60_000);
  await refused;
  assert.equal(asked, 2);
});

test("aborting ends the waiting with the signal's reason", async () => {
  for (const during of ["call", "wait"]) {
    const clock = new FakeClock();
    const abort = new AbortController();
    const calls: FakeCall[] = [];
    const channel = new FakeChannel((call) => {
      calls.push(call);
      if (during === "wait") call.end({ code: 14, message: "" });
    });
    const reason = new Fault("cancelled", "closing");
    const stopped = assert.rejects(
      discoverWithBackoff(channel, { ...options, clock, random: new SeededRandom(1), signal: abort.signal }),
      reason,
    );
    await settle();
    abort.abort(reason);
    if (during === "call") {
      assert.ok(calls[0]?.cancelled);
      calls[0].end({ code: 1, message: "cancelled" });
    }
    await stopped;
    assert.equal(clock.pending, 0);
  }
});

test("the wait stays bounded for ever", () => {
  for (const attempt of [0, 5, 1_000, 1e9]) assert.ok(backoffMs(attempt, new SeededRandom(attempt)) <= 12_000);
});
