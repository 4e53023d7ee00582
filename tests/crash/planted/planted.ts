/** Runs real processes with a planted bug (preload.ts) and hands over what the judges of the crash trials say. */
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SeededRandom } from "@mecha/kit/testing";
import { tempDir } from "../../support/files.ts";
import { Clients } from "../clients.ts";
import { type Breach, check } from "../history.ts";
import { Platform } from "../platform.ts";

export const plants = ["acknowledge", "keys", "fence"] as const;
export type Plant = (typeof plants)[number];

/** Kills until somebody objects. A bug that shows at a kill in an unlucky moment shows within a few. */
const killsMax = 8;
const betweenKills = 12;

/** @returns breaches; none: nobody has objected. */
export async function runPlanted(plant: Plant, seed: number): Promise<readonly Breach[]> {
  await using dir = await tempDir("planted");
  return await (plant === "fence" ? twoOwners(dir.path, seed) : kills(dir.path, plant, seed));
}

async function kills(dir: string, planted: Plant, seed: number): Promise<readonly Breach[]> {
  const random = new SeededRandom(seed);
  await using platform = await Platform.open({ stateDir: join(dir, "state"), planted });
  for (let kill = 0; kill < killsMax; kill++) {
    const name = (kind: string): string => `t${kill}${kind}0`;
    const entities = { ledgers: [name("l")], registers: [name("r")], bells: [name("b")], counters: [name("c")] };
    using clients = new Clients({ port: platform.port, random, ...entities, clients: 6 });
    clients.start();
    try {
      await clients.more(1 + random.below(betweenKills));
      await platform.killMecha();
      await platform.start();
    } finally {
      await clients.stop();
    }
    const breaches = await clients.judge();
    if (breaches.length > 0) return breaches;
  }
  return [];
}

/** Two Mechas own one file, and clients ask both of the same ledgers. */
async function twoOwners(dir: string, seed: number): Promise<readonly Breach[]> {
  const [first, second] = [join(dir, "first"), join(dir, "second")];
  await using owner = await Platform.open({ stateDir: first, planted: "fence" });
  mkdirSync(second, { mode: 0o700 });
  symlinkSync(join(first, "state.db"), join(second, "state.db"));
  await using stale = await Platform.open({ stateDir: second, planted: "fence" });
  const ledgers = ["l0", "l1"];
  const of = (platform: Platform, firstCommand: number): Clients =>
    new Clients({ port: platform.port, random: new SeededRandom(seed + firstCommand), ledgers, registers: [], clients: 3, firstCommand });
  using a = of(owner, 0);
  using b = of(stale, 1_000_000);
  a.start();
  b.start();
  try {
    await Promise.all([a.more(betweenKills), b.more(betweenKills)]);
  } catch {
    // One may have given up on what it found in its store: what was acknowledged until then is judged.
  } finally {
    for (const clients of [a, b]) {
      clients[Symbol.dispose](); // nobody asks again and again for an answer that does not come
      await clients.stop();
    }
  }
  await stale.killMecha();
  await owner.killMecha();
  return check([...a.history, ...b.history], storedLedgers(join(first, "state.db")));
}

/** What the file holds, in the order of writing: a Mecha would refuse to read it. */
function storedLedgers(file: string): ReadonlyMap<string, readonly string[]> {
  const db = new DatabaseSync(file);
  const rows = db.prepare(
    "SELECT entity_id, payload FROM event JOIN entity ON entity.id = entity WHERE service = 'crash.Ledger' ORDER BY position",
  );
  const stored = new Map<string, string[]>();
  for (const { entity_id: ledger, payload } of rows.all()) {
    const commandId = new TextDecoder().decode((payload as Uint8Array).subarray(2)); // one string: its tag and its length before it
    const list = stored.get(String(ledger)) ?? [];
    stored.set(String(ledger), [...list, commandId]);
  }
  db.close();
  return stored;
}
