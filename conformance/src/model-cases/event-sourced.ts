/**
 * ME1–ME21: an event sourced entity as the TCK wants it. A case says what is stored and what is asked; what must be answered is worked out by
 * `Chronicle`, the model in a few lines, and compared to the letter.
 */
import assert from "node:assert/strict";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type EventSourcedReplySchema,
  EventSourcedStreamInSchema,
  EventSourcedStreamOutSchema,
} from "@mecha/wire/gen/cloudstate/event_sourced";
import { PersistedSchema, type RequestActionSchema, RequestSchema, ResponseSchema } from "../gen/cloudstate/tck/model/eventsourced_pb.ts";
import type { ClientStream } from "../kit/client-stream.ts";
import { pack } from "../model/any.ts";
import { Answers, type Ask, awaited, effect, fail, forward, look, type Wanted } from "./asks.ts";
import { expectConfigured, expectEntity, type ModelCase, type ModelKit, numbered } from "./kit.ts";

const service = "cloudstate.tck.model.EventSourcedTckModel";
const second = "cloudstate.tck.model.EventSourcedTwo";
const configured = "cloudstate.tck.model.EventSourcedConfigured";
const entityType = "cloudstate.eventsourced.EventSourced";
const handle = { path: `/${entityType}/handle`, input: EventSourcedStreamInSchema, output: EventSourcedStreamOutSchema };
const entityId = "orchard";
/** The model takes a snapshot when this many events have come since the last one. */
const snapshotEvery = 5;

/** Services that must be there for these cases. */
export const eventSourcedServices: readonly string[] = [service, second, configured];

// ---- what can be asked ----------------------------------------------------------------------------------------------------------------

type Action = NonNullable<MessageInitShape<typeof RequestActionSchema>["action"]>;

const emit = (value: string): Wanted => ({ case: "emit", value: { value } });
/** `"fig plum"`: two events. */
const emits = (words: string): Ask => words.split(" ").map(emit);

// ---- what must be answered ------------------------------------------------------------------------------------------------------------

type Reply = Omit<MessageInitShape<typeof EventSourcedReplySchema>, "$typeName" | "$unknown">;

const persisted = (value: string) => pack(PersistedSchema, { value });
const answers = new Answers({
  second,
  request: (id) => pack(RequestSchema, { id }),
  response: (message) => pack(ResponseSchema, { message }),
});

/** The entity's events so far. Its state is their values, one after the other. */
class Chronicle {
  readonly values: string[];
  #covered: number;

  /** The first `covered` of the values are in a snapshot. */
  constructor(values: readonly string[] = [], covered = 0) {
    this.values = [...values];
    this.#covered = covered;
  }

  copy(): Chronicle {
    return new Chronicle(this.values, this.#covered);
  }

  get state(): string {
    return this.values.join("");
  }

  /** What a stream of this entity begins with. */
  *opening(): Generator<MessageInitShape<typeof EventSourcedStreamInSchema>> {
    const snapshot = { snapshotSequence: BigInt(this.#covered), snapshot: persisted(this.values.slice(0, this.#covered).join("")) };
    yield { message: { case: "init", value: { serviceName: service, entityId, ...(this.#covered > 0 && { snapshot }) } } };
    for (const [at, value] of this.values.entries())
      if (at >= this.#covered) yield { message: { case: "event", value: { sequence: BigInt(at + 1), payload: persisted(value) } } };
  }

  /** The whole answer to a command; what it records is part of the chronicle from now on. */
  answer(commandId: bigint, ask: Ask): Reply {
    const failure = answers.failure(commandId, ask);
    if (failure) return failure;
    const emitted = ask.flatMap((action) => (action.case === "emit" ? [action.value.value ?? ""] : []));
    const before = this.values.length;
    this.values.push(...emitted);
    return {
      commandId,
      clientAction: answers.clientAction(ask, this.state),
      sideEffects: answers.sideEffects(ask),
      events: emitted.map(persisted),
      ...this.#snapshotSince(before),
    };
  }

  /** A snapshot is due when a multiple of `snapshotEvery` was reached or passed; it covers all that was emitted with it. */
  #snapshotSince(before: number): Pick<Reply, "snapshot"> {
    const isDue = Math.floor(this.values.length / snapshotEvery) > Math.floor(before / snapshotEvery);
    if (!isDue) return {};
    this.#covered = this.values.length;
    return { snapshot: persisted(this.state) };
  }
}

// ---- a life of the entity ---------------------------------------------------------------------------------------------------------------

/** One activation. */
class Life {
  readonly #stream: ClientStream<typeof EventSourcedStreamInSchema, typeof EventSourcedStreamOutSchema>;
  readonly chronicle: Chronicle;
  #commandId = 0n;

  constructor(kit: ModelKit, chronicle: Chronicle) {
    this.chronicle = chronicle;
    this.#stream = kit.open(handle);
    for (const message of chronicle.opening()) this.#stream.send(message);
  }

  #send(ask: Ask): void {
    const payload = pack(RequestSchema, { id: entityId, actions: ask.map((action) => ({ action: action as Action })) });
    this.#stream.send({ message: { case: "command", value: { entityId, id: ++this.#commandId, name: "Process", payload } } });
  }

  async hears(...asks: Ask[]): Promise<void> {
    for (const ask of asks) {
      this.#send(ask);
      await this.#stream.expect({ message: { case: "reply", value: this.chronicle.answer(this.#commandId, ask) } });
    }
  }

  /** A command that fails records nothing. It may ask for a restart, when its memory has what it emitted. @returns whether it does. */
  async failsAfterEmitting(words: string, why: string): Promise<boolean> {
    this.#send([...emits(words), fail(why)]);
    const { message } = await this.#stream.receive();
    assert.ok(message.case === "reply", `a reply, not ${message.case ?? "an empty message"}`);
    const { commandId, clientAction, events, snapshot, sideEffects } = message.value;
    assert.deepEqual([commandId, events, snapshot, sideEffects], [this.#commandId, [], undefined, []], "a failed command records nothing");
    const action = clientAction?.action;
    assert.ok(action?.case === "failure", "the command fails");
    assert.equal(action.value.description, why);
    return action.value.restart;
  }

  async passivated(): Promise<void> {
    this.#stream.complete();
    await this.#stream.expectComplete();
  }
}

const none = new Chronicle();

/** From what is stored, these commands in one activation. */
const life =
  (stored: Chronicle, ...asks: Ask[]): ModelCase["run"] =>
  async (kit) => {
    const running = new Life(kit, stored.copy());
    await running.hears(...asks);
    await running.passivated();
  };

const stored = (words: string, covered: number): Chronicle => new Chronicle(words.split(" "), covered);

// ---- the cases ------------------------------------------------------------------------------------------------------------------------

/** Two activations; the second knows only what the first has recorded. */
async function rehydration(kit: ModelKit): Promise<void> {
  const first = new Life(kit, new Chronicle());
  await first.hears(emits("fig plum pear"), emits("lime kiwi date"), emits("rowan"));
  await first.passivated();
  const again = new Life(kit, first.chronicle);
  await again.hears(look, emits("sloe medlar quince"), look);
  await again.passivated();
}

/** Twice in a row, with successes around it: what a failed command emitted is nowhere, whichever way the function forgets it. */
async function failuresRecordNothing(kit: ModelKit): Promise<void> {
  let running = new Life(kit, new Chronicle());
  await running.hears(emits("apple"), emits("cherry apricot"));
  for (const [lost, kept] of [
    ["wasp", "olive"],
    ["frost hail", "citron mango"],
  ] as const) {
    // prettier-ignore
    if (await running.failsAfterEmitting(lost, `no ${lost}`)) {
      await running.passivated();
      running = new Life(kit, running.chronicle);
    }
    await running.hears(look, emits(kept));
  }
  await running.passivated();
}

async function discovery(kit: ModelKit): Promise<void> {
  const spec = await kit.discover();
  expectEntity(spec, service, entityType, "event-sourced-tck-model");
  expectEntity(spec, second, entityType);
}

async function configuredEntity(kit: ModelKit): Promise<void> {
  const spec = await kit.discover();
  expectEntity(spec, configured, entityType, "event-sourced-configured");
  expectConfigured(spec, configured);
}

const ten = "fig plum pear lime kiwi date rowan sloe medlar quince";

export const eventSourcedModelCases = numbered("ME", "event sourced", [
  ["event sourced entity discovery", discovery],
  ["event sourced configured entity", configuredEntity],
  ["initial empty state", life(none, look, look)],
  ["single emitted event", life(none, look, emits("quince"), look)],
  ["multiple emitted events", life(none, emits("plum damson"), look, emits("pear mirabelle"))],
  // Past five in one reply, then exactly to ten.
  ["multiple emitted events and snapshots", life(none, emits("fig plum pear"), emits("lime kiwi date rowan"), emits("sloe medlar"), look, emits("quince"), look)], // prettier-ignore
  ["initial snapshot", life(stored(ten, 10), look)],
  ["initial snapshot and events", life(stored("fig plum pear lime kiwi date rowan sloe", 5), look, emits("medlar"))],
  ["rehydration after passivation", rehydration],
  ["forward to second service", life(none, [forward("barn")], emits("pear"), [forward("mill")], look)],
  ["forward to second service with emitted events", life(none, [forward("barn"), ...emits("plum damson")], look)],
  ["forward to second service with emitted events and snapshot", life(none, emits("fig plum pear lime"), [...emits("kiwi date"), forward("barn")], look)], // prettier-ignore
  ["reply with side effect to second service", life(none, [effect("cellar")], emits("pear"), look)],
  ["reply with synchronous side effect to second service", life(none, emits("pear"), [awaited("press")])],
  ["forward and side effect to second service", life(none, [forward("barn"), effect("cellar")], look)],
  ["reply with multiple side effects", life(none, [effect("cellar"), awaited("press"), effect("loft"), effect("shed")])],
  [
    "reply with multiple side effects, events, and snapshot",
    life(none, [effect("cellar"), ...emits("fig plum"), awaited("press"), ...emits("pear lime kiwi"), effect("loft")], look),
  ],
  ["failure action", life(none, [fail("frost")], look)],
  ["connection after failure action", life(none, [fail("frost")], emits("pear plum"), [fail("hail")], look, emits("fig"))],
  ["failure actions do not retain emitted events, by requesting an entity restart if needed", failuresRecordNothing],
  ["failure actions do not allow side effects", life(none, emits("pear"), [effect("cellar"), awaited("press"), fail("frost")], look)],
]);
