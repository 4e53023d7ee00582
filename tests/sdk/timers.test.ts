/** Timers over the wire: what a proxy that keeps them reads, and what becomes of them behind one that does not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { EntitySpecSchema, ProxyInfoSchema } from "@mecha/wire/gen/cloudstate/entity";
import { ValueEntityStreamInSchema, ValueEntityStreamOutSchema } from "@mecha/wire/gen/cloudstate/value_entity";
import { ProxyInfoExtensionSchema, ReplyExtensionSchema } from "@mecha/wire/gen/mecha/extensions/v1/extensions";
import { command, t, valueEntity } from "mecha-sdk";
import { Proxy } from "./proxy.ts";

const Clock = valueEntity({
  service: "demo.Clock",
  key: "id",
  state: () => ({ ticks: 0 }),
  commands: { start: command({ id: t.string }), tick: command({ id: t.string }) },
  handle: {
    start({ id }, ctx) {
      ctx.schedule("tick", "tick", { id }, { after: "1s" });
      ctx.cancelTimer("old");
    },
    tick() {},
  },
});

/** Asks for the components as `proxyName`, then sends `Start`. */
async function start(proxy: Proxy, proxyName: string, extensions: readonly string[]) {
  const info = create(ProxyInfoSchema, { protocolMinorVersion: 2, proxyName, proxyVersion: "9.9" });
  const extension = create(ProxyInfoExtensionSchema, { mechaExtensions: [...extensions] });
  const both = Buffer.concat([toBinary(ProxyInfoSchema, info), toBinary(ProxyInfoExtensionSchema, extension)]);
  const asked = fromBinary(ProxyInfoSchema, both); // unknown fields are kept, and written again
  await proxy.unary("/cloudstate.EntityDiscovery/discover", ProxyInfoSchema, EntitySpecSchema, asked);
  const stream = proxy.open("/cloudstate.valueentity.ValueEntity/handle", ValueEntityStreamInSchema, ValueEntityStreamOutSchema);
  stream.send({ message: { case: "init", value: { serviceName: "demo.Clock", entityId: "c" } } });
  stream.send({ message: { case: "command", value: { entityId: "c", id: 1n, name: "Start", payload: payload("c") } } });
  return (await stream.next()).message;
}

const payload = (id: string) => ({
  typeUrl: "type.googleapis.com/demo.ClockStartRequest",
  value: new Uint8Array([0x0a, id.length, ...Buffer.from(id)]),
});

test("a proxy that says it keeps timers gets them with the reply", async () => {
  await using proxy = await Proxy.to([Clock]);
  const message = await start(proxy, "another-mecha", ["timers", "more"]);
  assert.equal(message.case, "reply");
  const { $unknown } = message.value as unknown as { $unknown: readonly { no: number; data: Uint8Array }[] };
  assert.deepEqual(
    $unknown.map(({ no }) => no),
    [1001, 1001],
  );
  const timers = fromBinary(ReplyExtensionSchema, toBinary(ValueEntityStreamOutSchema.fields[0]!.message!, message.value as never)).timers;
  const wanted: MessageInitShape<typeof ReplyExtensionSchema> = {
    timers: [
      {
        action: {
          case: "set",
          value: {
            name: "tick",
            commandName: "Tick",
            payload: { ...payload("c"), typeUrl: "type.googleapis.com/demo.ClockTickRequest" },
            first: { case: "afterMs", value: 1_000n },
          },
        },
      },
      { action: { case: "cancel", value: "old" } },
    ],
  };
  assert.deepEqual(timers, create(ReplyExtensionSchema, wanted).timers);
});

for (const [what, name, extensions] of [
  ["one that keeps none", "cloudstate-proxy-core", []],
  ["one with other extensions", "cloudstate-proxy-core", ["views"]],
] as const)
  test(`behind ${what} setting a timer fails the command and says why`, async () => {
    await using proxy = await Proxy.to([Clock], { development: true });
    const message = await start(proxy, name, extensions);
    assert.equal(message.case, "failure");
    assert.equal(
      (message.value as { description: string }).description,
      'demo.Clock.start: schedule("tick"): this function runs behind cloudstate-proxy-core 9.9, which keeps no timers: it would be lost without a word. ' +
        "Run the function with Mecha, or keep time elsewhere",
    );
  });
