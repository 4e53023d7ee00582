/** What the model cases leave open about event-sourced entities. The cases themselves: model-cases.test.ts. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type EventSourcedReplySchema,
  EventSourcedStreamInSchema,
  EventSourcedStreamOutSchema,
} from "@mecha/wire/gen/cloudstate/event_sourced";
import {
  PersistedSchema,
  type RequestActionSchema,
  RequestSchema,
  ResponseSchema,
} from "../../conformance/src/gen/cloudstate/tck/model/eventsourced_pb.ts";
import { pack } from "../../conformance/src/model/any.ts";
import { model } from "./model.ts";
import { Proxy, type Stream } from "./proxy.ts";

const service = "cloudstate.tck.model.EventSourcedTckModel";
const url = "type.googleapis.com/cloudstate.tck.model.";
let proxy: Proxy;
before(async () => (proxy = await Proxy.to(model)));
after(() => proxy[Symbol.asyncDispose]());

type Action = MessageInitShape<typeof RequestActionSchema>;
const emit = (...values: string[]): Action[] => values.map((value) => ({ action: { case: "emit", value: { value } } }));
const fail = (message: string): Action => ({ action: { case: "fail", value: { message } } });
const request = (actions: Action[] = []) => pack(RequestSchema, { id: "e", actions });
const persisted = (value: string) => pack(PersistedSchema, { value });

type Entity = Stream<typeof EventSourcedStreamInSchema, typeof EventSourcedStreamOutSchema>;

/** The stream of an entity with these events stored. */
function activate(...stored: string[]): Entity {
  const stream = proxy.open("/cloudstate.eventsourced.EventSourced/handle", EventSourcedStreamInSchema, EventSourcedStreamOutSchema);
  stream.send({ message: { case: "init", value: { serviceName: service, entityId: "e" } } });
  for (const [at, value] of stored.entries())
    stream.send({ message: { case: "event", value: { sequence: BigInt(at + 1), payload: persisted(value) } } });
  return stream;
}

type ReplyInit = Omit<MessageInitShape<typeof EventSourcedReplySchema>, "$typeName" | "$unknown">;
const replied = (message: string): ReplyInit => ({
  clientAction: { action: { case: "reply", value: { payload: pack(ResponseSchema, { message }) } } },
});
const failed = (id: number, description: string, restart = false): ReplyInit => ({
  clientAction: { action: { case: "failure", value: { commandId: BigInt(id), description, restart } } },
});
const events = (...values: string[]): ReplyInit => ({ events: values.map(persisted) });

/** Sends a command and compares the whole answer. */
async function step(entity: Entity, id: number, actions: Action[], ...parts: ReplyInit[]): Promise<void> {
  entity.send({ message: { case: "command", value: { entityId: "e", id: BigInt(id), name: "Process", payload: request(actions) } } });
  const wanted = create(EventSourcedStreamOutSchema, {
    message: { case: "reply", value: Object.assign({ commandId: BigInt(id) }, ...parts) as ReplyInit },
  });
  assert.deepEqual(await entity.next(), wanted);
}

test("a failure after an event asks for a restart, and the replayed entity goes on", async () => {
  const first = activate();
  await step(first, 1, emit("A", "B"), replied("AB"), events("A", "B"));
  await step(first, 2, [...emit("X"), fail("no"), ...emit("Y")], failed(2, "no", true));
  await first.passivate();
  const second = activate("A", "B");
  await step(second, 1, emit("C"), replied("ABC"), events("C"));
  await second.passivate();
});

async function streamFailure(entity: Entity, pattern: RegExp, commandId: bigint): Promise<void> {
  const { message } = await entity.next();
  assert.equal(message.case, "failure");
  assert.match(message.value?.description ?? "", pattern);
  assert.equal(message.value?.commandId, commandId);
  assert.equal((await entity.ended()).code, 0);
}

test("behind a failure that asked for a restart nothing is answered: the state is not trusted, and the proxy asks again on another stream", async () => {
  const entity = activate();
  await step(entity, 1, [...emit("X"), fail("no")], failed(1, "no", true));
  entity.send({ message: { case: "command", value: { entityId: "e", id: 2n, name: "Process", payload: request() } } });
  await entity.passivate(); // ends without another message
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
