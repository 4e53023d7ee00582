/** docs/reference/cloudstate-hazards.md is true: every hazard and trap has a row, every named test exists. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { repository } from "../support/files.ts";

const page = "docs/reference/cloudstate-hazards.md";
/** `file` "name" */
const reference = /`([\w./-]+\.ts)` "([^"]+)"/g;

interface Row {
  readonly id: string;
  readonly text: string;
  readonly tests: readonly (readonly [file: string, name: string])[];
}

async function rows(): Promise<Row[]> {
  const text = await readFile(join(repository, page), "utf8");
  return text
    .split("\n")
    .filter((line) => /^\| [HT]\d/u.test(line))
    .map((line) => {
      const cells = line.split(" | ");
      const last = cells.at(-1) ?? "";
      return {
        id: (cells[0] ?? "").replace("| ", "").trim(),
        text: last,
        tests: [...last.matchAll(reference)].map(([, file = "", name = ""]) => [file, name] as const),
      };
    });
}

test("each of the 11 hazards and 15 traps has a row with a test, or says that it is open", async () => {
  const found = await rows();
  const numbers = (letter: string): number[] => [
    ...new Set(found.filter(({ id }) => id.startsWith(letter)).map(({ id }) => Number.parseInt(id.slice(1), 10))),
  ];
  assert.deepEqual(numbers("H"), Array.from({ length: 11 }, (_, i) => i + 1)); // prettier-ignore
  assert.deepEqual(numbers("T"), Array.from({ length: 15 }, (_, i) => i + 1)); // prettier-ignore
  for (const { id, text, tests } of found)
    assert.ok(tests.length > 0 || /^open\b/u.test(text), `${id} names no test and does not say open`);
});

test("each named test is in the file it is said to be in", async () => {
  const missing: string[] = [];
  for (const { id, tests } of await rows()) {
    for (const [file, name] of tests) {
      const source = await readFile(join(repository, file), "utf8").catch(() => "");
      if (!source.includes(name.replaceAll('"', '\\"')) && !source.includes(name)) missing.push(`${id}: ${file}: ${name}`);
    }
  }
  assert.deepEqual(missing, []);
});
