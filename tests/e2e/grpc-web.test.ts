/** The two gRPC-Web clients people use, in a real browser, on a page of another origin: npm grpc-web (text) and connect-web (binary). */
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { build } from "esbuild";
import { type Browser, chromium, type Page } from "playwright-core";
import { addItem, copyCart, type RunningMecha, startUp } from "../support/cart.ts";
import { repository, type TempDir } from "../support/files.ts";
import { findProgram, skipUnless } from "../support/skip.ts";
import type { WebClients } from "../support/web-clients.ts";

const skip = skipUnless("chromium");
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

let cart: TempDir;
let mecha: RunningMecha;
let browser: Browser;
let pages: Server;
let listedOrigin: string;
let otherOrigin: string;

/** The clients bundled as a page's script. */
async function bundle(): Promise<string> {
  const entry = join(repository, "tests/support/web-clients.ts");
  const built = await build({ entryPoints: [entry], bundle: true, write: false, format: "iife", platform: "browser", logLevel: "silent" });
  return built.outputFiles[0]!.text;
}

async function servePages(script: string): Promise<Server> {
  const server = createServer((request, response) => {
    const isScript = request.url === "/clients.js";
    response.writeHead(200, { "content-type": isScript ? "text/javascript" : "text/html" });
    response.end(isScript ? script : `<!doctype html><link rel="icon" href="data:,"><script src="/clients.js"></script>`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

if (!skip) {
  before(async () => {
    pages = await servePages(await bundle());
    const { port } = pages.address() as AddressInfo;
    listedOrigin = `http://localhost:${port}`;
    otherOrigin = `http://127.0.0.1:${port}`;
    cart = await copyCart();
    mecha = await startUp(cart.path, ["--allow-origin", listedOrigin]);
    browser = await chromium.launch({ executablePath: findProgram("chromium") ?? "", args: flags });
  });
  after(async () => {
    await browser.close();
    await mecha[Symbol.asyncDispose]();
    await cart[Symbol.asyncDispose]();
    pages.closeAllConnections();
    await new Promise((resolve) => pages.close(resolve));
  });
}

async function open(origin: string): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(`${origin}/`);
  return page;
}

for (const client of ["grpcWeb", "grpcWebText", "connectWeb"] as const) {
  test(`${client} from a page of a listed origin: a call, a failure, a stream`, { skip }, async () => {
    await addItem(mecha.ingress, client, { sku: "tea", quantity: 2 });
    const page = await open(listedOrigin);
    const answers = await page.evaluate(
      async ([name, url]) => {
        const clients = (globalThis as unknown as { clients: WebClients }).clients;
        return {
          bytes: await clients[name].unary(url, "/shop.Cart/GetCart", [0x0a, name.length, ...new TextEncoder().encode(name)]),
          failure: await clients[name].unary(url, "/shop.Cart/GetCart", [0x0a, 0]),
          unknown: await clients[name].unary(url, "/shop.Cart/Nothing", []),
          // npm grpc-web streams in text only.
          stream: name === "grpcWeb" ? undefined : await clients[name].stream(url, "/grpc.health.v1.Health/Watch", [], 1),
        };
      },
      [client, mecha.ingress] as const,
    );
    assert.equal(answers.bytes.problem, undefined);
    assert.match(Buffer.from(answers.bytes.message!).toString("latin1"), /tea/u);
    assert.deepEqual([answers.bytes.code, answers.failure.code, answers.unknown.code], [0, 3, 12]);
    assert.deepEqual(answers.stream?.messages, client === "grpcWeb" ? undefined : [[8, 1]]);
    await page.close();
  });

  test(`${client} from a page of another origin is refused`, { skip }, async () => {
    const page = await open(otherOrigin);
    const answer = await page.evaluate(
      ([name, url]) => (globalThis as unknown as { clients: WebClients }).clients[name].unary(url, "/shop.Cart/GetCart", [0x0a, 1, 0x61]),
      [client, mecha.ingress] as const,
    );
    assert.notEqual(answer.code, 0);
    assert.equal(answer.message, undefined);
    await page.close();
  });
}
