/** The admin page in a real browser: what a person sees. Screenshots go to a temporary folder, or to MECHA_TEST_SHOTS. */
import assert from "node:assert/strict";
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { addItem, copyCart, type RunningMecha, startUp } from "../support/cart.ts";
import { type TempDir, tempDir } from "../support/files.ts";
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

if (!skip) {
  before(async () => {
    shots = await tempDir("shots");
    cart = await copyCart();
    mecha = await startUp(cart.path);
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
