/**
 * Finds the route of a request's method and path. A tree with one level for each segment, so that the cost depends on the length of
 * the path and not on the number of routes.
 *
 * Which of several matching routes wins
 * M1 segment by segment from the left, a literal beats `*`, and `*` beats `**`
 * M2 a path that ends in ":verb" goes to a template with that verb before it goes to one without; so ids may hold a colon
 * M3 among templates of one shape, the one declared last
 * M4 strict (the reference's way): one segment never holds ":", and whatever was declared last wins, before M1 to M3
 */
import type { PathTemplate } from "./template.ts";

/** A route to put into the table. */
export interface RouteEntry<T> {
  /** In capitals; "*" = every method. */
  readonly httpMethod: string;
  readonly template: PathTemplate;
  readonly value: T;
}

/** What became of a look-up. `segments` are as sent, percent-encoded, without the verb. */
export type RouteMatch<T> =
  | { readonly is: "found"; readonly value: T; readonly segments: readonly string[] }
  /** The path exists under other methods, `allow`, in alphabetical order. */
  | { readonly is: "otherMethod"; readonly allow: readonly string[] }
  | { readonly is: "none" };

/** Most segments of a request path; longer ones match nothing. */
export const pathSegmentsMax = 256;

interface Leaf<T> {
  readonly order: number;
  readonly value: T;
}

/** Templates that end here: by HTTP method. */
type Leaves<T> = Map<string, Leaf<T>>;

interface Node<T> {
  readonly literals: Map<string, Node<T>>;
  one: Node<T> | undefined;
  rest: Node<T> | undefined;
  /** By verb; "" = none. */
  readonly ends: Map<string, Leaves<T>>;
}

const newNode = <T>(): Node<T> => ({ literals: new Map(), one: undefined, rest: undefined, ends: new Map() });

interface Search<T> {
  readonly method: string;
  readonly segments: readonly string[];
  readonly verb: string;
  readonly allow: Set<string>;
  best: Leaf<T> | undefined;
}

/** Immutable once built. */
export class RouteTable<T> {
  readonly #root = newNode<T>();
  readonly #strict: boolean;
  #order = 0;

  constructor(entries: Iterable<RouteEntry<T>>, { strict = false }: { readonly strict?: boolean } = {}) {
    this.#strict = strict;
    for (const entry of entries) this.#add(entry);
  }

  #add({ httpMethod, template, value }: RouteEntry<T>): void {
    let node = this.#root;
    for (const segment of template.segments) {
      if (segment.is === "literal") node = getOrSet(node.literals, segment.text, newNode<T>);
      else if (segment.is === "one") node = node.one ??= newNode();
      else node = node.rest ??= newNode();
    }
    // keeps M3: a later entry replaces an earlier one
    getOrSet(node.ends, template.verb ?? "", () => new Map<string, Leaf<T>>()).set(httpMethod, { order: this.#order++, value });
  }

  /** @param path As sent: begins with "/", percent-encoded, without the query. */
  match(method: string, path: string): RouteMatch<T> {
    const segments = path === "/" ? [] : path.slice(1).split("/", pathSegmentsMax + 1);
    if (segments.length > pathSegmentsMax || !path.startsWith("/")) return { is: "none" };
    const allow = new Set<string>();
    const last = segments.at(-1) ?? "";
    const colon = last.lastIndexOf(":");
    const withVerb =
      colon < 0 ? undefined : this.#search(method, [...segments.slice(0, -1), last.slice(0, colon)], last.slice(colon + 1), allow);
    // keeps M2
    if (withVerb?.best && !this.#strict) return found(withVerb, withVerb.best);
    const plain = this.#search(method, segments, "", allow);
    const winner = later(withVerb, plain);
    if (winner?.best) return found(winner, winner.best);
    return allow.size > 0 ? { is: "otherMethod", allow: [...allow].sort() } : { is: "none" };
  }

  #search(method: string, segments: readonly string[], verb: string, allow: Set<string>): Search<T> {
    const search: Search<T> = { method, segments, verb, allow, best: undefined };
    this.#walk(this.#root, 0, search);
    return search;
  }

  /** Depth first in the order of M1; true = stop. */
  #walk(node: Node<T>, at: number, search: Search<T>): boolean {
    const segment = search.segments[at];
    if (segment === undefined) {
      if (this.#arrive(node, search)) return true;
    } else {
      const literal = node.literals.size > 0 ? node.literals.get(plainSegment(segment)) : undefined;
      if (literal && this.#walk(literal, at + 1, search)) return true;
      if (node.one && this.#fitsOne(segment) && this.#walk(node.one, at + 1, search)) return true;
    }
    return node.rest !== undefined && this.#arrive(node.rest, search);
  }

  #fitsOne(segment: string): boolean {
    return segment !== "" && !(this.#strict && segment.includes(":"));
  }

  #arrive(node: Node<T>, search: Search<T>): boolean {
    const leaves = node.ends.get(search.verb);
    if (!leaves) return false;
    const exact = leaves.get(search.method);
    const any = leaves.get("*");
    const leaf = exact && any && this.#strict ? (exact.order > any.order ? exact : any) : (exact ?? any);
    if (!leaf) {
      for (const method of leaves.keys()) search.allow.add(method);
      return false;
    }
    if (!search.best || leaf.order > search.best.order) search.best = leaf;
    return !this.#strict; // keeps M4: strict looks at every match
  }
}

function found<T>(search: Search<T>, leaf: Leaf<T>): RouteMatch<T> {
  return { is: "found", value: leaf.value, segments: search.segments };
}

function later<T>(a: Search<T> | undefined, b: Search<T>): Search<T> | undefined {
  if (!a?.best) return b;
  return b.best && b.best.order > a.best.order ? b : a;
}

/** A segment as literals are kept: percent-decoded. One that cannot be decoded equals no literal. */
function plainSegment(segment: string): string {
  if (!segment.includes("%")) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    // "\uffff/" can be no literal: literals hold no slash unless it was encoded, and never this noncharacter before it.
    return "\uffff/";
  }
}

function getOrSet<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
