/** `mecha backup`, `restore` and `doctor` as somebody at a terminal uses them: real processes, load meanwhile, damage planted. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { addItem, copyCart, getCart, mechaMain, startUp } from "../support/cart.ts";
import { repository } from "../support/files.ts";
import { eventually, runProgram } from "../support/program.ts";

/** Runs a mecha command to its end, in `cwd`. */
function mecha(args: readonly string[], cwd: string): ReturnType<typeof runProgram> {
  return runProgram(process.execPath, [join(repository, mechaMain), ...args], { cwd });
}

/** Changes a stopped store behind Mecha's back. */
function damage(stateFolder: string, sql: string, file = "state.db"): void {
  const db = new DatabaseSync(join(stateFolder, file));
  db.exec(sql);
  db.close();
}

const skus = (cart: unknown): string[] => (cart as { readonly items: readonly { readonly sku: string }[] }).items.map(({ sku }) => sku);

test("a backup under load has every command acknowledged before it; restored, they are all there, and the state before is kept", async () => {
  await using dir = await copyCart();
  const backups = join(dir.path, "backups");
  await dir.write({ "backups/.keep": "" });
  const acknowledged: string[] = [];
  let before: readonly string[];
  let file: string;
  {
    await using up = await startUp(dir.path);
    let stop = false;
    const client = async (name: string): Promise<void> => {
      for (let next = 0; !stop; next++) {
        const cart = `${name}-${next}`;
        await addItem(up.ingress, cart, { sku: cart, quantity: 1 });
        acknowledged.push(cart);
      }
    };
    const clients = ["a", "b", "c", "d"].map(client);
    while (acknowledged.length < 100) await new Promise((turn) => setTimeout(turn, 5));
    before = [...acknowledged];
    const made = await mecha(["backup", "backups", "-o", "json"], dir.path);
    stop = true;
    await Promise.all(clients);
    assert.equal(made.code, 0, made.output);
    ({ folder: file } = JSON.parse(made.stdout) as { readonly folder: string });
    assert.ok(acknowledged.length > before.length, "the load went on meanwhile");

    assert.match(file, /\/backups\/shopping-cart-\d{8}T\d{6}Z$/u);
    assert.equal(statSync(file).mode & 0o777, 0o700);
    assert.deepEqual(readdirSync(file).sort(), ["backup.json", "control.db", "state.db"]);
    for (const name of readdirSync(file)) assert.equal(statSync(join(file, name)).mode & 0o777, 0o600, name);
    assert.deepEqual(readdirSync(backups).sort(), [".keep", file.slice(backups.length + 1)]);
    assert.deepEqual(readdirSync(join(dir.path, ".mecha/backup")), []);
    const again = await mecha(["backup", file], dir.path);
    assert.equal(again.code, 1);
    assert.match(again.output, /is a backup, and one overwrites nothing/u);
    const inUse = await mecha(["restore", file], dir.path);
    assert.equal(inUse.code, 1);
    assert.match(inUse.output, new RegExp(`process ${up.program.pid} runs with the state folder`, "u"));

    await addItem(up.ingress, "late", { sku: "late", quantity: 1 });

    // Killed while it copies: the one who asked says so, and what was copied is no backup.
    const cut = mecha(["backup", "cut"], dir.path);
    const half = await eventually("a copy is begun", () => halfBackup(join(dir.path, ".mecha/backup")));
    up.program.kill("SIGKILL");
    await up.program.exit;
    const cutOff = await cut;
    assert.ok(cutOff.code === 1 || existsSync(join(dir.path, "cut/backup.json")), cutOff.output);
    if (cutOff.code === 1) assert.ok(!existsSync(join(dir.path, "cut")));
    if (existsSync(half)) {
      const refused = await mecha(["restore", half], dir.path);
      assert.match(refused.output, /is no finished backup: it has no backup\.json/u);
    }
  }
  const restored = await mecha(["restore", file, "-o", "json"], dir.path);
  assert.equal(restored.code, 0, restored.output);
  const kept = (JSON.parse(restored.stdout) as { readonly before: string }).before;
  {
    await using up = await startUp(dir.path);
    for (const cart of before) assert.deepEqual(skus(await getCart(up.ingress, cart)), [cart], cart);
    assert.deepEqual(skus(await getCart(up.ingress, "late")), [], "what came after the backup is not in it");
    up.program.kill("SIGTERM");
    await up.program.exit;
  }
  // The state before was whole too, the last command included, although its Mecha was killed.
  const back = await mecha(["restore", kept], dir.path);
  assert.equal(back.code, 0, back.output);
  await using up = await startUp(dir.path);
  for (const cart of [...acknowledged, "late"]) assert.deepEqual(skus(await getCart(up.ingress, cart)), [cart], cart);
  const doctor = await mecha(["doctor"], dir.path);
  assert.equal(doctor.code, 0, doctor.output);
  assert.match(doctor.stdout, /running: process \d+, ready, one function/u);
  assert.match(doctor.stdout, /store: the store is whole\n.*objects: the log of Kubernetes objects is whole/u);
  assert.match(doctor.stdout, /before-restore-\S+: the state before a restore/u);
});

/** The folder of a copy under way. */
function halfBackup(folder: string): string | undefined {
  if (!existsSync(folder)) return undefined;
  const [id] = readdirSync(folder);
  return id === undefined ? undefined : join(folder, id);
}

test("a damaged backup, or a file that is none, is refused, and nothing is changed", async () => {
  await using dir = await copyCart();
  const file = join(dir.path, "shop-backup");
  {
    await using up = await startUp(dir.path);
    await addItem(up.ingress, "1", { sku: "tea", quantity: 1 });
    assert.equal((await mecha(["backup", file], dir.path)).code, 0);
    up.program.kill("SIGTERM");
    await up.program.exit;
  }
  const stateBefore = readdirSync(join(dir.path, ".mecha")).sort();
  const db = new DatabaseSync(join(file, "state.db"));
  db.exec("UPDATE event SET sequence = 9");
  db.close();
  const damaged = await mecha(["restore", file], dir.path);
  assert.equal(damaged.code, 1);
  assert.match(damaged.output, /state\.db is not what was written: its SHA-256 differs/u);
  const alone = await mecha(["restore", join(file, "state.db")], dir.path);
  assert.match(alone.output, /is not a whole backup; nothing was changed:\n {2}state\.db: shop\.Cart\/1: event 9 follows 0/u);
  writeFileSync(join(file, "state.db"), "hello ".repeat(1_000));
  assert.match((await mecha(["restore", join(file, "state.db")], dir.path)).output, /not a database/u);
  assert.match((await mecha(["restore", join(dir.path, "absent")], dir.path)).output, /there is no backup/u);
  assert.deepEqual(readdirSync(join(dir.path, ".mecha")).sort(), stateBefore);
  assert.equal((await mecha(["backup", file], dir.path)).code, 1, "nobody runs who could be asked");
});

test("a backup is restored into a folder that does not exist yet", async () => {
  await using dir = await copyCart();
  const file = join(dir.path, "shop-backup");
  const other = join(dir.path, "other/state");
  {
    await using up = await startUp(dir.path);
    await addItem(up.ingress, "1", { sku: "tea", quantity: 1 });
    assert.equal((await mecha(["backup", file], dir.path)).code, 0);
  }
  const restored = await mecha(["restore", file, "--state", other], dir.path);
  assert.equal(restored.code, 0, restored.output);
  assert.equal(statSync(other).mode & 0o777, 0o700);
  await using up = await startUp(dir.path, ["--state", other]);
  assert.deepEqual(skus(await getCart(up.ingress, "1")), ["tea"]);
});

test("doctor says what is wrong with a stopped state folder and what to do, each planted damage, and changes nothing", async () => {
  await using dir = await copyCart();
  const state = join(dir.path, ".mecha");
  const doctor = (): ReturnType<typeof runProgram> => mecha(["doctor"], dir.path);
  assert.match((await doctor()).output, /there is no state folder/u);
  {
    await using up = await startUp(dir.path);
    for (const cart of ["1", "2", "3"]) await addItem(up.ingress, cart, { sku: "tea", quantity: 1 });
    up.program.kill("SIGKILL");
    await up.program.exit;
  }
  // Killed: a WAL full of commits, a lock and admin files of nobody. All of that is well.
  const names = readdirSync(state).sort();
  const well = await doctor();
  assert.equal(well.code, 0, well.output);
  assert.match(well.stdout, /state\.db is whole[\s\S]*all is well/u);
  assert.deepEqual(
    readdirSync(state).sort(),
    names.filter((name) => name !== "lock"),
    "but for the lock of nobody",
  );

  const planted: readonly (readonly [plant: () => void, says: RegExp, mend: () => void])[] = [
    [
      () => chmodSync(join(state, "state.db"), 0o644),
      /others may read \S+state\.db \(mode 644\)\n +what to do: chmod 600/u,
      () => chmodSync(join(state, "state.db"), 0o600),
    ],
    [() => chmodSync(state, 0o755), /others may read \S+\.mecha \(mode 755\)\n +what to do: chmod 700/u, () => chmodSync(state, 0o700)],
    [
      () => mkdirSync(join(state, "restoring"), { mode: 0o700 }),
      /a restore was cut off; the state is as it was before/u,
      () => rmSync(join(state, "restoring"), { recursive: true }),
    ],
    [
      () => mkdirSync(join(state, "restored"), { mode: 0o700 }),
      /a restore was cut off when it was decided\n +what to do: `mecha up` finishes it/u,
      () => rmSync(join(state, "restored"), { recursive: true }),
    ],
    [
      () => damage(state, "UPDATE head SET revision = 0", "control.db"),
      /objects: \S+ is said to be at revision 0, its newest change is \d+.*\(C5\)\n +what to do: restore/u,
      () => damage(state, "UPDATE head SET revision = (SELECT max(revision) FROM change WHERE change.key = head.key)", "control.db"),
    ],
    [
      () => damage(state, "UPDATE event SET previous = 7"),
      /names position 7 as the one before, .* and 2 more like it \(D3\)\n +what to do: restore/u,
      () => damage(state, "UPDATE event SET previous = 0"),
    ],
    [() => damage(state, "PRAGMA user_version = 99"), /has layout 99, this version of Mecha knows up to \d+/u, () => undefined],
  ];
  for (const [plant, says, mend] of planted) {
    plant();
    const sick = await doctor();
    assert.equal(sick.code, 1, sick.output);
    assert.match(sick.stdout, says);
    mend();
  }
  const json = JSON.parse((await mecha(["doctor", "-o", "json"], dir.path)).stdout) as { readonly ok: boolean; readonly checks: unknown[] };
  assert.equal(json.ok, false);
});

test("doctor on a running Mecha finds damage in its store, and leaves no copy behind", async () => {
  await using dir = await copyCart();
  const state = join(dir.path, ".mecha");
  {
    await using up = await startUp(dir.path);
    for (const cart of ["1", "2"]) await addItem(up.ingress, cart, { sku: "tea", quantity: 1 });
    up.program.kill("SIGTERM");
    await up.program.exit;
  }
  damage(state, "UPDATE entity SET shard = (shard + 1) % 256 WHERE id = 1");
  await using up = await startUp(dir.path);
  const sick = await mecha(["doctor"], dir.path);
  assert.equal(sick.code, 1, sick.output);
  assert.match(sick.stdout, /PROBLEM +store: shop\.Cart\/1 is in shard \d+, it belongs to \d+/u);
  const refused = await mecha(["backup", "shop-backup"], dir.path);
  assert.equal(refused.code, 1);
  assert.match(refused.output, /the copy is not whole, so the state is not either; nothing was written/u);
  assert.ok(!existsSync(join(dir.path, "shop-backup")));
  assert.deepEqual(readdirSync(join(state, "backup")), []);
  // A second Mecha is refused, and says by whom.
  const second = await mecha(["up", "--port", "0", "--admin-port", "0"], dir.path);
  assert.match(second.output, new RegExp(`process ${up.program.pid} runs`, "u"));
});
