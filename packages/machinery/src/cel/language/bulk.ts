/**
 * How much there is to look at in a value: what the server's cost model does not count, but this server's time goes into, such as the depths of two
 * objects that are compared. Found out once for each list and object.
 */
import { MapValue } from "./values.ts";

/** Values and characters that are as much work as one step. */
const perStep = 16;
const charactersPerStep = 64;

const known = new WeakMap<object, number>();

/** Steps it takes to look at all of the value. */
export function bulkOf(value: unknown): number {
  if (typeof value === "string" || value instanceof Uint8Array) return value.length / charactersPerStep;
  if (typeof value !== "object" || value === null) return 0;
  if (!Array.isArray(value) && !(value instanceof MapValue)) return 0;
  const before = known.get(value);
  if (before !== undefined) return before;
  const bulk =
    value instanceof MapValue ? value.bulk / perStep : value.reduce<number>((sum, item) => sum + bulkOf(item), value.length / perStep);
  known.set(value, bulk);
  return bulk;
}
