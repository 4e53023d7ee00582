/** Quantities in CEL: `quantity("1Gi").isGreaterThan(quantity("500M"))`. */
import type { Environment } from "@marcbachmann/cel-js";
import { parseQuantity } from "@mecha/kinds";

const type = "kubernetes.Quantity";

const billion = 1_000_000_000n;

class Quantity {
  /** In billionths. */
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

export function registerQuantities(env: Environment): void {
  env.registerType(type, { ctor: Quantity, fields: {} });
  env.registerFunction(`quantity(string): ${type}`, (text: string) => new Quantity(parseQuantity(text).nanos));
  env.registerFunction("isQuantity(string): bool", isQuantity);
  const compare = (a: Quantity, b: Quantity): number => (a.nanos < b.nanos ? -1 : Number(a.nanos > b.nanos));
  env.registerOperator(`${type} == ${type}`, (a: Quantity, b: Quantity) => compare(a, b) === 0);
  env.registerFunction(`${type}.compareTo(${type}): int`, (a: Quantity, b: Quantity) => BigInt(compare(a, b)));
  env.registerFunction(`${type}.isGreaterThan(${type}): bool`, (a: Quantity, b: Quantity) => compare(a, b) > 0);
  env.registerFunction(`${type}.isLessThan(${type}): bool`, (a: Quantity, b: Quantity) => compare(a, b) < 0);
  env.registerFunction(`${type}.sign(): int`, (a: Quantity) => BigInt(a.nanos < 0n ? -1 : Number(a.nanos > 0n)));
  env.registerFunction(`${type}.asApproximateFloat(): double`, (a: Quantity) => Number(a.nanos) / 1e9);
  for (const [name, sign] of [
    ["add", 1n],
    ["sub", -1n],
  ] as const) {
    env.registerFunction(`${type}.${name}(${type}): ${type}`, (a: Quantity, b: Quantity) => new Quantity(a.nanos + sign * b.nanos));
    env.registerFunction(`${type}.${name}(int): ${type}`, (a: Quantity, b: bigint) => new Quantity(a.nanos + sign * b * billion));
  }
  env.registerFunction(`${type}.isInteger(): bool`, isWhole);
  env.registerFunction(`${type}.asInteger(): int`, (a: Quantity) => {
    if (!isWhole(a)) throw new Error("cannot convert value to integer");
    return a.nanos / billion;
  });
}

const isWhole = ({ nanos }: Quantity): boolean => nanos % billion === 0n;

function isQuantity(text: string): boolean {
  try {
    parseQuantity(text);
    return true;
  } catch {
    return false;
  }
}
