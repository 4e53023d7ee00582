/** Events as users run them: the example of orders, parcels and stock; curl and the command line from outside; kill -9 in the middle of many deliveries. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cp, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { mechaMain, type RunningMecha, startUp } from "../support/cart.ts";
import { repository, type TempDir, tempDir } from "../support/files.ts";
import { eventually, runProgram } from "../support/program.ts";
import { findProgram, skipUnless } from "../support/skip.ts";

const example = join(repository, "examples/orders-events");

async function copy(): Promise<TempDir> {
  const dir = await tempDir("orders");
  await cp(example, dir.path, { recursive: true, filter: (path) => !path.includes("node_modules") && !path.includes(".mecha") });
  await symlink(join(repository, "node_modules"), join(dir.path, "node_modules"), "dir");
  return dir;
}

/** Places an order; the same key places it once. */
async function place(mecha: RunningMecha, order: string, count = 1): Promise<boolean> {
  const response = await fetch(`${mecha.ingress}/orders/${order}`, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": order },
    body: JSON.stringify({ sku: "tea", count }),
  }).catch(() => undefined);
  return response?.status === 200;
}

/** Publishes a parcel at the ingress. @returns how many of it were new; `undefined` without an answer. */
async function publishParcel(mecha: RunningMecha, id: string): Promise<number | undefined> {
  const response = await fetch(`${mecha.ingress}/_mecha/topics/parcels`, {
    method: "POST",
    headers: { "content-type": "application/cloudevents+json" },
    body: JSON.stringify({ specversion: "1.0", id, source: "/warehouse", type: "orders.Parcel", data: { sku: "milk", count: 1 } }),
  }).catch(() => undefined);
  return response?.status === 200 ? ((await response.json().catch(() => ({}))) as { published?: number }).published : undefined;
}

interface Stock {
  readonly left: number;
  readonly parcels: number;
}
async function stock(mecha: RunningMecha, sku = "tea"): Promise<Stock> {
  const { left, parcels } = (await (await fetch(`${mecha.ingress}/stock/${sku}`)).json()) as Stock;
  return { left, parcels };
}

async function mechaCommand(dir: TempDir, ...args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  return runProgram(process.execPath, [mechaMain, ...args, "-C", dir.path], { cwd: repository });
}

test("many deliveries, killed in the middle twice: every parcel leaves the stock, and none twice", { timeout: 180_000 }, async () => {
  await using dir = await copy();
  const orders = Array.from({ length: 300 }, (_, at) => `o${at}`);
  const placed = new Set<string>();
  const parcels = Array.from({ length: 60 }, (_, at) => `p${at}`);
  const published = new Set<string>();
  for (const kill of [60, 180]) {
    await using mecha = await startUp(dir.path);
    const killed = (async () => {
      await eventually("parcels leave", async () => ((await stock(mecha).catch(() => undefined))?.parcels ?? 0) >= kill / 2 || undefined);
      mecha.program.kill("SIGKILL");
      await mecha.program.exit;
    })();
    const calls = orders.slice(0, kill * 1.5).map(async (order) => {
      if (await place(mecha, order)) placed.add(order);
    });
    const publishes = parcels.slice(0, kill / 3).map(async (id) => {
      if ((await publishParcel(mecha, id)) !== undefined) published.add(id);
    });
    await Promise.all([killed, ...calls, ...publishes]);
  }
  await using mecha = await startUp(dir.path);
  for (const order of orders) assert.ok(await place(mecha, order), `order ${order}`);
  await eventually("every parcel has left", async () => ((await stock(mecha)).parcels >= orders.length ? true : undefined));
  assert.deepEqual(await stock(mecha), { left: orders.length, parcels: orders.length });
  assert.ok(placed.size > 0 && published.size > 0);
  for (const id of parcels) {
    const isNew = await publishParcel(mecha, id);
    if (published.has(id)) assert.equal(isNew, 0, `${id} was acknowledged, so the topic has it`);
  }
  await eventually("every published parcel has left", async () =>
    (await stock(mecha, "milk")).parcels >= parcels.length ? true : undefined,
  );
  // Nothing comes after: the groups have caught up.
  await eventually("nobody is behind", async () => {
    const { output } = await mechaCommand(dir, "events", "list", "-o", "json");
    const { subscriptions } = JSON.parse(output) as { subscriptions: { lag?: number; sending: number }[] };
    return subscriptions.every(({ lag, sending }) => lag === 0 && sending === 0) || undefined;
  });
  assert.deepEqual(await stock(mecha), { left: orders.length, parcels: orders.length });
  assert.deepEqual(await stock(mecha, "milk"), { left: parcels.length, parcels: parcels.length });
  assert.match((await mechaCommand(dir, "events", "parked")).output, /^no event is parked$/mu);
});

/** One line for the first failure of the poison order, and one when it was parked: who, what, why. */
function checkLines(output: string): void {
  const lines = output.split("\n").filter((line) => /^\{.*event (could not be delivered|was parked)/u.test(line));
  const about = {
    subscriber: "orders.Shipping/log/orders.Order",
    service: "orders.Shipping",
    command: "Pack",
    entity: "2",
    source: "orders.Order",
    event: "1:2",
  };
  const cause = "invalid: 0 of tea is no parcel";
  const shown = lines.map((line) => {
    const { time, message, ...rest } = JSON.parse(line) as Record<string, unknown>;
    assert.ok(!Number.isNaN(Date.parse(String(time))) && message !== undefined);
    return rest;
  });
  const type = "type.googleapis.com/orders.Placed";
  assert.deepEqual(shown, [
    { level: "warn", ...about, type, attempts: 1, cause },
    { level: "error", ...about, type, attempts: 2, cause },
  ]);
}

/** What the guide's commands did, as figures; Prometheus' own tool has nothing to say against any. `undefined`: not counted yet. */
function checkFigures(text: string): true | undefined {
  const value = (name: string, labels: string): number => Number(new RegExp(`^${name}\\{${labels}\\} (\\S+)$`, "mu").exec(text)?.[1]);
  const [shipping, stocks] = ['group="orders.Shipping",source="log:orders.Order"', 'group="orders.Stock",source="topic:parcels"'];
  if (value("mecha_events_delivered_total", stocks) !== 4) return undefined;
  assert.deepEqual(
    {
      packed: value("mecha_events_delivered_total", shipping),
      retried: value("mecha_events_retried_total", shipping),
      parked: value("mecha_events_parked_total", shipping),
      behind: value("mecha_events_lag", stocks),
      used: value("mecha_events_retention_used", stocks),
      lost: value("mecha_events_lost_total", stocks),
      published: value("mecha_events_published_total", 'topic="parcels"'),
      known: value("mecha_events_known_total", 'topic="parcels"'),
      requests: value("mecha_ingress_requests_total", 'service="mecha.Topics",method="parcels",way="http",code="0"'),
    },
    { packed: 1, retried: 1, parked: 1, behind: 0, used: 0, lost: 0, published: 4, known: 1, requests: 2 },
  );
  if (findProgram("promtool") === undefined) return true; // tests/e2e/metrics.test.ts says that it is missing
  const checked = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
  assert.deepEqual([checked.status, checked.stdout + checked.stderr], [0, ""]);
  return true;
}

const guide = await readFile(join(repository, "docs/guides/eventing.md"), "utf8");
const [start, order, look, list, topics, curl, again, publish, admin, poison, parked, retry, skip, ...unknown] = [
  ...guide.matchAll(/^```sh\n(.*?)^```/gms),
].map((match) => (match[1] ?? "").trim());

test(
  "the guide's commands do what it says; figures and log lines say the same",
  { skip: skipUnless("curl"), timeout: 180_000 },
  async () => {
    assert.equal(start, "npx --no-install mecha up examples/orders-events");
    assert.deepEqual(unknown, [], "a block of commands that no test runs");
    await using dir = await copy();
    await using mecha = await startUp(dir.path, ["--metrics-port", "0"], { env: { MECHA_EVENT_ATTEMPTS: "2", MECHA_LOG: "json" } });
    const adminUrl = new URL(mecha.page).origin;
    const run = async (line: string | undefined): Promise<string> => {
      const text = (line ?? "false")
        .replaceAll("http://127.0.0.1:9000", mecha.ingress)
        .replaceAll("http://127.0.0.1:9001", adminUrl)
        .replaceAll("examples/orders-events", dir.path)
        .replaceAll("npx --no-install mecha", `"${process.execPath}" ${mechaMain}`);
      const ran = await runProgram("sh", ["-ec", text], { cwd: repository });
      return ran.output;
    };
    await run(order);
    await eventually("the parcel has left", async () => ((await stock(mecha)).parcels === 1 ? true : undefined));
    assert.match(await run(look), /"left":2,"parcels":1/u);
    assert.match(
      await run(list),
      /orders\.Shipping +log orders\.Order +0 +– +connected +orders\.Shipping\.Pack\n.*orders\.Stock +topic parcels +0 +0 +connected/u,
    );
    assert.match(await run(topics), /^parcels +1 /mu);
    assert.match(await run(curl), /"published":1,"known":0/u);
    assert.match(await run(again), /"published":0,"known":1/u);
    assert.match(await run(publish), /^published /mu);
    assert.match(await run(admin), /"published":1,"known":0/u);
    await eventually("all have left", async () => ((await stock(mecha)).parcels === 4 ? true : undefined));
    await run(poison);
    await eventually("it is parked", async () => (/0 of tea is no parcel/u.test(await run(parked)) ? true : undefined));
    assert.match(await run(parked), /^l1 +orders\.Shipping +log orders\.Order +1:2 .* 2 +invalid: 0 of tea is no parcel/mu);
    assert.match(await run(retry), /event l1 failed again, and stays parked: 0 of tea is no parcel/u);
    assert.match(await run(skip), /event l1 is skipped/u);
    assert.match(await run(parked), /no event is parked/u);
    checkLines(mecha.program.output);
    const [, metricsUrl = ""] = await mecha.program.waitFor(/metrics +(http:\S+)/u);
    await eventually("counts are there", async () => checkFigures(await (await fetch(metricsUrl)).text()));
  },
);
