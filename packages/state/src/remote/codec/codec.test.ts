/**
 * The hand-written codec against protobuf-es as the oracle, both directions: what we write it reads as meant, what it writes we read as meant,
 * and no bytes whatever make the decoder do anything but answer or throw one Fault.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import type { ClientAction, CommandMetadata, Payload, SideEffect } from "../../model.ts";
import { type ActionResponse, ActionCommandSchema, ActionResponseSchema } from "@mecha/wire/gen/cloudstate/action";
import type { Failure, Forward, Metadata, Reply, SideEffect as WireEffect, SideEffectSchema } from "@mecha/wire/gen/cloudstate/entity";
import {
  EventSourcedStreamInSchema,
  type EventSourcedStreamOut,
  EventSourcedStreamOutSchema,
} from "@mecha/wire/gen/cloudstate/event_sourced";
import { type ValueEntityStreamOut, ValueEntityStreamInSchema, ValueEntityStreamOutSchema } from "@mecha/wire/gen/cloudstate/value_entity";
import fc from "fast-check";
import { type ActionOut, decodeActionResponse, decodeEventSourcedOut, decodeValueOut, type EntityOut } from "./decode.ts";
import { commandField, encodeActionCommand, encodeEntityCommand, encodeEvent, encodeEventSourcedInit, encodeValueInit } from "./encode.ts";
import { textBytes } from "./writer.ts";

// ---- what the model and the generated messages may hold ----

const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.constantFrom("", "type.googleapis.com/shop.Added", "x".repeat(300)),
);
const bytes = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 120, maxLength: 140 }));
const id = fc.oneof(
  fc.nat(300),
  fc.constantFrom(0, 127, 128, 2 ** 28, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 35, 2 ** 42, Number.MAX_SAFE_INTEGER),
);
const payload: fc.Arbitrary<Payload> = fc.record({ typeUrl: text, value: bytes });
const metadata: fc.Arbitrary<CommandMetadata> = fc.array(fc.tuple(text, fc.oneof(text, bytes)), { maxLength: 3 });
const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined });

const wireAny = maybe(payload);
const wireMetadata = maybe(
  metadata.map((entries) => ({
    entries: entries.map(([key, value]) => ({
      key,
      value: typeof value === "string" ? { case: "stringValue" as const, value } : { case: "bytesValue" as const, value },
    })),
  })),
);
const wireFailure = fc.record({ commandId: id.map(BigInt), description: text, restart: fc.boolean() });
const wireReply = defined(fc.record({ payload: wireAny, metadata: wireMetadata }));
const wireForward = defined(fc.record({ serviceName: text, commandName: text, payload: wireAny, metadata: wireMetadata }));
const oneAction = fc.oneof(
  fc.constant({ case: undefined }),
  wireReply.map((value) => ({ case: "reply" as const, value })),
  wireForward.map((value) => ({ case: "forward" as const, value })),
  wireFailure.map((value) => ({ case: "failure" as const, value })),
);
const wireEffects = fc.array(
  defined(fc.record({ serviceName: text, commandName: text, payload: wireAny, synchronous: fc.boolean(), metadata: wireMetadata })),
  { maxLength: 3 },
) as fc.Arbitrary<MessageInitShape<typeof SideEffectSchema>[]>;
const wireAction = maybe(oneAction.map((action) => ({ action })));

/** Drops keys whose value is undefined: exactOptionalPropertyTypes and protobuf-es agree that absent is absent. */
function defined<T extends object>(of: fc.Arbitrary<T>): fc.Arbitrary<{ [K in keyof T]?: Exclude<T[K], undefined> }> {
  return of.map((value) => Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined)) as never);
}

const eventSourcedOut = fc.oneof(
  fc.constant({}),
  wireFailure.map((value) => ({ message: { case: "failure" as const, value } })),
  defined(
    fc.record({
      commandId: id.map(BigInt),
      clientAction: wireAction,
      sideEffects: wireEffects,
      events: fc.array(payload, { maxLength: 3 }),
      snapshot: wireAny,
    }),
  ).map((value) => ({ message: { case: "reply" as const, value } })),
) as fc.Arbitrary<MessageInitShape<typeof EventSourcedStreamOutSchema>>;

const stateAction = maybe(
  fc.oneof(
    fc.constant({ action: { case: undefined } }),
    wireAny.map((value) => ({ action: { case: "update" as const, value: value === undefined ? {} : { value } } })),
    fc.constant({ action: { case: "delete" as const, value: {} } }),
  ),
);
const valueOut = fc.oneof(
  fc.constant({}),
  wireFailure.map((value) => ({ message: { case: "failure" as const, value } })),
  defined(fc.record({ commandId: id.map(BigInt), clientAction: wireAction, sideEffects: wireEffects, stateAction })).map((value) => ({
    message: { case: "reply" as const, value },
  })),
) as fc.Arbitrary<MessageInitShape<typeof ValueEntityStreamOutSchema>>;
const actionOut = fc.record({ response: oneAction, sideEffects: wireEffects }) as fc.Arbitrary<
  MessageInitShape<typeof ActionResponseSchema>
>;

// ---- the generated messages in the words of the model ----

const plain = (value: Uint8Array): Uint8Array => new Uint8Array(value);
const toPayload = (any: { typeUrl: string; value: Uint8Array } | undefined): Payload => ({
  typeUrl: any?.typeUrl ?? "",
  value: plain(any?.value ?? new Uint8Array()),
});
const toMetadata = (from: Metadata | undefined): { metadata?: CommandMetadata } =>
  from === undefined || from.entries.length === 0
    ? {}
    : {
        metadata: from.entries.map(
          ({ key, value }) => [key, value.case === "bytesValue" ? plain(value.value) : (value.value ?? "")] as const,
        ),
      };

function toAction(
  from: { case: "reply"; value: Reply } | { case: "forward"; value: Forward } | { case: "failure"; value: Failure } | { case: undefined },
  restarts: boolean,
): ClientAction {
  switch (from.case) {
    case "reply":
      return { do: "reply", payload: toPayload(from.value.payload), ...toMetadata(from.value.metadata) };
    case "forward":
      return {
        do: "forward",
        service: from.value.serviceName,
        command: from.value.commandName,
        payload: toPayload(from.value.payload),
        ...toMetadata(from.value.metadata),
      };
    case "failure":
      return { do: "fail", description: from.value.description, restart: restarts && from.value.restart };
    case undefined:
      return { do: "nothing" };
  }
}

const toEffects = (from: WireEffect[]): SideEffect[] =>
  from.map((effect) => ({
    service: effect.serviceName,
    command: effect.commandName,
    payload: toPayload(effect.payload),
    synchronous: effect.synchronous,
    ...toMetadata(effect.metadata),
  }));

function eventSourcedModel({ message }: EventSourcedStreamOut): EntityOut {
  if (message.case === undefined) return { kind: "empty" };
  if (message.case === "failure")
    return { kind: "failure", failure: { commandId: Number(message.value.commandId), description: message.value.description } };
  const { commandId, clientAction, sideEffects, events, snapshot } = message.value;
  const action = toAction(clientAction?.action ?? { case: undefined }, true);
  const reply = { commandId: Number(commandId), action, effects: toEffects(sideEffects), events: events.map(toPayload) };
  return { kind: "reply", reply: snapshot === undefined ? reply : { ...reply, snapshot: toPayload(snapshot) } };
}

function valueModel({ message }: ValueEntityStreamOut): EntityOut {
  if (message.case === undefined) return { kind: "empty" };
  if (message.case === "failure")
    return { kind: "failure", failure: { commandId: Number(message.value.commandId), description: message.value.description } };
  const { commandId, clientAction, sideEffects, stateAction: state } = message.value;
  const action = toAction(clientAction?.action ?? { case: undefined }, false);
  const reply = { commandId: Number(commandId), action, effects: toEffects(sideEffects), events: [] };
  switch (state?.action.case) {
    case "update":
      return { kind: "reply", reply: { ...reply, state: { do: "update", value: toPayload(state.action.value.value) } } };
    case "delete":
      return { kind: "reply", reply: { ...reply, state: { do: "delete" } } };
    case undefined:
      return { kind: "reply", reply };
  }
}

const actionModel = (from: ActionResponse): ActionOut => ({ action: toAction(from.response, false), effects: toEffects(from.sideEffects) });

/** Views compare as the arrays they show. */
function settled<T>(value: T): T {
  if (value instanceof Uint8Array) return plain(value) as T;
  if (Array.isArray(value)) return value.map(settled) as T;
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, settled(part)])) as T;
  return value;
}

// ---- from the function ----

const outgoing = [
  {
    name: "EventSourcedStreamOut",
    message: eventSourcedOut.map((init) => toBinary(EventSourcedStreamOutSchema, create(EventSourcedStreamOutSchema, init))),
    ours: decodeEventSourcedOut as (bytes: Uint8Array) => unknown,
    oracle: (wire: Uint8Array): unknown => eventSourcedModel(fromBinary(EventSourcedStreamOutSchema, wire)),
  },
  {
    name: "ValueEntityStreamOut",
    message: valueOut.map((init) => toBinary(ValueEntityStreamOutSchema, create(ValueEntityStreamOutSchema, init))),
    ours: decodeValueOut as (bytes: Uint8Array) => unknown,
    oracle: (wire: Uint8Array): unknown => valueModel(fromBinary(ValueEntityStreamOutSchema, wire)),
  },
  {
    name: "ActionResponse",
    message: actionOut.map((init) => toBinary(ActionResponseSchema, create(ActionResponseSchema, init))),
    ours: decodeActionResponse as (bytes: Uint8Array) => unknown,
    oracle: (wire: Uint8Array): unknown => actionModel(fromBinary(ActionResponseSchema, wire)),
  },
];

/** Fields 12 to 15 of every wire type, none of which a message of ours has. */
const unknownField = fc.constantFrom(
  [0x60, 0x80, 0x01], // varint
  [0x69, 1, 2, 3, 4, 5, 6, 7, 8], // 64 bits
  [0x72, 3, 9, 9, 9], // length-delimited
  [0x7d, 1, 2, 3, 4], // 32 bits
  [0x63, 0x68, 0x01, 0x64], // a group
  [0x98, 0x06, 0x05], // field 99
);

for (const { name, message, ours, oracle } of outgoing) {
  test(`${name}: read as protobuf-es reads it`, () => {
    fc.assert(
      fc.property(message, (wire) => assert.deepEqual(settled(ours(wire)), settled(oracle(wire)))),
      { numRuns: 500 },
    );
  });

  test(`${name}: two messages joined merge as protobuf-es merges them`, () => {
    fc.assert(
      fc.property(message, message, (first, second) => {
        const wire = Uint8Array.of(...first, ...second);
        assert.deepEqual(settled(ours(wire)), settled(oracle(wire)));
      }),
      { numRuns: 500 },
    );
  });

  test(`${name}: unknown fields are passed over`, () => {
    fc.assert(
      fc.property(message, fc.array(unknownField), fc.array(unknownField), (wire, before, behind) => {
        assert.deepEqual(settled(ours(Uint8Array.of(...before.flat(), ...wire, ...behind.flat()))), settled(ours(wire)));
      }),
    );
  });

  test(`${name}: cut short, it is read as protobuf-es reads the rest or refused with one Fault`, () => {
    fc.assert(
      fc.property(message, fc.nat(), (wire, at) => {
        const cut = wire.subarray(0, wire.length === 0 ? 0 : at % wire.length);
        const expected = attempt(() => oracle(cut));
        const actual = attempt(() => ours(cut));
        assert.equal(
          actual.fault === undefined,
          expected.fault === undefined,
          `ours ${String(actual.fault)}, oracle ${String(expected.fault)}`,
        );
        if (actual.fault === undefined) assert.deepEqual(settled(actual.value), settled(expected.value));
        else assert.ok(actual.fault instanceof Fault && actual.fault.code === "invalid");
      }),
      { numRuns: 500 },
    );
  });

  test(`${name}: garbage is answered or refused with one Fault`, () => {
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.tuple(message, fc.nat(), fc.nat(255)).map(([wire, at, value]) => {
        const broken = wire.slice();
        if (broken.length > 0) broken[at % broken.length] = value;
        return broken;
      }),
    );
    fc.assert(
      fc.property(garbage, (wire) => {
        const { fault } = attempt(() => ours(wire));
        assert.ok(fault === undefined || (fault instanceof Fault && fault.code === "invalid"), String(fault));
      }),
      { numRuns: 3_000 },
    );
  });
}

function attempt(run: () => unknown): { value?: unknown; fault?: unknown } {
  try {
    return { value: run() };
  } catch (fault) {
    return { fault };
  }
}

const refusals: readonly [what: string, wire: readonly number[], text: RegExp][] = [
  ["an int64 no number can hold", [0x0a, 0x0a, 0x08, ...Array<number>(8).fill(0xff), 0x7f], /beyond 2\^53/],
  ["a varint without end", [0x0a, 0x0c, 0x08, ...Array<number>(11).fill(0x80)], /more than 10 bytes/],
  ["a length past the end", [0x0a, 0x05, 0x08], /a field of 5 bytes in 1/],
  ["a length of 4 GiB", [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], /a field of 4294967295 bytes/],
  ["field number 0", [0x00, 0x01], /field number 0/],
  ["wire type 6", [0x0e], /wire type 6/],
  ["text that is not UTF-8", [0x12, 0x04, 0x12, 0x02, 0xc3, 0x28], /not UTF-8/],
  ["groups without bottom", Array<number>(200).fill(0x63), /nested more than 100/],
];
for (const [what, wire, expected] of refusals) {
  test(`a Fault says what is wrong: ${what}`, () => {
    assert.throws(
      () => decodeEventSourcedOut(Uint8Array.from(wire)),
      (fault) => fault instanceof Fault && fault.code === "invalid" && expected.test(fault.message),
    );
  });
}

test("a negative command id is read as such", () => {
  const message = { case: "failure" as const, value: { commandId: -1n } };
  const wire = toBinary(EventSourcedStreamOutSchema, create(EventSourcedStreamOutSchema, { message }));
  assert.deepEqual(decodeEventSourcedOut(wire), { kind: "failure", failure: { commandId: -1, description: "" } });
});

test("payload bytes are views into the message, not copies", () => {
  const value = { response: { case: "reply" as const, value: { payload: { typeUrl: "t", value: Uint8Array.of(1, 2, 3) } } } };
  const wire = toBinary(ActionResponseSchema, create(ActionResponseSchema, value));
  const { action } = decodeActionResponse(wire);
  assert.ok(action.do === "reply" && action.payload.value.buffer === wire.buffer);
});

// ---- to the function ----

const command = defined(fc.record({ name: text, payload, metadata: maybe(metadata) })) as fc.Arbitrary<{
  name: string;
  payload: Payload;
  metadata?: CommandMetadata;
}>;
const readPayload = (any: { typeUrl: string; value: Uint8Array } | undefined): Payload | undefined =>
  any === undefined ? undefined : toPayload(any);
const withEntries = (from: CommandMetadata | undefined): { metadata?: CommandMetadata } =>
  from === undefined || from.length === 0 ? {} : { metadata: from };

test("EventSourcedStreamIn.init and ValueEntityStreamIn.init arrive as meant", () => {
  fc.assert(
    fc.property(text, text, maybe(fc.record({ sequence: id, payload })), (service, entityId, snapshot) => {
      const { message } = fromBinary(EventSourcedStreamInSchema, encodeEventSourcedInit({ service, entityId }, snapshot));
      assert.ok(message.case === "init");
      assert.deepEqual([message.value.serviceName, message.value.entityId], [service, entityId]);
      const read = message.value.snapshot;
      assert.deepEqual(read && { sequence: Number(read.snapshotSequence), payload: readPayload(read.snapshot) }, settled(snapshot));

      const value = fromBinary(ValueEntityStreamInSchema, encodeValueInit({ service, entityId }, snapshot?.payload)).message;
      assert.ok(value.case === "init");
      assert.deepEqual([value.value.serviceName, value.value.entityId], [service, entityId]);
      assert.ok(value.value.state !== undefined, "init.state is always present");
      assert.deepEqual(readPayload(value.value.state.value), settled(snapshot?.payload));
    }),
  );
});

test("EventSourcedStreamIn.event arrives as meant", () => {
  fc.assert(
    fc.property(id, payload, (sequence, event) => {
      const { message } = fromBinary(EventSourcedStreamInSchema, encodeEvent(sequence, event));
      assert.ok(message.case === "event");
      assert.deepEqual(
        { sequence: Number(message.value.sequence), payload: readPayload(message.value.payload) },
        { sequence, payload: settled(event) },
      );
    }),
  );
});

test("commands of both entity kinds arrive as meant", () => {
  fc.assert(
    fc.property(text, id, command, (entityId, commandId, sent) => {
      const eventSourced = fromBinary(
        EventSourcedStreamInSchema,
        encodeEntityCommand(commandField.eventSourced, textBytes(entityId), commandId, sent),
      ).message;
      const value = fromBinary(
        ValueEntityStreamInSchema,
        encodeEntityCommand(commandField.value, textBytes(entityId), commandId, sent),
      ).message;
      for (const message of [eventSourced, value]) {
        assert.ok(message.case === "command");
        const read = message.value;
        assert.deepEqual([read.entityId, Number(read.id), read.name, read.streamed], [entityId, commandId, sent.name, false]);
        assert.deepEqual(readPayload(read.payload), settled(sent.payload));
        assert.deepEqual(toMetadata(read.metadata), settled(withEntries(sent.metadata)));
      }
    }),
  );
});

test("ActionCommand arrives as meant, whichever parts it has", () => {
  const message = defined(fc.record({ service: maybe(text), name: maybe(text), payload: maybe(payload), metadata: maybe(metadata) }));
  fc.assert(
    fc.property(message, (sent) => {
      const read = fromBinary(ActionCommandSchema, encodeActionCommand(sent));
      assert.deepEqual([read.serviceName, read.name], [sent.service ?? "", sent.name ?? ""]);
      assert.deepEqual(readPayload(read.payload), settled(sent.payload));
      assert.deepEqual(toMetadata(read.metadata), settled(withEntries(sent.metadata)));
    }),
  );
});

test("a finished message is never written to again, whatever follows", () => {
  const kept = Array.from({ length: 3_000 }, (_, i) => {
    const event = { typeUrl: "t", value: new Uint8Array((i * 37) % 3_000).fill(i) };
    const message = encodeEvent(i + 1, event);
    return { message, copy: message.slice() };
  });
  for (const { message, copy } of kept) assert.ok(Buffer.compare(message, copy) === 0);
});
