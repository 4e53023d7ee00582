/** Sizes in bytes that are no whole numbers of them: `100m` for `100M`. */
import { mapAt, objectAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { parseQuantity } from "../values/quantity.ts";

/** Billionths of a thousandth, the smallest part that is looked at; what is smaller counts as one. */
const milli = 1_000_000n;

function isFraction(text: unknown): boolean {
  if (typeof text !== "string") return false;
  try {
    const { nanos } = parseQuantity(text);
    return ((nanos + milli - 1n) / milli) % 1_000n !== 0n;
  } catch {
    return false; // no quantity: refused elsewhere
  }
}

/** @param field That of the map: `spec.overhead`. */
export function fractionWarnings(sizes: Readonly<Record<string, string>>, names: readonly string[], field: string): string[] {
  return names
    .filter((name) => isFraction(sizes[name]))
    .map((name) => `${field}[${name}]: fractional byte value ${JSON.stringify(sizes[name])} is invalid, must be an integer`);
}

/** The spec of a claim, of its own or in a template. */
export function claimWarnings(spec: JsonObject, field: string): string[] {
  return ["requests", "limits"].flatMap((kind) =>
    fractionWarnings(mapAt(objectAt(spec, "resources"), kind), ["storage"], `${field}.resources.${kind}`),
  );
}
