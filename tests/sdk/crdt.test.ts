/** What the model cases leave open about CRDTs: overlapping commands, errors, cancellations at bad moments. The cases themselves: model-cases.test.ts. */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type CrdtDeltaSchema, CrdtStreamInSchema, type CrdtStreamOut, CrdtStreamOutSchema } from "@mecha/wire/gen/cloudstate/crdt";
import { command, crdt, pncounter, t } from "mecha-sdk";
import { Proxy, type Stream } from "./proxy.ts";

/** What async handlers wait for. */
let gate = Promise.withResolvers<void>();
beforeEach(() => (gate = Promise.withResolvers<void>()));

const id = { id: t.string };
const Counter = crdt({
  service: "test.Counter",
  key: "id",
  state: pncounter(),
  commands: {
    add: command(id).replies({ n: t.int32 }),
    slow: command(id).replies({ n: t.int32 }),
    throws: command(id),
    watch: command(id).replies({ n: t.int32 }).streamedOut(),
    slowly: command(id).replies({ n: t.int32 }).streamedOut(),
    badly: command(id).replies({ n: t.int32 }).streamedOut(),
  },
  handle: {
    add: (_, ctx) => ({ n: ctx.state.increment().value }),
    async slow(_, ctx) {
      ctx.state.increment(100);
      await gate.promise;
      return { n: ctx.state.value };
    },
    throws(_, ctx) {
      ctx.state.increment(1_000);
      throw new Error("secret");
    },
    watch(_, ctx) {
      ctx.stream({ onChange: ({ state }) => ({ n: state.value }) });
    },
    async slowly(_, ctx) {
      await gate.promise;
      ctx.stream({ onCancel: ({ state }) => void state.decrement(5) });
    },
    badly(_, ctx) {
      ctx.stream({
        onCancel({ state }) {
          state.increment(7);
          throw new Error("oops");
        },
      });
    },
  },
});

let proxy: Proxy;
before(async () => (proxy = await Proxy.to([Counter], { development: false })));
after(() => proxy[Symbol.asyncDispose]());

type Entity = Stream<typeof CrdtStreamInSchema, typeof CrdtStreamOutSchema>;
const open = (): Entity => proxy.open("/cloudstate.crdt.Crdt/handle", CrdtStreamInSchema, CrdtStreamOutSchema);
const init = (entity: Entity): Entity => entity.send({ message: { case: "init", value: { serviceName: "test.Counter", entityId: "a" } } });
const send = (entity: Entity, commandId: number, name: string): Entity => {
  const streamed = ["Watch", "Slowly", "Badly"].includes(name);
  const payload = { typeUrl: `type.googleapis.com/test.Counter${name}Request`, value: new Uint8Array([10, 1, 97]) };
  return entity.send({ message: { case: "command", value: { entityId: "a", id: BigInt(commandId), name, payload, streamed } } });
};
const cancel = (entity: Entity, commandId: number): Entity =>
  entity.send({ message: { case: "streamCancelled", value: { entityId: "a", id: BigInt(commandId) } } });
const tell = (entity: Entity, delta: MessageInitShape<typeof CrdtDeltaSchema>): Entity =>
  entity.send({ message: { case: "delta", value: delta } });

/** What matters of an answer: which command, what it changes. */
function seen({ message }: CrdtStreamOut): unknown {
  if (message.case === undefined || message.case === "failure") return [message.case, message.value?.commandId, message.value?.description];
  const change = message.case === "streamedMessage" ? undefined : message.value.stateAction?.action;
  const delta = change?.case === "update" ? change.value.delta : undefined;
  return [message.case, message.value.commandId, ...(delta?.case === "pncounter" ? [delta.value.change] : [])];
}
const next = async (entity: Entity): Promise<unknown> => seen(await entity.next());

test("a command that waits holds up no other; the half-closed stream ends when all are answered", async () => {
  const entity = init(open());
  send(send(entity, 1, "Slow"), 2, "Add").halfClose();
  assert.deepEqual(await next(entity), ["reply", 2n, 1n]);
  gate.resolve();
  assert.deepEqual(await next(entity), ["reply", 1n, 100n]);
  assert.equal((await entity.ended()).code, 0);
});

test("an unexpected error ends its command alone, changes nothing and tells no secrets", async () => {
  const entity = init(open());
  const text = "test.Counter.throws failed unexpectedly; the log of the function says why";
  assert.deepEqual(await next(send(entity, 1, "Throws")), ["failure", 1n, text]);
  assert.deepEqual(await next(send(entity, 2, "Nothing")), [
    "failure",
    2n,
    "test.Counter has no command Nothing; it has Add, Slow, Throws, Watch, Slowly, Badly",
  ]);
  assert.deepEqual(await next(send(entity, 3, "Add")), ["reply", 3n, 1n]);
  await entity.passivate();
});

test("a stream hears of what the proxy tells", async () => {
  const entity = init(open());
  assert.deepEqual(await next(send(entity, 1, "Watch")), ["reply", 1n]);
  assert.deepEqual(await next(tell(entity, { delta: { case: "pncounter", value: { change: 3n } } })), ["streamedMessage", 1n]);
  await entity.passivate();
});

test("a caller that goes before its command is answered is answered for after it", async () => {
  const entity = init(open());
  cancel(send(entity, 1, "Slowly"), 1);
  assert.deepEqual(await next(send(entity, 2, "Add")), ["reply", 2n, 1n]);
  gate.resolve();
  assert.deepEqual(await next(entity), ["reply", 1n]);
  assert.deepEqual(await next(entity), ["streamCancelledResponse", 1n, -5n]);
  await entity.passivate();
});

test("every cancellation is answered: of a stream that is over, of a command that never was, of one whose onCancel throws", async () => {
  const entity = init(open());
  await next(send(entity, 1, "Watch"));
  for (const commandId of [1, 1, 9])
    assert.deepEqual(await next(cancel(entity, commandId)), ["streamCancelledResponse", BigInt(commandId)]);
  await next(send(entity, 2, "Badly"));
  assert.deepEqual(await next(cancel(entity, 2)), ["streamCancelledResponse", 2n]);
  assert.deepEqual(await next(send(entity, 3, "Add")), ["reply", 3n, 1n]);
  await entity.passivate();
});

const broken: Record<string, [(entity: Entity) => Entity, RegExp]> = {
  "a change of another type": [
    (entity) => tell(init(entity), { delta: { case: "flag", value: { value: true } } }),
    /a change of a flag where this code declares a pncounter/,
  ],
  "a change before init": [(entity) => tell(entity, { delta: { case: "flag", value: { value: true } } }), /a message before init/],
  "a second init": [(entity) => init(init(entity)), /a second init on one stream/],
  "an empty message": [(entity) => init(entity).send({ message: { case: undefined } }), /a message that is neither init/],
  "a service it has not": [
    (entity) => entity.send({ message: { case: "init", value: { serviceName: "test.Other", entityId: "a" } } }),
    /this function has no CRDT entity test\.Other; it has test\.Counter/,
  ],
};
for (const [what, [start, text]] of Object.entries(broken)) {
  test(`${what} fails the stream, and says why`, async () => {
    const entity = start(open());
    const { message } = await entity.next();
    assert.ok(message.case === "failure" && message.value.commandId === 0n);
    assert.match(message.value.description, text);
    assert.equal((await entity.ended()).code, 0);
  });
}

test("more commands than may wait at a time are held back, and all are answered", async () => {
  const entity = init(open());
  const count = 500;
  for (let n = 1; n <= count; n++) send(entity, n, "Slow");
  gate.resolve();
  const answered = new Set<bigint>();
  for (let n = 1; n <= count; n++) {
    const { message } = await entity.next();
    assert.ok(message.case === "reply");
    answered.add(message.value.commandId);
  }
  assert.equal(answered.size, count);
  assert.deepEqual((await send(entity, count + 1, "Add").next()).message.case, "reply");
  await entity.passivate();
});
