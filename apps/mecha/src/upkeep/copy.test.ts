/** A copy of a state under load is of one moment: what the outbox has delivered is in the topics, nothing else is, and no cursor is ahead of what was done. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { noLog } from "@mecha/kit";
import { FakeClock, SeededRandom } from "@mecha/kit/testing";
import { type Finding, openSqliteObjectLog, openSqliteStore, openSqliteTopics, type StateFile, verifyFile } from "@mecha/store-sqlite";
import { copyState } from "./copy.ts";

const root = mkdtempSync(join(tmpdir(), "mecha-copy-"));
after(() => rmSync(root, { recursive: true }));

const payload = { typeUrl: "t/x", value: new Uint8Array(200) };
const message = (source: string, id: number) => ({ topic: "t", source, id: String(id), attributes: [], payload, timeMs: 1 });

test("state and topics of a copy are of one moment, whatever goes on", async (t) => {
  const dir = join(root, "state");
  const retention = { maxAgeMs: 1e12, maxBytes: 1e12 };
  await using store = await openSqliteStore({ dir, clock: new FakeClock(), log: noLog, random: new SeededRandom(1) });
  await using topics = await openSqliteTopics({ dir, log: noLog, retention });
  await using objects = await openSqliteObjectLog({ dir });
  await objects.write({ key: "//configmaps/default/a", expected: 0, value: '{"metadata":{"name":"a"}}' });
  let stop = false;
  /** One event after the other of an entity; `around` does what stands before or behind its commit elsewhere. */
  const load = async (entityId: string, around: (sequence: number, commit: () => Promise<void>) => Promise<void>): Promise<void> => {
    const { handle } = await store.open({ namespace: "default", service: "s", persistenceId: "p", entityId }, "eventSourced");
    for (let sequence = 1; !stop; sequence++)
      await around(sequence, async () => {
        const [verdict] = await store.commit([
          { entity: handle, expectedSequence: sequence - 1, events: [payload], cause: "c", timeMs: 0 },
        ]);
        assert.equal(verdict?.is, "committed");
      });
  };
  const loads = [
    // The outbox: delivered, then done with; asked for, then delivered.
    load("delivered", async (n, commit) => {
      await topics.append([message("delivered", n)]);
      await commit();
    }),
    load("asked", async (n, commit) => {
      await commit();
      await topics.append([message("asked", n)]);
    }),
    // A consumer: an effect at an entity, then the cursor.
    load("done", async (n, commit) => {
      await commit();
      await topics.advance("g", { position: n, ahead: [] }, []);
    }),
  ];
  const parts = { store, topics, objects: () => Promise.resolve(objects), stateFolder: dir };
  const rounds = 6;
  for (let round = 0; round < rounds; round++) {
    const to = join(root, `copy${round}`);
    mkdirSync(to);
    const before = await topics.read("t", 0, 1);
    while ((await topics.read("t", 0, 1)).head < before.head + 40) await new Promise((turn) => setImmediate(turn));
    const files = await copyState(parts, to, () => undefined);
    assert.deepEqual([...files].sort(), readdirSync(to).sort(), "nothing else is left there");
    assert.deepEqual([...files], ["state.db", "topics.db", "control.db"]);
    for (const name of files) assert.deepEqual(findings(join(to, name), name), []);
    const counts = countsOf(to);
    t.diagnostic(JSON.stringify(counts));
    assert.ok(counts.messages.delivered >= counts.events.delivered, "what was done with is delivered");
    assert.ok(counts.messages.asked <= counts.events.asked, "nothing is delivered that nobody asked for");
    assert.ok(counts.cursor <= counts.events.done, "nothing is passed that was not done");
  }
  stop = true;
  await Promise.all(loads);
});

function findings(file: string, is: StateFile): readonly Finding[] {
  const stages = verifyFile(file, is);
  for (let next = stages.next(); ; next = stages.next()) if (next.done === true) return next.value;
}

interface Counts {
  readonly events: Record<"delivered" | "asked" | "done", number>;
  readonly messages: Record<"delivered" | "asked", number>;
  readonly cursor: number;
}

function countsOf(folder: string): Counts {
  const state = new DatabaseSync(join(folder, "state.db"), { readOnly: true });
  const topics = new DatabaseSync(join(folder, "topics.db"), { readOnly: true });
  const one = (db: DatabaseSync, sql: string, of: string): number => Number(Object.values(db.prepare(sql).get(of) ?? {})[0] ?? 0);
  const events = (of: string): number =>
    one(state, "SELECT max(sequence) FROM event WHERE entity = (SELECT id FROM entity WHERE entity_id = ?)", of);
  const messages = (of: string): number => one(topics, "SELECT count(*) FROM message WHERE source = ?", of);
  const counts = {
    events: { delivered: events("delivered"), asked: events("asked"), done: events("done") },
    messages: { delivered: messages("delivered"), asked: messages("asked") },
    cursor: one(topics, "SELECT position FROM cursor WHERE subscriber = ? AND shard = -1", "g"),
  };
  state.close();
  topics.close();
  return counts;
}
