/** The 21 model cases of event-sourced entities, plus what they leave open. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { EntitySpecSchema, ProxyInfoSchema, type EntitySpec } from "@mecha/wire/gen/cloudstate/entity";
import {
  type EventSourcedReplySchema,
  EventSourcedStreamInSchema,
  EventSourcedStreamOutSchema,
} from "@mecha/wire/gen/cloudstate/event_sourced";
import { loadDescriptors } from "@mecha/wire";
import {
  PersistedSchema,
  type RequestActionSchema,
  RequestSchema,
  ResponseSchema,
} from "../../conformance/src/gen/cloudstate/tck/model/eventsourced_pb.ts";
import { model } from "./model.ts";
import { Proxy, type Stream } from "./proxy.ts";

const service = "cloudstate.tck.model.EventSourcedTckModel";
const two = "cloudstate.tck.model.EventSourcedTwo";
const url = "type.googleapis.com/cloudstate.tck.model.";
let proxy: Proxy;
before(async () => (proxy = await Proxy.to(model)));
after(() => proxy[Symbol.asyncDispose]());

type Action = MessageInitShape<typeof RequestActionSchema>;
const emit = (...values: string[]): Action[] => values.map((value) => ({ action: { case: "emit", value: { value } } }));
const forward: Action = { action: { case: "forward", value: { id: "e" } } };
const effect = (id: string, synchronous = false): Action => ({ action: { case: "effect", value: { id, synchronous } } });
const fail = (message: string): Action => ({ action: { case: "fail", value: { message } } });

const request = (actions: Action[] = []) => ({
  typeUrl: `${url}Request`,
  value: toBinary(RequestSchema, create(RequestSchema, { id: "e", actions })),
});
const persisted = (value: string) => ({ typeUrl: `${url}Persisted`, value: toBinary(PersistedSchema, create(PersistedSchema, { value })) });
const call = (id: string) => ({ typeUrl: `${url}Request`, value: toBinary(RequestSchema, create(RequestSchema, { id })) });

type Entity = Stream<typeof EventSourcedStreamInSchema, typeof EventSourcedStreamOutSchema>;
interface Snapshot {
  sequence: number;
  value: string;
}

function activate(snapshot?: Snapshot, events: [number, string][] = []): Entity {
  const stream = proxy.open("/cloudstate.eventsourced.EventSourced/handle", EventSourcedStreamInSchema, EventSourcedStreamOutSchema);
  const init = {
    serviceName: service,
    entityId: "e",
    ...(snapshot ? { snapshot: { snapshotSequence: BigInt(snapshot.sequence), snapshot: persisted(snapshot.value) } } : {}),
  };
  stream.send({ message: { case: "init", value: init } });
  for (const [sequence, value] of events)
    stream.send({ message: { case: "event", value: { sequence: BigInt(sequence), payload: persisted(value) } } });
  return stream;
}

type ReplyInit = Omit<MessageInitShape<typeof EventSourcedReplySchema>, "$typeName" | "$unknown">;
const replied = (message: string): ReplyInit => ({
  clientAction: {
    action: {
      case: "reply",
      value: { payload: { typeUrl: `${url}Response`, value: toBinary(ResponseSchema, create(ResponseSchema, { message })) } },
    },
  },
});
const forwarded: ReplyInit = {
  clientAction: { action: { case: "forward", value: { serviceName: two, commandName: "Call", payload: call("e") } } },
};
const failed = (id: number, description: string, restart = false): ReplyInit => ({
  clientAction: { action: { case: "failure", value: { commandId: BigInt(id), description, restart } } },
});
const events = (...values: string[]): ReplyInit => ({ events: values.map(persisted) });
const snapshot = (value: string): ReplyInit => ({ snapshot: persisted(value) });
const effects = (synchronous: boolean, ...ids: string[]): ReplyInit => ({
  sideEffects: ids.map((id) => ({ serviceName: two, commandName: "Call", payload: call(id), synchronous })),
});

/** Sends a command and compares the whole answer. */
async function step(entity: Entity, id: number, actions: Action[], ...parts: ReplyInit[]): Promise<void> {
  entity.send({ message: { case: "command", value: { entityId: "e", id: BigInt(id), name: "Process", payload: request(actions) } } });
  const wanted = create(EventSourcedStreamOutSchema, {
    message: { case: "reply", value: Object.assign({ commandId: BigInt(id) }, ...parts) as ReplyInit },
  });
  assert.deepEqual(await entity.next(), wanted);
}

async function discover(): Promise<EntitySpec> {
  return proxy.unary("/cloudstate.EntityDiscovery/discover", ProxyInfoSchema, EntitySpecSchema, { protocolMinorVersion: 2 });
}

test("entity discovery", async () => {
  const spec = await discover();
  const names = ["EventSourcedTckModel", "EventSourcedTwo"].map((name) => `cloudstate.tck.model.${name}`);
  const descriptors = loadDescriptors(spec.proto);
  for (const name of names) {
    assert.ok(descriptors.service(name));
    assert.equal(spec.entities.find(({ serviceName }) => serviceName === name)?.entityType, "cloudstate.eventsourced.EventSourced");
  }
  assert.equal(spec.entities.find(({ serviceName }) => serviceName === service)?.persistenceId, "event-sourced-tck-model");
});

test("configured entity", async () => {
  const entity = (await discover()).entities.find(({ serviceName }) => serviceName.endsWith(".EventSourcedConfigured"));
  assert.equal(entity?.persistenceId, "event-sourced-configured");
  assert.deepEqual(entity?.passivationStrategy?.strategy.value?.timeout, 100n);
});

interface Case {
  readonly snapshot?: Snapshot;
  readonly stored?: [number, string][];
  readonly steps: [actions: Action[], ...parts: ReplyInit[]][];
}

const cases: Record<string, Case> = {
  "initial empty state": { steps: [[[], replied("")]] },
  "single emitted event": {
    steps: [
      [emit("A"), replied("A"), events("A")],
      [[], replied("A")],
    ],
  },
  "multiple emitted events": {
    steps: [
      [emit("A", "B", "C"), replied("ABC"), events("A", "B", "C")],
      [[], replied("ABC")],
    ],
  },
  "multiple emitted events and snapshots": {
    steps: [
      [emit("A"), replied("A"), events("A")],
      [emit("B", "C", "D"), replied("ABCD"), events("B", "C", "D")],
      [emit("E"), replied("ABCDE"), events("E"), snapshot("ABCDE")],
      [emit("F", "G", "H"), replied("ABCDEFGH"), events("F", "G", "H")],
      [emit("I", "J"), replied("ABCDEFGHIJ"), events("I", "J"), snapshot("ABCDEFGHIJ")],
      [emit("K"), replied("ABCDEFGHIJK"), events("K")],
      [[], replied("ABCDEFGHIJK")],
    ],
  },
  "initial snapshot": { snapshot: { sequence: 5, value: "ABCDE" }, steps: [[[], replied("ABCDE")]] },
  "initial snapshot and events": { snapshot: { sequence: 5, value: "ABCDE" }, stored: [[6, "F"], [7, "G"]], steps: [[[], replied("ABCDEFG")]] }, // prettier-ignore
  "forward": { steps: [[emit("A"), replied("A"), events("A")], [[forward], forwarded], [[], replied("A")]] }, // prettier-ignore
  "forward with emitted events": { steps: [[[...emit("A"), forward], forwarded, events("A")]] },
  "forward with emitted events and snapshot": {
    steps: [
      [emit("A", "B", "C"), replied("ABC"), events("A", "B", "C")],
      [[...emit("D", "E"), forward], forwarded, events("D", "E"), snapshot("ABCDE")],
    ],
  },
  "reply with side effect": { steps: [[emit("A"), replied("A"), events("A")], [[effect("x")], replied("A"), effects(false, "x")], [[], replied("A")]] }, // prettier-ignore
  "synchronous side effect": { steps: [[[effect("x", true)], replied(""), effects(true, "x")]] },
  "forward and side effect": { steps: [[[effect("x"), forward], forwarded, effects(false, "x")]] },
  "reply with multiple side effects": { steps: [[[effect("1"), effect("2"), effect("3")], replied(""), effects(false, "1", "2", "3")]] },
  "reply with multiple side effects, events, and snapshot": {
    steps: [[[...emit("A", "B", "C", "D", "E"), effect("1"), effect("2")], replied("ABCDE"), events("A", "B", "C", "D", "E"), snapshot("ABCDE"), effects(false, "1", "2")]],
  }, // prettier-ignore
  "failure action": { steps: [[[fail("no")], failed(1, "no")]] },
  "connection after failure": { steps: [[emit("A"), replied("A"), events("A")], [[fail("no")], failed(2, "no")], [[], replied("A")]] }, // prettier-ignore
  "failure actions do not allow side effects": { steps: [[[effect("x"), fail("no")], failed(1, "no")]] },
};

for (const [name, { snapshot: initial, stored, steps }] of Object.entries(cases)) {
  test(name, async () => {
    const entity = activate(initial, stored);
    for (const [index, [actions, ...parts]] of steps.entries()) await step(entity, index + 1, actions, ...parts);
    await entity.passivate();
  });
}

test("rehydration after passivation", async () => {
  const first = activate();
  await step(first, 1, emit("A", "B", "C", "D", "E"), replied("ABCDE"), events("A", "B", "C", "D", "E"), snapshot("ABCDE"));
  await step(first, 2, emit("F", "G"), replied("ABCDEFG"), events("F", "G"));
  await first.passivate();
  const second = activate({ sequence: 5, value: "ABCDE" }, [[6, "F"], [7, "G"]]); // prettier-ignore
  await step(second, 1, emit("H", "I", "J"), replied("ABCDEFGHIJ"), events("H", "I", "J"), snapshot("ABCDEFGHIJ"));
  await second.passivate();
});

test("failure actions do not retain emitted events: a restart is asked for, and the replayed entity goes on", async () => {
  const first = activate();
  await step(first, 1, emit("A", "B"), replied("AB"), events("A", "B"));
  await step(first, 2, [...emit("X"), fail("no"), ...emit("Y")], failed(2, "no", true));
  await first.passivate();
  const second = activate(undefined, [[1, "A"], [2, "B"]]); // prettier-ignore
  await step(second, 1, emit("C"), replied("ABC"), events("C"));
  await step(second, 2, [...emit("X"), fail("again")], failed(2, "again", true));
  await second.passivate();
  const third = activate(undefined, [[1, "A"], [2, "B"], [3, "C"]]); // prettier-ignore
  await step(third, 1, emit("D", "E"), replied("ABCDE"), events("D", "E"), snapshot("ABCDE"));
  await third.passivate();
});

async function streamFailure(entity: Entity, pattern: RegExp, commandId: bigint): Promise<void> {
  const { message } = await entity.next();
  assert.equal(message.case, "failure");
  assert.match(message.value?.description ?? "", pattern);
  assert.equal(message.value?.commandId, commandId);
  assert.equal((await entity.ended()).code, 0);
}

test("a command after a failure that asked for a restart fails the stream: the state is not trusted", async () => {
  const entity = activate();
  await step(entity, 1, [...emit("X"), fail("no")], failed(1, "no", true));
  entity.send({ message: { case: "command", value: { entityId: "e", id: 2n, name: "Process", payload: request() } } });
  await streamFailure(entity, /must be loaded again/, 2n);
});

test("an unknown command fails the stream and says what there is", async () => {
  const entity = activate();
  entity.send({ message: { case: "command", value: { entityId: "e", id: 1n, name: "Proces", payload: request() } } });
  await streamFailure(entity, /no command Proces; it has Process/, 1n);
});

test("a command before init fails the stream", async () => {
  const stream = proxy.open("/cloudstate.eventsourced.EventSourced/handle", EventSourcedStreamInSchema, EventSourcedStreamOutSchema);
  stream.send({ message: { case: "command", value: { entityId: "e", id: 1n, name: "Process", payload: request() } } });
  await streamFailure(stream, /before init/, 0n);
});

test("a service this function does not have fails the stream and names those it has", async () => {
  const stream = proxy.open("/cloudstate.eventsourced.EventSourced/handle", EventSourcedStreamInSchema, EventSourcedStreamOutSchema);
  stream.send({ message: { case: "init", value: { serviceName: "shop.Nothing", entityId: "e" } } });
  await streamFailure(stream, /no event-sourced entity shop\.Nothing; it has cloudstate\.tck\.model\.EventSourcedTckModel/, 0n);
});

test("a stored event this code does not know fails the stream and says how to mend it", async () => {
  const stream = activate();
  stream.send({ message: { case: "event", value: { sequence: 1n, payload: { typeUrl: `${url}Renamed`, value: new Uint8Array(0) } } } });
  await streamFailure(stream, /stored event .*Renamed, which this code does not know.*message\("Renamed"/, 0n);
});

test("a command whose bytes do not decode is the caller's failure; the entity lives", async () => {
  const entity = activate();
  entity.send({
    message: {
      case: "command",
      value: { entityId: "e", id: 1n, name: "Process", payload: { typeUrl: `${url}Request`, value: Uint8Array.of(10, 200) } },
    },
  });
  const { message } = await entity.next();
  assert.equal(message.case === "reply" && message.value.clientAction?.action.case, "failure");
  await step(entity, 2, [], replied(""));
  await entity.passivate();
});
