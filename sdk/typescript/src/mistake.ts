/** A mistake in the user's code, explained. Thrown while components are defined, or by what a handler did wrong. */
import { nearest } from "@mecha/wire/codec";

/** Says what is wrong, where, and how to mend it. Never shown to callers in production; always in the log. */
export class Mistake extends Error {
  override readonly name = "Mistake";
}

/** Stops with an explanation when `ok` does not hold. */
export function expect(ok: unknown, explanation: () => string): asserts ok {
  if (!ok) throw new Mistake(explanation());
}

/** ` "a", "b"` for "x has …" sentences; `nothing` when empty. */
export function listed(names: Iterable<string>): string {
  const all = [...names];
  return all.length === 0 ? "none" : all.join(", ");
}

export { nearest };
