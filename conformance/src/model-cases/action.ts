/**
 * MA1–MA34: an action as the TCK wants it. A case says only what is asked; what must be answered is worked out from that by `responseTo`, which is
 * the model in a few lines: the outcome that was asked for, if any, and every effect, whatever the outcome.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { ActionCommandSchema, type ActionResponse, ActionResponseSchema } from "@mecha/wire/gen/cloudstate/action";
import { OtherRequestSchema, type ProcessStepSchema, RequestSchema, ResponseSchema } from "../gen/cloudstate/tck/model/action_pb.ts";
import type { ClientStream } from "../kit/client-stream.ts";
import { expectSame } from "../kit/connection.ts";
import { type AnyFields, pack } from "../model/any.ts";
import { expectEntity, type ModelCase, type ModelKit, numbered } from "./kit.ts";

const service = "cloudstate.tck.model.action.ActionTckModel";
const second = "cloudstate.tck.model.action.ActionTwo";
const entityType = "cloudstate.action.ActionProtocol";

/** Services that must be there for these cases. */
export const actionServices: readonly string[] = [service, second];

// ---- what can be asked ----------------------------------------------------------------------------------------------------------------

type Step = MessageInitShape<typeof ProcessStepSchema>["step"] & { readonly case: string };
/** Steps that make one response. */
type Group = readonly Step[];

const reply = (message: string): Step => ({ case: "reply", value: { message } });
const forward = (id: string): Step => ({ case: "forward", value: { id } });
const fail = (message: string): Step => ({ case: "fail", value: { message } });
const effect = (id: string): Step => ({ case: "effect", value: { id } });
const awaited = (id: string): Step => ({ case: "effect", value: { id, synchronous: true } });

const payloadOf = (...groups: Group[]): AnyFields =>
  pack(RequestSchema, { groups: groups.map((steps) => ({ steps: steps.map((step) => ({ step })) })) });

/** By the word the cases have for it. */
const outcomes: Readonly<Record<string, Group>> = {
  reply: [reply("heron")],
  "no reply": [],
  forward: [forward("stork")],
  failure: [fail("no nest here")],
};
const effectKinds: Readonly<Record<string, Group>> = {
  "": [],
  " with side effect": [effect("crane")],
  " with synchronous side effect": [awaited("egret")],
  " with multiple side effects": [effect("ibis"), effect("rail"), effect("coot")],
};

// ---- what must be answered ------------------------------------------------------------------------------------------------------------

type ResponseInit = Pick<Exclude<MessageInitShape<typeof ActionResponseSchema>, ActionResponse>, "response" | "sideEffects">;

const toSecond = (id: string) => ({ serviceName: second, commandName: "Call", payload: pack(OtherRequestSchema, { id }) });

/** The one response to these steps. */
function responseTo(steps: Group): ResponseInit {
  let response: ResponseInit["response"];
  const sideEffects: NonNullable<ResponseInit["sideEffects"]> = [];
  for (const { case: what, value } of steps as readonly {
    case: string;
    value: { message?: string; id?: string; synchronous?: boolean };
  }[]) {
    const { message = "", id = "", synchronous = false } = value;
    if (what === "effect") sideEffects.push({ ...toSecond(id), synchronous });
    else if (what === "reply") response = { case: "reply", value: { payload: pack(ResponseSchema, { message }) } };
    else if (what === "forward") response = { case: "forward", value: toSecond(id) };
    else response = { case: "failure", value: { description: message } };
  }
  return { ...(response && { response }), sideEffects };
}

// ---- calls ----------------------------------------------------------------------------------------------------------------------------

type Rpc = "handleUnary" | "handleStreamedIn" | "handleStreamedOut" | "handleStreamed";

/** A call of the model's method that goes with the protocol's. */
class Call {
  readonly #stream: ClientStream<typeof ActionCommandSchema, typeof ActionResponseSchema>;
  readonly #name: string;

  constructor(kit: ModelKit, rpc: Rpc) {
    this.#stream = kit.open({ path: `/${entityType}/${rpc}`, input: ActionCommandSchema, output: ActionResponseSchema });
    this.#name = rpc.replace("handle", "Process");
  }

  /** The first message, which names the method; with a payload where the method takes one message. */
  begin(payload?: AnyFields): this {
    this.#stream.send({ serviceName: service, name: this.#name, ...(payload && { payload }) });
    return this;
  }

  send(payload: AnyFields): this {
    this.#stream.send({ payload });
    return this;
  }

  endInput(): this {
    this.#stream.complete();
    return this;
  }

  /** The next response is this one, metadata left aside: libraries may echo the request's. */
  async hears(steps: Group): Promise<void> {
    const heard = await this.#stream.receive();
    const { response, sideEffects } = heard;
    if (response.case === "reply" || response.case === "forward") delete response.value.metadata;
    for (const one of sideEffects) delete one.metadata;
    expectSame(ActionResponseSchema, heard, responseTo(steps));
  }

  async ends(): Promise<void> {
    await this.#stream.expectComplete();
  }
}

const unary =
  (steps: Group): ModelCase["run"] =>
  async (kit) => {
    const call = new Call(kit, "handleUnary").begin(payloadOf(steps)).endInput();
    await call.hears(steps);
    await call.ends();
  };

/** Many requests, one response: with what any of them asked for. */
const streamedIn =
  (...requests: Group[]): ModelCase["run"] =>
  async (kit) => {
    const call = new Call(kit, "handleStreamedIn").begin();
    for (const steps of requests) call.send(payloadOf(steps));
    call.endInput();
    await call.hears(requests.flat());
    await call.ends();
  };

/** The outcome with each kind of effects, effects first: what comes after one another must not matter. */
const groupsWith = (outcome: Group): readonly Group[] =>
  Object.values(effectKinds)
    .toReversed()
    .map((effects) => [...effects, ...outcome]);

/** One request of many groups, a response to each. */
const streamedOut =
  (outcome: Group): ModelCase["run"] =>
  async (kit) => {
    const groups = groupsWith(outcome);
    const call = new Call(kit, "handleStreamedOut").begin(payloadOf(...groups)).endInput();
    for (const group of groups) await call.hears(group);
    await call.ends();
  };

/** Requests of one, two and more groups, each answered while the call stays open. */
const streamed =
  (outcome: Group): ModelCase["run"] =>
  async (kit) => {
    const [first = [], ...rest] = groupsWith(outcome);
    const call = new Call(kit, "handleStreamed").begin();
    const requests = [[first, [awaited("grebe"), ...outcome]], rest, [[...outcome, effect("teal")]]];
    for (const groups of requests) {
      call.send(payloadOf(...groups));
      for (const group of groups) await call.hears(group);
    }
    await call.endInput().ends();
  };

// ---- the cases ------------------------------------------------------------------------------------------------------------------------

async function discovery(kit: ModelKit): Promise<void> {
  const spec = await kit.discover();
  for (const one of actionServices) expectEntity(spec, one, entityType);
}

type Named = readonly [name: string, run: ModelCase["run"]];

function* unaryCases(): Generator<Named> {
  for (const [outcome, steps] of Object.entries(outcomes))
    for (const [kind, effects] of Object.entries(effectKinds)) yield [`unary command ${outcome}${kind}`, unary([...effects, ...steps])];
}

/** The outcome stands in the middle; effects are asked for before, with and after it. */
function* streamedInCases(): Generator<Named> {
  for (const [outcome, steps] of Object.entries(outcomes)) {
    if (steps.length === 0) yield ["streamed-in command no reply (no requests)", streamedIn()];
    yield [`streamed-in command ${outcome}`, streamedIn([], steps, [])];
    const withEffects = streamedIn([awaited("gull")], [effect("tern"), ...steps], [], [effect("skua"), awaited("knot")]);
    yield [`streamed-in command ${outcome} with side effects`, withEffects];
  }
}

function* streamCases(): Generator<Named> {
  for (const [shape, run] of [
    ["streamed-out", streamedOut],
    ["streamed", streamed],
  ] as const)
    // prettier-ignore
    for (const [outcome, steps] of Object.entries(outcomes)) yield [`${shape} command ${outcome} and side effects`, run(steps)];
}

export const actionModelCases = numbered("MA", "action", [
  ["action entity discovery", discovery],
  ...unaryCases(),
  ...streamedInCases(),
  ...streamCases(),
]);
