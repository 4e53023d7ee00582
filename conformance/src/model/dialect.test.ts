/** The dialect over real sockets against a user function on a foreign gRPC library. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { cloudstateFunction, discover } from "@mecha/dialect-cloudstate";
import { hostClock } from "@mecha/host";
import { Scope } from "@mecha/kit";
import { connect } from "@mecha/net";
import type { ActionCallEvents, ComponentMethod, EntityAddress, EntityInit, EntityReply, EntityStream, Payload } from "@mecha/state";
import type { Discovered } from "@mecha/state/remote";
import {
  OtherRequestSchema,
  RequestSchema as ActionRequestSchema,
  ResponseSchema as ActionResponseSchema,
} from "../gen/cloudstate/tck/model/action_pb.ts";
import { PersistedSchema, RequestSchema, ResponseSchema } from "../gen/cloudstate/tck/model/eventsourced_pb.ts";
import { RequestSchema as ValueRequestSchema } from "../gen/cloudstate/tck/model/valueentity_pb.ts";
import { pack } from "./any.ts";
import { openModel } from "./server.ts";

const clock = hostClock;
const eventSourcedService = "cloudstate.tck.model.EventSourcedTckModel";
const valueService = "cloudstate.tck.model.valueentity.ValueEntityTckModel";
const actionService = "cloudstate.tck.model.action.ActionTckModel";

/** A model and a channel to it. */
async function setUp(scope: Scope, asksRestart = true) {
  const reports: string[] = [];
  let onReport = (): void => undefined;
  const model = scope.own(
    await openModel({
      asksRestart,
      reported: (message) => {
        reports.push(message);
        onReport();
      },
    }),
  );
  const channel = scope.own(connect({ host: "127.0.0.1", port: model.port, clock }));
  const reported = async (): Promise<string> => {
    while (reports.length === 0) await new Promise<void>((resolve) => (onReport = resolve));
    return reports[0] as string;
  };
  return { channel, reported };
}

const address = (service: string): EntityAddress => ({ namespace: "default", service, persistenceId: "p", entityId: "e-1" });

/** An entity stream that answers with promises. */
function openStream(found: Discovered, service: string, init: EntityInit) {
  let answer: ((said: EntityReply | { failure: string } | { violation: string }) => void) | undefined;
  let close: (reason: string | undefined) => void = () => undefined;
  const closed = new Promise<string | undefined>((resolve) => (close = resolve));
  const stream: EntityStream = found.function.openEntity(address(service), init, {
    reply: (reply) => answer?.(reply),
    failure: ({ description }) => answer?.({ failure: description }),
    violation: (violation) => answer?.({ violation }),
    drain() {},
    closed: (reason) => close(reason),
  });
  let id = 0;
  const command = (name: string, payload: Payload) =>
    new Promise<EntityReply | { failure: string } | { violation: string }>((resolve) => {
      answer = resolve;
      stream.command(++id, { name, payload });
    });
  return { stream, command, closed };
}

type Actions = MessageInitShape<typeof RequestSchema>["actions"];
const request = (actions: Actions): Payload => pack(RequestSchema, { id: "e-1", ...(actions && { actions }) });
const emit = (value: string) => ({ action: { case: "emit" as const, value: { value } } });
const response = (message: string): Payload => pack(ResponseSchema, { message });
const persisted = (value: string): Payload => pack(PersistedSchema, { value });
/** Views compare as the arrays they show. */
const plain = <T>(value: T): T => structuredClone<T>(value);

test("discovery of a foreign function, imports in reverse order and options kept", async () => {
  await using scope = new Scope();
  const { channel } = await setUp(scope);
  const { components, info } = await discover(channel, { proxyVersion: "1" });
  assert.equal(info.library, "@grpc/grpc-js by hand");
  assert.deepEqual(
    components.map(({ kind, service, persistenceId, passivationMs }) => [kind, service.split(".").at(-1), persistenceId, passivationMs]),
    [
      ["eventSourced", "EventSourcedTckModel", "event-sourced-tck-model", undefined],
      ["eventSourced", "EventSourcedTwo", "event-sourced-tck-model-two", undefined],
      ["eventSourced", "EventSourcedConfigured", "event-sourced-configured", 100],
      ["value", "ValueEntityTckModel", "value-entity-tck-model", undefined],
      ["value", "ValueEntityTwo", "value-entity-tck-model-two", undefined],
      ["value", "ValueEntityConfigured", "value-entity-configured", 100],
      ["crdt", "CrdtTckModel", "crdt-tck-model", undefined],
      ["crdt", "CrdtTwo", "crdt-tck-model-two", undefined],
      ["crdt", "CrdtConfigured", "crdt-configured", 100],
      ["action", "ActionTckModel", "", undefined],
      ["action", "ActionTwo", "", undefined],
      ["action", "EventLogSubscriberModel", "", undefined],
      ["eventSourced", "EventSourcedEntityOne", "eventlogeventing-one", undefined],
      ["eventSourced", "EventSourcedEntityTwo", "eventlogeventing-two", undefined],
    ],
  );
  const process = components[0]?.methods.get("Process");
  assert.equal(process?.entityId?.(toBinary(RequestSchema, create(RequestSchema, { id: "cart 7" }))), "cart 7");
});

test("an event sourced entity: replay, command, events with a snapshot, half-close", async () => {
  await using scope = new Scope();
  const { channel } = await setUp(scope);
  const found = await discover(channel, { proxyVersion: "1" });
  const { stream, command, closed } = openStream(found, eventSourcedService, {
    kind: "eventSourced",
    snapshot: { sequence: 3, payload: persisted("abc") },
  });
  stream.event(4, persisted("d"));
  assert.deepEqual(plain(await command("Process", request([emit("e")]))), {
    commandId: 1,
    action: { do: "reply", payload: response("abcde") },
    effects: [],
    events: [persisted("e")],
    snapshot: persisted("abcde"),
  });
  const effect = { action: { case: "effect" as const, value: { id: "other", synchronous: true } } };
  const forward = { action: { case: "forward" as const, value: { id: "other" } } };
  const second = { service: "cloudstate.tck.model.EventSourcedTwo", command: "Call", payload: pack(RequestSchema, { id: "other" }) };
  assert.deepEqual(plain(await command("Process", request([effect, forward]))), {
    commandId: 2,
    action: { do: "forward", ...second },
    effects: [{ ...second, synchronous: true }],
    events: [],
  });
  const fail = { action: { case: "fail" as const, value: { message: "no" } } };
  assert.deepEqual(await command("Process", request([emit("x"), fail])), {
    commandId: 3,
    action: { do: "fail", description: "no", restart: true },
    effects: [],
    events: [],
  });
  stream.halfClose();
  assert.equal(await closed, undefined);
});

test("a value entity: state from init, update, delete, half-close", async () => {
  await using scope = new Scope();
  const { channel } = await setUp(scope);
  const found = await discover(channel, { proxyVersion: "1" });
  const { stream, command, closed } = openStream(found, valueService, { kind: "value" });
  const ask = (...actions: NonNullable<MessageInitShape<typeof ValueRequestSchema>["actions"]>) =>
    command("Process", pack(ValueRequestSchema, { id: "e-1", actions }));
  const updated = await ask({ action: { case: "update", value: { value: "one" } } });
  assert.ok("state" in updated && updated.state?.do === "update");
  assert.equal(updated.state.value.typeUrl, "type.googleapis.com/cloudstate.tck.model.valueentity.Persisted");
  const deleted = await ask({ action: { case: "delete", value: {} } });
  assert.ok("state" in deleted && deleted.state?.do === "delete");
  stream.halfClose();
  assert.equal(await closed, undefined);
});

test("a function that breaks ends its stream with a reason", async () => {
  await using scope = new Scope();
  const { channel } = await setUp(scope);
  const found = await discover(channel, { proxyVersion: "1" });
  const { stream, closed } = openStream(found, eventSourcedService, { kind: "eventSourced" });
  stream.event(1, { typeUrl: "type.googleapis.com/what", value: new Uint8Array() });
  assert.match((await closed) ?? "", /gRPC status 13: expected cloudstate\.tck\.model\.Persisted/);
});

test("a function that is not there ends a stream as unreached", async () => {
  await using scope = new Scope();
  const model = await openModel();
  await model[Symbol.asyncDispose]();
  const channel = scope.own(connect({ host: "127.0.0.1", port: model.port, clock }));
  const unreached = await new Promise((resolve) => {
    const never = (): never => assert.fail("nothing else is said");
    cloudstateFunction(channel).openEntity(
      address(valueService),
      { kind: "value" },
      { reply: never, failure: never, violation: never, drain: never, closed: (_reason, it) => resolve(it) },
    );
  });
  assert.equal(unreached, true);
});

test("what the sidecar reports arrives", async () => {
  await using scope = new Scope();
  const { channel, reported } = await setUp(scope);
  cloudstateFunction(channel).reportError("something is off");
  assert.equal(await reported(), "something is off");
});

// ---- actions ----

/** Calls an action with these requests; answers what came back and how it ended. */
async function callAction(found: Discovered, name: string, requests: readonly Payload[], service = actionService) {
  const method = found.components.find((component) => component.service === service)?.methods.get(name) as ComponentMethod;
  return new Promise<{ said: unknown[]; code: number }>((resolve) => {
    const said: unknown[] = [];
    const events: ActionCallEvents = {
      response: (response) => said.push(plain(response)),
      drain() {},
      closed: (code) => resolve({ said, code }),
    };
    const call = found.function.openAction(service, method, {}, events);
    for (const payload of requests) call.message(payload);
    call.halfClose();
  });
}

type Groups = NonNullable<MessageInitShape<typeof ActionRequestSchema>["groups"]>;
const groups = (...steps: NonNullable<Groups[number]["steps"]>[]): Payload =>
  pack(ActionRequestSchema, { groups: steps.map((of) => ({ steps: of })) });
const say = (message: string) => ({ step: { case: "reply" as const, value: { message } } });
const saying = (message: string) => ({ action: { do: "reply", payload: pack(ActionResponseSchema, { message }) }, effects: [] });
const effectOn = (id: string) => ({ step: { case: "effect" as const, value: { id, synchronous: false } } });
const effectsOn = (...ids: string[]) =>
  ids.map((id) => ({
    service: "cloudstate.tck.model.action.ActionTwo",
    command: "Call",
    payload: pack(OtherRequestSchema, { id }),
    synchronous: false,
  }));

test("actions of all four shapes", async () => {
  await using scope = new Scope();
  const { channel } = await setUp(scope);
  const found = await discover(channel, { proxyVersion: "1" });
  const ended = { code: 0 };
  assert.deepEqual(await callAction(found, "ProcessUnary", [groups([say("a")])]), { said: [saying("a")], ...ended });
  assert.deepEqual(await callAction(found, "ProcessStreamedIn", [groups([say("a"), effectOn("x")]), groups([say("b"), effectOn("y")])]), {
    said: [{ ...saying("b"), effects: effectsOn("x", "y") }],
    ...ended,
  });
  assert.deepEqual(await callAction(found, "ProcessStreamedOut", [groups([say("a")], [effectOn("x")], [say("c")])]), {
    said: [saying("a"), { action: { do: "nothing" }, effects: effectsOn("x") }, saying("c")],
    ...ended,
  });
  assert.deepEqual(await callAction(found, "ProcessStreamed", [groups([say("a")]), groups([say("b")])]), {
    said: [saying("a"), saying("b")],
    ...ended,
  });
});

test("a large payload arrives whole", async () => {
  await using scope = new Scope();
  const { channel } = await setUp(scope);
  const found = await discover(channel, { proxyVersion: "1" });
  const text = "x".repeat(1_000_000);
  const { said } = await callAction(found, "ProcessUnary", [groups([say(text)])]);
  const [first] = said as { action: { payload: Payload } }[];
  assert.equal(fromBinary(ActionResponseSchema, first?.action.payload.value as Uint8Array).message, text);
});
