/** The judge of registers is judged: known histories, and a truth by brute force for small random ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkRegisters, type Held, type RegisterOperation } from "./registers.ts";

const set = (value: Held, startedMs: number, endedMs?: number, replaced?: Held): RegisterOperation => ({
  do: "set",
  register: "r",
  value,
  replaced,
  startedMs,
  endedMs,
});
const get = (seen: Held, startedMs: number, endedMs: number): RegisterOperation => ({ do: "get", register: "r", seen, startedMs, endedMs });
const rules = (history: readonly RegisterOperation[], stored: Held): readonly string[] =>
  checkRegisters(history, new Map([["r", stored]])).map(({ rule }) => rule);

const table: readonly [name: string, history: readonly RegisterOperation[], stored: Held, breaks: readonly string[]][] = [
  ["nothing happened", [], null, []],
  ["a write, then a read of it", [set("a", 0, 1), get("a", 2, 3)], "a", []],
  ["two writes at once, either order", [set("a", 0, 5), set("b", 1, 4), get("a", 6, 7)], "a", []],
  ["readers during a write may see it or not, once it is seen it stays", [set("a", 0, 9), get(null, 1, 2), get("a", 3, 4)], "a", []],
  ["readers during a write that see it and then not", [set("a", 0, 9), get("a", 1, 2), get(null, 3, 4)], "a", ["R1"]],
  ["an unanswered write that happened", [set("a", 0), get("a", 5, 6)], "a", []],
  ["an unanswered write that did not happen", [set("a", 0), get(null, 5, 6)], null, []],
  ["an unanswered write that happened much later", [set("a", 0), set("b", 1, 2), get("b", 3, 4), get("a", 5, 6)], "a", []],
  ["an unanswered write that happened twice", [set("a", 0), get("a", 1, 2), set("b", 3, 4), get("b", 5, 6), get("a", 7, 8)], "a", ["R1"]],
  ["an acknowledged write that is lost", [set("a", 0, 1)], null, ["R1"]],
  ["the older of two writes wins", [set("a", 0, 1), set("b", 2, 3)], "a", ["R1"]],
  ["a stale read", [set("a", 0, 1), set("b", 2, 3), get("a", 4, 5)], "b", ["R1"]],
  ["a read of the future", [get("a", 0, 1), set("a", 2, 3)], "a", ["R1"]],
  ["a read of what nobody wrote", [get("x", 0, 1)], null, ["R2"]],
  ["a value stored that nobody wrote", [set("a", 0, 1)], "x", ["R2"]],
  ["a clear, then nothing", [set("a", 0, 1), set(null, 2, 3), get(null, 4, 5)], null, []],
  ["a clear that did not clear", [set("a", 0, 1), set(null, 2, 3)], "a", ["R1"]],
  ["an unanswered clear that happened", [set("a", 0, 1), set(null, 2), get(null, 3, 4)], null, []],
  ["an unanswered clear that happens between two reads", [set("a", 0, 1), set(null, 2), get("a", 3, 4), get(null, 5, 6)], null, []],
  ["one unanswered clear for two disappearances", [set(null, 0), set("a", 1, 2), get(null, 3, 4), set("b", 5, 6)], null, ["R1"]],
  ["swaps that name each other in turn", [set("a", 0, 9, null), set("b", 0, 9, "a"), set("c", 0, 9, "b")], "c", []],
  ["two swaps that replaced the same value", [set("a", 0, 1, null), set("b", 2, 9, "a"), set("c", 2, 9, "a")], "c", ["R1"]],
  ["a swap that replaced an unanswered write", [set("a", 0), set("b", 2, 3, "a")], "b", []],
];

for (const [name, history, stored, breaks] of table) {
  test(`${name}: ${breaks.length > 0 ? breaks.join(", ") : "fine"}`, () => {
    assert.deepEqual(rules(history, stored), breaks);
  });
}

/** Tries every order of every subset of the unanswered ones: right by its simplicity, and far too slow for more than a few. */
function bruteForce(history: readonly RegisterOperation[], stored: Held): boolean {
  const tryFrom = (held: Held, left: readonly RegisterOperation[]): boolean => {
    if (left.every((o) => o.endedMs === undefined) && held === stored) return true;
    return left.some((o) => {
      const rest = left.filter((other) => other !== o);
      if (rest.some((other) => other.endedMs !== undefined && other.endedMs < o.startedMs)) return false;
      if (o.do === "get") return o.seen === held && tryFrom(held, rest);
      const fits = o.endedMs === undefined || o.replaced === undefined || o.replaced === held;
      return fits && tryFrom(o.value, rest);
    });
  };
  return tryFrom(null, history);
}

test("it agrees with brute force on small histories, right and wrong ones", () => {
  const plan = fc.record({
    startedMs: fc.integer({ min: 0, max: 12 }),
    tookMs: fc.integer({ min: 0, max: 6 }),
    kind: fc.constantFrom("set", "set", "get", "get", "lost", "clear", "lostClear", "swap"),
    sees: fc.integer({ min: -1, max: 5 }),
  });
  let fine = 0;
  let wrong = 0;
  fc.assert(
    fc.property(fc.array(plan, { maxLength: 6 }), fc.integer({ min: -1, max: 5 }), (plans, last) => {
      const values = plans.flatMap(({ kind }, at) => (kind === "set" || kind === "lost" || kind === "swap" ? [`v${String(at)}`] : []));
      const value = (at: number): Held => values[at % Math.max(1, values.length)] ?? null;
      const history = plans.map(({ startedMs, tookMs, kind, sees }, at): RegisterOperation => {
        const endedMs = startedMs + tookMs;
        if (kind === "get") return get(value(sees), startedMs, endedMs);
        if (kind === "swap") return set(`v${String(at)}`, startedMs, endedMs, value(sees));
        const written = kind === "clear" || kind === "lostClear" ? null : `v${String(at)}`;
        return set(written, startedMs, kind.startsWith("lost") ? undefined : endedMs);
      });
      const stored = value(last);
      const expected = bruteForce(history, stored);
      if (expected) fine++;
      else wrong++;
      assert.equal(rules(history, stored).length === 0, expected);
    }),
    { numRuns: 3_000, seed: 20_261_120 },
  );
  assert.ok(fine > 300 && wrong > 300, `${String(fine)} right and ${String(wrong)} wrong histories: neither side is untried`);
});

test("a long history of many clients is judged quickly, and one wrong read in it is found", () => {
  const history: RegisterOperation[] = [];
  let held: Held = null;
  for (let at = 0; at < 4_000; at++) {
    // Each takes effect at its number; starts and ends reach over about twelve others.
    const [startedMs, endedMs] = [at - 6 + (at % 3), at + 6 - (at % 5)];
    if (at % 3 === 0) {
      held = `v${String(at)}`;
      history.push(set(held, startedMs, at % 40 === 0 ? undefined : endedMs));
    } else history.push(get(held, startedMs, endedMs));
  }
  assert.deepEqual(rules(history, held), []);
  const wrong = history.map((o, at) => (at === 3_001 && o.do === "get" ? { ...o, seen: "v2940" } : o));
  assert.deepEqual(rules(wrong, held), ["R1"]);
});
