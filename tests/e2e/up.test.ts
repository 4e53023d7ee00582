/** The main job, as a stranger does it: `mecha up` on a copy of the cart, requests, kill -9, start again. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { addItem, copyCart, getCart, mechaMain, startUp } from "../support/cart.ts";
import { repository, tempDir } from "../support/files.ts";
import { eventually, isAlive, runProgram, startNode } from "../support/program.ts";

/** Runs a mecha command to its end, in `cwd`. */
function mecha(args: readonly string[], cwd: string): ReturnType<typeof runProgram> {
  return runProgram(process.execPath, [join(repository, mechaMain), ...args], { cwd });
}

const items = (cart: unknown): unknown => (cart as { readonly items: unknown }).items;

test("a cart survives kill -9 of Mecha, and no process is left behind", async () => {
  await using dir = await copyCart();
  let functionPid = 0;
  {
    await using up = await startUp(dir.path);
    await addItem(up.ingress, "42", { sku: "tea", quantity: 2 });
    await addItem(up.ingress, "42", { sku: "cup", quantity: 1 });
    [functionPid = 0] = await up.program.descendants();
    assert.ok(await isAlive(functionPid));
    up.program.kill("SIGKILL");
    await eventually("the function dies with Mecha", async () => !(await isAlive(functionPid)));
  }
  await using again = await startUp(dir.path);
  assert.deepEqual(items(await getCart(again.ingress, "42")), [
    { sku: "tea", name: "tea", quantity: 2 },
    { sku: "cup", name: "cup", quantity: 1 },
  ]);
  // Two cores shared with other tests: the promise of 2 s is for a machine of its own. This catches a wait that does not belong there.
  assert.ok(again.readyMs < 10_000, `ready after ${again.readyMs} ms`);
});

test("the command line reads the cart over gRPC, lists entities and tells their history", async () => {
  await using dir = await copyCart();
  await using up = await startUp(dir.path);
  await addItem(up.ingress, "a b/c", { sku: "tea", quantity: 2 });

  const called = await mecha(["call", "shop.Cart/GetCart", '{"cartId":"a b/c"}'], dir.path);
  assert.equal(called.code, 0, called.output);
  assert.deepEqual(items(JSON.parse(called.stdout)), [{ sku: "tea", name: "tea", quantity: 2 }]);

  const listed = await mecha(["entities", "list", "-o", "json"], dir.path);
  const [entity] = (JSON.parse(listed.stdout) as { entities: Record<string, unknown>[] }).entities;
  assert.deepEqual(
    { service: entity?.["service"], id: entity?.["id"], sequence: entity?.["sequence"] },
    { service: "shop.Cart", id: "a b/c", sequence: 1 },
  );

  const got = await mecha(["entities", "get", "shop.Cart", "a b/c"], dir.path);
  assert.match(got.stdout, /kind +event sourced\nsequence +1/u);

  const history = await mecha(["entities", "history", "shop.Cart", "a b/c"], dir.path);
  assert.match(
    history.stdout,
    /1 +20\d\d-\S+ +AddItem +type\.googleapis\.com\/shop\.CartItemAdded \{"sku":"tea","name":"tea","quantity":2\}/u,
  );

  const status = await mecha(["status", "-o", "json"], dir.path);
  assert.equal((JSON.parse(status.stdout) as { state: string }).state, "ready");
  const functions = await mecha(["functions"], dir.path);
  assert.match(functions.stdout, /cart: ready on 127\.0\.0\.1:\d+ \(process \d+\)[\s\S]*AddItem .* POST \/carts\/\{cart_id\}\/items/u);

  const failed = await mecha(["call", "shop.Cart/Checkout", '{"cartId":"empty"}'], dir.path);
  assert.equal(failed.code, 1);
  assert.match(failed.output, /shop\.Cart\/Checkout failed with FAILED_PRECONDITION: the cart is empty/u);
  const refused = await fetch(`${up.ingress}/carts/42/items`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"sku":"tea","quantity":0}',
  });
  assert.deepEqual([refused.status, await refused.json()], [400, { code: 3, message: "quantity must be more than 0", details: [] }]);
  const absent = await mecha(["entities", "get", "shop.Cart", "nobody"], dir.path);
  assert.equal(absent.code, 1);
  assert.match(absent.output, /nothing is stored for shop\.Cart "nobody"/u);
});

test("a function that is killed starts again and serves the same state; callers in between wait", async () => {
  await using dir = await copyCart();
  await using up = await startUp(dir.path);
  await addItem(up.ingress, "7", { sku: "tea", quantity: 1 });
  const [first = 0] = await up.program.descendants();
  process.kill(first, "SIGKILL");
  await up.program.waitFor(/function cart ended \(signal SIGKILL\); it starts again in [\d.]+ s/u);
  await addItem(up.ingress, "7", { sku: "tea", quantity: 1 }); // held until the function is back
  assert.deepEqual(items(await getCart(up.ingress, "7")), [{ sku: "tea", name: "tea", quantity: 2 }]);
  const [second = 0] = await up.program.descendants();
  assert.notEqual(second, first);
  const status = JSON.parse((await mecha(["status", "-o", "json"], dir.path)).stdout) as {
    functions: { restarts: number; state: string }[];
  };
  assert.equal(status.functions[0]?.restarts, 1);
});

test("SIGTERM drains: says so, ends with 0, leaves no process and no stale file", async () => {
  await using dir = await copyCart();
  await using up = await startUp(dir.path);
  await addItem(up.ingress, "1", { sku: "tea", quantity: 1 });
  const children = await up.program.descendants();
  up.program.kill("SIGTERM");
  assert.deepEqual(await up.program.exit, { code: 0, signal: null });
  assert.match(up.program.output, /mecha \| draining[\s\S]*mecha \| stopped\n$/u);
  for (const pid of children) assert.equal(await isAlive(pid), false);
  const left = await readdir(join(dir.path, ".mecha"));
  // What must stay; nothing else does: no lock, no token, no address, no WAL.
  const kept = /^(state|control|topics)\.db$|^(run|kubernetes)$/u;
  assert.deepEqual(
    left.filter((name) => !kept.test(name)),
    [],
  );
  assert.deepEqual(await readdir(join(dir.path, ".mecha", "run")), []);
});

/** A function whose one command answers after `ms`. */
const slow = (ms: number): string => `
import { action, command, message, serve, t } from "mecha-sdk";
const Done = message("Done", { ok: t.bool });
const Slow = action({
  service: "x.Slow",
  commands: { wait: command({ name: t.string }).replies(Done) },
  handle: { wait: async () => (console.log("waiting"), await new Promise((resolve) => setTimeout(resolve, ${ms})), { ok: true }) },
});
await serve([Slow]);
`;

const startWaiting = (ingress: string): Promise<Response> =>
  fetch(`${ingress}/x.Slow/Wait`, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });

test("a call under way is finished before Mecha ends, and the drain says that it waits", async () => {
  await using dir = await copyCart();
  await writeFile(join(dir.path, "src", "main.ts"), slow(700));
  await using up = await startUp(dir.path);
  const answer = startWaiting(up.ingress);
  await up.program.waitFor(/cart +\| waiting/u);
  up.program.kill("SIGINT");
  await up.program.waitFor(/draining: 1 call under way…/u);
  assert.deepEqual(await (await answer).json(), { ok: true });
  assert.equal((await up.program.exit).code, 0);
  assert.doesNotMatch(up.program.output, /cut off/u);
});

test("what takes longer than the grace is cut off and said; a second signal does not wait at all", async () => {
  await using dir = await copyCart();
  await writeFile(join(dir.path, "src", "main.ts"), slow(600_000));
  {
    await using up = await startUp(dir.path, [], { env: { MECHA_SHUTDOWN_GRACE: "200ms" } });
    const answer = startWaiting(up.ingress).catch(() => undefined);
    await up.program.waitFor(/cart +\| waiting/u);
    up.program.kill("SIGTERM");
    await up.program.waitFor(/1 call was cut off after 0\.2 s \(MECHA_SHUTDOWN_GRACE\)/u);
    assert.equal((await up.program.exit).code, 0);
    await answer;
  }
  await using up = await startUp(dir.path, [], { env: { MECHA_SHUTDOWN_GRACE: "5m" } });
  const answer = startWaiting(up.ingress).catch(() => undefined);
  await up.program.waitFor(/cart +\| waiting/u);
  const children = await up.program.descendants();
  up.program.kill("SIGINT");
  await up.program.waitFor(/draining: 1 call under way…/u);
  up.program.kill("SIGINT");
  await up.program.waitFor(/mecha \| killed/u);
  assert.equal((await up.program.exit).code, 1);
  for (const pid of children) await eventually("the function is gone", async () => !(await isAlive(pid)));
  await answer;
});

test("the state folder is private, its secrets are for this user alone", async () => {
  await using dir = await copyCart();
  await using up = await startUp(dir.path);
  await addItem(up.ingress, "1", { sku: "tea", quantity: 1 });
  const state = join(dir.path, ".mecha");
  assert.equal((await stat(state)).mode & 0o777, 0o700);
  for (const name of ["admin.token", "admin.json", "state.db", "lock"]) assert.equal((await stat(join(state, name))).mode & 0o077, 0, name);
});

test("a second `mecha up` on the same project names the process that holds it", async () => {
  await using dir = await copyCart();
  await using up = await startUp(dir.path);
  const second = await mecha(["up", "--port", "0", "--admin-port", "0"], dir.path);
  assert.equal(second.code, 1);
  assert.match(second.output, new RegExp(`process ${up.program.pid} runs with the state folder`, "u"));
  assert.ok(await getCart(up.ingress, "still-served"));
});

test("a taken port is named with its flag and field, and nothing was started", async () => {
  await using dir = await copyCart();
  const taken = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  const { port } = taken.address() as AddressInfo;
  try {
    const ingress = await mecha(["up", "--port", String(port), "--admin-port", "0"], dir.path);
    assert.equal(ingress.code, 1);
    assert.match(ingress.output, new RegExp(`the ingress port ${port} is in use[^\\n]*--port, or spec\\.ingress\\.port`, "u"));
    const admin = await mecha(["up", "--port", "0", "--admin-port", String(port)], dir.path);
    assert.equal(admin.code, 1);
    assert.match(admin.output, new RegExp(`the admin port ${port} is in use[^\\n]*--admin-port, or spec\\.admin\\.port`, "u"));
    assert.doesNotMatch(admin.output, /cart +\|/u);
  } finally {
    taken.close();
  }
});

test("a broken project is explained and ends with 2", async () => {
  await using dir = await copyCart();
  const file = join(dir.path, "mecha.yaml");
  const good = await readFile(file, "utf8");
  const cases: [edited: string, message: RegExp][] = [
    [good.replace("command:", "comand:"), /mecha\.yaml:9:7: spec\.functions\[0\]: unknown field "comand"; did you mean "command"\?/u],
    [
      good.replace("command: node", "command: [no-such-program, x]\n      #"),
      /spec\.functions\[0\]: the program "no-such-program" was not found/u,
    ],
    [good.replace("directory: .", "directory: nowhere"), /spec\.functions\[0\]: the folder .*nowhere does not exist/u],
    [
      good.replace("port: 9000", "port: 9000\n    host: 0.0.0.0"),
      /spec\.ingress\.host is 0\.0\.0\.0, which other machines can reach[^\n]*--insecure/u,
    ],
  ];
  for (const [edited, message] of cases) {
    assert.notEqual(edited, good);
    await writeFile(file, edited);
    const { code, output } = await mecha(["up", "--port", "0", "--admin-port", "0"], dir.path);
    assert.match(output, message);
    assert.equal(code, 2, output);
  }
});

test("a function that crashes at its start is said, with its own words, and tried again", async () => {
  await using dir = await copyCart();
  await writeFile(join(dir.path, "src", "main.ts"), `throw new Error("no database");`);
  await using up = startNode(mechaMain, ["up", dir.path, "--port", "0", "--admin-port", "0"]);
  await up.waitFor(/cart +\| .*no database/u);
  await up.waitFor(/function cart ended \(exit code 1\); it starts again in/u);
  await up.waitFor(/function cart ended \(exit code 1\)[\s\S]*function cart ended \(exit code 1\)/u);
  up.kill("SIGINT");
  assert.equal((await up.exit).code, 0);
});

test("two functions with one service are refused, naming both", async () => {
  await using dir = await copyCart();
  const file = join(dir.path, "mecha.yaml");
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace("  store:", "    - name: copy\n      command: node src/main.ts\n  store:"));
  const { code, output } = await mecha(["up", "--port", "0", "--admin-port", "0"], dir.path);
  assert.equal(code, 1);
  assert.match(output, /function (cart|copy) cannot be served: the service shop\.Cart is served by function (cart|copy) already/u);
});

test("mecha sidecar serves a function somebody else started, also after it started again on its port", async () => {
  await using dir = await copyCart();
  await using state = await tempDir("sidecar");
  const startFunction = (port: string): ReturnType<typeof startNode> =>
    startNode(join(dir.path, "src/main.ts"), [], { cwd: dir.path, env: { PORT: port, HOST: "127.0.0.1" } });
  await using first = startFunction("0");
  const [, port = ""] = await first.waitFor(/function ready .*port=(\d+)/u);
  await using sidecar = startNode(mechaMain, ["sidecar", "--port", "0", "--admin-port", "0", "--state", state.path], {
    env: { USER_FUNCTION_PORT: port },
  });
  const [, ingress = ""] = await sidecar.waitFor(/callers +(http:\S+)/u);
  await addItem(ingress, "1", { sku: "tea", quantity: 1 });
  first.kill("SIGKILL");
  await first.exit;
  await using _second = startFunction(port);
  await addItem(ingress, "1", { sku: "tea", quantity: 1 });
  assert.deepEqual(items(await getCart(ingress, "1")), [{ sku: "tea", name: "tea", quantity: 2 }]);
  sidecar.kill("SIGTERM");
  assert.equal((await sidecar.exit).code, 0);
});
