/**
 * What callers hear when a function or the store fails, over gRPC and HTTP, with the sidecar whole: real sockets, a function that breaks as it
 * is told, a store that refuses when it is told. The texts are the reference proxy's (facts: Cloudstate §1.12).
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { hostClock, hostRandom } from "@mecha/host";
import { Fault, noLog, noMetrics, Scope } from "@mecha/kit";
import { connect, listen } from "@mecha/net";
import type { FedStore } from "@mecha/state";
import { openMemoryStore } from "@mecha/store-memory";
import { type CallHandler, type Channel, unary } from "@mecha/wire";
import { EntitySpecSchema } from "@mecha/wire/gen/cloudstate/entity";
import { EventSourcedStreamInSchema, EventSourcedStreamOutSchema } from "@mecha/wire/gen/cloudstate/event_sourced";
import { ValueEntityStreamInSchema, ValueEntityStreamOutSchema } from "@mecha/wire/gen/cloudstate/value_entity";
import { compileProto } from "@mecha/wire/testing";
import { openSidecar, type Sidecar, type SidecarConfig } from "./sidecar.ts";

const proto = compileProto({
  "broken.proto": `syntax = "proto3"; package broken;
    import "cloudstate/entity_key.proto";
    import "google/api/annotations.proto";
    // how = 2 says how the function answers.
    message Ask { string id = 1 [(cloudstate.entity_key) = true]; string how = 2; }
    message Answer { string text = 1; }
    service Events { rpc Do(Ask) returns (Answer) { option (google.api.http) = { post: "/events/{id}" body: "*" }; } }
    service Values { rpc Do(Ask) returns (Answer) { option (google.api.http) = { post: "/values/{id}" body: "*" }; } }`,
});

const text = (value: string): Uint8Array => Uint8Array.from([0x0a, value.length, ...new TextEncoder().encode(value)]);
const any = (value: string) => ({ typeUrl: "type.googleapis.com/broken.Answer", value: text(value) });
const ask = (id: string, how: string): Uint8Array => Uint8Array.from([...text(id), 0x12, how.length, ...new TextEncoder().encode(how)]);

/** What a command asks for: the text behind the id. */
function howOf(payload: Uint8Array | undefined): string {
  const idLength = payload?.[1] ?? 0;
  return new TextDecoder().decode(payload?.subarray(idLength + 4));
}

type Out = MessageInitShape<typeof EventSourcedStreamOutSchema>["message"];

/** The answer both kinds of entity give; `undefined` ends the stream. */
function answerTo(how: string, id: bigint): Out {
  const failure = { description: "only for the log" };
  switch (how) {
    case "choose to fail":
      return { case: "reply", value: { commandId: id, clientAction: { action: { case: "failure", value: { description: "sold out" } } } } };
    case "fail the stream":
      return { case: "failure", value: { ...failure, commandId: id } };
    case "fail without an id":
      return { case: "failure", value: failure };
    case "answer another command":
      return { case: "reply", value: { commandId: id + 7n } };
    case "say nothing":
      return { case: undefined };
    case "end":
      return undefined;
    default:
      return { case: "reply", value: { commandId: id, clientAction: { action: { case: "reply", value: { payload: any("fine") } } } } };
  }
}

/** Ends the stream of the command that was told to wait. */
let endWaiting = (): void => assert.fail("no command waits");

const eventStream: CallHandler = (call) => {
  call.sendHeaders();
  return {
    message(bytes) {
      const { message } = fromBinary(EventSourcedStreamInSchema, bytes);
      if (message.case !== "command") return;
      if (howOf(message.value.payload?.value) === "wait") {
        endWaiting = () => call.end({ code: 13, message: "crashed" });
        return;
      }
      const answer = answerTo(howOf(message.value.payload?.value), message.value.id);
      if (answer === undefined) call.end({ code: 13, message: "crashed" });
      else call.send(toBinary(EventSourcedStreamOutSchema, create(EventSourcedStreamOutSchema, { message: answer })));
    },
    halfClose: () => call.end(),
  };
};

type ValueOut = MessageInitShape<typeof ValueEntityStreamOutSchema>["message"];
const states: Readonly<Record<string, string>> = { store: "stored", delete: "" };

/** Answers with the state: as it was, or as `how` makes it. */
function valueAnswer(how: string, id: bigint, state: string): ValueOut {
  const value = { commandId: id, clientAction: { action: { case: "reply" as const, value: { payload: any(state) } } } };
  if (how === "store")
    return { case: "reply", value: { ...value, stateAction: { action: { case: "update", value: { value: any(state) } } } } };
  if (how === "delete") return { case: "reply", value: { ...value, stateAction: { action: { case: "delete", value: {} } } } };
  return { case: "reply", value };
}

const valueStream: CallHandler = (call) => {
  call.sendHeaders();
  let state = "";
  return {
    message(bytes) {
      const { message } = fromBinary(ValueEntityStreamInSchema, bytes);
      if (message.case === "init") state = new TextDecoder().decode(message.value.state?.value?.value.slice(2));
      if (message.case !== "command") return;
      const { id, payload } = message.value;
      const how = howOf(payload?.value);
      state = states[how] ?? state;
      const answer = how === "read" || how in states ? valueAnswer(how, id, state) : (answerTo(how, id) as ValueOut);
      if (answer === undefined) call.end({ code: 13, message: "crashed" });
      else call.send(toBinary(ValueEntityStreamOutSchema, create(ValueEntityStreamOutSchema, { message: answer })));
    },
    halfClose: () => call.end(),
  };
};

const discovery: CallHandler = (call) => ({
  message() {},
  halfClose() {
    const spec = create(EntitySpecSchema, {
      proto,
      entities: [
        { entityType: "cloudstate.eventsourced.EventSourced", serviceName: "broken.Events", persistenceId: "events" },
        { entityType: "cloudstate.valueentity.ValueEntity", serviceName: "broken.Values", persistenceId: "values" },
      ],
      serviceInfo: { protocolMinorVersion: 2 },
    });
    call.send(toBinary(EntitySpecSchema, spec));
    call.end();
  },
});

const handlers = new Map<string, CallHandler>([
  ["/cloudstate.EntityDiscovery/discover", discovery],
  ["/cloudstate.eventsourced.EventSourced/handle", eventStream],
  ["/cloudstate.valueentity.ValueEntity/handle", valueStream],
]);

const scope = new Scope();
let functionPort: number;
let sidecar: Sidecar;
let channel: Channel;
/** What the store refuses next. */
let refusing: "open" | "commit" | undefined;

/** A sidecar of the broken function that is ready. */
async function openBroken(ingress: Partial<SidecarConfig["ingress"]>, store: FedStore): Promise<Sidecar> {
  let look = (): void => undefined;
  const opened = scope.own(
    await openSidecar(
      { ingress: { host: "127.0.0.1", port: 0, ...ingress }, version: "0.0.0-test" },
      {
        clock: hostClock,
        random: hostRandom,
        log: noLog,
        metrics: noMetrics,
        store,
        changed: () => look(),
        fatal: (fault) => assert.fail(fault),
      },
    ),
  );
  opened.addFunction("broken").started({ host: "127.0.0.1", port: functionPort });
  await new Promise<void>((resolve) => {
    look = () => opened.functions[0]?.state.is === "ready" && resolve();
    look();
  });
  return opened;
}

before(async () => {
  const memory = scope.own(openMemoryStore());
  const store = new Proxy<FedStore>(memory, {
    get(target, name) {
      if (name === "open" && refusing === "open") return () => Promise.reject(new Error("disk on fire"));
      if (name === "commit" && refusing === "commit")
        return (steps: readonly unknown[]) => Promise.resolve(steps.map(() => ({ is: "fenced" })));
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  const listening = { host: "127.0.0.1", port: 0, clock: hostClock, log: noLog };
  functionPort = scope.own(await listen(listening, { grpc: (path) => handlers.get(path), http: () => undefined })).port;
  sidecar = await openBroken({ strict: "cloudstate-0.2" }, store);
  channel = scope.own(connect({ host: "127.0.0.1", port: sidecar.port, clock: hostClock }));
});
after(() => scope[Symbol.asyncDispose]());

/** Over gRPC: `code: text`, or the answer. */
async function overGrpc(service: string, id: string, how: string, over = channel): Promise<string> {
  try {
    const { message } = await unary(over, `/broken.${service}/Do`, ask(id, how), { timeoutMs: 10_000 });
    return new TextDecoder().decode(message.slice(2));
  } catch (fault) {
    return fault instanceof Fault ? `${fault.code}: ${fault.message}` : assert.fail(String(fault));
  }
}

/** Over HTTP: status and body. */
async function overHttp(service: string, id: string, how: string): Promise<string> {
  const url = `http://127.0.0.1:${sidecar.port}/${service.toLowerCase()}/${id}`;
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ how }) });
  return `${response.status} ${await response.text()}`;
}

const causes: readonly [how: string, events: string, values: string][] = [
  ["choose to fail", "sold out", "sold out"],
  ["fail the stream", "Unexpected entity failure", "Unexpected Value entity failure"],
  ["fail without an id", "Unexpected entity failure", "Unexpected Value entity failure"],
  ["answer another command", "Unexpected entity reply", "Unexpected Value entity reply"],
  ["say nothing", "Unexpected entity message", "Unexpected Value entity message"],
  ["end", "Unexpected entity termination", "Unexpected Value entity termination"],
];

for (const [how, events, values] of causes) {
  for (const [service, expected] of [
    ["Events", events],
    ["Values", values],
  ] as const) {
    // prettier-ignore
    test(`${service}: a function told to ${how}: "${expected}" over gRPC and HTTP, and the next command is answered`, async () => {
      const id = how.replaceAll(" ", "-");
      assert.equal(await overGrpc(service, id, how), `unknown: ${expected}`);
      assert.equal(await overGrpc(service, id, "be fine"), "fine");
      assert.equal(await overHttp(service, id, how), `500 ${expected}`);
      assert.equal(await overHttp(service, id, "be fine"), '200 {"text":"fine"}');
    });
  }
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const lastMs = performance.now() + 10_000; !isSo(); await nextTurn()) assert.ok(performance.now() < lastMs, what);
}

/** What two commands hear when the function ends the stream under the first while the second waits behind it. */
async function whenTheFirstCrashes(at: Sidecar, over: Channel): Promise<string[]> {
  const first = overGrpc("Events", "crowded", "wait", over);
  const isQueued = (queued: number) => () => at.engine.active(10).some((one) => one.entityId === "crowded" && one.queued === queued);
  await until("the first is at the function", isQueued(0));
  const second = overGrpc("Events", "crowded", "be fine", over);
  await until("the second waits", isQueued(1));
  endWaiting();
  return Promise.all([first, second]);
}

test("a command that waits behind one that crashes fails too, as with the reference; without strict it is carried out", async () => {
  const crashed = "unknown: Unexpected entity termination";
  assert.deepEqual(await whenTheFirstCrashes(sidecar, channel), [crashed, "unknown: Entity terminated"]);
  const lenient = await openBroken({}, scope.own(openMemoryStore()));
  const itsChannel = scope.own(connect({ host: "127.0.0.1", port: lenient.port, clock: hostClock }));
  assert.deepEqual(await whenTheFirstCrashes(lenient, itsChannel), [crashed, "fine"]);
});

/** One refusal of the store, and what the caller hears over both. */
async function whileRefusing(what: "open" | "commit", id: string, how: string): Promise<[grpc: string, http: string]> {
  refusing = what;
  try {
    return [await overGrpc("Values", id, how), await overHttp("Values", id, how)];
  } finally {
    refusing = undefined;
  }
}

test("a value the store cannot read: the reference's text, and the next command reads it", async () => {
  assert.deepEqual(await whileRefusing("open", "unread", "read"), [
    "unknown: Unexpected Value entity failure",
    "500 Unexpected Value entity failure",
  ]);
  assert.equal(await overGrpc("Values", "unread", "store"), "stored");
});

test("a value the store cannot update, or delete: the caller is told to try again, and the value is as it was", async () => {
  const again = /^(unavailable: |\d+ )broken\.Values\/kept: it is owned elsewhere now; not applied, retry$/;
  for (const told of await whileRefusing("commit", "kept", "store")) assert.match(told, again);
  assert.equal(await overGrpc("Values", "kept", "read"), "");
  assert.equal(await overGrpc("Values", "kept", "store"), "stored");
  for (const told of await whileRefusing("commit", "kept", "delete")) assert.match(told, again);
  assert.equal(await overGrpc("Values", "kept", "read"), "stored");
});
