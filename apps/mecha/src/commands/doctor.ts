/** `mecha doctor`: what is wrong with a state folder and what to do, asked of a running Mecha or of the files. */
import { existsSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { explain, Fault } from "@mecha/kit";
import { type StateFile, stateFiles } from "@mecha/store-sqlite";
import { AdminClient } from "../admin/client.ts";
import { type ExitCode, exitCodes } from "../exit.ts";
import { type Io, printable } from "../io.ts";
import { findStateFolder } from "../project/find.ts";
import { findHolder, holdStateFolder } from "../state-folder.ts";
import { type Check, checkLeftovers, checkModes, checkRoom, checkRunning } from "../upkeep/doctor.ts";
import { decidedName } from "../upkeep/restore.ts";
import { findingLines, verified } from "../upkeep/verify.ts";
import { filesIn, makeCopy, type StateCopy } from "./backup.ts";
import { type ClientOptions, printJson } from "./client-options.ts";

const storeFix =
  "restore the newest backup with `mecha restore`; keep the folder as it is until then, and copy it before trying anything else";

/** `mecha doctor`. Exit code 1 when something is wrong. */
export async function doctorCommand(io: Io, options: ClientOptions): Promise<ExitCode> {
  const folder = await findStateFolder(
    resolve(io.cwd, options.project ?? "."),
    options.state === undefined ? undefined : resolve(io.cwd, options.state),
  );
  if (!existsSync(folder))
    throw new Fault("notFound", `there is no state folder ${folder}; name a project with -C, or the folder with --state`);
  // Modes first: holding the folder narrows them.
  const checks = [...checkModes(folder), checkRoom(folder)];
  const holder = findHolder(folder);
  checks.push(...checkLeftovers(folder, holder !== undefined));
  checks.push(...(holder === undefined ? await checkStopped(io, folder) : await checkHeld(io, folder, holder)));
  const well = checks.every(({ ok }) => ok);
  if (options.output === "json") printJson(io, { folder, ok: well, checks });
  else io.out(printable(`${folder}\n${checks.map(checkText).join("")}${well ? "all is well\n" : ""}`));
  return well ? exitCodes.ok : exitCodes.failure;
}

function checkText(check: Check): string {
  const line = `  ${check.ok ? "ok     " : "PROBLEM"}  ${check.name}: ${check.what}\n`;
  return check.ok ? line : `${line}           what to do: ${check.fix}\n`;
}

/** Nobody runs, and nobody can start while the files are read. */
async function checkStopped(io: Io, folder: string): Promise<Check[]> {
  const files = stateFiles.filter((name) => existsSync(join(folder, name)));
  if (files.length === 0) return [{ name: "store", ok: true, what: "nothing is stored yet" }];
  if (existsSync(join(folder, decidedName))) return []; // of two states; named as a leftover
  using _held = await holdStateFolder(folder);
  return await fileChecks(io, { folder, files }, (name) => join(folder, name));
}

/** A store in use is looked at through a copy: reading it whole would hold back everybody who writes. */
async function checkHeld(io: Io, folder: string, holder: number): Promise<Check[]> {
  try {
    const client = await AdminClient.open(folder);
    const status = await client.status();
    const checks = checkRunning(status);
    if (status.store.kind === "memory") return checks;
    const copy = await makeCopy(io, client);
    try {
      return [...checks, ...(await fileChecks(io, copy, (name) => subjects[name].called))];
    } finally {
      rmSync(copy.folder, { recursive: true, force: true });
    }
  } catch (error) {
    const what = `process ${holder} holds the folder, and could not be asked: ${explain(error)}`;
    return [
      {
        name: "running",
        ok: false,
        what,
        fix: `see what it prints; end it with \`kill ${holder}\`, and \`mecha doctor\` reads the store itself`,
      },
    ];
  }
}

/** What each file holds, and what becomes of it when it is lost. */
const subjects = {
  "state.db": { check: "store", called: "the store" },
  "topics.db": { check: "topics", called: "the log of topics" },
  "control.db": { check: "objects", called: "the log of Kubernetes objects" },
} as const satisfies Record<StateFile, { readonly check: string; readonly called: string }>;

async function fileChecks(io: Io, copy: StateCopy, called: (name: StateFile) => string): Promise<Check[]> {
  const checks: Check[] = [];
  for (const { name, path } of filesIn(copy)) {
    const lines = findingLines(await verified(io, path, name));
    const { check } = subjects[name];
    if (lines.length === 0) checks.push({ name: check, ok: true, what: `${called(name)} is whole` });
    checks.push(...lines.map((what) => ({ name: check, ok: false, what, fix: storeFix }) as const));
  }
  return checks;
}
