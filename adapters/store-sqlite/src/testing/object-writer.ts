/**
 * A process to be killed: writes objects, and says on stdout what was acknowledged, one line each, written at once.
 *
 *     node object-writer.ts DIR SEED
 *
 * Line `ack KEY REVISION VALUE`; a deletion has no value.
 */
import { writeSync } from "node:fs";
import { SeededRandom } from "@mecha/kit/testing";
import { openSqliteObjectLog } from "../objects/log.ts";

const [dir = "", seed = "1"] = process.argv.slice(2);
const random = new SeededRandom(Number(seed));
const log = await openSqliteObjectLog({ dir });
const known = new Map((await log.load()).objects.map(({ key, revision }) => [key, revision]));

/** Writers at once, each with keys of its own: groups of several writes form. */
const writers = 8;
await Promise.all(Array.from({ length: writers }, (_, writer) => writeForEver(writer)));

async function writeForEver(writer: number): Promise<never> {
  for (let n = 0; ; n++) {
    const key = `//configmaps/w${writer}/k${random.below(20)}`;
    const expected = known.get(key) ?? 0;
    const value = expected !== 0 && random.below(4) === 0 ? undefined : JSON.stringify({ seed, n });
    const outcome = await log.write({ key, expected, value });
    if (outcome.outcome === "conflict") throw new Error(`nobody else writes ${key}`);
    if (value === undefined) known.delete(key);
    else known.set(key, outcome.revision);
    writeSync(1, `ack ${key} ${outcome.revision} ${value ?? ""}\n`);
    // Far enough behind that what the other writers have not said yet stays visible.
    if (random.below(200) === 0) await log.compact(outcome.revision - 2 * writers - random.below(100));
  }
}
