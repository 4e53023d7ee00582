/** The judge is judged: each rule has a history that breaks it, and honest histories pass. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { check, checkMirrors, type Operation } from "./history.ts";

const append = (commandId: string, startedMs: number, endedMs?: number, place?: number): Operation => ({
  do: "append",
  ledger: "l",
  commandId,
  startedMs,
  endedMs,
  place,
});
const read = (seen: readonly string[], startedMs: number, endedMs: number): Operation => ({
  do: "read",
  ledger: "l",
  startedMs,
  endedMs,
  seen,
});
const rules = (history: readonly Operation[], stored: readonly string[]): readonly string[] =>
  check(history, new Map([["l", stored]])).map(({ rule }) => rule);

const table: readonly [name: string, history: readonly Operation[], stored: readonly string[], breaks: readonly string[]][] = [
  ["two appends, one after the other", [append("a", 0, 1, 1), append("b", 2, 3, 2)], ["a", "b"], []],
  ["two appends at once, either order", [append("a", 0, 5, 2), append("b", 1, 4, 1)], ["b", "a"], []],
  ["an append without an answer that happened", [append("a", 0), append("b", 1, 2, 2)], ["a", "b"], []],
  ["an append without an answer that did not happen", [append("a", 0), append("b", 1, 2, 1)], ["b"], []],
  ["an unanswered append that happened much later", [append("a", 0), append("b", 1, 2, 1), read(["b"], 3, 4)], ["b", "a"], []],
  ["an acknowledged append that is lost", [append("a", 0, 1, 1)], [], ["H1"]],
  ["an append applied twice", [append("a", 0, 1, 1)], ["a", "a"], ["H2"]],
  ["an entry out of nowhere", [append("a", 0, 1, 1)], ["a", "x"], ["H3"]],
  ["an answer with the wrong place", [append("a", 0, 1, 2), append("b", 0, 1, 2)], ["a", "b"], ["H4"]],
  ["appends stored against real time", [append("a", 0, 1, 2), append("b", 2, 3, 1)], ["b", "a"], ["H5"]],
  ["a stale read", [append("a", 0, 1, 1), read([], 2, 3)], ["a"], ["H5"]],
  ["a read of the future", [read(["a"], 0, 1), append("a", 2, 3, 1)], ["a"], ["H5"]],
  ["reads that go back in time", [append("a", 0), read(["a"], 1, 2), read([], 3, 4)], ["a"], ["H5"]],
  ["two reads of the same prefix, in any order", [read([], 0, 1), read([], 2, 3)], [], []],
  ["a read of something else", [append("a", 0, 9, 1), read(["x"], 1, 2)], ["a"], ["H6"]],
];

for (const [name, history, stored, breaks] of table) {
  test(`${name}: ${breaks.length > 0 ? breaks.join(", ") : "fine"}`, () => {
    assert.deepEqual(rules(history, stored), breaks);
  });
}

test("whatever a truly sequential ledger answers is fine, and swapping two stored entries that real time orders is not", () => {
  const operation = fc.record({
    atMs: fc.integer({ min: 0, max: 1000 }),
    tookMs: fc.integer({ min: 0, max: 50 }),
    kind: fc.constantFrom("append", "lost", "read"),
  });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40 }), (plan) => {
      const stored: string[] = [];
      const history = [...plan]
        .sort((a, b) => a.atMs - b.atMs)
        .map(({ atMs, tookMs, kind }, index): Operation => {
          if (kind === "read") return read([...stored], atMs - tookMs, atMs + tookMs);
          const commandId = `c${String(index)}`;
          stored.push(commandId);
          return kind === "lost" ? append(commandId, atMs) : append(commandId, atMs - tookMs, atMs + tookMs, stored.length);
        });
      assert.deepEqual(rules(history, stored), []);
      const answered = history.flatMap((o) => (o.do === "append" && o.endedMs !== undefined ? [o] : []));
      const [first, last] = [answered[0], answered.at(-1)];
      if (first?.do === "append" && last?.do === "append" && (first.endedMs ?? 0) < last.startedMs) {
        const swapped = stored.map((id) => (id === first.commandId ? last.commandId : id === last.commandId ? first.commandId : id));
        assert.ok(rules(history, swapped).includes("H5"));
      }
    }),
  );
});

for (const { name, mirror, broken } of [
  { name: "the same list is right", mirror: ["a", "b"], broken: undefined },
  { name: "an effect that is missing", mirror: ["a"], broken: /at 2 the mirror has nothing, the ledger b \(1 and 2 entries\)/ },
  { name: "an effect done twice", mirror: ["a", "b", "b"], broken: /at 3 the mirror has b, the ledger nothing/ },
  { name: "effects out of order", mirror: ["b", "a"], broken: /at 1 the mirror has b, the ledger a/ },
]) {
  test(`M1: ${name}`, () => {
    const [breach, ...more] = checkMirrors(new Map([["l1", ["a", "b"]]]), new Map([["l1", mirror]]));
    assert.deepEqual(more, []);
    if (broken) assert.match(breach?.what ?? "", broken);
    else assert.equal(breach, undefined);
  });
}
