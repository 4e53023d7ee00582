/** Events as users run them: the example of orders, parcels and stock; curl and the command line from outside; kill -9 in the middle of many deliveries. */
import assert from "node:assert/strict";
import { cp, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { mechaMain, type RunningMecha, startUp } from "../support/cart.ts";
import { repository, type TempDir, tempDir } from "../support/files.ts";
import { eventually, runProgram } from "../support/program.ts";
import { skipUnless } from "../support/skip.ts";

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
    await Promise.all([killed, ...calls]);
  }
  await using mecha = await startUp(dir.path);
  for (const order of orders) assert.ok(await place(mecha, order), `order ${order}`);
  await eventually("every parcel has left", async () => ((await stock(mecha)).parcels >= orders.length ? true : undefined));
  assert.deepEqual(await stock(mecha), { left: orders.length, parcels: orders.length });
  assert.ok(placed.size > 0);
  // Nothing comes after: the groups have caught up.
  await eventually("nobody is behind", async () => {
    const { output } = await mechaCommand(dir, "events", "list", "-o", "json");
    const { subscriptions } = JSON.parse(output) as { subscriptions: { lag?: number; sending: number }[] };
    return subscriptions.every(({ lag, sending }) => lag === 0 && sending === 0) || undefined;
  });
  assert.deepEqual(await stock(mecha), { left: orders.length, parcels: orders.length });
  assert.match((await mechaCommand(dir, "events", "parked")).output, /^no event is parked$/mu);
});

const guide = await readFile(join(repository, "docs/guides/eventing.md"), "utf8");
const [start, order, look, list, topics, curl, again, publish, admin, poison, parked, retry, skip, ...unknown] = [
  ...guide.matchAll(/^```sh\n(.*?)^```/gms),
].map((match) => (match[1] ?? "").trim());

test("the guide's commands do what it says", { skip: skipUnless("curl"), timeout: 180_000 }, async () => {
  assert.equal(start, "npx --no-install mecha up examples/orders-events");
  assert.deepEqual(unknown, [], "a block of commands that no test runs");
  await using dir = await copy();
  await using mecha = await startUp(dir.path, [], { env: { MECHA_EVENT_ATTEMPTS: "2" } });
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
  assert.match(await run(list), /orders\.Shipping +log orders\.Order +0 +– +connected +orders\.Shipping\.Pack\n.*orders\.Stock +topic parcels +0 +0 +connected/u);
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
});
