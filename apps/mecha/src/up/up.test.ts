import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import type { StatusJson } from "../admin/model.ts";
import type { Io } from "../io.ts";
import { projectOf, readProject } from "../project/read.ts";
import { holdStateFolder } from "../state-folder.ts";
import { banner, hintLines } from "./banner.ts";
import { openConsole } from "./console.ts";
import { isLoopback } from "./address.ts";
import { settingsOf } from "./settings.ts";

const source = `apiVersion: mecha.dev/v1alpha1
kind: Project
metadata: { name: shop }
spec:
  functions: [{ name: cart, command: node main.ts }]
  try:
    - { title: add, command: "curl http://$INGRESS/carts" }
    - { title: read, command: "$MECHA call shop.Cart/GetCart '{}'" }
    - { title: list, command: "$MECHA entities list" }
`;
const found = { project: projectOf(readProject(source), "mecha.yaml"), folder: "/home/ada/shop" };

test("flags win over the project file; relative paths start at the project", () => {
  const plain = settingsOf(found, { folder: "." }, undefined);
  assert.deepEqual(plain.ingress, { host: "127.0.0.1", port: 9000 });
  assert.equal(plain.adminPort, 9001);
  assert.deepEqual(plain.store, { kind: "sqlite", durability: "full", directory: "/home/ada/shop/.mecha" });
  const told = settingsOf(found, { folder: ".", port: 1, host: "::1", adminPort: 2 }, "/tmp/state");
  assert.deepEqual([told.ingress, told.adminPort, told.store.directory], [{ host: "::1", port: 1 }, 2, "/tmp/state"]);
});

test("an address beyond loopback needs --insecure, and the message names flag or field", () => {
  for (const host of ["0.0.0.0", "::", "192.168.1.7", "shop.example", "127.evil.example"]) {
    assert.equal(isLoopback(host), false, host);
    assert.throws(() => settingsOf(found, { folder: ".", host }, undefined), /^UsageError: --host is /u);
    assert.equal(settingsOf(found, { folder: ".", host, insecure: true }, undefined).ingress.host, host);
  }
  for (const host of ["127.0.0.1", "127.8.9.10", "::1", "localhost"]) assert.ok(isLoopback(host), host);
});

test("lines to try are true for this run: address, and -C when the project is elsewhere", () => {
  const settings = settingsOf(found, { folder: "." }, undefined);
  const status = { ingress: { host: "127.0.0.1", port: 4321 } };
  const here = hintLines(settings, status, "/home/ada/shop").map(({ command }) => command);
  assert.deepEqual(here, [
    "curl http://127.0.0.1:4321/carts",
    "npx --no-install mecha call shop.Cart/GetCart '{}'",
    "npx --no-install mecha entities list",
  ]);
  const above = hintLines(settings, status, "/home/ada").map(({ command }) => command);
  assert.deepEqual(above.slice(1), [
    "npx --no-install mecha call -C shop shop.Cart/GetCart '{}'",
    "npx --no-install mecha entities list -C shop",
  ]);
  const aside = hintLines({ ...settings, folder: "/home/ada/it's here" }, status, "/tmp").map(({ command }) => command);
  assert.equal(aside[2], `npx --no-install mecha entities list -C '/home/ada/it'\\''s here'`);
});

test("the banner says what runs where, and stays short when there are many routes", () => {
  const settings = settingsOf(found, { folder: "." }, undefined);
  const methods = Array.from({ length: 20 }, (_, i) => ({
    name: `M${i}`,
    http: [`GET /m${i}`],
    input: "a",
    output: "b",
    streamedIn: false,
    streamedOut: false,
  }));
  const status: StatusJson = {
    project: "shop",
    version: "0.1.0",
    pid: 1,
    startedAt: "",
    state: "ready",
    ingress: { host: "127.0.0.1", port: 9000 },
    store: { kind: "sqlite" },
    entities: { active: 0 },
    functions: [
      {
        name: "cart",
        state: "ready",
        pid: 42,
        host: "127.0.0.1",
        port: 5000,
        restarts: 0,
        services: [{ name: "shop.Cart", kind: "eventSourced", persistenceId: "cart", methods }],
      },
    ],
    try: [{ title: "look", command: "curl x" }],
  };
  const text = banner({ settings, status, page: "http://127.0.0.1:9001/#token=t", cwd: "/home/ada", colour: false, tookMs: 812 });
  assert.match(text, /shop is ready \(0\.8 s\)/u);
  assert.match(text, /callers {3}http:\/\/127\.0\.0\.1:9000 {2}gRPC and HTTP\/JSON/u);
  assert.match(text, /page {6}http:\/\/127\.0\.0\.1:9001\/#token=t/u);
  assert.match(text, /state {5}shop\/\.mecha {2}sqlite/u);
  assert.match(text, /cart {2}process 42, port 5000\n {4}shop\.Cart {2}event sourced\n {6}GET \/m0 {2}→ M0/u);
  assert.match(text, /and 12 more: mecha functions/u);
  assert.match(text, /# look\n {4}curl x/u);
  assert.ok(!text.includes("\u001b"));
});

test("output of functions is prefixed and aligned; it cannot steer the terminal, but may colour it", () => {
  const lines: string[] = [];
  const io = (colour: boolean): Io =>
    ({ out: (text: string) => void lines.push(text), pour: (text: string) => void lines.push(text), colour }) as unknown as Io;
  const plain = openConsole(io(false), ["cart", "inventory"]);
  void plain.line("cart", "stdout", "hello\u001b[2J");
  plain.say("draining");
  assert.deepEqual(lines.splice(0), ["cart      | hello\\u001b[2J\n", "mecha     | draining\n"]);
  const coloured = openConsole(io(true), ["cart"]);
  void coloured.line("cart", "stderr", "\u001b[31mred\u001b[0m \u001b]0;title\u0007");
  assert.match(lines[0] ?? "", /\u001b\[36mcart {2}\| \u001b\[0m\u001b\[31mred\u001b\[0m \\u001b\]0;title\\u0007\n$/u);
});

test("a state folder is held by one, given back, and taken over from a process that is gone", async () => {
  const folder = join(mkdtempSync(join(tmpdir(), "mecha-state-")), "s");
  try {
    {
      using _held = await holdStateFolder(folder);
      assert.equal(statSync(folder).mode & 0o777, 0o700);
      await assert.rejects(
        holdStateFolder(folder),
        (error: unknown) => error instanceof Fault && error.code === "alreadyExists" && error.message.includes(`process ${process.pid} `),
      );
    }
    assert.deepEqual(readdirSync(folder), []);
    for (const left of [
      JSON.stringify({ pid: process.pid, identity: "another boot/1" }),
      JSON.stringify({ pid: 2 ** 22 + 1, identity: "x/1" }),
      "",
      "{",
    ]) {
      writeFileSync(join(folder, "lock"), left);
      using _again = await holdStateFolder(folder);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
