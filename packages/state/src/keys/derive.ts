/**
 * Keys of commands that other commands ask for (E9). The same command asked again derives the same keys, so what it asked for happens once, however
 * often it is asked.
 *
 * A key is unique in its entity only, so a derived key names the entity it comes from: `shop.Cart/42 k1/e/0` is the first effect of the
 * command with key `k1` at cart 42. Keys of callers hold no space (the ingress sees to that), so a caller cannot take a derived one.
 */
import { textHash } from "./hash.ts";

/** Longest derived key, characters. A chain of 32 hops through entities with long ids would make a longer one: then its hash stands for it. */
export const derivedKeyMax = 512;

/** Who derives. */
export interface KeySource {
  readonly service: string;
  /** Absent: an action. */
  readonly entityId?: string;
  /** Of the command that asks. */
  readonly key: string;
}

/** Key of the effect at `index` of the command's effects. */
export function effectKey(source: KeySource, index: number): string {
  return derived(source, `e/${index}`);
}

export function forwardKey(source: KeySource): string {
  return derived(source, "f");
}

function derived({ service, entityId, key }: KeySource, what: string): string {
  const text = `${service}${entityId === undefined ? "" : `/${entityId}`} ${key}/${what}`;
  return text.length <= derivedKeyMax ? text : `${service} #${textHash(text)}${textHash(`${what} ${text}`)}`;
}

/**
 * Key of an event's delivery: the same event, delivered again to the same group, is the same command (E9). `source` and `id` tell the event from all
 * others, as CloudEvents ask.
 */
export function deliveryKey({ group, source, id }: { readonly group: string; readonly source: string; readonly id: string }): string {
  const text = `event ${group} ${source} ${id}`;
  return text.length <= derivedKeyMax ? text : `event #${textHash(text)}${textHash(`${id} ${text}`)}`;
}
