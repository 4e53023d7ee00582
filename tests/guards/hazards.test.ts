/** docs/reference/cloudstate-hazards.md and cloudstate-specs.md are true: everything has a row, every named test exists. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { repository } from "../support/files.ts";

const hazards = "docs/reference/cloudstate-hazards.md";
const specs = "docs/reference/cloudstate-specs.md";
/** `file` "name" */
const reference = /`([\w./-]+\.ts)` "([^"]+)"/g;

interface Row {
  readonly id: string;
  readonly text: string;
  readonly tests: readonly (readonly [file: string, name: string])[];
}

/** Of the page; their ids begin with one of the letters. */
async function rows(page: string, letters: string): Promise<Row[]> {
  const text = await readFile(join(repository, page), "utf8");
  return text
    .split("\n")
    .filter((line) => new RegExp(`^\\| [${letters}]\\d`, "u").test(line))
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

test("each of the 11 hazards, 15 traps and 3 traps of Kalix has a row with a test, or says that it is open", async () => {
  const found = await rows(hazards, "HTK");
  const numbers = (letter: string): number[] => [
    ...new Set(found.filter(({ id }) => id.startsWith(letter)).map(({ id }) => Number.parseInt(id.slice(1), 10))),
  ];
  assert.deepEqual(numbers("H"), Array.from({ length: 11 }, (_, i) => i + 1)); // prettier-ignore
  assert.deepEqual(numbers("T"), Array.from({ length: 15 }, (_, i) => i + 1)); // prettier-ignore
  assert.deepEqual(numbers("K"), [1, 2, 3]);
  for (const { id, text, tests } of found)
    assert.ok(tests.length > 0 || /^open\b/u.test(text), `${id} names no test and does not say open`);
});

test("each case of the reference's own specs names a test, or says that there is nothing to test", async () => {
  const found = await rows(specs, "S");
  assert.deepEqual(
    [...new Set(found.map(({ id }) => Number.parseInt(id.slice(1), 10)))],
    Array.from({ length: 17 }, (_, i) => i + 1),
  );
  for (const { id, text, tests } of found)
    assert.ok(tests.length > 0 || /^nothing\b/u.test(text), `${id} names no test and does not say that there is nothing`);
});

test("each named test is in the file it is said to be in", async () => {
  const missing: string[] = [];
  for (const { id, tests } of [...(await rows(hazards, "HTK")), ...(await rows(specs, "S"))]) {
    for (const [file, name] of tests) {
      const source = await readFile(join(repository, file), "utf8").catch(() => "");
      if (!source.includes(name.replaceAll('"', '\\"')) && !source.includes(name)) missing.push(`${id}: ${file}: ${name}`);
    }
  }
  assert.deepEqual(missing, []);
});
