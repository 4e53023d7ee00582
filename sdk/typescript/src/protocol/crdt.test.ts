/** The hand-written messages of cloudstate.crdt against protobuf-es. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import {
  CrdtClock,
  CrdtDeltaSchema,
  CrdtStreamInSchema,
  type CrdtStreamOut,
  CrdtStreamOutSchema,
  CrdtWriteConsistency,
} from "@mecha/wire/gen/cloudstate/crdt";
import { type CrdtAnswer, encodeCrdtCancelled, encodeCrdtFailure, encodeCrdtReply, encodeCrdtStreamed, readCrdtIn } from "./crdt.ts";

const payload = { typeUrl: "type.googleapis.com/a.B", value: new Uint8Array([8, 1]) };
const delta = create(CrdtDeltaSchema, {
  delta: {
    case: "ormap",
    value: {
      removed: [payload],
      added: [
        {
          key: payload,
          delta: { delta: { case: "lwwregister", value: { value: payload, clock: CrdtClock.CUSTOM, customClockValue: -7n } } },
        },
      ],
    },
  },
});
const largest = create(CrdtDeltaSchema, { delta: { case: "gcounter", value: { increment: 2n ** 64n - 1n } } });
const effect = { service: "a.C", command: "Do", payload, synchronous: true, metadata: [] };
const effectOut = { serviceName: "a.C", commandName: "Do", payload, synchronous: true };
const reply = { do: "reply", payload, metadata: [] } as const;
const clientAction = { action: { case: "reply" as const, value: { payload } } };

const incoming: [MessageInitShape<typeof CrdtStreamInSchema>["message"], unknown][] = [
  [
    { case: "init", value: { serviceName: "a.A", entityId: "e", delta } },
    { is: "init", service: "a.A", entityId: "e", delta },
  ],
  [
    { case: "init", value: { serviceName: "a.A", entityId: "e" } },
    { is: "init", service: "a.A", entityId: "e", delta: undefined },
  ],
  [
    { case: "delta", value: largest },
    { is: "delta", delta: largest },
  ],
  [{ case: "delete", value: {} }, { is: "delete" }],
  [
    { case: "command", value: { entityId: "e", id: 2n ** 40n, name: "Do", payload, streamed: true } },
    { is: "command", command: { id: 2 ** 40, name: "Do", payload: payload.value, metadata: [], streamed: true } },
  ],
  [
    { case: "streamCancelled", value: { entityId: "e", id: 3n } },
    { is: "cancelled", commandId: 3 },
  ],
  [{ case: undefined }, { is: "unknown" }],
];

for (const [message, wanted] of incoming) {
  test(`${message?.case ?? "an empty message"} is read as protobuf-es writes it`, () => {
    const bytes = toBinary(CrdtStreamInSchema, create(CrdtStreamInSchema, { message: message as never }));
    assert.deepEqual(readCrdtIn(new Uint8Array(bytes)), wanted);
  });
}

test("a delta that is none fails with the field's fault, not with protobuf-es' error", () => {
  assert.throws(
    () => readCrdtIn(new Uint8Array([0x12, 2, 0x0a, 9])),
    (error) => error instanceof Fault && error.code === "invalid",
  );
});

const nothing: CrdtAnswer = { outcome: { do: "nothing" }, effects: [], change: undefined, consistency: "all", streamed: false };
const outgoing: [string, Uint8Array, MessageInitShape<typeof CrdtStreamOutSchema>["message"]][] = [
  [
    "a reply with an update",
    encodeCrdtReply(1, { outcome: reply, effects: [effect], change: { do: "update", delta }, consistency: "majority", streamed: true }),
    {
      case: "reply",
      value: {
        commandId: 1n,
        clientAction,
        sideEffects: [effectOut],
        stateAction: { action: { case: "update", value: delta }, writeConsistency: CrdtWriteConsistency.MAJORITY },
        streamed: true,
      },
    },
  ],
  [
    "a reply with a deletion",
    encodeCrdtReply(2, { ...nothing, change: { do: "delete" } }),
    {
      case: "reply",
      value: { commandId: 2n, stateAction: { action: { case: "delete", value: {} }, writeConsistency: CrdtWriteConsistency.ALL } },
    },
  ],
  ["a reply without anything", encodeCrdtReply(3, nothing), { case: "reply", value: { commandId: 3n } }],
  [
    "a streamed message",
    encodeCrdtStreamed(4, { outcome: reply, effects: [effect], end: true }),
    { case: "streamedMessage", value: { commandId: 4n, clientAction, sideEffects: [effectOut], endStream: true } },
  ],
  [
    "an answer to a cancellation",
    encodeCrdtCancelled(5, { effects: [effect], change: { do: "update", delta: largest }, consistency: "local" }),
    {
      case: "streamCancelledResponse",
      value: { commandId: 5n, sideEffects: [effectOut], stateAction: { action: { case: "update", value: largest } } },
    },
  ],
  ["a failure", encodeCrdtFailure(6, "why"), { case: "failure", value: { commandId: 6n, description: "why" } }],
];

for (const [what, bytes, message] of outgoing) {
  test(`${what} is what protobuf-es reads`, () => {
    const read: CrdtStreamOut = fromBinary(CrdtStreamOutSchema, new Uint8Array(bytes));
    assert.deepEqual(read, create(CrdtStreamOutSchema, { message: message as never }));
  });
}
