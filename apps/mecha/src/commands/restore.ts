import { existsSync, readdirSync, rmdirSync } from "node:fs";
import { resolve } from "node:path";
import { Fault } from "@mecha/kit";
import { type Io, printable } from "../io.ts";
import { findStateFolder } from "../project/find.ts";
import { holdStateFolder } from "../state-folder.ts";
import { putBack } from "../upkeep/restore.ts";
import { findingLines, verified } from "../upkeep/verify.ts";
import { type ClientOptions, printJson } from "./client-options.ts";

/** `mecha restore` */
export async function restoreCommand(io: Io, options: ClientOptions, backup: string): Promise<void> {
  const file = resolve(io.cwd, backup);
  if (!existsSync(file)) throw new Fault("notFound", `there is no file ${file}`);
  const stateFolder = await findStateFolder(
    resolve(io.cwd, options.project ?? "."),
    options.state === undefined ? undefined : resolve(io.cwd, options.state),
  );
  const findings = await verified(io, file);
  if (findings.length > 0) {
    const list = findingLines(findings).map((line) => `\n  ${line}`);
    throw new Fault("dataLoss", `${file} is not a whole backup; nothing was changed:${list.join("")}`);
  }
  const before = await heldWhile(stateFolder, () => putBack(file, stateFolder, io.clock.wall()));
  if (options.output === "json") {
    printJson(io, { stateFolder, ...(before !== undefined && { before }) });
    return;
  }
  io.out(printable(`restored ${file} into ${stateFolder}; start with \`mecha up\`\n`));
  if (before !== undefined) io.out(printable(`the state before is kept in ${before}; delete it once you are sure\n`));
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
