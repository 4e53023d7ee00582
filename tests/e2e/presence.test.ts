/** The presence example as its page says: a CRDT written with the SDK behind a real sidecar, streams held open by curl, and its value after kill -9. */
import assert from "node:assert/strict";
import { cp, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { startUp } from "../support/cart.ts";
import { repository, type TempDir, tempDir } from "../support/files.ts";
import { eventually, runProgram, startProgram } from "../support/program.ts";
import { skipUnless } from "../support/skip.ts";

const example = join(repository, "examples/presence-crdt");
const page = await readFile(join(example, "README.md"), "utf8");
const [start, enter, who, sendAway, ...unknown] = [...page.matchAll(/^```sh\n(.*?)^```/gms)].map((match) => (match[1] ?? "").trim());

async function copy(): Promise<TempDir> {
  const dir = await tempDir("presence");
  await cp(example, dir.path, { recursive: true, filter: (path) => !path.includes("node_modules") && !path.includes(".mecha") });
  await symlink(join(repository, "node_modules"), join(dir.path, "node_modules"), "dir");
  return dir;
}

/** The page's command, at the port this run has, for this name. */
const at = (ingress: string, line: string | undefined, name = "Ada"): string[] => [
  "-ec",
  `exec ${(line ?? "false").replaceAll("http://127.0.0.1:9000", ingress).replaceAll("Ada", name)}`,
];

test(
  "the page's commands: enter, look, send away; streams tell of others; a closed stream leaves",
  { skip: skipUnless("curl"), timeout: 120_000 },
  async () => {
    assert.equal(start, "npx --no-install mecha up examples/presence-crdt");
    assert.deepEqual(unknown, [], "a block of commands that no test runs");
    await using dir = await copy();
    {
      await using mecha = await startUp(dir.path);
      const people = async (): Promise<unknown> => JSON.parse((await runProgram("sh", at(mecha.ingress, who))).stdout) as unknown;
      const names = (...all: string[]) => ({ room: "lobby", names: all });
      await using ada = startProgram("sh", at(mecha.ingress, enter));
      await ada.waitFor(/"names":\["Ada"\]/u);
      {
        await using grace = startProgram("sh", at(mecha.ingress, enter, "Grace"));
        await grace.waitFor(/"names":\["Ada","Grace"\]/u);
        await ada.waitFor(/"names":\["Ada","Grace"\]/u);
      }
      await eventually(
        "Grace has left with her stream",
        async () => JSON.stringify(await people()) === JSON.stringify(names("Ada")) || undefined,
      );
      assert.deepEqual(await people(), names("Ada"));
      await runProgram("sh", at(mecha.ingress, sendAway));
      assert.equal((await ada.exit).code, 0, ada.output);
      assert.deepEqual(await people(), names());

      await using stays = startProgram("sh", at(mecha.ingress, enter, "Linus"));
      await stays.waitFor(/"names":\["Linus"\]/u);
      mecha.program.kill("SIGKILL");
      await mecha.program.exit;
    }
    await using again = await startUp(dir.path);
    const kept = await runProgram("sh", at(again.ingress, who));
    assert.deepEqual(JSON.parse(kept.stdout), { room: "lobby", names: ["Linus"] }); // nobody was there to say that he left
  },
);
