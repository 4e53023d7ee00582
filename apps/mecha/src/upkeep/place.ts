/** Folders of backups: found, placed whole and durably, never over another. */
import {
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { Fault } from "@mecha/kit";

/** `20261120T134500Z`: sorts by time, and is a name on every file system. */
export function stamp(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/[-:]|\.\d+/gu, "");
}

/**
 * The folder a backup becomes: `target` itself, or a new name in it when it is there.
 * @throws Fault("alreadyExists") or Fault("notFound") before any work is done.
 */
export function backupTarget(target: string, project: string, wallMs: number): string {
  const isFolder = existsSync(target) && statSync(target).isDirectory();
  if (isFolder && existsSync(join(target, "backup.json")))
    throw new Fault("alreadyExists", `${target} is a backup, and one overwrites nothing: name another folder, or the one it is in`);
  const folder = isFolder ? join(target, `${project}-${stamp(wallMs)}`) : target;
  if (existsSync(folder))
    throw new Fault("alreadyExists", `${folder} exists; a backup overwrites nothing: name another, or a folder for it`);
  if (!existsSync(dirname(folder))) throw new Fault("notFound", `the folder ${dirname(folder)} does not exist; make it, or name another`);
  return folder;
}

/** Moves a finished folder of files to its place, whole or not at all, also to another file system. @throws Fault("alreadyExists") */
export function place(from: string, to: string): void {
  try {
    if (existsSync(to)) throw new Fault("alreadyExists", `${to} exists by now; name another`);
    move(from, to);
    syncPath(dirname(to));
  } catch (cause) {
    throw Fault.from(cause, `write ${to}`, "precondition");
  }
}

function move(from: string, to: string): void {
  try {
    renameSync(from, to);
    return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
  }
  // Another file system: under another name first, which nobody takes for a backup.
  const partial = join(dirname(to), `.${basename(to)}.partial`);
  rmSync(partial, { recursive: true, force: true });
  try {
    mkdirSync(partial, { mode: 0o700 });
    for (const name of readdirSync(from)) {
      copyFileSync(join(from, name), join(partial, name), constants.COPYFILE_EXCL);
      syncPath(join(partial, name));
    }
    syncPath(partial);
    renameSync(partial, to);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw error;
  }
  rmSync(from, { recursive: true });
}

/** fsync of a file or folder. */
export function syncPath(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
