/** The 34 model cases of actions, back-pressure and cancellation. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { ActionCommandSchema, ActionResponseSchema } from "@mecha/wire/gen/cloudstate/action";
import { EntitySpecSchema, ProxyInfoSchema } from "@mecha/wire/gen/cloudstate/entity";
import { action, command, t } from "mecha-sdk";
import {
  OtherRequestSchema,
  type ProcessGroupSchema,
  type ProcessStepSchema,
  RequestSchema,
  ResponseSchema,
} from "../../conformance/src/gen/cloudstate/tck/model/action_pb.ts";
import { model } from "./model.ts";
import { Proxy, type Stream } from "./proxy.ts";

const prefix = "cloudstate.tck.model.action.";
const service = `${prefix}ActionTckModel`;
const url = `type.googleapis.com/${prefix}`;
let proxy: Proxy;
before(async () => (proxy = await Proxy.to(model)));
after(() => proxy[Symbol.asyncDispose]());

type Step = MessageInitShape<typeof ProcessStepSchema>;
const reply = (message: string): Step => ({ step: { case: "reply", value: { message } } });
const forward = (id: string): Step => ({ step: { case: "forward", value: { id } } });
const fail = (message: string): Step => ({ step: { case: "fail", value: { message } } });
const effect = (id: string, synchronous = false): Step => ({ step: { case: "effect", value: { id, synchronous } } });

const request = (...groups: Step[][]) => ({
  typeUrl: `${url}Request`,
  value: toBinary(
    RequestSchema,
    create(RequestSchema, { groups: groups.map((steps): MessageInitShape<typeof ProcessGroupSchema> => ({ steps })) }),
  ),
});
const other = (id: string) => ({ typeUrl: `${url}OtherRequest`, value: toBinary(OtherRequestSchema, create(OtherRequestSchema, { id })) });

type ResponseInit = Omit<MessageInitShape<typeof ActionResponseSchema>, "$typeName" | "$unknown">;
const replied = (message: string): ResponseInit => ({
  response: {
    case: "reply",
    value: { payload: { typeUrl: `${url}Response`, value: toBinary(ResponseSchema, create(ResponseSchema, { message })) } },
  },
});
const forwarded = (id: string): ResponseInit => ({
  response: { case: "forward", value: { serviceName: `${prefix}ActionTwo`, commandName: "Call", payload: other(id) } },
});
const failed = (description: string): ResponseInit => ({ response: { case: "failure", value: { description } } });
const nothing: ResponseInit = {};
/** `["a", true]` is synchronous. */
const effects = (...effectsOf: (string | [string, true])[]): ResponseInit => ({
  sideEffects: effectsOf.map((one) => ({
    serviceName: `${prefix}ActionTwo`,
    commandName: "Call",
    payload: other(typeof one === "string" ? one : one[0]),
    synchronous: typeof one !== "string",
  })),
});

type Call = Stream<typeof ActionCommandSchema, typeof ActionResponseSchema>;
const open = (rpc: string): Call => proxy.open(`/cloudstate.action.ActionProtocol/${rpc}`, ActionCommandSchema, ActionResponseSchema);
async function expectNext(call: Call, ...parts: ResponseInit[]): Promise<void> {
  assert.deepEqual(await call.next(), create(ActionResponseSchema, Object.assign({}, ...parts) as ResponseInit));
}

test("action entity discovery", async () => {
  const spec = await proxy.unary("/cloudstate.EntityDiscovery/discover", ProxyInfoSchema, EntitySpecSchema, { protocolMinorVersion: 2 });
  for (const name of [service, `${prefix}ActionTwo`]) {
    assert.equal(spec.entities.find(({ serviceName }) => serviceName === name)?.entityType, "cloudstate.action.ActionProtocol");
  }
});

const outcomes: Record<string, [step: Step[], response: ResponseInit]> = {
  reply: [[reply("one")], replied("one")],
  "no reply": [[], nothing],
  forward: [[forward("one")], forwarded("one")],
  failure: [[fail("one")], failed("one")],
};
const effectKinds: Record<string, [steps: Step[], effects: ResponseInit]> = {
  plain: [[], {}],
  "with side effect": [[effect("a")], effects("a")],
  "with synchronous side effect": [[effect("a", true)], effects(["a", true])],
  "with multiple side effects": [[effect("a"), effect("b"), effect("c")], effects("a", "b", "c")],
};

for (const [outcome, [steps, response]] of Object.entries(outcomes)) {
  for (const [kind, [more, seen]] of Object.entries(effectKinds)) {
    test(`unary command ${outcome} ${kind}`, async () => {
      const call = open("handleUnary")
        .send({ serviceName: service, name: "ProcessUnary", payload: request([...steps, ...more]) })
        .halfClose();
      await expectNext(call, response, seen);
      assert.equal((await call.ended()).code, 0);
    });
  }
}

const afterwards = [[effect("b", true)], [effect("c"), effect("d")]];
const allEffects = effects("a", ["b", true], "c", "d");
const streamedIn: Record<string, [requests: Step[][], response: ResponseInit[]]> = {
  reply: [[[reply("one")]], [replied("one")]],
  "reply with side effects": [
    [[reply("two"), effect("a")], ...afterwards],
    [replied("two"), allEffects],
  ],
  "no reply (no requests)": [[], [nothing]],
  "no reply": [[[]], [nothing]],
  "no reply with side effects": [
    [[effect("a")], ...afterwards],
    [nothing, allEffects],
  ],
  forward: [[[forward("one")]], [forwarded("one")]],
  "forward with side effects": [
    [[forward("two"), effect("a")], ...afterwards],
    [forwarded("two"), allEffects],
  ],
  failure: [[[fail("one")]], [failed("one")]],
  "failure with side effects": [
    [[fail("two"), effect("a")], ...afterwards],
    [failed("two"), allEffects],
  ],
};

for (const [name, [requests, response]] of Object.entries(streamedIn)) {
  test(`streamed-in command ${name}`, async () => {
    const call = open("handleStreamedIn").send({ serviceName: service, name: "ProcessStreamedIn" });
    for (const steps of requests) call.send({ payload: request(steps) });
    await expectNext(call.halfClose(), ...response);
    assert.equal((await call.ended()).code, 0);
  });
}

const groups: [steps: Step[], effects: ResponseInit][] = Object.values(effectKinds);
for (const [outcome, [steps, response]] of Object.entries(outcomes)) {
  test(`streamed-out command ${outcome} and side effects`, async () => {
    const payload = request(...groups.map(([more]) => [...steps, ...more]));
    const call = open("handleStreamedOut").send({ serviceName: service, name: "ProcessStreamedOut", payload }).halfClose();
    for (const [, seen] of groups) await expectNext(call, response, seen);
    assert.equal((await call.ended()).code, 0);
  });

  test(`streamed command ${outcome} and side effects`, async () => {
    const call = open("handleStreamed").send({ serviceName: service, name: "ProcessStreamed" });
    for (const [more, seen] of groups) {
      call.send({ payload: request([...steps, ...more]) });
      await expectNext(call, response, seen);
    }
    call.send({ payload: request(steps, [...steps, effect("z")]) });
    await expectNext(call, response);
    await expectNext(call, response, effects("z"));
    call.halfClose();
    assert.equal((await call.ended()).code, 0);
  });
}

test("a method the action does not have answers UNIMPLEMENTED and names those it has", async () => {
  const call = open("handleUnary")
    .send({ serviceName: service, name: "Nothing", payload: request([]) })
    .halfClose();
  const { code, message } = await call.ended();
  assert.equal(code, 12);
  assert.match(message, /no command Nothing; it has ProcessUnary/);
});

test("a method called in another shape answers UNIMPLEMENTED", async () => {
  const call = open("handleUnary")
    .send({ serviceName: service, name: "ProcessStreamedOut", payload: request([]) })
    .halfClose();
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
