/** Quantities: `quantity("1Gi").isGreaterThan(quantity("500M"))`. */
import { parseQuantity } from "@mecha/kinds";
import { reading } from "../language/cost.ts";
import { type Library } from "../language/environment.ts";
import { isInt } from "../language/literal.ts";
import { boolType, doubleType, intType, stringType, structType } from "../language/types.ts";
import { CelError, Opaque } from "../language/values.ts";
import { parses } from "./network.ts";

export const quantityType = structType("kubernetes.Quantity");

const billion = 1_000_000_000n;

class Quantity extends Opaque {
  readonly type = quantityType;
  /** In billionths. */
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    super();
    this.nanos = nanos;
  }
  equals(other: Opaque): boolean {
    return other instanceof Quantity && this.nanos === other.nanos;
  }
}

function parse(text: string): Quantity {
  try {
    return new Quantity(parseQuantity(text).nanos);
  } catch {
    throw new CelError(whyNone(text));
  }
}

function whyNone(text: string): string {
  const form = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$";
  if (!new RegExp(form, "u").test(text)) return `quantities must match the regular expression '${form}'`;
  return /^[+-]?(\d+\.?\d*|\.\d+)[^\d.]/u.test(text) ? "unable to parse quantity's suffix" : "unable to parse numeric part of quantity";
}

const isWhole = ({ nanos }: Quantity): boolean => nanos % billion === 0n && isInt(nanos / billion);
const compare = (a: Quantity, b: Quantity): number => (a.nanos < b.nanos ? -1 : Number(a.nanos > b.nanos));

export function addQuantities(library: Library): void {
  const q = quantityType;
  library.global("quantity", "string_to_quantity", [stringType], q, parse, reading(0));
  library.global("isQuantity", "is_quantity_string", [stringType], boolType, parses(parse), reading(0));
  library.global("sign", "quantity_sign", [q], intType, ({ nanos }: Quantity) => BigInt(nanos < 0n ? -1 : Number(nanos > 0n)));
  library.member("isGreaterThan", "quantity_is_greater_than", [q, q], boolType, (a: Quantity, b: Quantity) => compare(a, b) > 0);
  library.member("isLessThan", "quantity_is_less_than", [q, q], boolType, (a: Quantity, b: Quantity) => compare(a, b) < 0);
  library.member("compareTo", "quantity_compare_to", [q, q], intType, (a: Quantity, b: Quantity) => BigInt(compare(a, b)));
  library.member("asApproximateFloat", "quantity_get_float", [q], doubleType, ({ nanos }: Quantity) => Number(nanos) / 1e9);
  library.member("asInteger", "quantity_get_int", [q], intType, (value: Quantity) => {
    if (!isWhole(value)) throw new CelError("cannot convert value to integer");
    return value.nanos / billion;
  });
  library.member("isInteger", "quantity_is_integer", [q], boolType, isWhole);
  for (const [name, factor] of [
    ["add", 1n],
    ["sub", -1n],
  ] as const) {
    library.member(name, `quantity_${name}`, [q, q], q, (a: Quantity, b: Quantity) => new Quantity(a.nanos + factor * b.nanos));
    library.member(name, `quantity_${name}_int`, [q, intType], q, (a: Quantity, b: bigint) => new Quantity(a.nanos + factor * b * billion));
  }
}
