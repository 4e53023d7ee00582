import { existsSync, readdirSync, rmdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { Fault } from "@mecha/kit";
import { type Io, printable } from "../io.ts";
import { findStateFolder } from "../project/find.ts";
import { holdStateFolder } from "../state-folder.ts";
import { readManifest } from "../upkeep/manifest.ts";
import { putBack, type Restored } from "../upkeep/restore.ts";
import { problemsOf } from "../upkeep/verify.ts";
import { type ClientOptions, printJson } from "./client-options.ts";

/** `mecha restore` */
export async function restoreCommand(io: Io, options: ClientOptions, backup: string): Promise<void> {
  const path = resolve(io.cwd, backup);
  const restored = await restoredFrom(path);
  const stateFolder = await findStateFolder(
    resolve(io.cwd, options.project ?? "."),
    options.state === undefined ? undefined : resolve(io.cwd, options.state),
  );
  const problems = await problemsOf(io, restored.files);
  if (problems.length > 0)
    throw new Fault("dataLoss", `${path} is not a whole backup; nothing was changed:${problems.map((line) => `\n  ${line}`).join("")}`);
  const before = await heldWhile(stateFolder, () => putBack(restored, stateFolder, io.clock.wall()));
  if (options.output === "json") {
    printJson(io, { stateFolder, files: restored.files.map(({ name }) => name), ...(before !== undefined && { before }) });
    return;
  }
  io.out(printable(`restored ${path} into ${stateFolder}; start with \`mecha up\`\n`));
  if (before !== undefined) io.out(printable(`the state before is kept in ${before}; delete it once you are sure\n`));
}

/** A backup, or a `state.db` alone: then what lies beside it in the state stays. */
async function restoredFrom(path: string): Promise<Restored> {
  if (!existsSync(path)) throw new Fault("notFound", `there is no backup ${path}`);
  if (!statSync(path).isDirectory()) return { files: [{ name: "state.db", path }], absent: [] };
  const { files, absent } = await readManifest(path);
  return { files: files.map(({ name }) => ({ name, path: join(path, name) })), absent };
}

/** Holds the state folder for `work`; a folder that was made for nothing is taken away again. */
async function heldWhile<T>(stateFolder: string, work: () => T): Promise<T> {
  const isNew = !existsSync(stateFolder);
  try {
    using _held = await holdStateFolder(stateFolder);
    return work();
  } finally {
    if (isNew && existsSync(stateFolder) && readdirSync(stateFolder).length === 0) rmdirSync(stateFolder);
  }
}
