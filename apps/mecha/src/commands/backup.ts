import { rmSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Fault } from "@mecha/kit";
import type { AdminClient } from "../admin/client.ts";
import type { BackupJson } from "../admin/model.ts";
import { type Io, printable, withProgress } from "../io.ts";
import { backupTarget, place } from "../upkeep/place.ts";
import { findingLines, verified } from "../upkeep/verify.ts";
import { type ClientOptions, openClient, printJson } from "./client-options.ts";

/** Pause between two questions whether it is done, ms. */
const pollMs = 50;

/** `mecha backup` */
export async function backupCommand(io: Io, options: ClientOptions, target: string): Promise<void> {
  const client = await openClient(io, options);
  const { project } = await client.status();
  const file = backupTarget(resolve(io.cwd, target), project, io.clock.wall());
  const copy = await makeCopy(io, client);
  try {
    const findings = await verified(io, copy);
    if (findings.length > 0) {
      const list = findingLines(findings).map((line) => `\n  ${line}`);
      throw new Fault("dataLoss", `the copy is not whole, so the store is not either; nothing was written to ${file}:${list.join("")}`);
    }
    place(copy, file);
  } finally {
    rmSync(copy, { force: true });
  }
  const { size } = statSync(file);
  if (options.output === "json") printJson(io, { file, bytes: size, verified: true });
  else io.out(printable(`backup of ${project} written and verified: ${file} (${size} bytes)\nrestore it with: mecha restore ${file}\n`));
}

/** Has the running Mecha copy its store. @returns the copy, in its state folder; delete it. */
export async function makeCopy(io: Io, client: AdminClient): Promise<string> {
  const begun = await client.beginBackup();
  const ended = await withProgress(io, "copying the store", untilEnded(client, begun));
  if (ended.state === "done") return ended.file;
  throw new Fault("unavailable", `the store could not be copied: ${ended.problem}`);
}

async function untilEnded(client: AdminClient, begun: BackupJson): Promise<Exclude<BackupJson, { readonly state: "copying" }>> {
  for (let now = begun; ; now = await client.backup(begun.id)) {
    if (now.state !== "copying") return now;
    await pause(pollMs); // not the clock's: its timers keep no process alive
  }
}
