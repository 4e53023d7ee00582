/** A function as a process: its settings, its end, and the guides' code run as it is printed. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";

const root = join(import.meta.dirname, "../../../..");
// Not below node_modules, where node strips no types, nor outside the repository, where mecha-sdk is not found.
mkdirSync(join(root, ".cache"), { recursive: true });
const folder = codeOf("first-entity.md", ["main.ts", "main.test.ts", "schema.test.ts"]);
const timersFolder = codeOf("timers.md", ["main.ts", "main.test.ts"]);
const crdtsFolder = codeOf("crdts.md", ["main.ts", "main.test.ts"]);

/** A folder with the TypeScript of a guide, in files of these names. Files begin with an import; what does not is a line or two to look at. */
function codeOf(guide: string, names: readonly string[]): string {
  const made = mkdtempSync(join(root, ".cache", "guide-"));
  after(() => rmSync(made, { recursive: true }));
  const text = readFileSync(join(root, "docs/guides", guide), "utf8");
  const blocks = [...text.matchAll(/^```ts\n(import .*?)^```$/gms)].map((match) => match[1] as string);
  assert.equal(blocks.length, names.length);
  for (const [index, name] of names.entries()) writeFileSync(join(made, name), blocks[index] as string);
  return made;
}

interface Run {
  readonly child: ChildProcess;
  readonly output: () => string;
  /** Resolves when the output matches. */
  says(pattern: RegExp): Promise<void>;
  readonly code: Promise<unknown>;
}

function run(args: readonly string[], environment: Record<string, string> = {}, cwd = folder): Run {
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
  const child = spawn(process.execPath, args, { cwd, env: { ...inherited, ...environment }, stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      for (const listener of listeners) listener();
    });
  }
  const code = once(child, "close").then(([status]: unknown[]) => status);
  return {
    child,
    code,
    output: () => output,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (pattern.test(output)) resolve();
        };
        listeners.add(look);
        void code.then(() => reject(new Error(`it ended without saying ${String(pattern)}:\n${output}`)));
        look();
      }),
  };
}

test("the guide's entity serves on a free port, and ends with 0 on SIGTERM", async () => {
  const served = run(["main.ts"], { PORT: "0" });
  await served.says(/function ready .*components=demo\.Counter/);
  served.child.kill("SIGTERM");
  assert.equal(await served.code, 0);
  assert.match(served.output(), /function ends .*SIGTERM/);
});

test("with MECHA_EXIT_ON_STDIN_END=1 it ends when its parent's pipe does", async () => {
  const served = run(["main.ts"], { PORT: "0", MECHA_EXIT_ON_STDIN_END: "1" });
  await served.says(/function ready/);
  served.child.stdin?.end();
  assert.equal(await served.code, 0);
});

test("without it the end of standard input means nothing", async () => {
  const served = run(["main.ts"], { PORT: "0" });
  served.child.stdin?.end();
  await served.says(/function ready/);
  served.child.kill("SIGINT");
  assert.equal(await served.code, 0);
  assert.match(served.output(), /function ends .*SIGINT/);
});

test("a PORT that is none is explained", async () => {
  const served = run(["main.ts"], { PORT: "http" });
  assert.equal(await served.code, 1);
  assert.match(served.output(), /PORT: expected a number from 0 to 65535, got "http"/);
});

test("the guide's tests pass", async () => {
  const tested = run(["--test", "main.test.ts", "schema.test.ts"]);
  assert.equal(await tested.code, 0, tested.output());
  assert.match(tested.output(), /pass 2/);
});

for (const [guide, code, component] of [
  ["timers", timersFolder, "demo.Seat"],
  ["CRDT", crdtsFolder, "demo.Room"],
] as const) {
  test(`the ${guide} guide's entity serves, and its tests pass`, async () => {
    const served = run(["main.ts"], { PORT: "0" }, code);
    await served.says(new RegExp(`function ready .*components=${component.replace(".", "\\.")}`));
    served.child.kill("SIGTERM");
    assert.equal(await served.code, 0);
    const tested = run(["--test", "main.test.ts"], {}, code);
    assert.equal(await tested.code, 0, tested.output());
    assert.match(tested.output(), /pass 2/);
  });
}
