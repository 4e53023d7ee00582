/**
 * Guards are only worth what they catch. A tiny repository with our real configuration is written to a temporary folder; clean, every
 * guard accepts it; with one violation of each kind planted, every guard names its rule and the file.
 */
import assert from "node:assert/strict";
import { cp, mkdir, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { type Outcome, checks } from "../../scripts/checks.ts";
import { repository, tempDir, type TempDir } from "../support/files.ts";

const configFiles = ["tsconfig.json", "eslint.config.js", ".dependency-cruiser.cjs", "knip.json", ".prettierrc.json", ".prettierignore"];

const manifest = (fields: Readonly<Record<string, unknown>>): string => `${JSON.stringify(fields, undefined, 2)}\n`;

const workspace = (name: string, dependencies: readonly string[]): string =>
  manifest({
    name: `@mecha/${name}`,
    private: true,
    version: "0.1.0",
    type: "module",
    exports: { ".": "./src/index.ts" },
    dependencies: Object.fromEntries(dependencies.map((dependency) => [dependency, "0.1.0"])),
  });

/** Everything a rule could ask for, and nothing it forbids. */
const clean: Readonly<Record<string, string>> = {
  "package.json": manifest({
    name: "miniature",
    private: true,
    type: "module",
    workspaces: ["packages/*", "dialects/*", "adapters/*", "apps/*", "sdk/*", "conformance"],
  }),
  "packages/kit/package.json": workspace("kit", []),
  "packages/kit/src/index.ts": "/** Kit. */\nexport const answer = 42;\n",
  "packages/wire/package.json": workspace("wire", ["@mecha/kit"]),
  "packages/wire/src/index.ts": '/** Wire. */\nimport { answer } from "@mecha/kit";\n\nexport const twice = answer * 2;\n',
  "packages/state/package.json": workspace("state", ["@mecha/kit", "@mecha/wire"]),
  "packages/state/src/index.ts":
    '/** State. */\nimport { answer } from "@mecha/kit";\nimport { twice } from "@mecha/wire";\n\nexport const sum = answer + twice;\n',
  "adapters/net/package.json": workspace("net", ["@mecha/kit"]),
  "adapters/net/src/index.ts":
    '/** Net. */\nimport { setTimeout as delay } from "node:timers/promises";\nimport { answer } from "@mecha/kit";\n\nexport const wait = (): Promise<void> => delay(answer);\n',
  "adapters/host/package.json": workspace("host", ["@mecha/kit"]),
  "adapters/host/src/index.ts":
    '/** Host. */\nimport { answer } from "@mecha/kit";\n\nexport const now = (): number => Date.now() + answer;\n',
  "dialects/http/package.json": workspace("dialect-http", ["@mecha/wire"]),
  "dialects/http/src/index.ts": '/** HTTP. */\nimport { twice } from "@mecha/wire";\n\nexport const status = twice;\n',
  "dialects/lambda/package.json": workspace("dialect-lambda", ["@mecha/wire"]),
  "dialects/lambda/src/index.ts": '/** Lambda. */\nimport { twice } from "@mecha/wire";\n\nexport const code = twice;\n',
  "apps/mecha/package.json": workspace("mecha", [
    "@mecha/net",
    "@mecha/host",
    "@mecha/dialect-http",
    "@mecha/dialect-lambda",
    "@mecha/state",
    "@mecha/gateway",
  ]),
  "apps/mecha/src/index.ts":
    '/** Mecha. */\nimport { code } from "@mecha/dialect-lambda";\nimport { status } from "@mecha/dialect-http";\nimport { route } from "@mecha/gateway";\nimport { now } from "@mecha/host";\nimport { wait } from "@mecha/net";\nimport { sum } from "@mecha/state";\n\nexport const parts = { code, status, route, now, wait, sum };\n',
  "apps/gateway/package.json": workspace("gateway", ["@mecha/net"]),
  "apps/gateway/src/index.ts": '/** Gateway. */\nimport { wait } from "@mecha/net";\n\nexport const route = wait;\n',
  "conformance/package.json": workspace("conformance", ["@mecha/wire"]),
  "conformance/src/index.ts": '/** Conformance. */\nimport { twice } from "@mecha/wire";\n\nexport const kit = twice;\n',
  "sdk/typescript/package.json": workspace("sdk", ["@mecha/wire"]),
  "sdk/typescript/src/index.ts": '/** SDK. */\nimport { twice } from "@mecha/wire";\n\nexport const version = twice;\n',
};

/** What is planted: file → its text. The file name is what the guard must name. */
const planted: Readonly<Record<string, string>> = {
  // boundaries
  "packages/wire/src/uses-adapter.ts": 'import { wait } from "@mecha/net";\n\nvoid wait();\n',
  "packages/wire/src/looks-up.ts": 'import { sum } from "@mecha/state";\n\nvoid sum;\n',
  "packages/wire/src/vendor.ts": 'import { parse } from "yaml";\n\nvoid parse;\n',
  "packages/kit/src/vendor.ts": 'import { create } from "@bufbuild/protobuf";\n\nvoid create;\n',
  "packages/kit/src/round-a.ts": 'import { b } from "./round-b.ts";\n\nexport const a = (): number => b();\n',
  "packages/kit/src/round-b.ts": 'import { a } from "./round-a.ts";\n\nexport const b = (): number => a();\n',
  "packages/kit/src/nowhere.ts": 'import { gone } from "./gone.ts";\n\nvoid gone;\n',
  "packages/kit/src/fake.test.ts": "export const fake = 1;\n",
  "packages/kit/src/uses-test.ts": 'import { fake } from "./fake.test.ts";\n\nvoid fake;\n',
  "adapters/net/src/sideways.ts": 'import { now } from "@mecha/host";\n\nvoid now();\n',
  "adapters/net/src/uses-app.ts": 'import { route } from "@mecha/gateway";\n\nvoid route();\n',
  "dialects/http/src/uses-adapter.ts": 'import { now } from "@mecha/host";\n\nvoid now();\n',
  "dialects/http/src/sideways.ts": 'import { code } from "@mecha/dialect-lambda";\n\nvoid code;\n',
  "apps/gateway/src/uses-app.ts": 'import { parts } from "@mecha/mecha";\n\nvoid parts;\n',
  "apps/gateway/src/uses-sdk.ts": 'import { version } from "@mecha/sdk";\n\nvoid version;\n',
  "apps/gateway/src/back-door.ts": 'import { wait } from "../../../adapters/net/src/index.ts";\n\nvoid wait();\n',
  "sdk/typescript/src/uses-state.ts": 'import { sum } from "@mecha/state";\n\nvoid sum;\n',
  "conformance/src/uses-app.ts": 'import { route } from "@mecha/gateway";\n\nvoid route();\n',
  // the machine in a pure layer
  "packages/wire/src/machine.ts": [
    'import { readFileSync } from "node:fs";',
    'import { join } from "path";',
    "export const readAt = (): number => Date.now();",
    "export const madeAt = (): Date => new Date();",
    "export const chance = (): number => Math.random();",
    "export const later = (): unknown => setTimeout(() => readFileSync(join('a')), 1);",
    "export const elapsed = (): number => performance.now();",
    "export const home = (): string | undefined => process.env['HOME'];",
    "export const lazily = (): Promise<unknown> => import('./index.ts');",
    "export const soon = (): AbortSignal => AbortSignal.timeout(1);",
    "",
  ].join("\n"),
  "dialects/http/src/machine.ts": "export const at = (): number => Date.now();\n",
  // promises, unions, holes in the types
  "adapters/net/src/careless.ts": [
    "export function send(work: () => Promise<void>, kind: 'a' | 'b', given: string | undefined): number {",
    "  work();",
    "  try {",
    "    void work();",
    "  } catch {}",
    "  const open = given as any;",
    "  let fixed = 1;",
    "  switch (kind) {",
    "    case 'a':",
    "      return given!.length;",
    "  }",
    "  const unused = 1;",
    "  return fixed + Number(open);",
    "}",
    'import { answer } from "@mecha/kit";',
    "export type Answer = typeof answer;",
    "",
  ].join("\n"),
  // types, format, unused
  "adapters/net/src/wrong-type.ts": 'export const count: number = "three";\n',
  "adapters/net/src/enumerated.ts": "export enum Level {\n  low,\n}\n",
  "adapters/net/src/unformatted.ts": "export const  loose={a:1};\n",
  "packages/kit/src/index.ts": '/** Kit. */\nexport { used as answer } from "./unused-export.ts";\n',
  "packages/kit/src/unused-export.ts": "export const used = 1;\nexport const neverUsed = 2;\n",
  "packages/kit/src/unused-file.ts": "export const alone = 1;\n",
  "adapters/host/package.json": workspace("host", ["@mecha/kit", "@mecha/wire"]),
};

/** Guard → [rule, file] it must report. */
const expected: Readonly<Record<string, readonly (readonly [rule: string, file: string])[]>> = {
  boundaries: [
    ["packages-are-pure", "packages/wire/src/uses-adapter.ts"],
    ["packages-wire-looks-down", "packages/wire/src/looks-up.ts"],
    ["vendor-only-where-owned", "packages/wire/src/vendor.ts"],
    ["vendor-only-where-owned", "packages/kit/src/vendor.ts"],
    ["no-circular", "packages/kit/src/round-"],
    ["unresolved", "packages/kit/src/nowhere.ts"],
    ["no-tests-in-product", "packages/kit/src/uses-test.ts"],
    ["adapters-never-sideways", "adapters/net/src/sideways.ts"],
    ["adapters-see-packages-only", "adapters/net/src/uses-app.ts"],
    ["dialects-see-packages-only", "dialects/http/src/uses-adapter.ts"],
    ["dialects-never-sideways", "dialects/http/src/sideways.ts"],
    ["apps-never-sideways", "apps/gateway/src/uses-app.ts"],
    ["apps-know-no-tests", "apps/gateway/src/uses-sdk.ts"],
    ["enter-through-exports", "apps/gateway/src/back-door.ts"],
    ["conformance-knows-no-app", "conformance/src/uses-app.ts"],
    ["sdk-stays-small", "sdk/typescript/src/uses-state.ts"],
  ],
  lint: [
    ["no-restricted-imports", "packages/wire/src/machine.ts:1"],
    ["no-restricted-imports", "packages/wire/src/machine.ts:2"],
    ["Clock.wall() from @mecha/kit", "packages/wire/src/machine.ts:3"],
    ["new Date(clock.wall())", "packages/wire/src/machine.ts:4"],
    ["Random from @mecha/kit", "packages/wire/src/machine.ts:5"],
    ["Clock.after()", "packages/wire/src/machine.ts:6"],
    ["Clock.monotonic()", "packages/wire/src/machine.ts:7"],
    ["readConfig", "packages/wire/src/machine.ts:8"],
    ["loads nothing at run time", "packages/wire/src/machine.ts:9"],
    ["deadlineSignal(clock, ms)", "packages/wire/src/machine.ts:10"],
    ["no-restricted-properties", "dialects/http/src/machine.ts:1"],
    ["@typescript-eslint/no-floating-promises", "adapters/net/src/careless.ts:2"],
    ["no-empty", "adapters/net/src/careless.ts:5"],
    ["@typescript-eslint/no-explicit-any", "adapters/net/src/careless.ts:6"],
    ["prefer-const", "adapters/net/src/careless.ts:7"],
    ["@typescript-eslint/switch-exhaustiveness-check", "adapters/net/src/careless.ts:8"],
    ["@typescript-eslint/no-non-null-assertion", "adapters/net/src/careless.ts:10"],
    ["@typescript-eslint/no-unused-vars", "adapters/net/src/careless.ts:12"],
    ["@typescript-eslint/consistent-type-imports", "adapters/net/src/careless.ts:15"],
  ],
  types: [
    ["TS2322", "adapters/net/src/wrong-type.ts"],
    ["TS1294", "adapters/net/src/enumerated.ts"],
    ["TS2307", "packages/kit/src/nowhere.ts"],
  ],
  format: [["", "adapters/net/src/unformatted.ts"]],
  unused: [
    ["neverUsed", "packages/kit/src/unused-export.ts"],
    ["Unused files", "packages/kit/src/unused-file.ts"],
    ["@mecha/wire", "adapters/host/package.json"],
  ],
};

/** A repository in miniature, with our configuration and our installed packages. */
async function miniature(files: Readonly<Record<string, string>>): Promise<TempDir> {
  const dir = await tempDir("guards");
  await dir.write(files);
  for (const file of configFiles) await cp(join(repository, file), join(dir.path, file));
  await mkdir(join(dir.path, "node_modules/@mecha"), { recursive: true });
  for (const name of await readdir(join(repository, "node_modules"))) {
    if (name !== "@mecha") await symlink(join(repository, "node_modules", name), join(dir.path, "node_modules", name));
  }
  for (const [file, text] of Object.entries(files)) {
    if (!file.endsWith("/package.json")) continue;
    const { name } = JSON.parse(text) as { name: string };
    await symlink(join(dir.path, file, ".."), join(dir.path, "node_modules", name));
  }
  return dir;
}

/** Lint output has the file on a line of its own and `line:column` before each finding: joined here to `file:line`. */
function flattened(output: string, folder: string): string[] {
  let file = "";
  return output.split("\n").map((line) => {
    const plain = line.replaceAll(`${folder}/`, "");
    if (/^\S+\.(ts|js)$/.test(plain)) file = plain;
    return /^\s+\d+:\d+ /.test(plain) ? `${file}:${plain.trim()}` : plain;
  });
}

suite("guards", () => {
  const guards = checks.filter((check) => check.name in expected);
  const outcomes = new Map<string, Outcome>();
  let good: TempDir;
  let bad: TempDir;

  before(async () => {
    good = await miniature(clean);
    bad = await miniature({ ...clean, ...planted });
  });
  after(async () => {
    await good[Symbol.asyncDispose]();
    await bad[Symbol.asyncDispose]();
  });

  test("every static check but the generator's own is proved here", () => {
    assert.deepEqual(
      checks.map((check) => check.name).filter((name) => !(name in expected)),
      ["generated"],
    );
  });

  for (const guard of guards) {
    test(`${guard.name} accepts a clean tree`, async () => {
      const outcome = await guard.check(good.path);
      assert.ok(outcome.ok, outcome.output);
    });
    test(`${guard.name} refuses the planted tree`, async () => {
      const outcome = await guard.check(bad.path);
      outcomes.set(guard.name, outcome);
      assert.equal(outcome.ok, false);
    });
    for (const [rule, file] of expected[guard.name] ?? []) {
      test(`${guard.name} names ${rule || "the file"} in ${file}`, () => {
        const lines = flattened(outcomes.get(guard.name)?.output ?? "", bad.path);
        const after =
          guard.name === "unused" && rule === "Unused files"
            ? lines.slice(lines.findIndex((line) => line.startsWith(rule))).map((line) => `${rule} ${line}`)
            : lines;
        const found = after.some(
          (line) =>
            line.includes(rule) &&
            (line.includes(`${file}:`) ||
              line.includes(`${file} `) ||
              line.includes(`${file}(`) ||
              line.endsWith(file) ||
              (file.endsWith("-") && line.includes(file))),
        );
        assert.ok(found, `${rule} for ${file} is not in:\n${lines.join("\n")}`);
      });
    }
  }
});
