/** The admin page in a real browser: what a person sees. Screenshots go to a temporary folder, or to MECHA_TEST_SHOTS. */
import assert from "node:assert/strict";
import { mkdirSync, statSync } from "node:fs";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { addItem, copyCart, type RunningMecha, startUp } from "../support/cart.ts";
import { repository, type TempDir, tempDir } from "../support/files.ts";
import { eventually } from "../support/program.ts";
import { findProgram, skipUnless } from "../support/skip.ts";

const skip = skipUnless("chromium");
/** The browser talks to the page under test and to nobody else. */
const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let shots: TempDir | undefined;
let cart: TempDir;
let mecha: RunningMecha;
let browser: Browser;

/** Scores by player, in a map that can be deleted for good. */
const scores = `
import { command, crdt, ormap, pncounter, serve, t } from "mecha-sdk";
const id = { game: t.string };
await serve([crdt({
  service: "play.Scores",
  key: "game",
  state: ormap(t.string, pncounter()),
  commands: {
    score: command({ ...id, player: t.string, by: t.int32 }).http("POST /games/{game}/score"),
    drop: command(id).http("DELETE /games/{game}"),
  },
  handle: {
    score: ({ player, by }, ctx) => void ctx.state.getOrAdd(player).increment(by),
    drop: (_, ctx) => ctx.delete(),
  },
})]);
`;

/** The cart, and beside it a function of events and one of a CRDT. */
async function project(): Promise<TempDir> {
  const dir = await copyCart();
  const file = join(dir.path, "mecha.yaml");
  const others = ["orders", "scores"].map((name) => `    - name: ${name}\n      directory: ${name}\n      command: node main.ts\n`);
  await writeFile(
    file,
    (await readFile(file, "utf8")).replace("  functions:\n", (line) => line + others.join("")),
  );
  for (const name of ["orders", "scores"]) await mkdir(join(dir.path, name));
  await copyFile(join(repository, "examples/orders-events/src/main.ts"), join(dir.path, "orders/main.ts"));
  await writeFile(join(dir.path, "scores/main.ts"), scores);
  return dir;
}

async function post(path: string, body: object): Promise<void> {
  const headers = { "content-type": "application/json" };
  const { status } = await fetch(`${mecha.ingress}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  assert.equal(status, 200);
}

if (!skip) {
  before(async () => {
    shots = await tempDir("shots");
    cart = await project();
    mecha = await startUp(cart.path, [], { env: { MECHA_EVENT_ATTEMPTS: "2" } });
    browser = await chromium.launch({ executablePath: findProgram("chromium") ?? "", args: flags });
  });
  after(async () => {
    await browser.close();
    await mecha[Symbol.asyncDispose]();
    await cart[Symbol.asyncDispose]();
    await shots?.[Symbol.asyncDispose]();
  });
}

interface Visit {
  readonly page: Page;
  /** What the browser complained about. */
  readonly complaints: string[];
}

async function visit(address: string, colorScheme: "light" | "dark" = "light"): Promise<Visit> {
  const page = await browser.newPage({ viewport: { width: 1360, height: 860 }, colorScheme, deviceScaleFactor: 1 });
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(address);
  return { page, complaints };
}

/** Saves a picture for people and checks that it is one. */
async function shoot(page: Page, name: string): Promise<void> {
  const folder = process.env["MECHA_TEST_SHOTS"] ?? shots?.path ?? ".";
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.png`);
  await page.screenshot({ path });
  assert.ok(statSync(path).size > 10_000, "the picture is not empty");
}

test("an empty store says what to do; the first entity appears without a reload", { skip }, async () => {
  const { page, complaints } = await visit(mecha.page);
  await page.getByText("Nothing is stored yet").waitFor();
  await page.getByRole("status").getByText("ready", { exact: true }).waitFor();
  await page.locator(".live.on").waitFor();
  assert.ok(!page.url().includes("token"), "the token left the address bar");
  await shoot(page, "1-empty");

  await addItem(mecha.ingress, "alice", { sku: "tea", quantity: 2 });
  await page.getByRole("button", { name: /alice/u }).waitFor();
  assert.deepEqual(complaints, []);
  await page.close();
});

test("functions, entities, state and history are there, and change while one looks", { skip }, async () => {
  for (let i = 0; i < 60; i++) await addItem(mecha.ingress, `customer-${String(i).padStart(3, "0")}`, { sku: "cup", quantity: 1 });
  await addItem(mecha.ingress, "alice", { sku: "cup", quantity: 1 });
  const { page, complaints } = await visit(mecha.page);
  await page.getByRole("heading", { name: "shopping-cart" }).waitFor();
  await page.getByRole("article").getByText("cart", { exact: true }).waitFor();
  await page.getByText("shop.Cart", { exact: true }).first().click();
  await page.getByText("POST /carts/{cart_id}/items").waitFor();

  await page.getByRole("button", { name: /alice/u }).click();
  const history = page.locator("#history > li");
  await eventually("two events", async () => (await history.count()) === 2);
  assert.match(await history.first().innerText(), /#2\s+CartItemAdded[\s\S]*AddItem[\s\S]*"cup"/u);
  assert.match(page.url(), /#\/shop\.Cart\/alice$/u);

  await addItem(mecha.ingress, "alice", { sku: "spoon", quantity: 3 });
  await eventually("the third event appears", async () => (await history.count()) === 3);
  assert.match(await history.first().innerText(), /spoon/u);
  await shoot(page, "2-detail-light");
  assert.deepEqual(complaints, []);
  await page.close();
});

test("search, paging and the keyboard lead to an entity", { skip }, async () => {
  const { page, complaints } = await visit(mecha.page, "dark");
  const rows = page.locator("#entities button");
  await eventually("a full page", async () => (await rows.count()) === 50);
  await page.getByRole("button", { name: "Next" }).click();
  await eventually("the second page", async () => (await rows.count()) === 11);
  await page.getByRole("button", { name: "Previous" }).click();
  await eventually("the first page again", async () => (await rows.count()) === 50);

  await page.keyboard.press("/");
  await page.keyboard.type("customer-04");
  await eventually("ten matches", async () => (await rows.count()) === 10);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "customer-041" }).waitFor();
  await shoot(page, "3-search-dark");
  await page.keyboard.press("Escape");
  await page.getByText("No entity chosen").waitFor();
  await page.keyboard.press("/");
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await page.keyboard.type("no such id");
  await page.getByText("Nothing matches").waitFor();
  assert.deepEqual(complaints, []);
  await page.close();
});

test("ids and events that look like markup are shown as text", { skip }, async () => {
  const id = `<img src=x onerror="document.title='pwned'">`;
  await addItem(mecha.ingress, id, { sku: "<script>alert(1)</script>", quantity: 1 });
  const { page } = await visit(mecha.page);
  await page.getByRole("button", { name: /<img src=x/u }).click();
  await page.getByRole("heading", { name: id }).waitFor();
  await page.locator("#history").getByText("<script>alert(1)</script>").first().waitFor();
  assert.match(await page.title(), /shopping-cart/u);
  await page.close();
});

test("without the token the page asks for it, and takes a pasted one", { skip }, async () => {
  const [address = "", token = ""] = mecha.page.split("#token=");
  const { page } = await visit(address);
  await page.getByText("This page needs its key").waitFor();
  await shoot(page, "4-locked");
  await page.getByLabel("Token").fill("wrong");
  await page.getByRole("button", { name: "Open" }).click();
  await page.getByText("The token is not this run's").waitFor();
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Open" }).click();
  await page.getByRole("button", { name: /alice/u }).waitFor();
  await page.close();
});

test("a narrow window keeps everything in reach", { skip }, async () => {
  const { page } = await visit(mecha.page);
  await page.setViewportSize({ width: 420, height: 900 });
  await page.getByRole("button", { name: /alice/u }).click();
  await page.getByRole("heading", { name: "alice" }).waitFor();
  const overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  assert.equal(overflow, 0, "nothing sticks out sideways");
  await shoot(page, "5-narrow");
  await page.close();
});

test("a CRDT is shown with its type, value and replicas, as it changes, and after it was deleted", { skip }, async () => {
  await post("/games/chess/score", { player: "Ada", by: 3 });
  const { page, complaints } = await visit(mecha.page);
  await page.getByLabel("Search entity ids").fill("chess");
  await page.getByRole("button", { name: /chess/u }).click();
  await page.getByRole("heading", { name: "chess" }).waitFor();
  const facts = page.locator("#detail-facts");
  assert.match(await facts.innerText(), /Steps\s+1\s+Kind\s+CRDT: ormap\s+Replicas\s+local\/[0-9a-f]{8}\s+Persistence id/iu);
  const value = page.locator("#detail-state");
  assert.deepEqual(JSON.parse(await value.innerText()), [{ key: "Ada", value: "3" }]);
  await page.getByText("A CRDT keeps its value, not its history.").waitFor();

  await post("/games/chess/score", { player: "Grace", by: -1 });
  await value.getByText("Grace").waitFor();
  const shown = JSON.parse(await value.innerText()) as { key: string }[];
  assert.deepEqual(shown.sort((a, b) => (a.key < b.key ? -1 : 1)), [{ key: "Ada", value: "3" }, { key: "Grace", value: "-1" }]); // prettier-ignore
  await shoot(page, "6-crdt");
  await fetch(`${mecha.ingress}/games/chess`, { method: "DELETE" });
  await value.getByText("It was deleted, for good.").waitFor();
  assert.deepEqual(complaints, []);
  await page.close();
});

test("groups, topics and parked events are shown; a parked one is delivered again, or let go", { skip }, async () => {
  await post("/orders/1", { sku: "tea", count: 2 });
  const { page, complaints } = await visit(mecha.page);
  const panel = page.getByRole("region", { name: "Events", exact: true });
  await panel.getByRole("row", { name: /^parcels 1 \d+ B / }).waitFor();
  const shipping = panel.getByRole("row", {
    name: /orders\.Shipping ?orders\.Shipping\.Pack log orders\.Order 0 [1-9]\d* up to date keeps everything/u,
  });
  await shipping.waitFor();
  await panel.getByRole("row", { name: /orders\.Stock ?orders\.Stock\.Leave topic parcels 0 [1-9]\d* up to date none lost/u }).waitFor();
  await panel.getByText("Topics, kept for 7 days and up to 1.0 GiB together").waitFor();

  await post("/orders/2", { sku: "tea", count: 0 });
  const item = panel.locator("#parked > li");
  await item.getByText("invalid: 0 of tea is no parcel").waitFor();
  await panel.getByText("2 groups · 1 parked").waitFor();
  assert.match(
    await item.innerText(),
    /^l1\s+orders\.Placed\s+\d.*\s+invalid: .*\s+log orders\.Order → orders\.Shipping · 1:2 of orders\.Order · 2 attempts/u,
  );
  assert.match(await item.innerText(), /"order": "2"/u);
  await item.scrollIntoViewIfNeeded();
  await shoot(page, "7-events");

  await item.getByRole("button", { name: "Deliver again" }).click();
  await panel.getByRole("status").getByText("event l1 failed again, and stays parked").waitFor();
  await item.getByText("3 attempts").waitFor();
  await item.getByRole("button", { name: "Let go" }).click();
  await item.getByRole("button", { name: "Really let go?" }).click();
  await panel.getByText("Event l1 is let go.").waitFor();
  assert.equal(await item.count(), 0);
  await panel.getByText("2 groups", { exact: true }).waitFor();
  assert.deepEqual(
    complaints.filter((text) => !text.includes("400")),
    [],
  ); // the answer to "Deliver again"
  await page.close();
});

test(
  "a group that is about to lose messages, one that lost some, one whose function is away, and more parked events than fit are plain to see",
  { skip },
  async () => {
    const { page } = await visit("about:blank");
    const group = { group: "a", source: { topic: "t" }, methods: ["x.A.B"], sending: 0, lag: 7, connected: true };
    const lost = { used: 0.2, soon: false, lost: 12, lostTime: "2026-01-02T03:04:05.000Z" };
    const subscriptions = [
      { ...group, cursor: 41, retention: { used: 0.857, soon: true, lost: 0 } },
      { ...group, group: "b", connected: false, retention: lost },
    ];
    const parked = (after: number) => ({ id: `t${after}`, group: "a", source: { topic: "t" }, attempts: 2, failure: "unknown: <b>no</b>", time: lost.lostTime, attributes: {}, payload: { type: "x/T", base64: "AA==" } }); // prettier-ignore
    const limits: (string | null)[] = [];
    let endless = false;
    await page.route("**/v1/subscriptions", (route) => route.fulfill({ json: { subscriptions } }));
    await page.route("**/v1/parked?*", (route) => {
      const limit = new URL(route.request().url()).searchParams.get("limit");
      limits.push(limit);
      const events = Array.from({ length: limit === "20" ? 20 : 25 }, (_, at) => parked(at + 1));
      return route.fulfill({ json: { events, ...((endless || limit === "20") && { next: "t20" }) } });
    });
    await page.goto(mecha.page);
    const panel = page.getByRole("region", { name: "Events", exact: true });
    await panel.getByRole("row", { name: /a ?x\.A\.B topic t 7 41 behind about to lose messages: 85 %/u }).waitFor();
    await panel.getByRole("row", { name: /b ?x\.A\.B topic t 7 – waits for its function lost 12/u }).waitFor();
    await panel.getByText("2 groups · 20+ parked").waitFor();
    await panel.getByText("unknown: <b>no</b>").first().waitFor();
    await panel.getByRole("button", { name: "Show more" }).click();
    await panel.getByText("2 groups · 25 parked").waitFor();
    assert.equal(await panel.getByRole("button", { name: "Show more" }).isVisible(), false);
    assert.deepEqual([limits[0], limits.at(-1)], ["20", "40"]);
    endless = true;
    await page.evaluate("for (let click = 0; click < 30; click++) document.getElementById('parked-more').click()");
    await panel.getByText("2 groups · 25+ parked").waitFor();
    assert.equal(await panel.getByRole("button", { name: "Show more" }).isVisible(), false);
    assert.equal(Math.max(...limits.map(Number)), 500, "more the admin API does not give at once");
    await panel.getByRole("row", { name: /waits for its function/u }).scrollIntoViewIfNeeded();
    await shoot(page, "8-events-trouble");
    await page.setViewportSize({ width: 420, height: 900 });
    const overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert.equal(overflow, 0, "nothing sticks out sideways");
    await page.close();
  },
);

test("effects that were given up are shown with those that are tried again; one is tried again, or discarded", { skip }, async () => {
  const { page, complaints } = await visit("about:blank");
  const time = "2026-01-02T03:04:05.000Z";
  const message = { source: { service: "shop.Cart", id: "7" }, target: { service: "shop.Stock", id: "tea", command: "Leave" }, origin: "side effect of shop.Cart.Buy", time, key: "k" }; // prettier-ignore
  const payload = { type: "x/T", json: { sku: "<b>tea</b>" } };
  let dead = [17, 18].map((id) => ({ ...message, id, state: "dead", attempts: 8, failure: "unavailable: <b>away</b>", payload }));
  const waiting = [
    { ...message, id: 19, state: "waiting", attempts: 2, due: time, failure: "unavailable: away", payload },
    { ...message, id: 20, state: "waiting", attempts: 0, payload }, // on its way for the first time
  ];
  const done: string[] = [];
  await page.route("**/v1/outbox?*", (route) => {
    const messages = new URL(route.request().url()).searchParams.get("state") === "dead" ? dead : waiting;
    return route.fulfill({ json: { messages } });
  });
  await page.route(/\/v1\/outbox\/\d+/u, (route) => {
    const asked = route.request();
    done.push(`${asked.method()} ${new URL(asked.url()).pathname}`);
    dead = dead.filter(({ id }) => !asked.url().includes(`/${id}`));
    return route.fulfill({ json: {} });
  });
  await page.goto(mecha.page);
  const panel = page.getByRole("region", { name: "Undelivered effects" });
  await panel.getByText("2 given up · 1 tried again").waitFor();
  const items = panel.locator("#messages > li");
  assert.equal(await items.count(), 3);
  assert.match(
    await items.first().innerText(),
    /^17\s+Leave\s+given up\s+\d.*\s+unavailable: <b>away<\/b>\s+shop\.Cart 7 → shop\.Stock tea · 8 attempts\s+\{\s+"sku": "<b>tea<\/b>"/u,
  );
  assert.match(await items.last().innerText(), /^19\s+Leave\s+again at /u);
  assert.equal(await items.last().getByRole("button").count(), 0, "what is tried again by itself needs nobody");
  await items.first().scrollIntoViewIfNeeded();
  await shoot(page, "9-outbox");
  await items.first().getByRole("button", { name: "Try again" }).click();
  await panel.getByText("Message 17 is tried again.").waitFor();
  await items.first().getByRole("button", { name: "Discard" }).click();
  await items.first().getByRole("button", { name: "Really discard?" }).click();
  await panel.getByText("Message 18 is discarded.").waitFor();
  await panel.getByText("0 given up · 1 tried again").waitFor();
  assert.deepEqual(done, ["POST /v1/outbox/17/retry", "DELETE /v1/outbox/18"]);
  assert.deepEqual(complaints, []);
  await page.close();
});
