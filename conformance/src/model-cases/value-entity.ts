/**
 * MV1–MV19: a value entity as the TCK wants it. A case says what is stored and what is asked; what must be answered is worked out by `Slot`, the model
 * in a few lines, and compared to the letter.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type ValueEntityReplySchema,
  ValueEntityStreamInSchema,
  ValueEntityStreamOutSchema,
} from "@mecha/wire/gen/cloudstate/value_entity";
import { PersistedSchema, type RequestActionSchema, RequestSchema, ResponseSchema } from "../gen/cloudstate/tck/model/valueentity_pb.ts";
import { pack } from "../model/any.ts";
import { Answers, type Ask, awaited, effect, fail, forward, look, type Wanted } from "./asks.ts";
import { expectConfigured, expectEntity, type ModelCase, type ModelKit, numbered } from "./kit.ts";

const names = "cloudstate.tck.model.valueentity";
const service = `${names}.ValueEntityTckModel`;
const second = `${names}.ValueEntityTwo`;
const configured = `${names}.ValueEntityConfigured`;
const entityType = "cloudstate.valueentity.ValueEntity";
const handle = { path: `/${entityType}/handle`, input: ValueEntityStreamInSchema, output: ValueEntityStreamOutSchema };
const entityId = "lamp";

/** Services that must be there for these cases. */
export const valueEntityServices: readonly string[] = [service, second, configured];

// ---- what can be asked ----------------------------------------------------------------------------------------------------------------

type Action = NonNullable<MessageInitShape<typeof RequestActionSchema>["action"]>;

const paint = (value: string): Wanted => ({ case: "update", value: { value } });
const strip: Wanted = { case: "delete", value: {} };

// ---- what must be answered ------------------------------------------------------------------------------------------------------------

type Reply = Omit<MessageInitShape<typeof ValueEntityReplySchema>, "$typeName" | "$unknown">;

const persisted = (value: string) => ({ value: pack(PersistedSchema, { value }) });
const answers = new Answers({
  second,
  request: (id) => pack(RequestSchema, { id }),
  response: (message) => pack(ResponseSchema, { message }),
});

/** The entity's value. */
class Slot {
  value: string | undefined;

  constructor(value?: string) {
    this.value = value;
  }

  /** The whole answer to a command; of several changes the last is the one that is asked for. */
  answer(commandId: bigint, ask: Ask): Reply {
    const failure = answers.failure(commandId, ask);
    if (failure) return failure;
    const change = ask.findLast(({ case: what }) => what === "update" || what === "delete");
    if (change) this.value = change.case === "update" ? (change.value.value ?? "") : undefined;
    return {
      commandId,
      clientAction: answers.clientAction(ask, this.value ?? ""),
      sideEffects: answers.sideEffects(ask),
      ...(change && { stateAction: this.#written() }),
    };
  }

  #written(): NonNullable<Reply["stateAction"]> {
    if (this.value === undefined) return { action: { case: "delete", value: {} } };
    return { action: { case: "update", value: persisted(this.value) } };
  }
}

/** One activation after the other; each knows only what the one before has left. */
const lives =
  (...activations: readonly (readonly Ask[])[]): ModelCase["run"] =>
  async (kit) => {
    const slot = new Slot();
    for (const asks of activations) {
      const stream = kit.open(handle);
      const state = slot.value === undefined ? {} : persisted(slot.value);
      stream.send({ message: { case: "init", value: { serviceName: service, entityId, state } } });
      for (const [at, ask] of asks.entries()) {
        const id = BigInt(at + 1);
        const payload = pack(RequestSchema, { id: entityId, actions: ask.map((action) => ({ action: action as Action })) });
        stream.send({ message: { case: "command", value: { entityId, id, name: "Process", payload } } });
        await stream.expect({ message: { case: "reply", value: slot.answer(id, ask) } });
      }
      stream.complete();
      await stream.expectComplete();
    }
  };

const life = (...asks: Ask[]): ModelCase["run"] => lives(asks);

// ---- the cases ------------------------------------------------------------------------------------------------------------------------

async function discovery(kit: ModelKit): Promise<void> {
  const spec = await kit.discover();
  expectEntity(spec, service, entityType, "value-entity-tck-model");
  expectEntity(spec, second, entityType, "value-entity-tck-model-two");
}

async function configuredEntity(kit: ModelKit): Promise<void> {
  const spec = await kit.discover();
  expectEntity(spec, configured, entityType, "value-entity-configured");
  expectConfigured(spec, configured);
}

const white: Ask = [paint("white")];

export const valueEntityModelCases = numbered("MV", "value entity", [
  ["value entity discovery", discovery],
  ["value entity configured", configuredEntity],
  ["initial empty state", life(look, look)],
  ["update state", life(look, white, [paint("amber")], look)],
  ["delete state", life(white, look, [strip], look, [paint("amber")])],
  ["sub invocations with multiple update states", life(white, [paint("amber"), paint("green")], look)],
  ["sub invocations with multiple update states and delete states", life([paint("amber"), paint("green"), strip], white, [strip, paint("amber"), strip], look)], // prettier-ignore
  [
    "sub invocations with update, delete and update states",
    life(white, [strip, paint("amber")], look, [paint("green"), strip, paint("blue")]),
  ],
  ["rehydration after passivation", lives([look, white], [look, [paint("amber")], look], [look, [strip]], [look])],
  ["reply with multiple side effects", life([effect("attic"), awaited("hall"), effect("porch"), effect("yard")], look)],
  ["reply with side effect to second service", life([effect("attic")], white, [effect("porch")], look)],
  ["reply with multiple side effects and state", life([effect("attic"), paint("amber"), awaited("hall"), paint("green")], look)],
  ["synchronous side effect", life(white, [awaited("hall")])],
  ["forward to second service", life([forward("attic")], white, [forward("porch")], look)],
  ["forward to second service with updated state", life(white, [forward("attic"), paint("amber")], look)],
  ["forward and side effect to second service", life([forward("attic"), effect("porch")], look)],
  ["failure action", life([fail("no fuse")], look)],
  ["connection after failure action", life([fail("no fuse")], white, [fail("no bulb")], look, [strip])],
  ["failure action does not allow side effects", life(white, [effect("attic"), awaited("hall"), fail("no fuse")], look)],
]);
