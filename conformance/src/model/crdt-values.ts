/**
 * The values of the CRDT model, as a support library holds them: changed by the function, which collects a delta, and by deltas of the proxy. Made
 * from the protocol alone, so that the engine's own CRDTs are not compared with themselves.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type CrdtClock, type CrdtDelta, CrdtDeltaSchema, type ORMapEntryDelta } from "@mecha/wire/gen/cloudstate/crdt";
import type { LWWRegisterClockType, StateSchema, Update } from "../gen/cloudstate/tck/model/crdt_pb.ts";
import type { AnyFields } from "./any.ts";

export type StateInit = MessageInitShape<typeof StateSchema>;
type DeltaInit = MessageInitShape<typeof CrdtDeltaSchema>;

/** One CRDT as the function sees it. */
export interface Held {
  /** The proxy says it has changed. */
  apply(delta: CrdtDelta): void;
  /** The function changes it. */
  update(update: Update): void;
  /** What the function has changed since the last call; `undefined` = nothing. `fresh`: say something even then. */
  takeDelta(fresh?: boolean): DeltaInit | undefined;
  state(): StateInit;
}

const text = new TextDecoder();
const utf8 = new TextEncoder();
const stringType = "p.cloudstate.io/string";

/** A text as the convention for primitives has it: field 1, left out when empty. */
export function packText(value: string): AnyFields {
  const bytes = utf8.encode(value);
  if (bytes.length > 127) throw new Error("the model's texts are short");
  return { typeUrl: stringType, value: bytes.length === 0 ? bytes : Uint8Array.of(0x0a, bytes.length, ...bytes) };
}

function unpackText(any: AnyFields | undefined): string {
  if (any?.typeUrl !== stringType) throw new Error(`expected a string, got ${any?.typeUrl ?? "nothing"}`);
  return text.decode(any.value.subarray(2));
}

/** An empty value of the type that the text before the first `-` of `id` names. */
export function newHeld(id: string): Held {
  const type = id.split("-", 1)[0] ?? "";
  const make = types[type];
  if (make === undefined) throw new Error(`no CRDT is called ${JSON.stringify(type)}`);
  return make();
}

const types: Readonly<Record<string, () => Held>> = {
  GCounter: () => new GCounter(),
  PNCounter: () => new PNCounter(),
  GSet: () => new GSet(),
  ORSet: () => new ORSet(),
  LWWRegister: () => new LWWRegister(),
  Flag: () => new Flag(),
  ORMap: () => new ORMap(),
  Vote: () => new Vote(),
};

/** A oneof's member. @throws Error when it is another. */
function member<C extends string, T>(oneof: { case: string | undefined; value?: unknown }, wanted: C): T {
  if (oneof.case !== wanted) throw new Error(`expected ${wanted}, got ${oneof.case ?? "nothing"}`);
  return oneof.value as T;
}

class GCounter implements Held {
  #value = 0n;
  #increment = 0n;
  apply({ delta }: CrdtDelta): void {
    this.#value += member<"gcounter", { increment: bigint }>(delta, "gcounter").increment;
  }
  update({ update }: Update): void {
    const { increment } = member<"gcounter", { increment: bigint }>(update, "gcounter");
    this.#value += increment;
    this.#increment += increment;
  }
  takeDelta(fresh = false): DeltaInit | undefined {
    const increment = this.#increment;
    this.#increment = 0n;
    return increment === 0n && !fresh ? undefined : { delta: { case: "gcounter", value: { increment } } };
  }
  state(): StateInit {
    return { value: { case: "gcounter", value: { value: this.#value } } };
  }
}

class PNCounter implements Held {
  #value = 0n;
  #change = 0n;
  apply({ delta }: CrdtDelta): void {
    this.#value += member<"pncounter", { change: bigint }>(delta, "pncounter").change;
  }
  update({ update }: Update): void {
    const { change } = member<"pncounter", { change: bigint }>(update, "pncounter");
    this.#value += change;
    this.#change += change;
  }
  takeDelta(fresh = false): DeltaInit | undefined {
    const change = this.#change;
    this.#change = 0n;
    return change === 0n && !fresh ? undefined : { delta: { case: "pncounter", value: { change } } };
  }
  state(): StateInit {
    return { value: { case: "pncounter", value: { value: this.#value } } };
  }
}

class GSet implements Held {
  readonly #elements = new Set<string>();
  #added: string[] = [];
  apply({ delta }: CrdtDelta): void {
    for (const any of member<"gset", { added: AnyFields[] }>(delta, "gset").added) this.#elements.add(unpackText(any));
  }
  update({ update }: Update): void {
    const { add } = member<"gset", { add: string }>(update, "gset");
    if (this.#elements.has(add)) return;
    this.#elements.add(add);
    this.#added.push(add);
  }
  takeDelta(fresh = false): DeltaInit | undefined {
    const added = this.#added.map(packText);
    this.#added = [];
    return added.length === 0 && !fresh ? undefined : { delta: { case: "gset", value: { added } } };
  }
  state(): StateInit {
    return { value: { case: "gset", value: { elements: [...this.#elements].sort() } } };
  }
}

class ORSet implements Held {
  readonly #elements = new Set<string>();
  #cleared = false;
  readonly #removed = new Set<string>();
  readonly #added = new Set<string>();

  apply({ delta }: CrdtDelta): void {
    const { cleared, removed, added } = member<"orset", { cleared: boolean; removed: AnyFields[]; added: AnyFields[] }>(delta, "orset");
    if (cleared) this.#elements.clear();
    for (const any of removed) this.#elements.delete(unpackText(any));
    for (const any of added) this.#elements.add(unpackText(any));
  }
  update({ update }: Update): void {
    const { action } = member<"orset", { action: { case: string | undefined; value?: unknown } }>(update, "orset");
    if (action.case === "add") this.#add(action.value as string);
    else if (action.case === "remove") this.#remove(action.value as string);
    else if (action.case === "clear") this.#clear();
  }
  #add(element: string): void {
    if (this.#elements.has(element)) return;
    this.#elements.add(element);
    if (!this.#removed.delete(element)) this.#added.add(element);
  }
  #remove(element: string): void {
    if (!this.#elements.delete(element)) return;
    if (this.#elements.size === 0) this.#clear();
    else if (!this.#added.delete(element)) this.#removed.add(element);
  }
  #clear(): void {
    this.#elements.clear();
    this.#cleared = true;
    this.#removed.clear();
    this.#added.clear();
  }
  takeDelta(fresh = false): DeltaInit | undefined {
    const value = { cleared: this.#cleared, removed: [...this.#removed].map(packText), added: [...this.#added].map(packText) };
    const changed = this.#cleared || value.removed.length + value.added.length > 0;
    this.#cleared = false;
    this.#removed.clear();
    this.#added.clear();
    return changed || fresh ? { delta: { case: "orset", value } } : undefined;
  }
  state(): StateInit {
    return { value: { case: "orset", value: { elements: [...this.#elements].sort() } } };
  }
}

class LWWRegister implements Held {
  #value = "";
  #write: { readonly clock: CrdtClock; readonly customClockValue: bigint } | undefined = { clock: 0, customClockValue: 0n };

  apply({ delta }: CrdtDelta): void {
    this.#value = unpackText(member<"lwwregister", { value?: AnyFields }>(delta, "lwwregister").value);
    this.#write = undefined;
  }
  update({ update }: Update): void {
    const { value, clock } = member<
      "lwwregister",
      { value: string; clock?: { clockType: LWWRegisterClockType; customClockValue: bigint } }
    >(update, "lwwregister");
    this.#value = value;
    // The clocks of model and protocol have the same numbers.
    this.#write = { clock: clock?.clockType ?? 0, customClockValue: clock?.customClockValue ?? 0n };
  }
  /** A new register's first value is a write like any other. */
  takeDelta(): DeltaInit | undefined {
    const write = this.#write;
    this.#write = undefined;
    return write === undefined ? undefined : { delta: { case: "lwwregister", value: { value: packText(this.#value), ...write } } };
  }
  state(): StateInit {
    return { value: { case: "lwwregister", value: { value: this.#value } } };
  }
}

class Flag implements Held {
  #value = false;
  #raised = false;
  apply({ delta }: CrdtDelta): void {
    this.#value ||= member<"flag", { value: boolean }>(delta, "flag").value;
  }
  update(): void {
    this.#raised ||= !this.#value;
    this.#value = true;
  }
  takeDelta(fresh = false): DeltaInit | undefined {
    const raised = this.#raised;
    this.#raised = false;
    return raised || fresh ? { delta: { case: "flag", value: { value: this.#value } } } : undefined;
  }
  state(): StateInit {
    return { value: { case: "flag", value: { value: this.#value } } };
  }
}

interface MapDelta {
  readonly cleared: boolean;
  readonly removed: AnyFields[];
  readonly updated: ORMapEntryDelta[];
  readonly added: ORMapEntryDelta[];
}

class ORMap implements Held {
  readonly #entries = new Map<string, Held>();
  #cleared = false;
  readonly #removed = new Set<string>();
  readonly #added = new Set<string>();

  apply({ delta }: CrdtDelta): void {
    const { cleared, removed, updated, added } = member<"ormap", MapDelta>(delta, "ormap");
    if (cleared) this.#entries.clear();
    for (const any of removed) this.#entries.delete(unpackText(any));
    for (const { key, delta: change } of updated) if (change) this.#entries.get(unpackText(key))?.apply(change);
    for (const { key, delta: change } of added) {
      const held = newHeld(unpackText(key));
      if (change) held.apply(change);
      this.#entries.set(unpackText(key), held);
    }
  }
  update({ update }: Update): void {
    const { action } = member<"ormap", { action: { case: string | undefined; value?: unknown } }>(update, "ormap");
    if (action.case === "add") this.#add(action.value as string);
    else if (action.case === "remove") this.#remove(action.value as string);
    else if (action.case === "clear") this.#clear();
    else if (action.case === "update") {
      const { key, update: change } = action.value as { key: string; update?: Update };
      const held = this.#add(key);
      if (change) held.update(change);
    }
  }
  #add(key: string): Held {
    let held = this.#entries.get(key);
    if (held === undefined) {
      this.#entries.set(key, (held = newHeld(key)));
      this.#added.add(key);
    }
    return held;
  }
  #remove(key: string): void {
    if (!this.#entries.delete(key)) return;
    if (this.#entries.size === 0) this.#clear();
    else if (!this.#added.delete(key)) this.#removed.add(key);
  }
  #clear(): void {
    this.#entries.clear();
    this.#cleared = true;
    this.#removed.clear();
    this.#added.clear();
  }
  takeDelta(fresh = false): DeltaInit | undefined {
    const added: { key: AnyFields; delta: DeltaInit }[] = [];
    const updated: { key: AnyFields; delta: DeltaInit }[] = [];
    for (const [key, held] of this.#entries) {
      const isNew = this.#added.has(key);
      const delta = held.takeDelta(isNew);
      if (delta !== undefined) (isNew ? added : updated).push({ key: packText(key), delta });
    }
    const value = { cleared: this.#cleared, removed: [...this.#removed].map(packText), updated, added };
    const changed = this.#cleared || value.removed.length + updated.length + added.length > 0;
    this.#cleared = false;
    this.#removed.clear();
    this.#added.clear();
    return changed || fresh ? { delta: { case: "ormap", value } } : undefined;
  }
  state(): StateInit {
    const entries = [...this.#entries].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, held]) => ({ key, value: held.state() }));
    return { value: { case: "ormap", value: { entries } } };
  }
}

class Vote implements Held {
  #selfVote = false;
  #votesFor = 0;
  #totalVoters = 1;
  #changed = false;
  apply({ delta }: CrdtDelta): void {
    const told = member<"vote", { selfVote: boolean; votesFor: number; totalVoters: number }>(delta, "vote");
    ({ selfVote: this.#selfVote, votesFor: this.#votesFor, totalVoters: this.#totalVoters } = told);
  }
  update({ update }: Update): void {
    const { selfVote } = member<"vote", { selfVote: boolean }>(update, "vote");
    if (selfVote === this.#selfVote) return;
    this.#selfVote = selfVote;
    this.#votesFor += selfVote ? 1 : -1;
    this.#changed = true;
  }
  takeDelta(fresh = false): DeltaInit | undefined {
    const changed = this.#changed;
    this.#changed = false;
    return changed || fresh ? { delta: { case: "vote", value: { selfVote: this.#selfVote } } } : undefined;
  }
  state(): StateInit {
    return { value: { case: "vote", value: { selfVote: this.#selfVote, votesFor: this.#votesFor, totalVoters: this.#totalVoters } } };
  }
}

/** A delta ready to be sent. */
export function deltaMessage(init: DeltaInit): CrdtDelta {
  return create(CrdtDeltaSchema, init);
}
