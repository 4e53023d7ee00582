/** Functions of lists: sums, extremes, order and places from Kubernetes; slices, sorting, ranges, sets and entries of maps from CEL's extensions. */
import { compare, equal } from "../language/compare.ts";
import {
  allocated,
  allocating,
  type Argument,
  type Cost,
  CostExceeded,
  exactly,
  factor,
  literalInt,
  perCharacter,
  plus,
  type Range,
  sizeAt,
  times,
  unbounded,
} from "../language/cost.ts";
import { type Library } from "../language/environment.ts";
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listType,
  mapType,
  param,
  stringType,
  timestampType,
  type Type,
  uintType,
} from "../language/types.ts";
import { CelError, type Dictionary, Duration, type MapValue, sizeOf, Uint, valueText } from "../language/values.ts";
import { toInt, toUint } from "./convert.ts";
import { scanning } from "./strings.ts";
import { durationOf } from "./time.ts";

type List = readonly unknown[];

const t = param("T");
const listOfT = listType(t);
/** What has an order, as the forms are named. */
const comparable: readonly (readonly [name: string, type: Type])[] = [
  ["int", intType],
  ["uint", uintType],
  ["double", doubleType],
  ["bool", boolType],
  ["duration", durationType],
  ["timestamp", timestampType],
  ["string", stringType],
  ["bytes", bytesType],
];
/** Elements of a list an expression makes from a number. */
const maxRange = 1_000_000n;

function extreme(what: string, wins: number): (list: List) => unknown {
  return (list) => {
    const [first, ...rest] = list;
    if (first === undefined) throw new CelError(`${what} called on empty list`);
    return rest.reduce((best, item) => (orderOf(item, best) === wins ? item : best), first);
  };
}

/** What cannot be compared keeps its place. */
function orderOf(a: unknown, b: unknown): number {
  try {
    return compare(a, b);
  } catch {
    return NaN;
  }
}

const isSorted = (list: List): boolean => list.every((item, index) => index === 0 || compare(list[index - 1], item) <= 0);

const sums: readonly (readonly [name: string, type: Type, sum: (list: never) => unknown])[] = [
  ["int", intType, (list: readonly bigint[]) => list.reduce((a, b) => toInt(a + b), 0n)],
  ["uint", uintType, (list: readonly Uint[]) => list.reduce((a, b) => toUint(a.value + b.value), new Uint(0n))],
  ["double", doubleType, (list: readonly number[]) => list.reduce((a, b) => a + b, 0)],
  ["duration", durationType, (list: readonly Duration[]) => list.reduce((a, b) => durationOf(a.nanos + b.nanos), new Duration(0n))],
];

/** What Kubernetes adds. */
export function addLists(library: Library): void {
  for (const [name, type] of comparable) {
    library.member("isSorted", `list_${name}_is_sorted_bool`, [listType(type)], boolType, isSorted, scanning);
    library.member("max", `list_${name}_max_${name}`, [listType(type)], type, extreme("max", 1), scanning);
    library.member("min", `list_${name}_min_${name}`, [listType(type)], type, extreme("min", -1), scanning);
  }
  for (const [name, type, sum] of sums) library.member("sum", `list_${name}_sum_${name}`, [listType(type)], type, sum, scanning);
  const place = (index: number): bigint => BigInt(index);
  const of = (item: unknown) => (other: unknown) => equal(other, item);
  library.member(
    "indexOf",
    "list_a_index_of_int",
    [listOfT, t],
    intType,
    (list: List, item: unknown) => place(list.findIndex(of(item))),
    scanning,
  );
  library.member(
    "lastIndexOf",
    "list_a_last_index_of_int",
    [listOfT, t],
    intType,
    (list: List, item: unknown) => place(list.findLastIndex(of(item))),
    scanning,
  );
}

function slice(list: List, start: bigint, end: bigint): List {
  const call = `cannot slice(${String(start)}, ${String(end)})`;
  if (start < 0n || end < 0n) throw new CelError(`${call}, negative indexes not supported`);
  if (start > end) throw new CelError(`${call}, start index must be less than or equal to end index`);
  if (BigInt(list.length) < end) throw new CelError(`${call}, list is length ${String(list.length)}`);
  return list.slice(Number(start), Number(end));
}

function flatten(list: List, depth: bigint): List {
  if (depth < 0n) throw new CelError("level must be non-negative");
  return list.flatMap((item) => (Array.isArray(item) && depth > 0n ? flatten(item as List, depth - 1n) : [item]));
}

function sorted(list: List, keys: List): List {
  const order = list.map((item, index) => ({ item, key: keys[index] }));
  const [first] = keys;
  const kind = typeof first;
  if (keys.some((key) => typeof key !== kind)) throw new CelError("list elements must have the same type");
  return order.sort((a, b) => compare(a.key, b.key)).map(({ item }) => item);
}

function range(count: bigint): List {
  if (count > maxRange) throw new CostExceeded();
  return Array.from({ length: Math.max(0, Number(count)) }, (_, index) => BigInt(index));
}

const distinct = (list: List): List => {
  const seen: unknown[] = [];
  for (const item of list) if (!seen.some((other) => equal(item, other))) seen.push(item);
  return seen;
};

const outputCost = (size: (args: readonly Argument[]) => Range): Cost => ({
  byResult: true,
  actual: (_, result) => allocated(1, sizeOf(result)),
  estimate: (args) => allocating(1, size(args)),
});

function slicedSize(args: readonly Argument[]): Range {
  const size = literalInt(args[2], sizeAt(args, 0).max) - literalInt(args[1], 0);
  return exactly(size < 0 ? unbounded : size);
}

const flattening: Cost = {
  actual: ([list, depth]) => allocated(typeof depth === "bigint" ? Number(depth) : 1, sizeOf(list)),
  estimate: (args) => allocating(args.length > 1 ? literalInt(args[1], unbounded) : 1, sizeAt(args, 0)),
};

/** Each element with each other; texts cost more. @param keys The argument that is compared. */
const squared = (keys: number, type?: Type): Cost => ({
  actual: (args) => {
    const list = args[keys] as List;
    const isText = typeof list[0] === "string" || list[0] instanceof Uint8Array;
    return allocated(isText ? 2 + perCharacter : 2, list.length ** 2);
  },
  estimate: (args) => {
    const size = sizeAt(args, keys);
    return allocating(type?.kind === "string" || type?.kind === "bytes" ? 2 + perCharacter : 2, times(size, size));
  },
});

/** CEL's own extension. */
export function addListExtension(library: Library): void {
  const sliced = outputCost(slicedSize);
  library.member("slice", "list_slice", [listOfT, intType, intType], listOfT, slice, sliced);
  library.member("flatten", "list_flatten", [listType(listOfT)], listOfT, (list: List) => flatten(list, 1n), flattening);
  library.member("flatten", "list_flatten_int", [listType(dynType), intType], listType(dynType), flatten, flattening);
  for (const [name, type] of comparable) {
    library.member("sort", `list_${name}_sort`, [listType(type)], listType(type), (list: List) => sorted(list, list), squared(0, type));
    library.member(
      "@sortByAssociatedKeys",
      `list_${name}_sortByAssociatedKeys`,
      [listOfT, listType(type)],
      listOfT,
      sorted,
      squared(1, type),
    );
  }
  library.global(
    "lists.range",
    "lists_range",
    [intType],
    listType(intType),
    range,
    outputCost((args) => exactly(literalInt(args[0], unbounded))),
  );
  library.member(
    "reverse",
    "list_reverse",
    [listOfT],
    listOfT,
    (list: List) => [...list].reverse(),
    outputCost((args) => sizeAt(args, 0)),
  );
  library.member("distinct", "list_distinct", [listOfT], listOfT, distinct, squared(0));
}

/** Each element of the one with each of the other. */
const pairwise = (by: number): Cost => ({
  actual: ([a, b]) => 1 + Math.floor(sizeOf(a) * sizeOf(b) * by),
  estimate: (args) => ({ cost: plus(factor(times(sizeAt(args, 0), sizeAt(args, 1)), by), exactly(1)) }),
});

export function addSets(library: Library): void {
  const two = [listOfT, listOfT];
  const holds = (list: List, item: unknown): boolean => list.some((other) => equal(other, item));
  const contains = (a: List, b: List): boolean => b.every((item) => holds(a, item));
  library.global("sets.contains", "list_sets_contains_list", two, boolType, contains, pairwise(1));
  library.global(
    "sets.equivalent",
    "list_sets_equivalent_list",
    two,
    boolType,
    (a: List, b: List) => contains(a, b) && contains(b, a),
    pairwise(2),
  );
  library.global(
    "sets.intersects",
    "list_sets_intersects_list",
    two,
    boolType,
    (a: List, b: List) => b.some((item) => holds(a, item)),
    pairwise(1),
  );
}

/** What transformMap and transformMapEntry collect with. */
export function addMapInserts(library: Library): void {
  const map = mapType(param("K"), param("V"));
  const insert = (to: Dictionary, key: unknown, value: unknown): Dictionary => {
    if (to.has(key)) throw new CelError(`insert failed: key ${valueText(key)} already exists`);
    to.set(key, value);
    return to;
  };
  library.global("cel.@mapInsert", "@mapInsert_map_key_value", [map, param("K"), param("V")], map, insert);
  library.global("cel.@mapInsert", "@mapInsert_map_map", [map, map], map, (to: Dictionary, from: MapValue) => {
    for (const key of from.keys()) insert(to, key, from.get(key));
    return to;
  });
}
