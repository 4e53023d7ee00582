import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Fault } from "@mecha/kit";
import type { StateFile } from "@mecha/store-sqlite";
import type { AdminClient } from "../admin/client.ts";
import type { BackupJson } from "../admin/model.ts";
import { type Io, printable, withProgress } from "../io.ts";
import { type BackupFile, writeManifest } from "../upkeep/manifest.ts";
import { backupTarget, place } from "../upkeep/place.ts";
import { problemsOf } from "../upkeep/verify.ts";
import { type ClientOptions, openClient, printJson } from "./client-options.ts";

/** Pause between two questions whether it is done, ms. */
const pollMs = 50;

/** `mecha backup` */
export async function backupCommand(io: Io, options: ClientOptions, target: string): Promise<void> {
  const client = await openClient(io, options);
  const { project } = await client.status();
  const folder = backupTarget(resolve(io.cwd, target), project, io.clock.wall());
  const copy = await makeCopy(io, client);
  try {
    const problems = await problemsOf(io, filesIn(copy));
    if (problems.length > 0) {
      const list = problems.map((line) => `\n  ${line}`);
      throw new Fault("dataLoss", `the copy is not whole, so the state is not either; nothing was written to ${folder}:${list.join("")}`);
    }
    const { files } = await writeManifest(copy.folder, copy.files, { project, wallMs: io.clock.wall() });
    place(copy.folder, folder);
    report(io, options, project, { folder, files });
  } finally {
    rmSync(copy.folder, { recursive: true, force: true });
  }
}

function report(
  io: Io,
  options: ClientOptions,
  project: string,
  { folder, files }: { folder: string; files: readonly BackupFile[] },
): void {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (options.output === "json") return printJson(io, { folder, files, bytes, verified: true });
  const names = files.map(({ name }) => name).join(", ");
  io.out(
    printable(
      `backup of ${project} written and verified: ${folder} (${names}; ${bytes} bytes)\nrestore it with: mecha restore ${folder}\n`,
    ),
  );
}

/** A copy in the state folder of a running Mecha; whoever asked for it deletes the folder. */
export type StateCopy = Pick<Extract<BackupJson, { readonly state: "done" }>, "folder" | "files">;

export function filesIn({ folder, files }: StateCopy): readonly { readonly name: StateFile; readonly path: string }[] {
  return files.map((name) => ({ name, path: join(folder, name) }));
}

/** Has the running Mecha copy its state. */
export async function makeCopy(io: Io, client: AdminClient): Promise<StateCopy> {
  const begun = await client.beginBackup();
  const ended = await withProgress(io, "copying the state", untilEnded(client, begun));
  if (ended.state === "done") return ended;
  throw new Fault("unavailable", `the state could not be copied: ${ended.problem}`);
}

async function untilEnded(client: AdminClient, begun: BackupJson): Promise<Exclude<BackupJson, { readonly state: "copying" }>> {
  for (let now = begun; ; now = await client.backup(begun.id)) {
    if (now.state !== "copying") return now;
    await pause(pollMs); // not the clock's: its timers keep no process alive
  }
}
