import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { MemoryLog, settle } from "@mecha/kit/testing";
import type { ActionCallEvents, ComponentMethod, EntityStreamEvents } from "@mecha/state";
import { reportsOpenMax, reportTextMax } from "@mecha/state/remote";
import { type FakeCall, FakeChannel } from "@mecha/state/remote/testing";
import { ActionCommandSchema, ActionResponseSchema } from "@mecha/wire/gen/cloudstate/action";
import { UserFunctionErrorSchema } from "@mecha/wire/gen/cloudstate/entity";
import { EventSourcedStreamInSchema, EventSourcedStreamOutSchema } from "@mecha/wire/gen/cloudstate/event_sourced";
import { ValueEntityStreamInSchema, ValueEntityStreamOutSchema } from "@mecha/wire/gen/cloudstate/value_entity";
import { cloudstateFunction, type CloudstateFunctionOptions } from "./function.ts";
import { eventSourcedPath, protocol02, reportErrorPath, valueEntityPath } from "./protocol.ts";

const address = { namespace: "default", service: "shop.Cart", persistenceId: "carts", entityId: "c-1" };
const payload = { typeUrl: "type.googleapis.com/shop.Add", value: Uint8Array.of(1, 2) };
const add = { name: "AddItem", payload };

/** Everything the port said, in order. */
function recorder(): { said: unknown[][]; entity: EntityStreamEvents; action: ActionCallEvents } {
  const said: unknown[][] = [];
  const note =
    (what: string) =>
    (...details: unknown[]): void =>
      void said.push([what, ...details]);
  const entity = {
    reply: note("reply"),
    failure: note("failure"),
    violation: note("violation"),
    drain: note("drain"),
    closed: note("closed"),
  };
  return { said, entity, action: { response: note("response"), drain: note("drain"), closed: note("closed") } };
}

function openEntity(kind: "eventSourced" | "value" = "eventSourced", options: CloudstateFunctionOptions = {}) {
  const channel = new FakeChannel();
  const { said, entity } = recorder();
  const stream = cloudstateFunction(channel, options).openEntity(address, { kind }, entity);
  const [call] = channel.calls as [FakeCall];
  const reports = (): string[] =>
    channel.to(reportErrorPath).map(({ sent }) => fromBinary(UserFunctionErrorSchema, sent[0] as Uint8Array).message);
  return { channel, stream, call, said, reports };
}

type Out = MessageInitShape<typeof EventSourcedStreamOutSchema>;
const out = (message: Out): Uint8Array => toBinary(EventSourcedStreamOutSchema, create(EventSourcedStreamOutSchema, message));
const replyTo = (commandId: bigint, more: object = {}): Uint8Array =>
  out({ message: { case: "reply", value: { commandId, clientAction: { action: { case: "reply", value: { payload } } }, ...more } } });
const failureOf = (commandId: bigint): Uint8Array => out({ message: { case: "failure", value: { commandId, description: "boom" } } });
const sentIn = (call: FakeCall) => call.sent.map((bytes) => fromBinary(EventSourcedStreamInSchema, bytes).message);

test("an event sourced stream: init with the snapshot, events after it, then commands", () => {
  const channel = new FakeChannel();
  const { entity } = recorder();
  const snapshot = { sequence: 5, payload };
  const stream = cloudstateFunction(channel).openEntity(address, { kind: "eventSourced", snapshot }, entity);
  stream.event(6, payload);
  stream.command(1, add);
  const [call] = channel.calls as [FakeCall];
  assert.equal(call.path, eventSourcedPath);
  const [init, event, command] = sentIn(call);
  assert.ok(init?.case === "init" && event?.case === "event" && command?.case === "command");
  assert.deepEqual([init.value.serviceName, init.value.entityId, init.value.snapshot?.snapshotSequence], ["shop.Cart", "c-1", 5n]);
  assert.equal(event.value.sequence, 6n);
  assert.deepEqual([command.value.entityId, command.value.id, command.value.name], ["c-1", 1n, "AddItem"]);
});

test("without a snapshot the event sourced init has none; the value init always has a state", () => {
  const { call } = openEntity();
  const [init] = sentIn(call);
  assert.ok(init?.case === "init" && init.value.snapshot === undefined);

  const value = openEntity("value");
  assert.equal(value.call.path, valueEntityPath);
  const { message } = fromBinary(ValueEntityStreamInSchema, value.call.sent[0] as Uint8Array);
  assert.ok(message.case === "init" && message.value.state !== undefined && message.value.state.value === undefined);
});

test("commands carry the caller's headers only when asked to", () => {
  const metadata = [["x-tenant", "blue"]] as const;
  for (const entityCommandMetadata of [false, true]) {
    const { stream, call } = openEntity("eventSourced", { entityCommandMetadata });
    stream.command(1, { ...add, metadata });
    const command = sentIn(call)[1];
    assert.ok(command?.case === "command");
    assert.equal(command.value.metadata?.entries[0]?.key, entityCommandMetadata ? "x-tenant" : undefined);
  }
});

test("what the engine says about a command goes to the function always, in front of the caller's headers", () => {
  for (const entityCommandMetadata of [false, true]) {
    const { stream, call } = openEntity("eventSourced", { entityCommandMetadata });
    stream.command(1, { ...add, about: [["mecha-timer", "tick"]], metadata: [["x-tenant", "blue"]] });
    const command = sentIn(call)[1];
    assert.ok(command?.case === "command");
    const keys = command.value.metadata?.entries.map(({ key }) => key);
    assert.deepEqual(keys, entityCommandMetadata ? ["mecha-timer", "x-tenant"] : ["mecha-timer"]);
  }
});

test("a reply to the command that waits is passed on, and the next command may go", () => {
  const { stream, call, said } = openEntity();
  stream.command(1, add);
  call.deliver(replyTo(1n, { events: [payload] }));
  assert.deepEqual(said, [["reply", { commandId: 1, action: { do: "reply", payload }, effects: [], events: [payload] }]]);
  stream.command(2, add);
  assert.equal(sentIn(call).length, 3);
});

test("a value entity's reply carries its state; restart means nothing there", () => {
  const { stream, call, said } = openEntity("value");
  stream.command(1, add);
  const message = {
    case: "reply" as const,
    value: {
      commandId: 1n,
      clientAction: { action: { case: "failure" as const, value: { description: "no", restart: true } } },
      stateAction: { action: { case: "delete" as const, value: {} } },
    },
  };
  call.deliver(toBinary(ValueEntityStreamOutSchema, create(ValueEntityStreamOutSchema, { message })));
  assert.deepEqual(said, [
    [
      "reply",
      { commandId: 1, action: { do: "fail", description: "no", restart: false }, effects: [], events: [], state: { do: "delete" } },
    ],
  ]);
});

test("an event sourced failure keeps its wish to restart", () => {
  const { stream, call, said } = openEntity();
  stream.command(1, add);
  const clientAction = { action: { case: "failure" as const, value: { description: "no", restart: true } } };
  call.deliver(out({ message: { case: "reply", value: { commandId: 1n, clientAction, events: [payload] } } }));
  assert.deepEqual(said[0]?.[1], {
    commandId: 1,
    action: { do: "fail", description: "no", restart: true },
    effects: [],
    events: [payload],
  });
});

test("failures of the waiting command and of the stream are passed on", () => {
  for (const id of [1n, 0n]) {
    const { stream, call, said } = openEntity();
    stream.command(1, add);
    call.deliver(failureOf(id));
    assert.deepEqual(said, [["failure", { commandId: Number(id), description: "boom" }]]);
  }
});

test("a failure of another command is passed on, and the function is told", () => {
  const { stream, call, said, reports } = openEntity();
  stream.command(1, add);
  call.deliver(failureOf(7n));
  assert.deepEqual(said, [["failure", { commandId: 7, description: "boom" }]]);
  assert.match(reports()[0] ?? "", /failed command 7, but command 1 was waiting/);
});

test("a snapshot without events is dropped, and the function is told once", async () => {
  const { stream, call, said, reports } = openEntity();
  for (const id of [1, 2]) {
    stream.command(id, add);
    call.deliver(replyTo(BigInt(id), { snapshot: payload }));
  }
  await settle();
  assert.deepEqual(
    said.map(([, reply]) => Object.keys(reply as object)),
    [
      ["commandId", "action", "effects", "events"],
      ["commandId", "action", "effects", "events"],
    ],
  );
  assert.equal(reports().length, 1);
  assert.match(reports()[0] ?? "", /shop\.Cart "c-1" sent a snapshot without events/);
});

const violations: readonly [what: string, message: Uint8Array, problem: RegExp, about: "reply" | "message"][] = [
  ["a reply to another command", replyTo(2n), /replied to command 2, but command 1 was waiting/, "reply"],
  ["a reply without a command id", replyTo(0n), /replied to command 0, but command 1 was waiting/, "reply"],
  ["a message with nothing set", new Uint8Array(), /neither reply nor failure/, "message"],
  ["a message of a later protocol version", Uint8Array.of(0x1a, 0), /neither reply nor failure/, "message"],
  ["bytes that are no message", Uint8Array.of(0x0a, 0x50), /EventSourcedStreamOut: a field of 80 bytes/, "message"],
];
for (const [what, message, problem, about] of violations) {
  test(`cut and reported: ${what}`, () => {
    const { stream, call, said, reports } = openEntity();
    stream.command(1, add);
    call.deliver(message);
    assert.deepEqual(
      said.map(([event]) => event),
      ["violation", "closed"],
    );
    assert.match(said[0]?.[1] as string, problem);
    assert.equal(said[0]?.[2], about);
    assert.ok(call.cancelled);
    assert.match(reports()[0] ?? "", problem);
    call.deliver(replyTo(1n));
    call.end({ code: 1, message: "cancelled" });
    stream.command(2, add);
    stream.halfClose();
    assert.equal(said.length, 2, "nothing follows `closed`");
    assert.deepEqual([call.sent.length, call.halfClosed], [2, false]);
  });
}

test("a second reply to one command, or one nobody asked for, is a violation", () => {
  const { stream, call, said } = openEntity();
  stream.command(1, add);
  call.deliver(replyTo(1n));
  call.deliver(replyTo(1n));
  assert.match(said[1]?.[1] as string, /no command was waiting/);
});

test("two commands at once are a mistake of ours", () => {
  const { stream } = openEntity();
  stream.command(1, add);
  assert.throws(() => stream.command(2, add), /assertion failed: command 2 sent while 1 is at the function/);
});

test("replay follows the room on the stream", () => {
  const { stream, call, said } = openEntity();
  assert.equal(stream.event(1, payload), true);
  call.room = false;
  assert.equal(stream.event(2, payload), false);
  call.events.drain?.();
  assert.deepEqual(said, [["drain"]]);
});

test("half-close is passed on, and the function's end comes back as closed", () => {
  const { stream, call, said } = openEntity();
  stream.halfClose();
  assert.ok(call.halfClosed);
  call.end();
  assert.deepEqual(said, [["closed"]]);
});

test("a lost stream closes with the reason, and says so when it never reached the function", () => {
  const lost = openEntity();
  lost.call.end({ code: 14, message: "connection reset" });
  assert.deepEqual(lost.said, [["closed", "gRPC status 14: connection reset", false]]);
  const refused = openEntity();
  refused.call.end({ code: 14, message: "connect ECONNREFUSED", unreached: true });
  assert.deepEqual(refused.said, [["closed", "gRPC status 14: connect ECONNREFUSED", true]]);
});

test("after reset nothing is heard", () => {
  const { stream, call, said } = openEntity();
  stream.command(1, add);
  stream.reset();
  stream.reset();
  call.deliver(replyTo(1n));
  call.events.drain?.();
  call.end({ code: 1, message: "cancelled" });
  assert.ok(call.cancelled);
  assert.deepEqual([said, stream.event(1, payload)], [[], true]);
});

// ---- actions ----

const shapes = {
  handleUnary: { streamedIn: false, streamedOut: false },
  handleStreamedIn: { streamedIn: true, streamedOut: false },
  handleStreamedOut: { streamedIn: false, streamedOut: true },
  handleStreamed: { streamedIn: true, streamedOut: true },
} as const;
type Shape = keyof typeof shapes;
const shapeNames = Object.keys(shapes) as Shape[];
const methodOf = (shape: Shape): ComponentMethod => ({ name: "Convert", ...shapes[shape], inputTypeUrl: "t", outputTypeUrl: "t" });

function openAction(shape: Shape, open = {}) {
  const channel = new FakeChannel();
  const { said, action } = recorder();
  const call = cloudstateFunction(channel).openAction("shop.Prices", methodOf(shape), open, action);
  const [wire] = channel.calls as [FakeCall];
  const reports = (): string[] =>
    channel.to(reportErrorPath).map(({ sent }) => fromBinary(UserFunctionErrorSchema, sent[0] as Uint8Array).message);
  const sent = () => wire.sent.map((bytes) => fromBinary(ActionCommandSchema, bytes));
  return { call, wire, said, reports, sent };
}
const response = (message: MessageInitShape<typeof ActionResponseSchema> = {}): Uint8Array =>
  toBinary(ActionResponseSchema, create(ActionResponseSchema, message));

for (const shape of shapeNames) {
  const { streamedIn } = shapes[shape];
  test(`${shape}: ${streamedIn ? "names and metadata first, then payloads alone" : "everything in the one message"}`, () => {
    const { call, wire, sent } = openAction(shape, { metadata: [["x-a", "1"]], timeoutMs: 250 });
    assert.equal(wire.path, `/cloudstate.action.ActionProtocol/${shape}`);
    assert.equal(wire.options.timeoutMs, 250);
    call.message(payload);
    call.halfClose();
    assert.ok(wire.halfClosed);
    const messages = sent().map(({ serviceName, name, payload: any, metadata }) => [
      serviceName,
      name,
      any?.typeUrl,
      metadata?.entries.map(({ key }) => key),
    ]);
    assert.deepEqual(
      messages,
      streamedIn
        ? [
            ["shop.Prices", "Convert", undefined, ["x-a"]],
            ["", "", payload.typeUrl, undefined],
          ]
        : [["shop.Prices", "Convert", payload.typeUrl, ["x-a"]]],
    );
  });

  test(`${shape}: the user's status reaches the caller`, () => {
    const { wire, said } = openAction(shape);
    wire.end({ code: 5, message: "no such price" });
    assert.deepEqual(said, [["closed", 5, "no such price"]]);
  });

  test(`${shape}: cancel cuts the call and nothing is heard after`, () => {
    const { call, wire, said } = openAction(shape);
    call.cancel();
    call.cancel();
    wire.deliver(response());
    wire.end();
    assert.ok(wire.cancelled);
    assert.equal(call.message(payload), true);
    assert.deepEqual([said, wire.sent.length], [[], streamedIn ? 1 : 0]);
  });

  test(`${shape}: a malformed answer fails the call and is reported`, () => {
    const { wire, said, reports } = openAction(shape);
    wire.deliver(Uint8Array.of(0x12, 0x7f));
    assert.ok(wire.cancelled);
    assert.equal(said.length, 1);
    assert.deepEqual(said[0]?.slice(0, 2), ["closed", 13]);
    assert.match(reports()[0] ?? "", /shop\.Prices\.Convert sent a malformed answer/);
  });
}

test("answers are passed on in order: reply, forward, failure, nothing, each with its effects", () => {
  const { wire, said } = openAction("handleStreamed");
  const metadata = { entries: [{ key: "k", value: { case: "bytesValue" as const, value: Uint8Array.of(9) } }] };
  const sideEffects = [{ serviceName: "shop.Cart", commandName: "AddItem", payload, synchronous: true }];
  wire.deliver(response({ response: { case: "reply", value: { payload, metadata } }, sideEffects }));
  wire.deliver(response({ response: { case: "forward", value: { serviceName: "shop.Cart", commandName: "AddItem", payload } } }));
  wire.deliver(response({ response: { case: "failure", value: { description: "no" } } }));
  wire.deliver(response({ sideEffects }));
  wire.end();
  const effects = [{ service: "shop.Cart", command: "AddItem", payload, synchronous: true }];
  assert.deepEqual(said, [
    ["response", { action: { do: "reply", payload, metadata: [["k", Uint8Array.of(9)]] }, effects }],
    ["response", { action: { do: "forward", service: "shop.Cart", command: "AddItem", payload }, effects: [] }],
    ["response", { action: { do: "fail", description: "no", restart: false }, effects: [] }],
    ["response", { action: { do: "nothing" }, effects }],
    ["closed", 0, ""],
  ]);
});

for (const shape of ["handleUnary", "handleStreamedIn"] as const) {
  test(`${shape}: no answer, or a second one, breaks the protocol`, () => {
    const silent = openAction(shape);
    silent.wire.end();
    assert.deepEqual(silent.said, [["closed", 13, "shop.Prices.Convert ended without an answer"]]);
    const chatty = openAction(shape);
    chatty.wire.deliver(response());
    chatty.wire.deliver(response());
    assert.deepEqual(
      chatty.said.map(([what]) => what),
      ["response", "closed"],
    );
    assert.ok(chatty.wire.cancelled);
    assert.match(chatty.reports()[0] ?? "", /answered more than once/);
  });
}

test("a streamed-out call may end without any answer", () => {
  const { wire, said } = openAction("handleStreamedOut");
  wire.end();
  assert.deepEqual(said, [["closed", 0, ""]]);
});

test("back-pressure goes both ways", () => {
  const { call, wire, said } = openAction("handleStreamed");
  call.pause();
  assert.equal(wire.paused, true);
  call.resume();
  assert.equal(wire.paused, false);
  wire.room = false;
  assert.equal(call.message(payload), false);
  wire.events.drain?.();
  assert.deepEqual(said, [["drain"]]);
});

test("each shape has its own path", () => {
  assert.equal(new Set(Object.values(protocol02.actionPaths)).size, 4);
});

// ---- reports ----

test("reports are bounded in number and length, and what is not delivered is logged", async () => {
  const channel = new FakeChannel();
  const log = new MemoryLog();
  const port = cloudstateFunction(channel, { log });
  for (let i = 0; i < reportsOpenMax + 2; i++) port.reportError("x".repeat(reportTextMax + 1));
  assert.equal(channel.calls.length, reportsOpenMax);
  assert.equal(fromBinary(UserFunctionErrorSchema, channel.calls[0]?.sent[0] as Uint8Array).message.length, reportTextMax);
  assert.equal(log.lines.filter(({ message }) => /dropped/.test(message)).length, 2);
  for (const call of channel.calls) call.end({ code: 14, message: "gone" });
  await settle();
  assert.equal(log.lines.filter(({ message }) => /failed/.test(message)).length, reportsOpenMax);
  port.reportError("there is room again");
  assert.equal(channel.calls.length, reportsOpenMax + 1);
});
