/** The hand-written messages of the protocol against protobuf-es. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Fault, faultCodes } from "@mecha/kit";
import { ActionCommandSchema, ActionResponseSchema } from "@mecha/wire/gen/cloudstate/action";
import { EventSourcedStreamInSchema, EventSourcedStreamOutSchema } from "@mecha/wire/gen/cloudstate/event_sourced";
import { ValueEntityStreamInSchema, ValueEntityStreamOutSchema } from "@mecha/wire/gen/cloudstate/value_entity";
import { CatchUp, ReplyExtensionSchema, type TimerActionSchema } from "@mecha/wire/gen/mecha/extensions/v1/extensions";
import fc from "fast-check";
import { encodeActionResponse, readActionIn } from "./action.ts";
import { Reader, Writer } from "./bytes.ts";
import type { CallMetadata, EffectOut, Outcome, Payload } from "./common.ts";
import { encodeEventSourcedReply, readEventSourcedIn } from "./event-sourced.ts";
import type { TimerChange } from "./timers.ts";
import { encodeValueEntityReply, readValueEntityIn, type StateChange } from "./value-entity.ts";

const text = fc.string({ unit: "grapheme", maxLength: 200 });
const bytes = fc.uint8Array({ maxLength: 400 });
const payload: fc.Arbitrary<Payload> = fc.record({ typeUrl: text, value: bytes }, { noNullPrototype: true });
const metadata: fc.Arbitrary<CallMetadata> = fc.array(fc.tuple(text, fc.oneof(text, bytes)), { maxLength: 3 });
const sequence = fc.maxSafeNat();

const anyOf = ({ typeUrl, value }: Payload) => ({ typeUrl, value });
const metadataOf = (entries: CallMetadata) => ({
  entries: entries.map(([key, value]) => ({
    key,
    value: typeof value === "string" ? { case: "stringValue" as const, value } : { case: "bytesValue" as const, value },
  })),
});
const optionalMetadata = (entries: CallMetadata) => (entries.length === 0 ? {} : { metadata: metadataOf(entries) });

const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({ do: fc.constant("reply" as const), payload, metadata }),
  fc.record({ do: fc.constant("forward" as const), service: text, command: text, payload, metadata }),
  fc.record({ do: fc.constant("fail" as const), description: text, restart: fc.boolean() }),
  fc.record({ do: fc.constant("fail" as const), description: text, restart: fc.boolean(), code: fc.constantFrom("invalid", "notFound") }),
  fc.constant({ do: "nothing" as const }),
);
const effects: fc.Arbitrary<EffectOut[]> = fc.array(
  fc.record({ service: text, command: text, payload, synchronous: fc.boolean(), metadata }),
  { maxLength: 3 },
);

function actionOf(given: Outcome, commandId: bigint) {
  switch (given.do) {
    case "reply":
      return { case: "reply" as const, value: { payload: anyOf(given.payload), ...optionalMetadata(given.metadata) } };
    case "forward":
      return {
        case: "forward" as const,
        value: {
          serviceName: given.service,
          commandName: given.command,
          payload: anyOf(given.payload),
          ...optionalMetadata(given.metadata),
        },
      };
    case "fail":
      return {
        case: "failure" as const,
        value: {
          commandId,
          description: given.description,
          restart: given.restart,
          grpcStatusCode: given.code === undefined ? 0 : faultCodes[given.code].grpc,
        },
      };
    case "nothing":
      return { case: undefined };
  }
}
const clientActionOf = (given: Outcome, id: number) =>
  given.do === "nothing" ? {} : { clientAction: { action: actionOf(given, BigInt(id)) } };
const effectsOf = (given: readonly EffectOut[]) =>
  given.map((one) => ({
    serviceName: one.service,
    commandName: one.command,
    payload: anyOf(one.payload),
    synchronous: one.synchronous,
    ...optionalMetadata(one.metadata),
  }));

/** Buffers of the pool as plain arrays, for comparing. */
const plain = (message: Uint8Array): Uint8Array => new Uint8Array(message);

test("event-sourced replies are what protobuf-es reads", () => {
  fc.assert(
    fc.property(
      sequence,
      outcome,
      effects,
      fc.array(payload, { maxLength: 4 }),
      fc.option(payload, { nil: undefined }),
      (id, given, side, events, snapshot) => {
        const ours = fromBinary(
          EventSourcedStreamOutSchema,
          plain(encodeEventSourcedReply(id, { outcome: given, effects: side, events, snapshot, timers: [] })),
        );
        const value = {
          commandId: BigInt(id),
          ...clientActionOf(given, id),
          sideEffects: effectsOf(side),
          events: events.map(anyOf),
          ...(snapshot ? { snapshot: anyOf(snapshot) } : {}),
        };
        assert.deepEqual(ours, create(EventSourcedStreamOutSchema, { message: { case: "reply", value } }));
      },
    ),
  );
});

const change: fc.Arbitrary<StateChange> = fc.oneof(
  fc.constant(undefined),
  fc.constant({ do: "delete" as const }),
  payload.map((value) => ({ do: "update" as const, value })),
);

test("value entity replies are what protobuf-es reads", () => {
  fc.assert(
    fc.property(sequence, outcome, effects, change, (id, given, side, state) => {
      const ours = fromBinary(
        ValueEntityStreamOutSchema,
        plain(encodeValueEntityReply(id, { outcome: given, effects: side, change: state, timers: [] })),
      );
      const action =
        state?.do === "update" ? { case: "update" as const, value: { value: anyOf(state.value) } } : { case: "delete" as const, value: {} };
      const value = {
        commandId: BigInt(id),
        ...clientActionOf(given, id),
        sideEffects: effectsOf(side),
        ...(state ? { stateAction: { action } } : {}),
      };
      assert.deepEqual(ours, create(ValueEntityStreamOutSchema, { message: { case: "reply", value: value as never } }));
    }),
  );
});

const timer: fc.Arbitrary<TimerChange> = fc.oneof(
  fc.record({ do: fc.constant("cancel" as const), name: text }),
  fc.record({
    do: fc.constant("set" as const),
    name: text,
    command: text,
    payload,
    schedule: fc.oneof(
      fc.record({ atMs: sequence, everyMs: sequence, catchUp: fc.constantFrom("once", "all", "skip") }),
      fc.record({ afterMs: sequence }),
      fc.record({ cron: fc.string({ minLength: 1 }), timeZone: text }),
    ),
  }),
);
const catchUpOf = { once: CatchUp.ONCE, all: CatchUp.ALL, skip: CatchUp.SKIP } as const;

function timerActionOf(given: TimerChange): MessageInitShape<typeof TimerActionSchema> {
  if (given.do === "cancel") return { action: { case: "cancel", value: given.name } };
  const { name, command: commandName, schedule: s } = given;
  const first =
    s.atMs !== undefined
      ? { case: "atMs" as const, value: BigInt(s.atMs) }
      : s.afterMs !== undefined
        ? { case: "afterMs" as const, value: BigInt(s.afterMs) }
        : { case: undefined };
  const repeat =
    s.everyMs !== undefined
      ? { case: "everyMs" as const, value: BigInt(s.everyMs) }
      : s.cron !== undefined
        ? { case: "cron" as const, value: s.cron }
        : { case: undefined };
  const value = { name, commandName, payload: anyOf(given.payload), first, repeat, timeZone: s.timeZone ?? "" };
  return { action: { case: "set", value: { ...value, catchUp: catchUpOf[s.catchUp ?? "once"] } } };
}

test("timers travel in an extension of the reply: who knows it reads them, who does not reads the same reply", () => {
  fc.assert(
    fc.property(sequence, outcome, fc.array(timer, { maxLength: 3 }), (id, given, timers) => {
      const bare = { outcome: given, effects: [] };
      const eventSourced = { ...bare, events: [], snapshot: undefined };
      const value = { ...bare, change: undefined };
      const wanted = create(ReplyExtensionSchema, { timers: timers.map(timerActionOf) });
      for (const [encoded, without, schema] of [
        [
          encodeEventSourcedReply(id, { ...eventSourced, timers }),
          encodeEventSourcedReply(id, { ...eventSourced, timers: [] }),
          EventSourcedStreamOutSchema,
        ],
        [
          encodeValueEntityReply(id, { ...value, timers }),
          encodeValueEntityReply(id, { ...value, timers: [] }),
          ValueEntityStreamOutSchema,
        ],
      ] as const) {
        const reader = new Reader(plain(encoded));
        reader.tag();
        const reply = fromBinary(ReplyExtensionSchema, plain(reader.view()), { readUnknownFields: false });
        assert.deepEqual(reply, wanted);
        const foreign = { readUnknownFields: false };
        assert.deepEqual(fromBinary(schema, plain(encoded), foreign), fromBinary(schema, plain(without), foreign));
      }
    }),
  );
});

test("action responses are what protobuf-es reads", () => {
  fc.assert(
    fc.property(outcome, effects, (given, side) => {
      const ours = fromBinary(ActionResponseSchema, plain(encodeActionResponse({ outcome: given, effects: side })));
      assert.deepEqual(ours, create(ActionResponseSchema, { response: actionOf(given, 0n), sideEffects: effectsOf(side) }));
    }),
  );
});

const commandOf = fc.record({ entityId: text, id: sequence, name: text, payload, streamed: fc.boolean(), metadata });

test("incoming commands, events and inits are read as protobuf-es writes them", () => {
  const write = (message: MessageInitShape<typeof EventSourcedStreamInSchema>["message"]): Uint8Array =>
    toBinary(EventSourcedStreamInSchema, create(EventSourcedStreamInSchema, { message } as never));
  fc.assert(
    fc.property(commandOf, payload, text, text, sequence, (command, stored, service, entityId, at) => {
      const value = { ...command, id: BigInt(command.id), payload: anyOf(command.payload), metadata: metadataOf(command.metadata) };
      const wanted = {
        id: command.id,
        name: command.name,
        payload: command.payload.value,
        metadata: command.metadata,
        ...(command.streamed && { streamed: true }),
      };
      assert.deepEqual(readEventSourcedIn(write({ case: "command", value })), { is: "command", command: wanted });
      assert.deepEqual(readEventSourcedIn(write({ case: "event", value: { sequence: BigInt(at), payload: anyOf(stored) } })), {
        is: "event",
        sequence: at,
        payload: stored,
      });
      const snapshot = { snapshotSequence: BigInt(at), snapshot: anyOf(stored) };
      assert.deepEqual(readEventSourcedIn(write({ case: "init", value: { serviceName: service, entityId, snapshot } })), {
        is: "init",
        service,
        entityId,
        snapshot: { sequence: at, payload: stored },
      });
      const valueInit = toBinary(
        ValueEntityStreamInSchema,
        create(ValueEntityStreamInSchema, {
          message: { case: "init", value: { serviceName: service, entityId, state: { value: anyOf(stored) } } },
        }),
      );
      assert.deepEqual(readValueEntityIn(valueInit), { is: "init", service, entityId, value: stored });
      const action = toBinary(
        ActionCommandSchema,
        create(ActionCommandSchema, {
          serviceName: service,
          name: entityId,
          payload: anyOf(stored),
          metadata: metadataOf(command.metadata),
        }),
      );
      assert.deepEqual(readActionIn(action), {
        service,
        name: entityId,
        payload: stored.value,
        typeUrl: stored.typeUrl,
        metadata: command.metadata,
      });
    }),
  );
});

test("an init without state says so, and a streamed-in call opens without a payload", () => {
  const init = create(ValueEntityStreamInSchema, { message: { case: "init", value: { serviceName: "s", entityId: "e", state: {} } } });
  assert.deepEqual(readValueEntityIn(toBinary(ValueEntityStreamInSchema, init)), {
    is: "init",
    service: "s",
    entityId: "e",
    value: undefined,
  });
  assert.equal(
    readActionIn(toBinary(ActionCommandSchema, create(ActionCommandSchema, { serviceName: "s", name: "n" }))).payload,
    undefined,
  );
});

test("malformed bytes are refused as invalid, never followed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => {
      for (const read of [readEventSourcedIn, readValueEntityIn, readActionIn]) {
        try {
          read(noise);
        } catch (error) {
          assert.ok(error instanceof Fault && error.code === "invalid", String(error));
        }
      }
    }),
    { numRuns: 3_000 },
  );
});

test("lengths of nested messages at the edges of their encoding", () => {
  for (const length of [0, 1, 127, 128, 129, 16_383, 16_384, 70_000, 2_100_000]) {
    const value = new Uint8Array(length).fill(7);
    const message = new Writer().begin(1).begin(2).raw(value).end().end().finish();
    const [out] = [fromBinary(EventSourcedStreamOutSchema, plain(new Writer().begin(2).text(2, "x".repeat(length)).end().finish()))];
    assert.equal(out.message.case === "failure" && out.message.value.description.length, length);
    assert.equal(
      message.subarray(-length || message.length).every((byte) => byte === 7),
      true,
    );
  }
});
