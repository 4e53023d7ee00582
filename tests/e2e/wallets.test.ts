/** docs/guides/other-languages.md as it stands there: other people's libraries, unmodified, under `mecha up`; their state through kill -9. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type RunningMecha, startUp } from "../support/cart.ts";
import { builtExample } from "../support/built.ts";
import { tempDir } from "../support/files.ts";
import { blocksOf } from "../support/guide.ts";
import { post, request } from "../support/http.ts";
import { eventually, isAlive, runProgram } from "../support/program.ts";
import { skipUnless } from "../support/skip.ts";

const blocks = await blocksOf("docs/guides/other-languages.md");
const block = (section: string, at = 0): string => blocks.filter((one) => one.section === section)[at]?.text ?? assert.fail(section);
const [start, calls, answers] = [0, 1, 2].map((at) => block("Run it", at)) as [string, string, string];

const languages = ["Python", "Java", "Go"] as const;

test("the guide has no block that is not run here", () => {
  assert.deepEqual(
    blocks.map(({ section, language }) => `${section} ${language}`),
    [...languages.map((language) => `${language} sh`), "Run it sh", "Run it sh", "Run it text"],
  );
  assert.equal(start, "npx --no-install mecha up examples/wallets/python\n");
});

/** Mecha and its function are gone, as after a power cut. */
async function killed({ program }: RunningMecha): Promise<void> {
  const functions = await program.descendants();
  program.kill("SIGKILL");
  await program.exit;
  await eventually("the function dies with Mecha", async () => (await Promise.all(functions.map(isAlive))).every((alive) => !alive));
}

/** A cold build downloads and compiles a gRPC stack; a warm one is read from the cache. */
const timeout = 600_000;

function needs(...programs: readonly string[]): { readonly skip: string | false; readonly timeout: number } {
  return { skip: programs.map((name) => skipUnless(name)).find((reason) => reason !== false) ?? false, timeout };
}

test("Python: built, called, killed, started again as the guide says", needs("python3"), () =>
  asTheGuideSays("Python", /there are only 930 cents/u),
);
test("Java: built, called, killed, started again as the guide says", needs("javac", "mvn"), () =>
  asTheGuideSays("Java", /^there are only 930 cents$/u),
);
test("Go: built, called, killed, started again as the guide says", needs("go", "protoc"), () =>
  asTheGuideSays("Go", /^there are only 930 cents$/u),
);

/** `failure`: how the library words one. */
async function asTheGuideSays(section: (typeof languages)[number], failure: RegExp): Promise<void> {
  const folder = await builtExample("wallets", section.toLowerCase(), block(section));
  await using state = await tempDir("wallets");
  const args = ["--state", state.path];
  const wallet = (up: RunningMecha): Promise<unknown> => request(`${up.ingress}/wallets/ada`);
  const deposit = (up: RunningMecha, cents: number): Promise<unknown> => post(`${up.ingress}/wallets/ada/deposits`, { cents });
  const ok = (cents: number): unknown => ({ status: 200, body: { cents } });
  {
    await using up = await startUp(folder, args);
    const ran = await runProgram("sh", ["-ec", calls.replaceAll("localhost:9000", new URL(up.ingress).host)]);
    assert.equal(ran.stdout, answers, up.program.output);
    // Enough for a snapshot and events behind it.
    for (let cents = 430; cents <= 930; cents += 50) assert.deepEqual(await deposit(up, 50), ok(cents));
    await killed(up);
  }
  await using up = await startUp(folder, args);
  assert.deepEqual(await wallet(up), ok(930), up.program.output);
  const refused = await post(`${up.ingress}/wallets/ada/withdrawals`, { cents: 931 });
  assert.equal(refused.status, 500);
  assert.match((refused.body as { readonly message: string }).message, failure);
  assert.deepEqual(await deposit(up, 70), ok(1000));
}
