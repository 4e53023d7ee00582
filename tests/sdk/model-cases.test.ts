/** The SDK's model function passes the kit's model cases, and functions that differ from the model fail them. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { modelCases, type ModelCase, ModelKit } from "@mecha/conformance";
import { hostClock } from "@mecha/host";
import { type Component, fromProto, type ORSet, orset, t, type WriteConsistency } from "mecha-sdk";
import { ActionTckModel } from "../../conformance/src/gen/cloudstate/tck/model/action_pb.ts";
import { CrdtTckModel } from "../../conformance/src/gen/cloudstate/tck/model/crdt_pb.ts";
import { EventSourcedTckModel, PersistedSchema } from "../../conformance/src/gen/cloudstate/tck/model/eventsourced_pb.ts";
import { PersistedSchema as StoredSchema, ValueEntityTckModel } from "../../conformance/src/gen/cloudstate/tck/model/valueentity_pb.ts";
import { model } from "./model.ts";
import { Proxy } from "./proxy.ts";

let proxy: Proxy;
before(async () => (proxy = await Proxy.to(model)));
after(() => proxy[Symbol.asyncDispose]());

test("there are 34 + 19 + 21 + 82 model cases, each with an id of its own", () => {
  const count = (group: string): number => modelCases.filter((one) => one.group === group).length;
  assert.deepEqual(["action", "value entity", "event sourced", "CRDT"].map(count), [34, 19, 21, 82]);
  assert.equal(new Set(modelCases.map(({ id }) => id)).size, modelCases.length);
});

for (const one of modelCases) test(`${one.id} ${one.group}: ${one.name}`, () => one.run(new ModelKit(proxy.channel, hostClock)));

const caseOf = (id: string): ModelCase => modelCases.find((one) => one.id === id) ?? assert.fail(id);

/** A CRDT model that does the same to a set, whatever it is asked. */
function crdtThat(change: (ctx: { readonly state: ORSet<string> }) => unknown, writeConsistency: WriteConsistency = "local"): Component {
  return fromProto.crdt(CrdtTckModel, {
    persistenceId: "crdt-tck-model",
    writeConsistency,
    state: orset(t.string),
    handle: {
      process(_request, ctx) {
        change(ctx);
        return { state: { value: { case: "orset" as const, value: { elements: [...ctx.state].sort() } } } };
      },
      processStreamed: (_request, ctx) => void ctx.stream(),
    },
  });
}

/** Components that are not as the model is, each with a case that notices. */
const planted: readonly [what: string, component: Component, id: string, by: RegExp][] = [
  [
    "no snapshot after five events",
    fromProto.eventSourced(EventSourcedTckModel, {
      persistenceId: "event-sourced-tck-model",
      snapshotEvery: 100,
      state: PersistedSchema,
      events: { persisted: PersistedSchema },
      on: { persisted: (state, { value }) => void (state.value += value) },
      handle: {
        process({ actions }, ctx) {
          for (const { action } of actions) if (action.case === "emit") ctx.emit("persisted", { value: action.value.value });
          return { message: ctx.state.value };
        },
      },
    }),
    "ME6",
    /EventSourcedStreamOut differs/,
  ],
  [
    "another persistence id",
    fromProto.valueEntity(ValueEntityTckModel, {
      persistenceId: "value-entity",
      state: StoredSchema,
      handle: { process: (_request, ctx) => ({ message: ctx.state.value }) },
    }),
    "MV1",
    /persistence id of .*ValueEntityTckModel/,
  ],
  [
    "a deletion that is an update to nothing",
    fromProto.valueEntity(ValueEntityTckModel, {
      persistenceId: "value-entity-tck-model",
      state: StoredSchema,
      handle: {
        process({ actions }, ctx) {
          for (const { action } of actions)
            if (action.case !== undefined) ctx.update({ value: action.case === "update" ? action.value.value : "" });
          return { message: ctx.state.value };
        },
      },
    }),
    "MV5",
    /ValueEntityStreamOut differs/,
  ],
  [
    "one answer too few",
    fromProto.action(ActionTckModel, {
      handle: {
        processUnary: (_request, ctx) => ctx.noReply(),
        processStreamedIn: async (_requests, ctx) => ctx.noReply(),
        *processStreamedOut({ groups }, ctx) {
          for (const _group of groups.slice(1)) yield ctx.noReply();
        },
        async *processStreamed(_requests, ctx) {
          yield ctx.noReply();
        },
      },
    }),
    "MA28",
    /ended with status 0|ActionResponse differs/,
  ],
  [
    "a set told whole instead of its change",
    crdtThat((ctx) => {
      ctx.state.clear();
      ctx.state.add("ash").add("elm");
    }),
    "MC27",
    /CrdtStreamOut differs/,
  ],
  ["a cancellation that changes nothing", crdtThat(() => undefined), "MC80", /CrdtStreamOut differs/],
  ["a consistency that was not asked for", crdtThat((ctx) => ctx.state.add("a"), "all"), "MC82", /CrdtStreamOut differs/],
];

for (const [what, component, id, by] of planted) {
  test(`${id} notices ${what}`, async () => {
    const others = model.filter(({ definition }) => definition.service !== component.definition.service);
    await using own = await Proxy.to([component, ...others]);
    await assert.rejects(caseOf(id).run(new ModelKit(own.channel, hostClock)), by);
  });
}
