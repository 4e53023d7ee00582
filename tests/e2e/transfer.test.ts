/** `mecha entities export` and `import` as somebody at a terminal uses them: out of one Mecha, into a fresh one, broken off on the way. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { mechaMain, type RunningMecha, startUp } from "../support/cart.ts";
import { repository, tempDir, type TempDir } from "../support/files.ts";
import { request } from "../support/http.ts";
import { eventually, runProgram, startProgram } from "../support/program.ts";

/** Every kind of entity, snapshots, timers, and one that has nothing but a timer. */
const code = `import { command, crdt, eventSourced, pncounter, serve, t, valueEntity } from "mecha-sdk";

const Ledger = eventSourced({
  service: "demo.Ledger",
  key: "id",
  snapshotEvery: 3,
  state: () => ({ sum: 0, notes: [] as string[] }),
  events: { added: { amount: t.int32, note: t.string } },
  commands: {
    add: command({ id: t.string, amount: t.int32, note: t.string }).http("POST /ledgers/{id}"),
    remind: command({ id: t.string, after: t.string }).http("POST /ledgers/{id}/reminder"),
    get: command({ id: t.string }).http("GET /ledgers/{id}").replies({ sum: t.int32, notes: t.repeated(t.string) }),
  },
  on: { added: (state, { amount, note }) => ({ sum: state.sum + amount, notes: [...state.notes, note] }) },
  handle: {
    add({ amount, note }, ctx) {
      ctx.emit("added", { amount, note });
    },
    remind({ id, after }, ctx) {
      ctx.schedule("remind", "add", { id, amount: 1000, note: "reminded" }, { after });
    },
    get: (_, ctx) => ({ sum: ctx.state.sum, notes: [...ctx.state.notes] }),
  },
});

const Profile = valueEntity({
  service: "demo.Profile",
  key: "id",
  state: () => ({ name: "" }),
  commands: {
    put: command({ id: t.string, name: t.string }).http("PUT /profiles/{id}"),
    get: command({ id: t.string }).http("GET /profiles/{id}").replies({ name: t.string }),
  },
  handle: {
    put({ name }, ctx) {
      ctx.update({ name });
    },
    get: (_, ctx) => ({ name: ctx.state.name }),
  },
});

const Likes = crdt({
  service: "demo.Likes",
  key: "id",
  state: pncounter(),
  commands: {
    like: command({ id: t.string, by: t.int32 }).http("POST /likes/{id}"),
    get: command({ id: t.string }).http("GET /likes/{id}").replies({ likes: t.int64.asNumber }),
  },
  handle: {
    like({ by }, ctx) {
      ctx.state.increment(by);
    },
    get: (_, ctx) => ({ likes: Number(ctx.state.value) }),
  },
});

await serve([Ledger, Profile, Likes]);
`;

const project = `apiVersion: mecha.dev/v1alpha1
kind: Project
metadata: { name: demo }
spec:
  functions: [{ name: demo, command: node main.ts }]
  store: { kind: sqlite }
`;

async function folder(): Promise<TempDir> {
  const dir = await tempDir("transfer");
  await dir.write({ "main.ts": code, "mecha.yaml": project, "package.json": '{"type":"module","private":true}' });
  await symlink(join(repository, "node_modules"), join(dir.path, "node_modules"), "dir");
  return dir;
}

const mecha = (args: readonly string[], cwd: string, stdin?: string): ReturnType<typeof runProgram> =>
  runProgram(process.execPath, [join(repository, mechaMain), ...args], { cwd, ...(stdin !== undefined && { stdin }) });

async function exported(cwd: string, ...args: string[]): Promise<string> {
  const ended = await mecha(["entities", "export", ...args], cwd);
  assert.equal(ended.code, 0, ended.output);
  return ended.stdout;
}

async function set(url: string, body: unknown, method = "POST"): Promise<void> {
  const answer = await request(url, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
}

/** What callers can see. */
async function seen({ ingress }: RunningMecha): Promise<unknown[]> {
  const paths = ["/ledgers/a", "/ledgers/%C3%A9%2Fb", "/profiles/ada", "/likes/tea"];
  return Promise.all(paths.map(async (path) => (await request(`${ingress}${path}`)).body));
}

const records = (text: string): any[] => text.trim().split("\n").map((line) => JSON.parse(line)); // prettier-ignore
/** Without what may differ from export to export. */
const body = (text: string): string => text.split("\n").slice(1).join("\n");

test("everything stored goes out as JSON lines, and into a fresh store; the same again changes nothing", async () => {
  await using from = await folder();
  await using to = await folder();
  const file = join(to.path, "all.jsonl");
  let before: unknown[];
  {
    await using up = await startUp(from.path);
    for (const amount of [1, 2, 3, 4]) await set(`${up.ingress}/ledgers/a`, { amount, note: `n${amount} "é"` });
    await set(`${up.ingress}/ledgers/%C3%A9%2Fb`, { amount: 7, note: "other" });
    await set(`${up.ingress}/ledgers/a/reminder`, { after: "1h" });
    await set(`${up.ingress}/ledgers/idle/reminder`, { after: "2h" });
    await set(`${up.ingress}/profiles/ada`, { name: "Ada" }, "PUT");
    await set(`${up.ingress}/profiles/ada`, { name: "Ada L." }, "PUT");
    for (const by of [5, -2]) await set(`${up.ingress}/likes/tea`, { by });
    before = await seen(up);
    writeFileSync(file, await exported(from.path));
    const listed = await mecha(["entities", "list", "--service", "demo.Profile"], from.path);
    assert.match(listed.stdout, /^SERVICE +ID +KIND +SEQUENCE +OWNER +ACTIVE +QUEUED\ndemo.Profile +ada +value +2 +demo +\w+ +0\n$/u);
  }
  const lines = records(readFileSync(file, "utf8"));
  assert.deepEqual(
    lines.map((line) => [line.record, line.service, line.id, line.sequence]),
    [
      ["export", undefined, undefined, undefined],
      ...[1, 2, 3, 4].map((sequence) => ["event", "demo.Ledger", "a", sequence]),
      ["event", "demo.Ledger", "é/b", 1],
      ["crdt", "demo.Likes", "tea", undefined],
      ["value", "demo.Profile", "ada", undefined],
      ["timers", "demo.Ledger", "idle", undefined],
      ["end", undefined, undefined, undefined],
    ],
  );
  const [third, fourth] = [lines[3], lines[4]];
  assert.deepEqual(third.payload, { type: "type.googleapis.com/demo.LedgerAdded", json: { amount: 3, note: 'n3 "é"' } });
  assert.deepEqual([third.cause, third.snapshot.json.sum, third.timers], ["Add", 6, undefined]);
  assert.match(third.time, /^\d{4}-.*Z$/u);
  assert.deepEqual([fourth.snapshot, fourth.timers[0].name, fourth.timers[0].command], [undefined, "remind", "Add"]);

  await using up = await startUp(to.path);
  const imported = await mecha(["entities", "import", "all.jsonl"], to.path);
  assert.equal(imported.stdout, "8 records imported, 0 were there already\n", imported.output);
  const again = await mecha(["entities", "import", "-", "-o", "json"], to.path, readFileSync(file, "utf8"));
  assert.deepEqual(JSON.parse(again.stdout), { imported: 0, unchanged: 8 });
  // Versions of values begin anew; all else is the same, timers included.
  const copy = body(await exported(to.path));
  assert.equal(copy, body(readFileSync(file, "utf8")).replace('"version":2', '"version":1'));
  assert.deepEqual(await seen(up), before);
  await set(`${up.ingress}/ledgers/a`, { amount: 10, note: "after" });
  await set(`${up.ingress}/likes/tea`, { by: 1 });
  const figures = (await seen(up)).map((one) => Object.values(one as object)[0] as unknown);
  assert.deepEqual(figures, [20, 7, "Ada L.", "4"]);
});

/** Asked of the admin API itself: a command takes half a second to start. */
async function storedAtAll({ page }: RunningMecha): Promise<number> {
  const [origin = "", token = ""] = page.split("/#token=");
  const answer = await fetch(`${origin}/v1/entities?limit=1`, { headers: { authorization: `Bearer ${token}` } });
  return ((await answer.json()) as { readonly entities: readonly unknown[] }).entities.length;
}

test("kill -9 in the middle of an import, and once more: everything is there once", async () => {
  await using dir = await folder();
  const entity = { service: "demo.Ledger", persistenceId: "demo.Ledger" };
  const event = (id: string, sequence: number): object => ({
    record: "event",
    ...entity,
    id,
    sequence,
    time: "2026-11-20T12:00:00.000Z",
    cause: "Add",
    payload: { type: "type.googleapis.com/demo.LedgerAdded", json: { amount: 1, note: `${id} ${sequence}` } },
  });
  const lines: object[] = [];
  for (let sequence = 1; sequence <= 4; sequence++) for (let i = 0; i < 8_000; i++) lines.push(event(`l${i}`, sequence));
  writeFileSync(join(dir.path, "many.jsonl"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  {
    await using up = await startUp(dir.path);
    await using importing = startProgram(process.execPath, [join(repository, mechaMain), "entities", "import", "many.jsonl"], {
      cwd: dir.path,
    });
    await eventually("some of it is stored", async () => (await storedAtAll(up)) > 0);
    up.program.kill("SIGKILL");
    const { code: exit } = await importing.exit;
    assert.equal(exit, 1, importing.output);
    assert.match(importing.output, /broken off at line \d+; import the same file again/u);
  }
  await using up = await startUp(dir.path);
  const again = await mecha(["entities", "import", "many.jsonl", "-o", "json"], dir.path);
  assert.equal(again.code, 0, again.output);
  const { imported, unchanged } = JSON.parse(again.stdout) as { readonly imported: number; readonly unchanged: number };
  assert.equal(imported + unchanged, lines.length);
  assert.ok(imported > 0 && unchanged > 0, `${imported} of ${lines.length} were left`);
  assert.deepEqual((await request(`${up.ingress}/ledgers/l7999`)).body, { sum: 4, notes: [1, 2, 3, 4].map((n) => `l7999 ${n}`) });
  assert.equal((await exported(dir.path)).trim().split("\n").length, lines.length + 2);
});
