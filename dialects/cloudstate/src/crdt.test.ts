/** The wire of CRDTs: what the port says as protobuf-es reads it, and what it makes of what a function says. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { Fault } from "@mecha/kit";
import type { CrdtDelta } from "@mecha/state";
import { assertCut, openNoted } from "@mecha/state/remote/testing";
import { CrdtClock, CrdtStreamInSchema, CrdtStreamOutSchema, CrdtWriteConsistency } from "@mecha/wire/gen/cloudstate/crdt";
import { decodeOut } from "./crdt-codec.ts";
import { codec00 } from "./crdt-codec-00.ts";
import { cloudstateFunction, type CloudstateFunctionOptions } from "./function.ts";
import { crdtPath, reportErrorPath } from "./protocol.ts";

const address = { namespace: "default", service: "shop.Votes", persistenceId: "votes", entityId: "v-1" };
const any = (text: string) => ({ typeUrl: "p.cloudstate.io/string", value: new TextEncoder().encode(text) });
const a = any("a");
const b = any("b");

type Out = NonNullable<MessageInitShape<typeof CrdtStreamOutSchema>["message"]>;
const out = (message: Out): Uint8Array => toBinary(CrdtStreamOutSchema, create(CrdtStreamOutSchema, { message }));

/** A stream, everything it said to the function, and everything the function said to the engine. */
function open(delta?: CrdtDelta, options: CloudstateFunctionOptions = {}) {
  const noted = openNoted((channel) => cloudstateFunction(channel, options), address, delta);
  const sent = (): unknown[] => noted.call.sent.map((bytes) => fromBinary(CrdtStreamInSchema, bytes).message);
  return { ...noted, sent };
}

function streamIn(message: MessageInitShape<typeof CrdtStreamInSchema>["message"]): unknown {
  return create(CrdtStreamInSchema, message === undefined ? {} : { message }).message;
}

test("init comes first, without a delta when the entity does not exist", () => {
  const { call, sent } = open();
  assert.equal(call.path, crdtPath);
  assert.deepEqual(sent(), [streamIn({ case: "init", value: { serviceName: "shop.Votes", entityId: "v-1" } })]);
});

const deltas: readonly [
  CrdtDelta,
  NonNullable<Extract<MessageInitShape<typeof CrdtStreamInSchema>["message"], { case: "delta" }>>["value"],
][] = [
  [{ type: "gcounter", increment: 2n ** 63n - 1n }, { delta: { case: "gcounter", value: { increment: 2n ** 63n - 1n } } }],
  [{ type: "pncounter", change: -5n }, { delta: { case: "pncounter", value: { change: -5n } } }],
  [{ type: "gset", added: [a] }, { delta: { case: "gset", value: { added: [a] } } }],
  [
    { type: "orset", cleared: true, removed: [a], added: [b] },
    { delta: { case: "orset", value: { cleared: true, removed: [a], added: [b] } } },
  ],
  [{ type: "lwwregister", value: a, clock: "default", customClockValue: 0n }, { delta: { case: "lwwregister", value: { value: a } } }],
  [{ type: "flag", value: false }, { delta: { case: "flag", value: {} } }],
  [
    {
      type: "ormap",
      cleared: false,
      removed: [a],
      updated: [{ key: b, delta: { type: "flag", value: true } }],
      added: [{ key: a, delta: { type: "gcounter", increment: 0n } }],
    },
    {
      delta: {
        case: "ormap",
        value: {
          removed: [a],
          updated: [{ key: b, delta: { delta: { case: "flag", value: { value: true } } } }],
          added: [{ key: a, delta: { delta: { case: "gcounter", value: {} } } }],
        },
      },
    },
  ],
  [
    { type: "vote", selfVote: true, votesFor: 2, totalVoters: 3 },
    { delta: { case: "vote", value: { selfVote: true, votesFor: 2, totalVoters: 3 } } },
  ],
];

for (const [delta, wire] of deltas) {
  test(`a ${delta.type} travels as the protocol has it, whole in init and as a change`, () => {
    const { stream, sent } = open(delta);
    stream.delta(delta);
    assert.deepEqual(sent(), [
      streamIn({ case: "init", value: { serviceName: "shop.Votes", entityId: "v-1", delta: wire } }),
      streamIn({ case: "delta", value: wire }),
    ]);
  });
}

test("commands, cancellation and deletion; metadata only when asked for", () => {
  const command = { name: "Add", payload: a, metadata: [["k", "v"]] as const };
  for (const entityCommandMetadata of [false, true]) {
    const { stream, sent, call } = open(undefined, { entityCommandMetadata });
    stream.command(1, command, false);
    stream.command(2, command, true);
    stream.cancelCommand(2);
    stream.deleted();
    stream.halfClose();
    const metadata = entityCommandMetadata
      ? { metadata: { entries: [{ key: "k", value: { case: "stringValue" as const, value: "v" } }] } }
      : {};
    const one = { entityId: "v-1", name: "Add", payload: a, ...metadata };
    assert.deepEqual(sent().slice(1), [
      streamIn({ case: "command", value: { ...one, id: 1n } }),
      streamIn({ case: "command", value: { ...one, id: 2n, streamed: true } }),
      streamIn({ case: "streamCancelled", value: { entityId: "v-1", id: 2n } }),
      streamIn({ case: "delete", value: {} }),
    ]);
    assert.ok(call.halfClosed);
  }
});

test("what a function says arrives in the engine's words", () => {
  const { call, said } = open();
  const replied = { action: { case: "reply" as const, value: { payload: a } } };
  const effect = { serviceName: "shop.Desk", commandName: "Do", payload: b, synchronous: true };
  const update = {
    action: {
      case: "update" as const,
      value: { delta: { case: "lwwregister" as const, value: { value: a, clock: CrdtClock.CUSTOM, customClockValue: -3n } } },
    },
    writeConsistency: CrdtWriteConsistency.MAJORITY,
  };
  call.deliver(out({ case: "reply", value: { commandId: 1n, clientAction: replied, sideEffects: [effect], stateAction: update } }));
  call.deliver(out({ case: "reply", value: { commandId: 2n, streamed: true, stateAction: { action: { case: "delete", value: {} } } } }));
  call.deliver(out({ case: "streamedMessage", value: { commandId: 2n, clientAction: replied, endStream: true } }));
  call.deliver(out({ case: "streamCancelledResponse", value: { commandId: 2n } }));
  call.deliver(out({ case: "failure", value: { commandId: 3n, description: "no", grpcStatusCode: 5 } }));
  call.end();
  const reply = { do: "reply", payload: a };
  const effects = [{ service: "shop.Desk", command: "Do", payload: b, synchronous: true }];
  const delta = { type: "lwwregister", value: a, clock: "custom", customClockValue: -3n };
  assert.deepEqual(structuredClone(said), [
    ["reply", { commandId: 1, action: reply, effects, streamed: false, consistency: "majority", state: { do: "update", delta } }],
    ["reply", { commandId: 2, action: { do: "nothing" }, effects: [], streamed: true, consistency: "local", state: { do: "delete" } }],
    ["message", { commandId: 2, action: reply, effects: [], end: true }],
    ["cancelled", { commandId: 2, effects: [], consistency: "local" }],
    ["failure", { commandId: 3, description: "no", grpcCode: 5 }],
    ["closed"],
  ]);
});

const broken: readonly [what: string, bytes: Uint8Array, text: RegExp][] = [
  ["nothing", out({ case: undefined }), /neither an answer nor a failure/],
  ["no protobuf", Uint8Array.of(0x0a, 0x7f), /CrdtStreamOut: /],
  [
    "an update that changes nothing",
    out({ case: "reply", value: { stateAction: { action: { case: "update", value: {} } } } }),
    /state_action\.update: says nothing/,
  ],
  [
    "a write consistency nobody knows",
    out({ case: "reply", value: { stateAction: { writeConsistency: 7 as CrdtWriteConsistency } } }),
    /write_consistency: 7 is none of 0, 1, 2/,
  ],
  [
    "a clock nobody knows",
    out({
      case: "reply",
      value: { stateAction: { action: { case: "update", value: { delta: { case: "lwwregister", value: { clock: 9 as CrdtClock } } } } } },
    }),
    /state_action\.update\.lwwregister\.clock: 9 is none of/,
  ],
  [
    "a map's entry without a change",
    out({
      case: "reply",
      value: { stateAction: { action: { case: "update", value: { delta: { case: "ormap", value: { added: [{ key: a }] } } } } } },
    }),
    /state_action\.update\.ormap\.added\[0\]\.delta: absent/,
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

test("a type Cloudstate does not have cuts the stream before anything is said of it, and the function is told why", async () => {
  const count: CrdtDelta = { type: "countermap", cleared: false, removed: [], updated: [] };
  const inside: CrdtDelta = { type: "ormap", cleared: false, removed: [], updated: [], added: [{ key: a, delta: count }] };
  for (const delta of [count, inside]) {
    const noted = open(delta);
    assert.equal(noted.said.length, 0, "no callback inside open");
    await Promise.resolve();
    assertCut(noted, /^is stored as a CounterMap, and Cloudstate has no such type/, reportErrorPath);
    assert.equal(noted.call.sent.length, 0);
    assert.throws(() => codec00().init(address, delta), /Cloudstate has no such type/);
  }
});

test("after a reset nothing is sent or delivered", () => {
  const { call, stream, said } = open();
  stream.reset();
  stream.delta({ type: "flag", value: true });
  call.deliver(out({ case: "failure", value: { commandId: 1n } }));
  call.end();
  assert.equal(call.sent.length, 1);
  assert.deepEqual(said, []);
});

test("any bytes give a message or a Fault", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        decodeOut(bytes);
      } catch (error) {
        assert.ok(error instanceof Fault && error.code === "invalid");
      }
    }),
    { numRuns: 2_000 },
  );
});
