/** Durable timers, as a stranger sees them: `mecha up`, a function that sets timers, kill -9, start again. */
import assert from "node:assert/strict";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { mechaMain, type RunningMecha, startUp } from "../support/cart.ts";
import { repository, tempDir, type TempDir } from "../support/files.ts";
import { eventually, runProgram } from "../support/program.ts";
import { findProgram, skipUnless } from "../support/skip.ts";

/** Each firing is an event; `list` answers with the times between them. */
const code = `import { command, eventSourced, serve, t } from "mecha-sdk";

const when = { after: t.optional(t.string), every: t.optional(t.string), cron: t.optional(t.string), catchUp: t.optional(t.string) };

const Bell = eventSourced({
  service: "demo.Bell",
  persistenceId: "bell",
  key: "id",
  state: () => ({ rings: [] as string[], firings: [] as string[] }),
  events: { rung: { name: t.string, due: t.string, firing: t.int32 } },
  commands: {
    set: command({ id: t.string, name: t.string, ...when }).http("POST /bells/{id}/timers"),
    cancel: command({ id: t.string, name: t.string }).http("DELETE /bells/{id}/timers/{name}"),
    ring: command({ id: t.string, name: t.string }),
    list: command({ id: t.string }).http("GET /bells/{id}").replies({ rings: t.repeated(t.string), firings: t.repeated(t.string) }),
  },
  on: {
    rung: ({ rings, firings }, { name, due, firing }) => ({ rings: [...rings, name], firings: [...firings, name + " " + firing + " " + due] }),
  },
  handle: {
    set({ id, name, catchUp, ...times }, ctx) {
      const given = Object.fromEntries(Object.entries(times).filter(([, value]) => value !== undefined));
      ctx.schedule(name, "ring", { id, name }, { ...given, ...(catchUp && { catchUp: catchUp as "all" }) });
    },
    cancel({ name }, ctx) {
      ctx.cancelTimer(name);
    },
    ring({ name }, ctx) {
      ctx.emit("rung", { name, due: ctx.firing?.due.toISOString() ?? "", firing: ctx.firing?.number ?? 0 });
    },
    list: (_, ctx) => ({ rings: ctx.state.rings as string[], firings: ctx.state.firings as string[] }),
  },
});

await serve([Bell]);
`;

const project = `apiVersion: mecha.dev/v1alpha1
kind: Project
metadata:
  name: bells
spec:
  functions:
    - name: bell
      directory: .
      command: node main.ts
  store:
    kind: sqlite
`;

async function bells(): Promise<TempDir> {
  const dir = await tempDir("bells");
  await dir.write({ "main.ts": code, "mecha.yaml": project, "package.json": '{"type":"module","private":true}' });
  await symlink(join(repository, "node_modules"), join(dir.path, "node_modules"), "dir");
  return dir;
}

async function set(up: RunningMecha, id: string, timer: Readonly<Record<string, string>>): Promise<void> {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${up.ingress}/bells/${id}/timers`, { method: "POST", headers, body: JSON.stringify(timer) });
  assert.equal(answer.status, 200, await answer.text());
}

async function rings(up: RunningMecha, id: string): Promise<readonly string[]> {
  const answer = await fetch(`${up.ingress}/bells/${id}`);
  assert.equal(answer.status, 200);
  return ((await answer.json()) as { readonly rings?: readonly string[] }).rings ?? [];
}

const rung = (up: RunningMecha, id: string, times: number): Promise<unknown> =>
  eventually(`bell ${id} has rung ${times} times`, async () => (await rings(up, id)).length >= times);

const mecha = (dir: TempDir, ...args: readonly string[]): ReturnType<typeof runProgram> =>
  runProgram(process.execPath, [join(repository, mechaMain), ...args], { cwd: dir.path });

interface Listed {
  readonly timers: readonly { readonly id: string; readonly name: string; readonly due: string }[];
}
async function listed(dir: TempDir): Promise<Listed["timers"]> {
  const said = await mecha(dir, "timers", "list", "-o", "json");
  assert.equal(said.code, 0, said.output);
  return (JSON.parse(said.stdout) as Listed).timers;
}

test("a timer set before kill -9 fires once after the next start; an interval goes on in its phase", async () => {
  await using dir = await bells();
  let firstDue: number;
  {
    await using up = await startUp(dir.path);
    await set(up, "often", { name: "t", every: "1s" });
    [firstDue = 0] = (await listed(dir)).map(({ due }) => Date.parse(due) % 1_000);
    await rung(up, "often", 1);
    await set(up, "once", { name: "t", after: "2s" });
    up.program.kill("SIGKILL");
    await up.program.exit;
  }
  await using up = await startUp(dir.path);
  await rung(up, "once", 1);
  const before = (await rings(up, "often")).length;
  await rung(up, "often", before + 2);
  assert.deepEqual(await rings(up, "once"), ["t"]);
  const timers = await listed(dir);
  assert.deepEqual(
    timers.map(({ id, name }) => [id, name]),
    [["often", "t"]],
  );
  assert.equal(Date.parse(timers[0]!.due) % 1_000, firstDue, "the interval has kept its phase");
  const answer = (await (await fetch(`${up.ingress}/bells/often`)).json()) as { readonly firings: readonly string[] };
  const firings = answer.firings.map((text) => text.split(" "));
  const numbers = firings.map((_, at) => String(at + 1));
  assert.deepEqual(
    firings.map(([, number]) => number),
    numbers,
    "each firing has its number",
  );
  const wrong = firings.filter(([, , due = ""]) => Date.parse(due) % 1_000 !== firstDue);
  assert.deepEqual(wrong, [], "each firing knows when it was due");
});

test("kill -9 in the middle of many firings: each fires, and none twice", async () => {
  await using dir = await bells();
  const ids = Array.from({ length: 300 }, (_, i) => `b${i}`);
  {
    await using up = await startUp(dir.path);
    await Promise.all(ids.map((id) => set(up, id, { name: id, after: "1500ms" })));
    await eventually("some have fired", async () => (await listed(dir)).length < ids.length);
    up.program.kill("SIGKILL");
    await up.program.exit;
  }
  await using up = await startUp(dir.path);
  await eventually("all have fired", async () => (await listed(dir)).length === 0);
  const all = await Promise.all(ids.map((id) => rings(up, id)));
  assert.deepEqual(
    all,
    ids.map((id) => [id]),
  );
});

test("timers are listed and cancelled from the command line, and by their entity; cron is understood", async () => {
  await using dir = await bells();
  await using up = await startUp(dir.path);
  await set(up, "a b", { name: "tick tock", every: "1h", catchUp: "all" });
  await set(up, "x", { name: "nine", cron: "0 9 * * MON-FRI" });
  await set(up, "x", { name: "gone", after: "1h" });
  assert.equal((await fetch(`${up.ingress}/bells/x/timers/gone`, { method: "DELETE" })).status, 200);

  const { stdout } = await mecha(dir, "timers", "list");
  assert.match(stdout, /^SERVICE +ID +TIMER +DUE +REPEATS +COMMAND +LAST FAILURE\n/u);
  assert.match(stdout, /demo\.Bell +a b +tick tock +20\S+Z +every 1h, catches up: all +Ring/u);
  assert.match(stdout, /demo\.Bell +x +nine +20\S+T09:00:00\.000Z +0 9 \* \* MON-FRI \(UTC\) +Ring/u);
  assert.deepEqual(
    (await listed(dir)).map(({ name }) => name),
    ["tick tock", "nine"],
  );

  const cancelled = await mecha(dir, "timers", "cancel", "demo.Bell", "a b", "tick tock");
  assert.deepEqual([cancelled.code, cancelled.stdout], [0, "timer tick tock of demo.Bell a b is cancelled\n"]);
  const again = await mecha(dir, "timers", "cancel", "demo.Bell", "a b", "tick tock");
  assert.equal(again.code, 1);
  assert.match(again.output, /demo\.Bell "a b" has no timer "tick tock"/u);
  assert.deepEqual(
    (await listed(dir)).map(({ name }) => name),
    ["nine"],
  );
});

test("a schedule that makes no sense is refused, and the log says why", async () => {
  await using dir = await bells();
  await using up = await startUp(dir.path);
  const headers = { "content-type": "application/json" };
  const answer = await fetch(`${up.ingress}/bells/x/timers`, { method: "POST", headers, body: '{"name":"t","cron":"99 * * * *"}' });
  assert.equal(answer.status, 500);
  await up.program.waitFor(/demo\.Bell\.set: schedule\("t"\): cron: "99 \* \* \* \*" is no cron expression/u);
  assert.deepEqual(await listed(dir), []);
});

const skip = skipUnless("chromium");

test("the admin page shows an entity's timers", { skip }, async () => {
  await using dir = await bells();
  await using up = await startUp(dir.path);
  await set(up, "x", { name: "nine", cron: "0 9 * * *" });
  await set(up, "x", { name: "often", every: "500ms" });
  await rung(up, "x", 1);
  const browser = await chromium.launch({ executablePath: findProgram("chromium") ?? "", args: ["--no-sandbox", "--disable-gpu"] });
  try {
    const page = await browser.newPage();
    await page.goto(up.page);
    await page.locator("#entities").getByRole("button").click();
    const timers = page.getByRole("region", { name: "Timers" });
    await timers.getByText(/^Ring, .* and by 0 9 \* \* \* \(UTC\)$/u).waitFor();
    await timers.getByText(/^Ring, .* and every 0\.5 s$/u).waitFor();
    for (const name of ["nine", "often"]) await timers.getByText(name, { exact: true }).waitFor();
  } finally {
    await browser.close();
  }
});
