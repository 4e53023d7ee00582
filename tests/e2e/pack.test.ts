/**
 * What a user installs works where nothing of this repository is: all tarballs are packed, installed into an empty folder without network,
 * and a function written there is run by `npx --no-install mecha up` and called.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { pack } from "../../scripts/pack.ts";
import { repository, tempDir, type TempDir } from "../support/files.ts";
import { freePort, runProgram, startProgram } from "../support/program.ts";

const counter = `import { command, eventSourced, message, serve, t } from "mecha-sdk";

const Total = message("Total", { total: t.int32 });

const Counter = eventSourced({
  service: "demo.Counter",
  persistenceId: "counter",
  key: "id",
  state: () => ({ total: 0 }),
  events: { added: { by: t.int32 } },
  commands: { add: command({ id: t.string, by: t.int32 }).http("POST /counters/{id}").replies(Total) },
  on: {
    added(state, { by }) {
      state.total += by;
    },
  },
  handle: {
    add({ by }, ctx) {
      if (by <= 0) ctx.fail("by must be more than 0", { code: "invalid" });
      ctx.emit("added", { by });
      return { total: ctx.state.total };
    },
  },
});

await serve([Counter]);
`;

const operator = `import { type KubeObject, resourceRef, runOperator, watchFor } from "mecha-operator";

const configMaps = resourceRef("v1", "ConfigMap");

await runOperator({
  name: "demo-operator",
  setup({ manager }) {
    const cache = manager.informer(configMaps);
    manager.add({
      name: "demo",
      watches: [watchFor(configMaps)],
      async reconcile(id) {
        const found: KubeObject | undefined = cache.get(id);
        return found ? undefined : { requeueAfterMs: 1_000 };
      },
    });
  },
});
`;

const project = (ingressPort: number): string => `apiVersion: mecha.dev/v1alpha1
kind: Project
metadata:
  name: demo
spec:
  functions:
    - name: counter
      directory: .
      command: node counter.ts
  store:
    kind: sqlite
  ingress:
    port: ${ingressPort}
`;

const tsconfig = {
  compilerOptions: {
    target: "es2024",
    lib: ["es2024", "esnext.disposable"],
    module: "nodenext",
    noEmit: true,
    strict: true,
    skipLibCheck: false,
    types: ["node"],
    typeRoots: [join(repository, "node_modules/@types")],
  },
  files: ["counter.ts", "operator.ts"],
};

/** npm without network, notices or scripts: what is not in the tarballs must not be needed. */
const npmInstall = ["install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional", "--loglevel=error"];

suite("the published packages", () => {
  let built: TempDir;
  let user: TempDir;

  before(async () => {
    built = await tempDir("pack");
    user = await tempDir("user");
    const packed = await pack(built.path);
    const protobuf = await runProgram("npm", [
      "pack",
      join(repository, "node_modules/@bufbuild/protobuf"),
      "--pack-destination",
      built.path,
      "--ignore-scripts",
    ]);
    assert.equal(protobuf.code, 0, protobuf.output);
    const dependency = (await readdir(built.path)).find((name) => name.startsWith("bufbuild-protobuf"));
    await user.write({
      "package.json": JSON.stringify({ name: "demo", private: true, type: "module" }),
      "counter.ts": counter,
      "operator.ts": operator,
      "tsconfig.json": JSON.stringify(tsconfig),
    });
    const installed = await runProgram("npm", [...npmInstall, ...Object.values(packed), join(built.path, dependency ?? "")], {
      cwd: user.path,
    });
    assert.equal(installed.code, 0, installed.output);
  });
  after(async () => {
    await user[Symbol.asyncDispose]();
    await built[Symbol.asyncDispose]();
  });

  for (const name of ["mecha-runtime", "mecha-sdk", "mecha-operator"]) {
    test(`${name} carries its licences and imports nothing of the workspaces`, async () => {
      const folder = join(user.path, "node_modules", name);
      for (const file of ["LICENSE", "NOTICE", "THIRD-PARTY.txt"]) assert.ok(existsSync(join(folder, file)), file);
      const files = await readdir(folder, { recursive: true });
      assert.deepEqual(
        files.filter((file) => /(?<!\.d)\.ts$/.test(file)),
        [],
        "no TypeScript source: Node strips no types in node_modules",
      );
      for (const file of files.filter((path) => /\.(js|cjs|d\.ts|json)$/.test(path))) {
        const text = await readFile(join(folder, file), "utf8");
        assert.doesNotMatch(text, /(from|import|require)\s*\(?\s*"@mecha\//, file);
        assert.ok(!text.includes(repository), `${file} names this machine's folder`);
      }
    });
  }

  test("the .proto files of the protocol and those a component's own .proto imports come with the SDK, and are those of this repository", async () => {
    const folder = join(user.path, "node_modules/mecha-sdk/proto");
    const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const names = files.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort();
    const below = async (part: string): Promise<string[]> =>
      (await readdir(join(repository, "api/proto", part), { recursive: true }))
        .filter((name) => name.endsWith(".proto"))
        .map((name) => `${part}/${name}`);
    const expected = await Promise.all(["cloudstate", "google/api", "mecha/extensions"].map(below));
    assert.ok(names.includes("google/api/annotations.proto") && names.includes("cloudstate/event_sourced.proto"));
    assert.deepEqual(names, expected.flat().sort());
    for (const name of names)
      assert.equal(await readFile(join(folder, name), "utf8"), await readFile(join(repository, "api/proto", name), "utf8"), name);
  });

  test("the list of bundled packages names each with its licence text", async () => {
    const list = await readFile(join(user.path, "node_modules/mecha-runtime/THIRD-PARTY.txt"), "utf8");
    for (const line of [
      /^commander \S+ \(MIT\)/m,
      /^yaml \S+ \(ISC\)/m,
      /^@bufbuild\/protobuf \S+ \(.*Apache-2\.0.*\)/m,
      /Permission is hereby granted/,
    ])
      assert.match(list, line);
  });

  test("mecha version says what was installed", async () => {
    const { version } = JSON.parse(await readFile(join(repository, "package.json"), "utf8")) as { version: string };
    const said = await runProgram("npx", ["--no-install", "mecha", "version"], { cwd: user.path });
    assert.equal(said.code, 0, said.output);
    assert.match(said.stdout, new RegExp(version.replaceAll(".", "\\.")));
  });

  test("the user's function passes the compiler against the published types, library check included", async () => {
    const compiled = await runProgram(process.execPath, [
      join(repository, "node_modules/typescript/bin/tsc"),
      "-p",
      user.path,
      "--pretty",
      "false",
    ]);
    assert.equal(compiled.code, 0, compiled.output);
  });

  test("the user's operator runs from the published package", async () => {
    const said = await runProgram(process.execPath, ["operator.ts", "--help"], { cwd: user.path });
    assert.equal(said.code, 0, said.output);
    assert.match(said.stdout, /^demo-operator\n[^]*--leader-elect/);
  });

  test("mecha up runs the user's function, and a call over HTTP changes its state", async () => {
    const port = await freePort();
    await user.write({ "mecha.yaml": project(port) });
    await using mecha = startProgram("npx", ["--no-install", "mecha", "up"], { cwd: user.path });
    await mecha.waitFor(/demo is ready/);
    const add = async (by: number): Promise<Response> =>
      await fetch(`http://127.0.0.1:${port}/counters/a`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ by }),
      });
    assert.deepEqual(await (await add(2)).json(), { total: 2 });
    assert.deepEqual(await (await add(3)).json(), { total: 5 });
    const refused = await add(0);
    assert.equal(refused.status, 400);
    assert.match(await refused.text(), /by must be more than 0/);
  });
});
