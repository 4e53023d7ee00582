/** The wire of Kalix's replicated entities: what the port says as protobuf-es reads it, and what it makes of what a function says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { Fault } from "@mecha/kit";
import type { CrdtDelta, WriteConsistency } from "@mecha/state";
import { assertCut, openNoted } from "@mecha/state/remote/testing";
import * as wire from "@mecha/wire/gen/kalix/component/replicatedentity/replicated_entity";
import { kalixFunction } from "./function.ts";
import { replicatedPath, reportErrorPath } from "./protocol.ts";
import { replicatedCodec } from "./replicated-codec.ts";

const address = { namespace: "default", service: "shop.Votes", persistenceId: "votes", entityId: "v-1" };
const any = (text: string) => ({ typeUrl: "type.kalix.io/string", value: new TextEncoder().encode(text) });
const [a, b] = [any("a"), any("b")];

type In = MessageInitShape<typeof wire.ReplicatedEntityStreamInSchema>["message"];
type Out = MessageInitShape<typeof wire.ReplicatedEntityStreamOutSchema>["message"];
type DeltaInit = NonNullable<Extract<In, { case: "delta" }>["value"]>;
const into = (message: In): unknown => create(wire.ReplicatedEntityStreamInSchema, message === undefined ? {} : { message }).message;
const out = (message: Out): Uint8Array =>
  toBinary(wire.ReplicatedEntityStreamOutSchema, create(wire.ReplicatedEntityStreamOutSchema, message === undefined ? {} : { message }));
const changes = (update: DeltaInit): Uint8Array =>
  out({ case: "reply", value: { stateAction: { action: { case: "update", value: update } } } });

/** A stream, everything it said to the function, and everything the function said to the engine. */
function open(delta?: CrdtDelta, entityCommandMetadata = false) {
  const consistency = (service: string): WriteConsistency => (service === "shop.Votes" ? "all" : "local");
  const noted = openNoted((channel) => kalixFunction(channel, { entityCommandMetadata, consistency }), address, delta);
  const sent = (): unknown[] => noted.call.sent.map((bytes) => fromBinary(wire.ReplicatedEntityStreamInSchema, bytes).message);
  return { ...noted, sent };
}

test("init comes first, without a delta when the entity does not exist; then commands, deltas and the deletion", () => {
  for (const withMetadata of [false, true]) {
    const { call, stream, sent } = open(undefined, withMetadata);
    stream.command(1, { name: "Add", payload: a, metadata: [["k", "v"]] }, false);
    stream.delta({ type: "pncounter", change: -5n });
    stream.deleted();
    stream.halfClose();
    const metadata = withMetadata ? { metadata: { entries: [{ key: "k", value: { case: "stringValue" as const, value: "v" } }] } } : {};
    assert.equal(call.path, replicatedPath);
    assert.deepEqual(sent(), [
      into({ case: "init", value: { serviceName: "shop.Votes", entityId: "v-1" } }),
      into({ case: "command", value: { entityId: "v-1", id: 1n, name: "Add", payload: a, ...metadata } }),
      into({ case: "delta", value: { delta: { case: "counter", value: { change: -5n } } } }),
      into({ case: "delete", value: {} }),
    ]);
    assert.ok(call.halfClosed);
  }
});

const set = { cleared: true, removed: [a], added: [b] };
const nothingElse = { cleared: false, removed: [] };
const deltas: readonly [CrdtDelta, DeltaInit][] = [
  [{ type: "pncounter", change: -(2n ** 63n) + 1n }, { delta: { case: "counter", value: { change: -(2n ** 63n) + 1n } } }],
  [{ type: "orset", ...set }, { delta: { case: "replicatedSet", value: set } }],
  [{ type: "lwwregister", value: a, clock: "default", customClockValue: 0n }, { delta: { case: "register", value: { value: a } } }],
  [
    {
      type: "ormap",
      cleared: false,
      removed: [a],
      updated: [{ key: b, delta: { type: "multimap", ...nothingElse, updated: [] } }],
      added: [{ key: a, delta: { type: "pncounter", change: 0n } }],
    },
    {
      delta: {
        case: "replicatedMap",
        value: {
          removed: [a],
          updated: [{ key: b, delta: { delta: { case: "replicatedMultiMap", value: {} } } }],
          added: [{ key: a, delta: { delta: { case: "counter", value: {} } } }],
        },
      },
    },
  ],
  [
    { type: "countermap", cleared: true, removed: [a], updated: [{ key: b, delta: { type: "pncounter", change: -2n } }] },
    { delta: { case: "replicatedCounterMap", value: { cleared: true, removed: [a], updated: [{ key: b, delta: { change: -2n } }] } } },
  ],
  [
    {
      type: "registermap",
      ...nothingElse,
      updated: [{ key: a, delta: { type: "lwwregister", value: b, clock: "default", customClockValue: 0n } }],
    },
    { delta: { case: "replicatedRegisterMap", value: { updated: [{ key: a, delta: { value: b } }] } } },
  ],
  [
    { type: "multimap", ...nothingElse, updated: [{ key: a, delta: { type: "orset", ...set } }] },
    { delta: { case: "replicatedMultiMap", value: { updated: [{ key: a, delta: set }] } } },
  ],
  [
    { type: "vote", selfVote: true, votesFor: 2, totalVoters: 3 },
    { delta: { case: "vote", value: { selfVote: true, votesFor: 2, totalVoters: 3 } } },
  ],
];

for (const [delta, asWire] of deltas) {
  test(`a ${delta.type} travels as the protocol has it: whole in init, as a change, and from the function`, () => {
    const { call, stream, sent, said } = open(delta);
    stream.delta(delta);
    assert.deepEqual(sent(), [
      into({ case: "init", value: { serviceName: "shop.Votes", entityId: "v-1", delta: asWire } }),
      into({ case: "delta", value: asWire }),
    ]);
    call.deliver(changes(asWire));
    const heard = delta.type === "vote" ? { ...delta, votesFor: 0, totalVoters: 0 } : delta; // who else votes is not the function's to say
    assert.deepEqual(structuredClone(said), [
      ["reply", { commandId: 0, action: { do: "nothing" }, effects: [], streamed: false, consistency: "all", state: { do: "update", delta: heard } }], // prettier-ignore
    ]);
  });
}

test("what a function says arrives in the engine's words; consistency is asked for changes only", () => {
  const { call, said } = open();
  const replied = { action: { case: "reply" as const, value: { payload: a } } };
  const failed = { action: { case: "failure" as const, value: { commandId: 3n, description: "taken", grpcStatusCode: 6 } } };
  const effect = { serviceName: "shop.Desk", commandName: "Do", payload: b, synchronous: true };
  const forward = { action: { case: "forward" as const, value: { serviceName: "shop.Desk", commandName: "Do", payload: b } } };
  const register = { case: "register" as const, value: { value: a, clock: wire.ReplicatedEntityClock.CUSTOM, customClockValue: -3n } };
  const update = { action: { case: "update" as const, value: { delta: register } } };
  call.deliver(out({ case: "reply", value: { commandId: 1n, clientAction: replied, sideEffects: [effect], stateAction: update } }));
  call.deliver(
    out({ case: "reply", value: { commandId: 2n, clientAction: forward, stateAction: { action: { case: "delete", value: {} } } } }),
  );
  call.deliver(out({ case: "reply", value: { commandId: 3n, clientAction: failed } }));
  call.deliver(out({ case: "failure", value: { commandId: 4n, description: "no such command", grpcStatusCode: 12 } }));
  call.end();
  const delta = { type: "lwwregister", value: a, clock: "custom", customClockValue: -3n };
  const desk = { service: "shop.Desk", command: "Do", payload: b };
  assert.deepEqual(structuredClone(said), [
    ["reply", { commandId: 1, action: { do: "reply", payload: a }, effects: [{ ...desk, synchronous: true }], streamed: false, consistency: "all", state: { do: "update", delta } }], // prettier-ignore
    ["reply", { commandId: 2, action: { do: "forward", ...desk }, effects: [], streamed: false, consistency: "all", state: { do: "delete" } }], // prettier-ignore
    ["reply", { commandId: 3, action: { do: "fail", description: "taken", restart: true, grpcCode: 6 }, effects: [], streamed: false, consistency: "local" }], // prettier-ignore
    ["failure", { commandId: 4, description: "no such command", grpcCode: 12 }],
    ["closed"],
  ]);
});

const broken: readonly [what: string, bytes: Uint8Array, text: RegExp][] = [
  ["nothing", out(undefined), /neither an answer nor a failure/],
  ["no protobuf", Uint8Array.of(0x0a, 0x7f), /ReplicatedEntityStreamOut: /],
  ["an update that changes nothing", changes({}), /state_action\.update: says nothing/],
  [
    "a clock nobody knows",
    changes({ delta: { case: "register", value: { clock: 9 as wire.ReplicatedEntityClock } } }),
    /state_action\.update\.register\.clock: 9 is none of/,
  ],
  [
    "a clock nobody knows, in a map",
    changes({
      delta: { case: "replicatedRegisterMap", value: { updated: [{ key: a, delta: { clock: 9 as wire.ReplicatedEntityClock } }] } },
    }),
    /state_action\.update\.replicated_register_map\.updated\[0\]\.delta\.clock: 9/,
  ],
  [
    "a map's entry without a change",
    changes({ delta: { case: "replicatedMap", value: { added: [{ key: a }] } } }),
    /state_action\.update\.replicated_map\.added\[0\]\.delta: absent/,
  ],
  [
    "a counter map's entry without a change",
    changes({ delta: { case: "replicatedCounterMap", value: { updated: [{ key: a }] } } }),
    /state_action\.update\.replicated_counter_map\.updated\[0\]\.delta: absent/,
  ],
];

for (const [what, bytes, text] of broken) {
  test(`a function that sends ${what} is told, and its stream is cut`, () => {
    const noted = open();
    noted.call.deliver(bytes);
    noted.call.deliver(out({ case: "failure", value: { commandId: 1n } }));
    assertCut(noted, text, reportErrorPath);
  });
}

test("a type Kalix does not have cuts the stream before anything is said of it, and the function is told why", async () => {
  const values: readonly CrdtDelta[] = [
    { type: "gcounter", increment: 1n },
    { type: "gset", added: [] },
    { type: "flag", value: true },
  ];
  for (const value of values) {
    const inside: CrdtDelta = { type: "ormap", ...nothingElse, updated: [], added: [{ key: a, delta: value }] };
    for (const delta of [value, inside]) {
      const noted = open(delta);
      assert.equal(noted.said.length, 0, "no callback inside open");
      await Promise.resolve();
      assertCut(noted, /^is stored as a (GCounter|Flag|GSet), and Kalix has no such type/, reportErrorPath);
      assert.equal(noted.call.sent.length, 0);
    }
  }
});

test("any bytes give a message or a Fault", () => {
  const damaged = fc.tuple(fc.constantFrom(...deltas.map(([, update]) => update)), fc.nat(), fc.nat(255)).map(([update, at, byte]) => {
    const bytes = changes(update).slice();
    bytes[at % bytes.length] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), damaged), (bytes) => {
      try {
        replicatedCodec("local").decode(bytes);
      } catch (error) {
        assert.ok(error instanceof Fault && error.code === "invalid", String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});
