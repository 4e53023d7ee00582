/**
 * Bugs planted in the storage of real processes, and the judges of the crash trials that must object. In the suite only the quickest, as each takes
 * several starts; `npm run torture -- --planted` runs all. (`synchronous=NORMAL`: acknowledge.test.ts. All of them in a simulated world: tests/sim.)
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Plant, plants, runPlanted } from "./planted/planted.ts";

const seed = Number(process.env["MECHA_CRASH_SEED"] ?? 7);
const chosen: readonly Plant[] = process.env["MECHA_CRASH_PLANTED"] === "all" ? plants : ["acknowledge"];

const expected: Readonly<Record<Plant, readonly [what: string, objection: RegExp]>> = {
  acknowledge: ["a commit is acknowledged before it is carried out", /^(?:H[146]|R1|C[12]|M1)$/],
  keys: ["idempotency keys are not stored", /^(?:H2|R1|M1)$/],
  fence: ["two processes own one store", /^H[1-6]$/],
};

for (const plant of chosen)
  test(`planted in real processes: ${expected[plant][0]}`, async (t) => {
    const breaches = await runPlanted(plant, seed);
    for (const { rule, entity, what } of breaches.slice(0, 3)) t.diagnostic(`${rule}: ${entity}: ${what}`);
    assert.ok(breaches.length > 0, `seed ${seed}: nobody has objected`);
    assert.match(breaches[0]?.rule ?? "", expected[plant][1]);
  });
