/** MA1–MA34: an action as the TCK wants it. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { ActionCommandSchema, type ActionResponse, ActionResponseSchema } from "@mecha/wire/gen/cloudstate/action";
import { OtherRequestSchema, type ProcessStepSchema, RequestSchema, ResponseSchema } from "../gen/cloudstate/tck/model/action_pb.ts";
import type { ClientStream } from "../kit/client-stream.ts";
import { expectSame } from "../kit/connection.ts";
import { type AnyFields, pack } from "../model/any.ts";
import { expectEntity, type ModelKit, numbered } from "./kit.ts";

const service = "cloudstate.tck.model.action.ActionTckModel";
const second = "cloudstate.tck.model.action.ActionTwo";
const entityType = "cloudstate.action.ActionProtocol";

/** Services that must be there for these cases. */
export const actionServices: readonly string[] = [service, second];

type Step = MessageInitShape<typeof ProcessStepSchema>;
const reply = (message: string): Step => ({ step: { case: "reply", value: { message } } });
const forward = (id: string): Step => ({ step: { case: "forward", value: { id } } });
const fail = (message: string): Step => ({ step: { case: "fail", value: { message } } });
const effect = (id: string, synchronous = false): Step => ({ step: { case: "effect", value: { id, synchronous } } });
const request = (...groups: Step[][]): AnyFields => pack(RequestSchema, { groups: groups.map((steps) => ({ steps })) });

type ResponseInit = Pick<Exclude<MessageInitShape<typeof ActionResponseSchema>, ActionResponse>, "response" | "sideEffects">;
const replied = (message: string): ResponseInit => ({ response: { case: "reply", value: { payload: pack(ResponseSchema, { message }) } } });
const toSecond = (id: string) => ({ serviceName: second, commandName: "Call", payload: pack(OtherRequestSchema, { id }) });
const forwarded = (id: string): ResponseInit => ({ response: { case: "forward", value: toSecond(id) } });
const failed = (description: string): ResponseInit => ({ response: { case: "failure", value: { description } } });
/** `["a", true]` is synchronous. */
const effects = (...wanted: (string | [id: string, synchronous: true])[]): ResponseInit => ({
  sideEffects: wanted.map((one) => ({ ...toSecond(typeof one === "string" ? one : one[0]), synchronous: typeof one !== "string" })),
});

type Call = ClientStream<typeof ActionCommandSchema, typeof ActionResponseSchema>;
type Rpc = "handleUnary" | "handleStreamedIn" | "handleStreamedOut" | "handleStreamed";

function open(kit: ModelKit, rpc: Rpc): Call {
  return kit.open({ path: `/${entityType}/${rpc}`, input: ActionCommandSchema, output: ActionResponseSchema });
}

/** The next response is this one, metadata left aside: libraries may echo the request's. */
async function expectNext(call: Call, ...parts: ResponseInit[]): Promise<void> {
  const response = await call.receive();
  if (response.response.case === "reply" || response.response.case === "forward") delete response.response.value.metadata;
  for (const one of response.sideEffects) delete one.metadata;
  expectSame(ActionResponseSchema, response, Object.assign({}, ...parts) as ResponseInit);
}

const outcomes: Readonly<Record<string, readonly [step: Step[], response: ResponseInit]>> = {
  reply: [[reply("one")], replied("one")],
  "no reply": [[], {}],
  forward: [[forward("one")], forwarded("one")],
  failure: [[fail("one")], failed("one")],
};
const effectKinds: Readonly<Record<string, readonly [steps: Step[], effects: ResponseInit]>> = {
  "": [[], {}],
  " with side effect": [[effect("a")], effects("a")],
  " with synchronous side effect": [[effect("a", true)], effects(["a", true])],
  " with multiple side effects": [[effect("a"), effect("b"), effect("c")], effects("a", "b", "c")],
};

async function unary(kit: ModelKit, steps: Step[], ...response: ResponseInit[]): Promise<void> {
  const call = open(kit, "handleUnary");
  call.send({ serviceName: service, name: "ProcessUnary", payload: request(steps) });
  call.complete();
  await expectNext(call, ...response);
  await call.expectComplete();
}

async function streamedIn(kit: ModelKit, requests: Step[][], ...response: ResponseInit[]): Promise<void> {
  const call = open(kit, "handleStreamedIn");
  call.send({ serviceName: service, name: "ProcessStreamedIn" });
  for (const steps of requests) call.send({ payload: request(steps) });
  call.complete();
  await expectNext(call, ...response);
  await call.expectComplete();
}

/** One group for each kind of effects, one response for each group. */
async function streamedOut(kit: ModelKit, steps: Step[], response: ResponseInit): Promise<void> {
  const groups = Object.values(effectKinds);
  const call = open(kit, "handleStreamedOut");
  const payload = request(...groups.map(([more]) => [...steps, ...more]));
  call.send({ serviceName: service, name: "ProcessStreamedOut", payload });
  call.complete();
  for (const [, seen] of groups) await expectNext(call, response, seen);
  await call.expectComplete();
}

/** The same one by one, then two groups in one request. */
async function streamed(kit: ModelKit, steps: Step[], response: ResponseInit): Promise<void> {
  const call = open(kit, "handleStreamed");
  call.send({ serviceName: service, name: "ProcessStreamed" });
  for (const [more, seen] of Object.values(effectKinds)) {
    call.send({ payload: request([...steps, ...more]) });
    await expectNext(call, response, seen);
  }
  call.send({ payload: request(steps, [...steps, effect("z")]) });
  await expectNext(call, response);
  await expectNext(call, response, effects("z"));
  call.complete();
  await call.expectComplete();
}

const laterEffects = [[effect("b", true)], [effect("c"), effect("d")]];
/** A streamed-in call has one response, and on it the effects of all its requests. */
const allEffects = effects("a", ["b", true], "c", "d");

export const actionModelCases = numbered("MA", "action", [
  [
    "action entity discovery",
    async (kit) => {
      const spec = await kit.discover();
      for (const one of actionServices) expectEntity(spec, one, entityType);
    },
  ],
  ...Object.entries(outcomes).flatMap(([outcome, [steps, response]]) =>
    Object.entries(effectKinds).map(
      ([kind, [more, seen]]) =>
        [`unary command ${outcome}${kind}`, (kit: ModelKit) => unary(kit, [...steps, ...more], response, seen)] as const,
    ),
  ),
  ["streamed-in command reply", (kit) => streamedIn(kit, [[reply("one")]], replied("one"))],
  [
    "streamed-in command reply with side effects",
    (kit) => streamedIn(kit, [[reply("two"), effect("a")], ...laterEffects], replied("two"), allEffects),
  ],
  ["streamed-in command no reply (no requests)", (kit) => streamedIn(kit, [])],
  ["streamed-in command no reply", (kit) => streamedIn(kit, [[]])],
  ["streamed-in command no reply with side effects", (kit) => streamedIn(kit, [[effect("a")], ...laterEffects], allEffects)],
  ["streamed-in command forward", (kit) => streamedIn(kit, [[forward("one")]], forwarded("one"))],
  [
    "streamed-in command forward with side effects",
    (kit) => streamedIn(kit, [[forward("two"), effect("a")], ...laterEffects], forwarded("two"), allEffects),
  ],
  ["streamed-in command failure", (kit) => streamedIn(kit, [[fail("one")]], failed("one"))],
  [
    "streamed-in command failure with side effects",
    (kit) => streamedIn(kit, [[fail("two"), effect("a")], ...laterEffects], failed("two"), allEffects),
  ],
  ...Object.entries(outcomes).map(
    ([outcome, [steps, response]]) =>
      [`streamed-out command ${outcome} and side effects`, (kit: ModelKit) => streamedOut(kit, steps, response)] as const,
  ),
  ...Object.entries(outcomes).map(
    ([outcome, [steps, response]]) =>
      [`streamed command ${outcome} and side effects`, (kit: ModelKit) => streamed(kit, steps, response)] as const,
  ),
]);
