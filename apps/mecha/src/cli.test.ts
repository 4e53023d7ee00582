import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { FakeClock, SeededRandom } from "@mecha/kit/testing";
import { run } from "./cli.ts";
import { type Io, printable, table, withProgress } from "./io.ts";

interface Typed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs one command line with nothing but text around it, in an empty folder. */
async function typed(argv: readonly string[], env: Io["env"] = {}, cwd = tmpdir()): Promise<Typed> {
  const io = fakeIo(env, cwd);
  const code = await run(argv, io);
  return { code, out: io.printed.out, err: io.printed.err };
}

function fakeIo(env: Io["env"], cwd: string): Io & { readonly printed: { out: string; err: string } } {
  const printed = { out: "", err: "" };
  return {
    printed,
    out: (text) => void (printed.out += text),
    pour: (text) => void (printed.out += text),
    err: (text) => void (printed.err += text),
    terminal: false,
    colour: false,
    env,
    cwd,
    clock: new FakeClock(),
    random: new SeededRandom(1),
    onSignal: () => () => undefined,
    exit: (code) => {
      throw new Error(`exit ${code}`);
    },
  };
}

const usage: readonly (readonly [argv: readonly string[], env: Io["env"], message: RegExp])[] = [
  [[], {}, /Usage: mecha/u],
  [["nonsense"], {}, /unknown command 'nonsense'/u],
  [["staus"], {}, /unknown command 'staus'\n\(Did you mean status\?\)/u],
  [["up", "--prot", "1"], {}, /unknown option '--prot'\n\(Did you mean --port\?\)/u],
  [["up", "--port", "70000"], {}, /--port <port>.*Expected a whole number from 0 to 65535/u],
  [["up", "--port", "x"], {}, /Expected a whole number/u],
  [["up", "a", "b"], {}, /too many arguments/u],
  [["up", "no-such-folder"], {}, /there is no no-such-folder\/mecha\.yaml, and no file .*; name the folder of a project/u],
  [
    ["up"],
    { MECHA_SHUTDOWN_GRACE: "soon", MECHA_LOG: "xml" },
    /MECHA_SHUTDOWN_GRACE: expected a duration.*MECHA_LOG: expected one of text, json/u,
  ],
  [["sidecar"], { HTTP_PORT: "x", USER_FUNCTION_PORT: "-1" }, /HTTP_PORT: expected a port.*USER_FUNCTION_PORT: expected a port/u],
  [["sidecar", "--host", "0.0.0.0"], {}, /--host is 0\.0\.0\.0, which other machines can reach.*--insecure/u],
  [["up", "--allow-origin", "https://shop.example/"], {}, /--allow-origin <origin>.*Expected a web origin like https:\/\/shop\.example/u],
  [["up", "--allow-host", "a:80"], {}, /Expected a host name like shop\.example, without a port/u],
  [["up", "--body-max", "1GiB"], {}, /Expected a size from 1KiB to 64MiB/u],
  [["sidecar"], { MECHA_ALLOWED_ORIGINS: "shop.example" }, /MECHA_ALLOWED_ORIGINS: expected origins like https:\/\/shop\.example/u],
  [["sidecar", "--admin-port", "1"], {}, /--admin-port needs --state/u],
  [["entities"], {}, /Usage: mecha entities/u],
  [["entities", "get", "shop.Cart"], {}, /missing required argument 'id'/u],
  [["entities", "import"], {}, /missing required argument 'file'/u],
  [["entities", "list", "--limit", "0"], {}, /from 1 to 1000000/u],
  [["status", "-o", "yaml"], {}, /Allowed choices are text, json/u],
  [["call"], {}, /missing required argument 'method'/u],
  [["call", "no method"], {}, /expected package\.Service\/Method, got "no method"/u],
  [["call", "a.B/C", "{"], {}, /the request is not JSON/u],
  [["call", "a.B/C", "--address", "nowhere"], {}, /--address: expected host:port, got "nowhere"/u],
  [["call", "a.B/C", "-H", "novalue"], {}, /--header: expected "name: value"/u],
];

for (const [argv, env, message] of usage)
  test(`mecha ${argv.join(" ")} is a mistake of usage: exit code 2, the fix on standard error`, async () => {
    const { code, out, err } = await typed(argv, env);
    assert.equal(code, 2);
    assert.equal(out, "");
    assert.match(err, message);
  });

const helps = [
  ["--help"],
  ["help"],
  ["up", "--help"],
  ["sidecar", "--help"],
  ["entities", "list", "--help"],
  ["entities", "get", "--help"],
];
helps.push(["entities", "export", "--help"], ["entities", "import", "--help"]);
helps.push(["entities", "history", "--help"], ["functions", "--help"], ["status", "--help"], ["call", "--help"], ["version", "--help"]);
for (const argv of helps)
  test(`mecha ${argv.join(" ")} shows usage, examples and exit codes`, async () => {
    const { code, out, err } = await typed(argv);
    assert.equal(code, 0);
    assert.equal(err, "");
    assert.match(out, /Usage: mecha[\s\S]*Examples:\n {2}mecha[\s\S]*Exit codes: 0 done · 1 tried and failed · 2 wrong arguments/u);
  });

test("version prints itself, for people and for programs", async () => {
  assert.match((await typed(["version"])).out, /^mecha \d+\.\d+\.\d+ on Node \d+/u);
  assert.match(JSON.parse((await typed(["version", "-o", "json"])).out).version, /^\d+\.\d+\.\d+$/u);
  assert.match((await typed(["--version"])).out, /^\d+\.\d+\.\d+\n$/u);
});

test("a command for a Mecha that does not run fails with 1 and says how to start it; with -o json as JSON", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mecha-cli-"));
  try {
    const text = await typed(["status"], {}, folder);
    assert.equal(text.code, 1);
    assert.match(text.err, /^mecha: no Mecha runs with the state folder .*\.mecha; start it with `mecha up`/u);
    const json = await typed(["entities", "list", "-o", "json"], {}, folder);
    assert.equal(json.code, 1);
    assert.equal(JSON.parse(json.err).error.code, "unavailable");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a project's own state folder is found from below it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mecha-cli-"));
  try {
    writeFileSync(
      join(folder, "mecha.yaml"),
      "apiVersion: mecha.dev/v1alpha1\nkind: Project\nmetadata: { name: x }\nspec: { functions: [{ name: a, command: b }], store: { directory: elsewhere } }\n",
    );
    const { err } = await typed(["status"], {}, join(folder));
    assert.ok(err.includes(`${join(folder, "elsewhere")};`), err);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("fuzz: whatever is typed, the answer is an exit code, and an error has text", async () => {
  const word = fc.oneof(
    fc.constantFrom(
      "entities",
      "list",
      "get",
      "history",
      "status",
      "functions",
      "version",
      "help",
      "-o",
      "json",
      "--state",
      "-C",
      "--limit",
      "--",
      "-",
      "call",
    ),
    fc.string({ maxLength: 8 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 6 }), async (argv) => {
      fc.pre(!argv.includes("up") && !argv.includes("sidecar") && !argv.includes("call"));
      const { code, out, err } = await typed(argv, {}, "/nonexistent-for-mecha-tests");
      assert.ok([0, 1, 2].includes(code));
      if (code !== 0) assert.notEqual(err, "", `${JSON.stringify(argv)} ${out}`);
    }),
    { numRuns: 300 },
  );
});

test("work of more than two seconds says that it goes on", async () => {
  const clock = new FakeClock();
  const io = { ...fakeIo({}, "/"), clock };
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = withProgress(io, "waiting for the tide", promise);
  await clock.advance(1_999);
  assert.equal(io.printed.err, "");
  await clock.advance(2_001);
  assert.equal(io.printed.err, "waiting for the tide (2 s)…\nwaiting for the tide (4 s)…\n");
  resolve();
  await done;
  assert.equal(clock.pending, 0);
});

test("tables line up, and text from elsewhere cannot steer the terminal", () => {
  assert.equal(
    table([
      ["A", "B"],
      ["long", "x"],
      ["é", "y"],
    ]),
    "A     B\nlong  x\né     y\n",
  );
  assert.equal(printable("a\u001b[2Jb\tc\n"), "a\\u001b[2Jb\tc\n");
});

test("a file that is not whole is refused before anything is sent", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mecha-cli-"));
  const start = '{"record":"export","version":1,"project":"p","time":"2026-11-20T12:00:00.000Z"}';
  const crdt = '{"record":"crdt","service":"s","persistenceId":"p","id":"i","state":"AA=="}';
  const files: Readonly<Record<string, readonly [text: string, says: RegExp]>> = {
    cut: [`${start}\n${crdt}\n`, /the file is cut short.*export again/u],
    half: [`${start}\r\n\r\n${crdt.slice(0, 30)}`, /line 3: it is not JSON/u],
    misspelt: [`${crdt}\n${crdt.replace("state", "State")}`, /line 2: `state`: expected base64, got nothing/u],
    newer: [start.replace('"version":1', '"version":2'), /line 1: `version`: the file has format 2, this Mecha reads 1/u],
    selection: [`${crdt}\n`, /no Mecha runs with the state folder/u],
    whole: [`${start}\n${crdt}\n{"record":"end","records":1}\n`, /no Mecha runs with the state folder/u],
  };
  try {
    for (const [name, [text, says]] of Object.entries(files)) {
      writeFileSync(join(folder, name), text);
      const { code, err } = await typed(["entities", "import", name], {}, folder);
      assert.equal(code, 1, name);
      assert.match(err, says);
    }
    assert.match((await typed(["entities", "import", "none"], {}, folder)).err, /none cannot be read/u);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
