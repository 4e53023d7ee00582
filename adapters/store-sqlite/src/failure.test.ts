/** What happens when a statement or the medium fails. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { EntityHandle, Step, Store } from "@mecha/state/store";
import { Appender, appenderCommand, checkFile, checkHistory, laneAddress, openTestStore, payloadOf } from "./testing/history.ts";

function step(entity: EntityHandle, expectedSequence: number, cause: string, events = 1): Step {
  const payloads = Array.from({ length: events }, (_, at) => payloadOf(0, expectedSequence + 1 + at, 10));
  return { entity, expectedSequence, events: payloads, cause, timeMs: 0 };
}

/** A store whose database refuses some rows, as a constraint would. */
async function inPoisonedStore(triggers: string, run: (store: Store) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "mecha-failure-"));
  try {
    await (await openTestStore(dir))[Symbol.asyncDispose]();
    const db = new DatabaseSync(join(dir, "state.db"));
    db.exec(triggers);
    db.close();
    {
      await using store = await openTestStore(dir);
      await run(store);
    }
    checkFile(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const poison = `CREATE TRIGGER poison BEFORE INSERT ON event WHEN NEW.cause = 'poison' AND NEW.sequence % 3 = 0
  BEGIN SELECT RAISE(ABORT, 'planted'); END`;

test("a step that a constraint refuses costs itself and its entity's later steps, not the group", () =>
  inPoisonedStore(poison, async (store) => {
    const a = await store.open(laneAddress(0), "eventSourced");
    const b = await store.open(laneAddress(2), "eventSourced");
    const fresh = await store.open(laneAddress(4), "eventSourced");
    const calls = [
      [step(b.handle, 0, "good"), step(a.handle, 0, "good"), step(a.handle, 1, "poison", 4)],
      // A new entity whose only step fails half-way leaves no row; words first said in a failing step are known afterwards.
      [step(fresh.handle, 0, "poison", 3), step(a.handle, 5, "later"), step(b.handle, 1, "good"), step(a.handle, 1, "other")],
    ];
    const [first, second] = await Promise.all(calls.map((steps) => store.commit(steps)));
    const conflict = (actualSequence: number) => ({ is: "conflict", actualSequence });
    const committed = { is: "committed" };
    assert.deepEqual(first, [committed, committed, conflict(1)]);
    assert.deepEqual(second, [conflict(0), conflict(1), committed, conflict(1)]);
    assert.deepEqual(await store.commit([step(b.handle, 2, "good"), step(a.handle, 1, "later")]), [committed, conflict(1)]);
    const again = await store.open(laneAddress(0), "eventSourced");
    assert.deepEqual(await store.commit([step(again.handle, 1, "later")]), [committed]);
    assert.deepEqual(
      (await store.events(a.handle, 0, 10)).map((event) => event.cause),
      ["good", "later"],
    );
    assert.equal((await store.list({ limit: 10 })).length, 2);
    const freshAgain = await store.open(laneAddress(4), "eventSourced");
    assert.deepEqual(await store.commit([step(freshAgain.handle, 0, "good")]), [committed]);
  }));

test("a value that a constraint refuses keeps its old version", () =>
  inPoisonedStore(
    "CREATE TRIGGER poison BEFORE INSERT ON value WHEN NEW.command_id = 'poison' BEGIN SELECT RAISE(ABORT, 'planted'); END",
    async (store) => {
      const { handle } = await store.open(laneAddress(1), "value");
      const set = (version: number, commandId: string): Step => ({
        entity: handle,
        expectedSequence: version,
        events: [],
        value: { do: "update", value: payloadOf(1, version + 1, 10) },
        cause: "Set",
        commandId,
        timeMs: 0,
      });
      const verdicts = await store.commit([set(0, "a"), set(1, "poison"), set(1, "b")]);
      assert.deepEqual(
        verdicts.map(({ is }) => is),
        ["committed", "conflict", "conflict"],
      );
      assert.equal((await store.open(laneAddress(1), "value")).sequence, 1);
    },
  ));

/** The shell's limit on file size makes writes fail as a full disk does, without being root. */
const limited = spawnSync("sh", ["-c", "ulimit -f 1000"]).status === 0 ? undefined : "this shell has no ulimit -f";

test(
  "a full disk acknowledges nothing and closes the store; with room again everything acknowledged is there (S5)",
  { skip: limited },
  async () => {
    const dir = mkdtempSync(join(tmpdir(), "mecha-full-"));
    try {
      const plan = { dir, lanes: 6, seed: 3, steps: 1e9, bytes: 2_000 };
      const appender = new Appender("sh", ["-c", 'trap "" XFSZ; ulimit -f 4000; exec "$@"', "sh", ...appenderCommand(plan)]);
      await appender.until((lines) => lines.includes("fault list unavailable"));
      assert.equal(await appender.finish(), 0);
      const faults = appender.lines.filter((line) => line.startsWith("fault") || line.startsWith("fine"));
      assert.ok(appender.acknowledged > 100, `${appender.acknowledged} acknowledged before the disk was full`);
      assert.ok(faults.includes("fault step dataLoss"), faults.join("; "));
      assert.deepEqual(
        faults.filter((line) => !line.startsWith("fault step")),
        ["fault open unavailable", "fault commit unavailable", "fault list unavailable"],
      );
      assert.ok(faults.every((line) => /dataLoss|unavailable/.test(line)));
      await checkHistory(dir, appender.highest("ack"), appender.highest("go"));
    } finally {
      rmSync(dir, { recursive: true });
    }
  },
);

test("a damaged file is found when its events are read, and closes the store", async () => {
  const dir = mkdtempSync(join(tmpdir(), "mecha-damaged-"));
  try {
    {
      await using store = await openTestStore(dir);
      const { handle } = await store.open(laneAddress(0), "eventSourced");
      await store.commit([step(handle, 0, "a", 3)]);
    }
    const db = new DatabaseSync(join(dir, "state.db"));
    db.exec("UPDATE event SET sequence = 7 WHERE sequence = 2");
    db.close();
    await using store = await openTestStore(dir);
    const { handle } = await store.open(laneAddress(0), "eventSourced");
    await assert.rejects(store.events(handle, 0, 10), { code: "dataLoss" });
    await assert.rejects(store.commit([step(handle, 3, "b")]), { code: "unavailable" });
  } finally {
    rmSync(dir, { recursive: true });
  }
});
