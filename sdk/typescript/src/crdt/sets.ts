/** Sets: GSet grows, ORSet also shrinks. */
import type { Payload } from "../protocol/common.ts";
import { readOnly } from "../run/read-only.ts";
import { Draft, type DraftHome } from "./draft.ts";
import { decoded, type ElementCodec } from "./element.ts";
import { type DeltaInit, type Element, elementId, type HeldSet } from "./held.ts";

abstract class SetDraft<T> extends Draft implements Iterable<T> {
  readonly #held: HeldSet;
  readonly #codec: ElementCodec<T>;
  /** @internal What `clear` leaves: nothing of the held elements. */
  protected cleared = false;
  /** @internal */
  protected readonly removed = new Map<string, Payload>();
  /** @internal */
  protected readonly added = new Map<string, Element>();

  /** @internal */
  constructor(held: HeldSet, codec: ElementCodec<T>, home: DraftHome) {
    super(home);
    this.#held = held;
    this.#codec = codec;
  }

  /** Number of elements. */
  get size(): number {
    if (!this.cleared && this.removed.size === 0 && this.added.size === 0) return this.#held.elements.size;
    let size = 0;
    for (const _ of this.#elements()) size++;
    return size;
  }

  has(value: T): boolean {
    const id = this.#encode(value, "has").id;
    return this.added.has(id) || this.#isHeld(id);
  }

  /** Adds an element. Elements are equal when their serialized forms are. */
  add(value: T): this {
    this.home.checkChange("add");
    const { id, payload } = this.#encode(value, "add");
    if (this.added.has(id) || this.#isHeld(id)) return this;
    if (!this.removed.delete(id)) this.added.set(id, { payload });
    return this;
  }

  /** The elements, in no order to rely on. */
  *values(): Generator<T> {
    const { where, development } = this.home;
    for (const element of this.#elements()) {
      const value = decoded(this.#codec, element);
      yield development ? readOnly(value, `${where}: an element`, "delete the old element and add a changed copy") : value;
    }
  }

  [Symbol.iterator](): Generator<T> {
    return this.values();
  }

  /** @internal */
  change(): DeltaInit | undefined {
    const { elements } = this.#held;
    const removed = [...this.removed].flatMap(([id, payload]) => (elements.has(id) ? [payload] : []));
    const added = [...this.added].flatMap(([id, { payload }]) => (this.cleared || !elements.has(id) ? [payload] : []));
    if (!this.cleared && removed.length + added.length === 0) return undefined;
    return this.delta(removed, added);
  }

  /** @internal */
  protected abstract delta(removed: Payload[], added: Payload[]): DeltaInit;

  /** @internal */
  protected remove(value: T): boolean {
    const { id, payload } = this.#encode(value, "delete");
    const wasAdded = this.added.delete(id);
    const wasHeld = this.#isHeld(id);
    if (wasHeld) this.removed.set(id, payload);
    return wasAdded || wasHeld;
  }

  *#elements(): Generator<Element> {
    if (!this.cleared) for (const [id, element] of this.#held.elements) if (!this.removed.has(id)) yield element;
    for (const [id, element] of this.added) if (!this.#isHeld(id)) yield element;
  }

  #isHeld(id: string): boolean {
    return !this.cleared && !this.removed.has(id) && this.#held.elements.has(id);
  }

  #encode(value: T, method: string): { id: string; payload: Payload } {
    const payload = this.#codec.encode(value, `${this.home.where}: ${method}`);
    return { id: elementId(payload), payload };
  }
}

/** A set that only grows. */
export class GSet<T> extends SetDraft<T> {
  /** @internal */
  protected delta(_removed: Payload[], added: Payload[]): DeltaInit {
    return { delta: { case: "gset", value: { added } } };
  }
}

/** A set that grows and shrinks. Of an addition and a removal at the same time on two replicas, the addition wins. */
export class ORSet<T> extends SetDraft<T> {
  /** Takes an element out. @returns Whether it was there. */
  delete(value: T): boolean {
    this.home.checkChange("delete");
    return this.remove(value);
  }

  /** Takes all elements out that this replica knows. */
  clear(): void {
    this.home.checkChange("clear");
    if (this.size === 0) return;
    this.cleared = true;
    this.removed.clear();
    this.added.clear();
  }

  /** @internal */
  protected delta(removed: Payload[], added: Payload[]): DeltaInit {
    return { delta: { case: "orset", value: { cleared: this.cleared, removed, added } } };
  }
}
