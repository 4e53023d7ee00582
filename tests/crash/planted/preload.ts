/**
 * Plants a bug in the storage of a real `mecha up`, from outside its code: preloaded (`node --import`), it changes what a few SQL statements of the store's
 * worker do. MECHA_TEST_PLANTED says which bug. The crash trials must object to each (planted.ts).
 *
 *   acknowledge  a commit is answered at once and carried out later: whoever is killed meanwhile loses what was acknowledged
 *   keys         idempotency keys are not stored. Commits answer late, too, which is no bug but makes it likely that a kill hits a commit without an answer
 *   fence        a second process may open the file and write to it: no lock, and positions are whatever is free
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { workerData } from "node:worker_threads";

/** How long a commit is put off, ms: a kill shortly after an answer comes before it. */
const putOffMs = 400;
/** How long an answer to a commit waits, ms. */
const lateMs = 60;

/** How long one of two owners waits for the other's commit, ms. */
const patienceMs = 20_000;

type Run = StatementSync["run"];
type Prepare = (db: DatabaseSync, sql: string, prepared: StatementSync) => StatementSync;

const unchanged = { changes: 0, lastInsertRowid: 0 } as const;
const ran = (prepared: StatementSync, run: Run): StatementSync =>
  new Proxy(prepared, {
    get: (statement, name) => {
      if (name === "run") return run;
      const value: unknown = Reflect.get(statement, name, statement);
      return typeof value === "function" ? (value as () => unknown).bind(statement) : value;
    },
  });

let putOff: NodeJS.Timeout | undefined;

const prepares: Readonly<Record<string, Prepare>> = {
  acknowledge: (db, sql, prepared) => {
    if (sql === "BEGIN IMMEDIATE") return ran(prepared, () => (db.isTransaction ? unchanged : prepared.run()));
    if (sql.startsWith("PRAGMA wal_checkpoint"))
      return new Proxy(prepared, { get: () => () => (db.isTransaction ? { log: 0, checkpointed: 0 } : prepared.get()) });
    if (sql !== "COMMIT") return prepared;
    return ran(prepared, () => {
      putOff ??= setTimeout(() => {
        putOff = undefined;
        if (db.isTransaction) prepared.run();
      }, putOffMs);
      return unchanged;
    });
  },
  keys: (_db, sql, prepared) => {
    if (sql.startsWith("INSERT INTO deduplication")) return ran(prepared, () => unchanged);
    if (sql !== "COMMIT") return prepared;
    return ran(prepared, () => {
      const result = prepared.run();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, lateMs);
      return result;
    });
  },
  fence: (db, sql, prepared) => {
    if (!sql.startsWith("INSERT INTO event VALUES")) return prepared;
    const next = prepareNow.call(db, "SELECT ifnull(max(position), 0) + 1 AS position FROM event");
    return ran(prepared, (_position: unknown, ...rest: unknown[]) =>
      (prepared.run as (...given: unknown[]) => ReturnType<Run>)((next.get() as { position: number }).position, ...rest),
    );
  },
};

const locks = ["PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE; COMMIT"];
const { prepare: prepareNow, exec: execNow } = DatabaseSync.prototype;
const planted = process.env["MECHA_TEST_PLANTED"] ?? "";
const plant = prepares[planted];
if (!plant) throw new Error(`MECHA_TEST_PLANTED: ${JSON.stringify(planted)} is none of ${Object.keys(prepares).join(", ")}`);

if ((workerData as { file?: unknown } | null)?.file?.toString().endsWith("state.db") === true) {
  DatabaseSync.prototype.prepare = function (sql, ...options) {
    return plant(this, sql, prepareNow.call(this, sql, ...options));
  };
  DatabaseSync.prototype.exec = function (sql) {
    if (planted !== "fence" || !locks.includes(sql)) return execNow.call(this, sql);
    execNow.call(this, `PRAGMA busy_timeout = ${patienceMs}`); // for the other owner's commits
  };
}
