/** What the parts of the contract share: where stores live, and builders for steps and addresses, so that a test shows only what it is about. */
import { Fault, type FaultCode } from "@mecha/kit";
import type { EntityAddress, Payload } from "../model.ts";
import type { EntityHandle, Step, Store, StoredEvent, Verdict } from "../store.ts";

/** Where a store lives: an empty folder, a fresh schema. Disposed after the test, when its stores are closed. */
export interface StorePlace extends AsyncDisposable {
  open(): Promise<Store>;
}

/** Registers a test that has an open store. */
export type InStore = (what: string, run: (store: Store) => Promise<void>) => void;

const utf8 = new TextEncoder();
const text = new TextDecoder();

export const timeMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
export const committed: Verdict = { is: "committed" };

export function conflict(actualSequence: number): Verdict {
  return { is: "conflict", actualSequence };
}

export function cart(entityId: string, more: Partial<EntityAddress> = {}): EntityAddress {
  return { namespace: "default", service: "shop.Cart", persistenceId: "carts", entityId, ...more };
}

export function payload(value: string | Uint8Array, typeUrl = "type.example.com/shop.Added"): Payload {
  return { typeUrl, value: typeof value === "string" ? utf8.encode(value) : value };
}

/** What `payload` was made of. */
export function read(stored: Payload | undefined): string | undefined {
  return stored && text.decode(stored.value);
}

/** A step with these event texts. */
export function append(entity: EntityHandle, expectedSequence: number, events: readonly string[], more: Partial<Step> = {}): Step {
  return { entity, expectedSequence, events: events.map((event) => payload(event)), cause: "AddItem", timeMs, ...more };
}

export function update(entity: EntityHandle, expectedSequence: number, value: string | Uint8Array): Step {
  const to = { do: "update", value: payload(value, "type.example.com/shop.State") } as const;
  return { entity, expectedSequence, events: [], value: to, cause: "Set", timeMs };
}

export function remove(entity: EntityHandle, expectedSequence: number): Step {
  return { entity, expectedSequence, events: [], value: { do: "delete" }, cause: "Clear", timeMs };
}

/** Every event after `afterSequence`, page by page. */
export async function allEvents(store: Store, entity: EntityHandle, afterSequence = 0, limit = 4_096): Promise<StoredEvent[]> {
  const all: StoredEvent[] = [];
  for (let after = afterSequence; ;) {
    const page = await store.events(entity, after, limit);
    if (page.length === 0) return all;
    all.push(...page);
    after = page.at(-1)?.sequence ?? after;
  }
}

/** Texts of every event. */
export async function texts(store: Store, entity: EntityHandle): Promise<(string | undefined)[]> {
  return (await allEvents(store, entity)).map((event) => read(event.payload));
}

/** A mistake of the caller's own code, which stops the process. */
export function isAssertion(error: unknown): boolean {
  return error instanceof Error && !(error instanceof Fault) && error.message.startsWith("assertion failed");
}

/** For `assert.rejects`. */
export function isFault(code: FaultCode, message = /./): (error: unknown) => boolean {
  return (error) => error instanceof Fault && error.code === code && message.test(error.message);
}
