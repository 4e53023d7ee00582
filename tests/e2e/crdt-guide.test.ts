/** The guide to CRDTs, its section on several sidecars, command by command: only the ports are others. */
import assert from "node:assert/strict";
import { readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Scope } from "@mecha/kit";
import { mechaMain } from "../support/cart.ts";
import { repository, tempDir } from "../support/files.ts";
import { eventually, freePort, type Program, runProgram, startProgram } from "../support/program.ts";
import { skipUnless } from "../support/skip.ts";

const guide = await readFile(join(repository, "docs/guides/crdts.md"), "utf8");
const section = guide.slice(guide.indexOf("## Several sidecars"));
const blocks = (language: string, text: string): string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map((match) => match[1] ?? "");
const [starts = "", talk = "", alone = "", certificates = "", secured = "", ...unknown] = blocks("sh", section);

test(
  "three members, as the guide starts them: heard everywhere, killed, asked for a majority, started again, with certificates",
  { skip: skipUnless("openssl"), timeout: 180_000 },
  async () => {
    assert.deepEqual(unknown, [], "a block of commands that no test runs");
    await using scope = new Scope();
    const dir = scope.own(await tempDir("crdt-guide"));
    await symlink(join(repository, "node_modules"), join(dir.path, "node_modules"), "dir");
    const ports = new Map<string, number>();
    for (const port of new Set(section.match(/\b9[0-3]\d\d\b/gu))) if (port !== "9003") ports.set(port, await freePort());
    const here = (text: string): string =>
      text
        .replaceAll(/\b9[0-3]\d\d\b/gu, (port) => String(ports.get(port) ?? port))
        .replaceAll("npx --no-install mecha", `${process.execPath} ${join(repository, mechaMain)}`);
    await dir.write({ "src/main.ts": blocks("ts", guide)[0] ?? "", "mecha.yaml": here(blocks("yaml", section)[0] ?? "") });
    const shell = (line: string): readonly string[] => ["-ec", here(line)];
    const sh = async (line: string): Promise<string> => (await runProgram("sh", shell(line), { cwd: dir.path })).stdout;
    const start = (line: string): Program => scope.own(startProgram("sh", shell(`exec ${line}`), { cwd: dir.path }));
    const kill = async (program: Program): Promise<void> => {
      for (const pid of [program.pid, ...(await program.descendants())]) process.kill(pid, "SIGKILL");
      await program.exit;
    };

    const lines = starts.trim().split("\n");
    assert.equal(lines.length, 3);
    const members = lines.map(start);
    for (const member of members) await member.waitFor(/Ctrl-C stops/u);
    const [tea = "", milk = "", status = ""] = talk.trim().split("\n");
    await eventually("all are connected", async () => (await sh(status)).match(/connected,/gu)?.length === 2);
    assert.deepEqual(JSON.parse(await sh(tea)), { tags: ["tea"] });
    await eventually("it is heard at b", async () => (JSON.parse(await sh(milk)) as { tags: string[] }).tags.includes("tea"));

    const [sugar = "", unsay = ""] = alone.trim().split("\n");
    const [, b, c] = members as [Program, Program, Program];
    await kill(c);
    await eventually("c is missed", async () => /peer c +away/u.test(await sh(status)));
    assert.equal(await sh(unsay), "{}", "two of three are a majority");
    await kill(b);
    await eventually("b is missed", async () => /peer b +away/u.test(await sh(status)));
    assert.ok((JSON.parse(await sh(sugar)) as { tags: string[] }).tags.includes("sugar"));
    await sh(tea); // so that there is something to take back
    assert.equal(await sh(unsay), (blocks("json", section)[0] ?? "none").trim());

    for (const line of lines.slice(1)) await start(line).waitFor(/Ctrl-C stops/u);
    await eventually("b knows what happened", async () => (JSON.parse(await sh(milk)) as { tags: string[] }).tags.join() === "milk,sugar");

    for (const member of [...members.slice(0, 1)]) await kill(member);
    await sh(certificates);
    const [authority = "", ...same] = secured.trim().split("\n");
    const withTls = start(`sh -c '${authority}; ${same.join("; ")}'`);
    await withTls.waitFor(/Ctrl-C stops/u);
    await withTls.waitFor(/a peer cannot be reached/u); // the others speak no TLS
  },
);
