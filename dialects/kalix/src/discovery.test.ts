import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { Fault } from "@mecha/kit";
import { MemoryLog } from "@mecha/kit/testing";
import { descriptorSet, FakeChannel, type MethodType, shopFile } from "@mecha/state/remote/testing";
import {
  ProxyInfoSchema,
  type ReplicatedWriteConsistency,
  type Spec,
  SpecSchema,
  UserFunctionErrorSchema,
} from "@mecha/wire/gen/kalix/protocol/discovery";
import { discover } from "./discovery.ts";
import { discoverPath, healthCheckPath, proxyTerminatedPath, reportErrorPath } from "./protocol.ts";

type SpecInit = Pick<Exclude<MessageInitShape<typeof SpecSchema>, Spec>, "proto" | "components" | "serviceInfo">;

const eventSourced = "kalix.component.eventsourcedentity.EventSourcedEntities";
const value = "kalix.component.valueentity.ValueEntities";
const replicated = "kalix.component.replicatedentity.ReplicatedEntities";
const action = "kalix.component.action.Actions";
const add: MethodType = { name: "AddItem", input: "Add" };
const cart = { componentType: eventSourced, serviceName: "shop.Cart" };
const version = { protocolMajorVersion: 1, protocolMinorVersion: 1 };
const consistency = (writeConsistency: ReplicatedWriteConsistency) => ({
  case: "entity" as const,
  value: { specificSettings: { case: "replicatedEntity" as const, value: { writeConsistency } } },
});
const ok = toBinary(EmptySchema, create(EmptySchema));

function spec(changes: SpecInit = {}): SpecInit {
  return { proto: descriptorSet(shopFile("Cart", [add])), components: [cart], serviceInfo: version, ...changes };
}

/** A function that answers discovery with `said`, and its health check with `health`. */
function functionWith(said: SpecInit, health = { code: 0, message: "" }): FakeChannel {
  return new FakeChannel((call) => {
    if (call.path === healthCheckPath && health.code !== 0) return call.end(health);
    call.deliver(call.path === discoverPath ? toBinary(SpecSchema, create(SpecSchema, said)) : ok);
    call.end();
  });
}

const options = { proxyVersion: "1.2.3" };

test("the function is told who asks and where calls to other components go", async () => {
  const channel = functionWith(spec());
  await discover(channel, { ...options, ingress: { host: "0.0.0.0", port: 9_000 } });
  const [call] = channel.to(discoverPath);
  const { $typeName, ...info } = fromBinary(ProxyInfoSchema, call?.sent[0] as Uint8Array);
  assert.equal($typeName, "kalix.protocol.ProxyInfo");
  assert.deepEqual(info, {
    protocolMajorVersion: 1,
    protocolMinorVersion: 1,
    proxyName: "mecha",
    proxyVersion: "1.2.3",
    supportedEntityTypes: [eventSourced, value, replicated, action],
    devMode: false,
    proxyHostname: "127.0.0.1",
    internalProxyHostname: "127.0.0.1",
    proxyPort: 9_000,
  });
});

test("components become ours: kind, the entity type as persistence id, passivation", async () => {
  const passivationStrategy = { strategy: { case: "timeout" as const, value: { timeout: 100n } } };
  const settings = { case: "entity" as const, value: { entityType: "carts", passivationStrategy } };
  const { components, info } = await discover(functionWith(spec({ components: [{ ...cart, componentSettings: settings }] })), options);
  const [{ kind, service, persistenceId, passivationMs } = { kind: undefined }] = components;
  assert.deepEqual(
    { kind, service, persistenceId, passivationMs },
    { kind: "eventSourced", service: "shop.Cart", persistenceId: "carts", passivationMs: 100 },
  );
  assert.equal(info.protocol, "1.1");
});

const rejections: readonly [what: string, said: SpecInit, text: RegExp][] = [
  ["another major version", spec({ serviceInfo: { protocolMajorVersion: 2 } }), /speaks Kalix protocol 2\.0, and 1\.x is needed/],
  [
    "a view",
    spec({ components: [{ ...cart, componentType: "kalix.component.view.Views" }] }),
    /unsupported entity type "kalix\.component\.view\.Views"/,
  ],
  [
    "no entity key",
    spec({ proto: descriptorSet(shopFile("Cart", [{ name: "Get", input: "Plain" }])) }),
    /\(kalix\.field\)\.entity_key = true/,
  ],
  [
    "a replicated entity whose method answers with a stream",
    spec({
      proto: descriptorSet(shopFile("Cart", [{ ...add, streamedOut: true }])),
      components: [{ ...cart, componentType: replicated }],
    }),
    /Method shop\.Cart\.AddItem is streamed, which entities cannot serve/,
  ],
  [
    "a write consistency nobody knows",
    spec({ components: [{ ...cart, componentType: replicated, componentSettings: consistency(7 as ReplicatedWriteConsistency) }] }),
    /Service shop\.Cart wants the write consistency 7; there are 0, 1, 2\./,
  ],
];
for (const [what, said, text] of rejections) {
  test(`refused, and the function is told: ${what}`, async () => {
    const channel = functionWith(said);
    await assert.rejects(discover(channel, options), (fault) => {
      assert.ok(fault instanceof Fault && fault.code === "precondition");
      assert.match(fault.message, text);
      const reported = channel.to(reportErrorPath).map(({ sent }) => fromBinary(UserFunctionErrorSchema, sent[0] as Uint8Array).message);
      assert.deepEqual(reported, [fault.message]);
      return true;
    });
  });
}

test("an answer that is no Spec is refused", async () => {
  const channel = new FakeChannel((call) => {
    call.deliver(call.path === discoverPath ? Uint8Array.of(0x0a, 0x7f) : ok);
    call.end();
  });
  await assert.rejects(discover(channel, options), /not a kalix\.protocol\.Spec/);
});

test("D1: an unhealthy function is asked again; one without a health check is taken at its word", async () => {
  const sick = functionWith(spec(), { code: 13, message: "database gone" });
  await assert.rejects(discover(sick, options), (fault) => fault instanceof Fault && fault.code === "unavailable");
  assert.equal((await discover(functionWith(spec(), { code: 12, message: "" }), options)).components.length, 1);
});

test("D2: goodbye is ProxyTerminated; a function that is gone already makes no error", async () => {
  const channel = functionWith(spec());
  await (await discover(channel, options)).goodbye?.();
  assert.equal(channel.to(proxyTerminatedPath).length, 1);

  const log = new MemoryLog();
  const gone = new FakeChannel((call) => {
    if (call.path === proxyTerminatedPath) return call.end({ code: 14, message: "connect ECONNREFUSED" });
    call.deliver(call.path === discoverPath ? toBinary(SpecSchema, create(SpecSchema, spec())) : ok);
    call.end();
  });
  await (await discover(gone, { ...options, log })).goodbye?.();
  assert.deepEqual(
    log.lines.map(({ message }) => message),
    ["the function did not hear that its sidecar goes away"],
  );
});
