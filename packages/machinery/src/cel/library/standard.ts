/** Operators and functions every CEL has. @see CEL language definition, section "List of Standard Definitions". */
import { compare, equal } from "../language/compare.ts";
import {
  type Argument,
  comparing,
  type Cost,
  exactly,
  factor,
  joining,
  matching,
  perCharacter,
  plus,
  reading,
  sizeAt,
  times,
  traversal,
} from "../language/cost.ts";
import { type Library } from "../language/environment.ts";
import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  intType,
  listType,
  mapType,
  param,
  stringType,
  timestampType,
  type Type,
  uintType,
} from "../language/types.ts";
import {
  CelError,
  type Duration,
  type MapValue,
  Opaque,
  sizeOf,
  textLength,
  type Timestamp,
  type Uint,
  withRule,
  ruleOf,
} from "../language/values.ts";
import { addConversions, toInt, toUint } from "./convert.ts";
import { expression } from "./regex.ts";
import { addTime, durationOf, timestampOf } from "./time.ts";

const a = param("A");
const listOfA = listType(a);
const mapOfAB = mapType(a, param("B"));

export function addStandard(library: Library): void {
  library.global("_?_:_", "conditional", [boolType, a, a], a, undefined);
  library.global("_&&_", "logical_and", [boolType, boolType], boolType, undefined);
  library.global("_||_", "logical_or", [boolType, boolType], boolType, undefined);
  library.global("@not_strictly_false", "not_strictly_false", [boolType], boolType, undefined);
  library.global("_[_]", "index_list", [listOfA, intType], a, undefined);
  library.global("_[_]", "index_map", [mapOfAB, a], param("B"), undefined);
  library.global("!_", "logical_not", [boolType], boolType, (value: boolean) => !value);
  library.global("_==_", "equals", [a, a], boolType, equal, equality);
  library.global("_!=_", "not_equals", [a, a], boolType, (x: unknown, y: unknown) => !equal(x, y), comparing);
  library.global(
    "@in",
    "in_list",
    [a, listOfA],
    boolType,
    (item: unknown, list: readonly unknown[]) => list.some((one) => equal(item, one)),
    counting,
  );
  library.global("@in", "in_map", [a, mapOfAB], boolType, (key: unknown, map: MapValue) => map.has(key));
  addArithmetic(library);
  addOrder(library);
  addSizes(library);
  addConversions(library);
  addTexts(library);
  addTime(library);
}

/** Values of libraries' own types are small. */
const equality: Cost = {
  actual: (args, result) => (args[0] instanceof Opaque ? 1 : comparing.actual(args, result)),
  estimate: (args) => {
    const [x, y] = args;
    const own = x && y && x.type.name === y.type.name ? ownEquality[x.type.name] : undefined;
    return own ? own(args) : comparing.estimate(args);
  },
};

const unit = { cost: exactly(1) };
const ownEquality: Readonly<Record<string, (args: readonly Argument[]) => ReturnType<Cost["estimate"]>>> = {
  "net.IP": () => unit,
  "net.CIDR": () => unit,
  "kubernetes.Quantity": () => unit,
  "kubernetes.Semver": () => unit,
  "kubernetes.NamedFormat": () => ({ cost: factor({ min: 1, max: 64 }, perCharacter) }),
  "kubernetes.URL": (args) => ({ cost: factor({ min: 1, max: sizeAt(args, 1).max }, perCharacter) }),
};

const counting: Cost = {
  actual: ([, list]) => sizeOf(list),
  estimate: (args) => ({ cost: sizeAt(args, 1) }),
};

const concatenation: Cost = {
  actual: () => 1,
  estimate: (args) => ({ cost: exactly(1), size: plus(sizeAt(args, 0), sizeAt(args, 1)) }),
};

type Nanos = Duration | Timestamp;

function addArithmetic(library: Library): void {
  const both = (name: string, id: string, type: Type, run: (x: never, y: never) => unknown, cost?: Cost): unknown =>
    library.global(name, id, [type, type], type, run, cost);
  const ints = (run: (x: bigint, y: bigint) => bigint) => (x: bigint, y: bigint) => toInt(run(x, y));
  const uints = (run: (x: bigint, y: bigint) => bigint) => (x: Uint, y: Uint) => toUint(run(x.value, y.value));
  both("_+_", "add_bytes", bytesType, (x: Uint8Array, y: Uint8Array) => Uint8Array.from([...x, ...y]), joining);
  both("_+_", "add_double", doubleType, (x: number, y: number) => x + y);
  both("_+_", "add_duration_duration", durationType, (x: Duration, y: Duration) => durationOf(x.nanos + y.nanos));
  const later = (x: Nanos, y: Nanos): Timestamp => timestampOf(x.nanos + y.nanos);
  library.global("_+_", "add_duration_timestamp", [durationType, timestampType], timestampType, later);
  library.global("_+_", "add_timestamp_duration", [timestampType, durationType], timestampType, later);
  both(
    "_+_",
    "add_int64",
    intType,
    ints((x, y) => x + y),
  );
  library.global("_+_", "add_list", [listOfA, listOfA], listOfA, concatenated, concatenation);
  both("_+_", "add_string", stringType, (x: string, y: string) => x + y, joining);
  both(
    "_+_",
    "add_uint64",
    uintType,
    uints((x, y) => x + y),
  );
  both("_-_", "subtract_double", doubleType, (x: number, y: number) => x - y);
  both("_-_", "subtract_duration_duration", durationType, (x: Duration, y: Duration) => durationOf(x.nanos - y.nanos));
  both(
    "_-_",
    "subtract_int64",
    intType,
    ints((x, y) => x - y),
  );
  library.global("_-_", "subtract_timestamp_duration", [timestampType, durationType], timestampType, (x: Nanos, y: Nanos) =>
    timestampOf(x.nanos - y.nanos),
  );
  library.global("_-_", "subtract_timestamp_timestamp", [timestampType, timestampType], durationType, (x: Nanos, y: Nanos) =>
    durationOf(x.nanos - y.nanos),
  );
  both(
    "_-_",
    "subtract_uint64",
    uintType,
    uints((x, y) => x - y),
  );
  both("_*_", "multiply_double", doubleType, (x: number, y: number) => x * y);
  both(
    "_*_",
    "multiply_int64",
    intType,
    ints((x, y) => x * y),
  );
  both(
    "_*_",
    "multiply_uint64",
    uintType,
    uints((x, y) => x * y),
  );
  const divisor = (y: bigint, what: string): bigint => {
    if (y === 0n) throw new CelError(`${what} by zero`);
    return y;
  };
  both("_/_", "divide_double", doubleType, (x: number, y: number) => x / y);
  both(
    "_/_",
    "divide_int64",
    intType,
    ints((x, y) => x / divisor(y, "division")),
  );
  both(
    "_/_",
    "divide_uint64",
    uintType,
    uints((x, y) => x / divisor(y, "division")),
  );
  both(
    "_%_",
    "modulo_int64",
    intType,
    ints((x, y) => x % divisor(y, "modulus")),
  );
  both(
    "_%_",
    "modulo_uint64",
    uintType,
    uints((x, y) => x % divisor(y, "modulus")),
  );
  library.global("-_", "negate_double", [doubleType], doubleType, (x: number) => -x);
  library.global("-_", "negate_int64", [intType], intType, (x: bigint) => toInt(-x));
}

/** In a set and in a list of keyed elements what comes later takes the place of what has the same identity. */
function concatenated(first: readonly unknown[], more: readonly unknown[]): readonly unknown[] {
  const rule = ruleOf(first);
  if (!rule) return [...first, ...more];
  const merged = [...first];
  const places = new Map(first.map((item, index) => [rule.identity(item), index]));
  for (const item of more) {
    const identity = rule.identity(item);
    const place = places.get(identity);
    if (place === undefined) places.set(identity, merged.push(item) - 1);
    else merged[place] = item;
  }
  return withRule(merged, rule);
}

const orders: readonly (readonly [name: string, id: string, holds: (order: number) => boolean])[] = [
  ["_<_", "less", (order) => order < 0],
  ["_<=_", "less_equals", (order) => order <= 0],
  ["_>_", "greater", (order) => order > 0],
  ["_>=_", "greater_equals", (order) => order >= 0],
];
const ordered: readonly (readonly [id: string, x: Type, y: Type])[] = [
  ["bool", boolType, boolType],
  ["int64", intType, intType],
  ["int64_double", intType, doubleType],
  ["int64_uint64", intType, uintType],
  ["uint64", uintType, uintType],
  ["uint64_double", uintType, doubleType],
  ["uint64_int64", uintType, intType],
  ["double", doubleType, doubleType],
  ["double_int64", doubleType, intType],
  ["double_uint64", doubleType, uintType],
  ["string", stringType, stringType],
  ["bytes", bytesType, bytesType],
  ["timestamp", timestampType, timestampType],
  ["duration", durationType, durationType],
];

function addOrder(library: Library): void {
  for (const [name, id, holds] of orders)
    for (const [of, x, y] of ordered) {
      const run = (one: unknown, other: unknown): boolean => {
        const order = compare(one, other);
        if (Number.isNaN(order)) throw new CelError("NaN values cannot be ordered");
        return holds(order);
      };
      library.global(name, `${id}_${of}`, [x, y], boolType, run, of === "string" || of === "bytes" ? comparing : undefined);
    }
}

function addSizes(library: Library): void {
  const kinds: readonly (readonly [string, Type, (value: never) => number])[] = [
    ["bytes", bytesType, (value: Uint8Array) => value.length],
    ["list", listOfA, (value: readonly unknown[]) => value.length],
    ["map", mapOfAB, (value: MapValue) => value.size],
    ["string", stringType, (value: string) => textLength(value)],
  ];
  for (const [id, type, size] of kinds) {
    const run = (value: never): bigint => BigInt(size(value));
    library.global("size", `size_${id}`, [type], intType, run);
    library.member("size", `${id}_size`, [type], intType, run);
  }
}

/** A text in a text. */
const searching: Cost = {
  actual: ([text, part]) => traversal(sizeOf(text)) * traversal(sizeOf(part)),
  estimate: (args) => ({ cost: times(factor(sizeAt(args, 0), perCharacter), factor(sizeAt(args, 1), perCharacter)) }),
};

function addTexts(library: Library): void {
  const two = [stringType, stringType];
  library.member("contains", "contains_string", two, boolType, (text: string, part: string) => text.includes(part), searching);
  library.member("startsWith", "starts_with_string", two, boolType, (text: string, part: string) => text.startsWith(part), reading(1));
  library.member("endsWith", "ends_with_string", two, boolType, (text: string, part: string) => text.endsWith(part), reading(1));
  const matches = (text: string, pattern: string): boolean => expression(pattern).test(text);
  library.member("matches", "matches_string", two, boolType, matches, matching());
  library.global("matches", "matches", two, boolType, matches);
}
