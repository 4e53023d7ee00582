/** What the model cases leave open about actions: unknown methods, back-pressure, cancellation. The cases themselves: model-cases.test.ts. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { ActionCommandSchema, ActionResponseSchema } from "@mecha/wire/gen/cloudstate/action";
import { action, command, t } from "mecha-sdk";
import { RequestSchema } from "../../conformance/src/gen/cloudstate/tck/model/action_pb.ts";
import { model } from "./model.ts";
import { Proxy, type Stream } from "./proxy.ts";

const service = "cloudstate.tck.model.action.ActionTckModel";
let proxy: Proxy;
before(async () => (proxy = await Proxy.to(model)));
after(() => proxy[Symbol.asyncDispose]());

const nothing = { typeUrl: `type.googleapis.com/${RequestSchema.typeName}`, value: toBinary(RequestSchema, create(RequestSchema)) };
type Call = Stream<typeof ActionCommandSchema, typeof ActionResponseSchema>;
const open = (rpc: string): Call => proxy.open(`/cloudstate.action.ActionProtocol/${rpc}`, ActionCommandSchema, ActionResponseSchema);

test("a method the action does not have answers UNIMPLEMENTED and names those it has", async () => {
  const call = open("handleUnary").send({ serviceName: service, name: "Nothing", payload: nothing }).halfClose();
  const { code, message } = await call.ended();
  assert.equal(code, 12);
  assert.match(message, /no command Nothing; it has ProcessUnary/);
});

test("a method called in another shape answers UNIMPLEMENTED", async () => {
  const call = open("handleUnary").send({ serviceName: service, name: "ProcessStreamedOut", payload: nothing }).halfClose();
  assert.equal((await call.ended()).code, 12);
});

const numbers = { n: t.int32, pad: t.bytes };
const noPad = new Uint8Array(0);

test("a stream out is made no faster than its reader takes it, and its generator ends when the reader goes", async () => {
  let made = 0;
  const ended = Promise.withResolvers<void>();
  const Endless = action({
    service: "test.Endless",
    commands: { count: command({}).replies(numbers).streamedOut() },
    handle: {
      async *count() {
        try {
          for (;;) yield { n: ++made, pad: new Uint8Array(64 * 1024) };
        } finally {
          ended.resolve();
        }
      },
    },
  });
  await using own = await Proxy.to([Endless]);
  const call = own.open("/cloudstate.action.ActionProtocol/handleStreamedOut", ActionCommandSchema, ActionResponseSchema);
  call.pause();
  call
    .send({
      serviceName: "test.Endless",
      name: "Count",
      payload: { typeUrl: "type.googleapis.com/test.EndlessCountRequest", value: noPad },
    })
    .halfClose();
  await settled(() => made);
  const windows = 16 * 1024 * 1024; // the connection's window; nothing beyond it and the buffers can be on its way
  assert.ok(made > 0 && made * 64 * 1024 < 2 * windows, `${made} messages were made for a reader that does not read`);
  call.cancel();
  await ended.promise;
});

test("a stream in is read no faster than its handler takes it", async () => {
  const gate = Promise.withResolvers<void>();
  const Slow = action({
    service: "test.Slow",
    commands: { sum: command(numbers).replies({ n: t.int32 }).streamedIn() },
    handle: {
      async sum(messages) {
        await gate.promise;
        let n = 0;
        for await (const message of messages) n += message.n;
        return { n };
      },
    },
  });
  await using own = await Proxy.to([Slow]);
  const call = own.open("/cloudstate.action.ActionProtocol/handleStreamedIn", ActionCommandSchema, ActionResponseSchema);
  call.send({ serviceName: "test.Slow", name: "Sum" });
  const { codec } = Slow.commands.sum.input;
  const payload = { typeUrl: "type.googleapis.com/test.SlowSumRequest", value: codec.encode({ n: 1, pad: new Uint8Array(64 * 1024) }) };
  let sent = 0;
  let filling = true;
  const sender = (async () => {
    for (; filling && sent < 2_000; await new Promise((resolve) => setImmediate(resolve))) {
      if (!call.hasRoom) continue;
      call.send({ payload });
      sent++;
    }
  })();
  await settled(() => sent);
  filling = false;
  await sender;
  assert.ok(sent < 512, `${sent} messages of 64 KiB were taken for a handler that does not read`); // the windows hold 16 MiB, 256 of them
  gate.resolve();
  const { response } = await call.halfClose().next();
  assert.ok(response.case === "reply" && response.value.payload !== undefined);
  assert.deepEqual(Slow.definition.methods.get("Sum")?.output.codec.decode(response.value.payload.value), { n: sent });
});

/** Waits until a number has stopped growing. */
async function settled(value: () => number): Promise<void> {
  for (let same = 0, last = -1; same < 20;) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    same = value() === last && last > 0 ? same + 1 : 0;
    last = value();
  }
}
