/** Files of backups: found, placed whole and durably, never over another. */
import { constants, copyFileSync, existsSync, fsyncSync, linkSync, openSync, closeSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { Fault } from "@mecha/kit";

/** `20261120T134500Z`: sorts by time, and is a name on every file system. */
export function stamp(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/[-:]|\.\d+/gu, "");
}

/**
 * The file a backup goes to: `target` itself, or a new name in it when it is a folder.
 * @throws Fault("alreadyExists") or Fault("notFound") before any work is done.
 */
export function backupTarget(target: string, project: string, wallMs: number): string {
  const isFolder = existsSync(target) && statSync(target).isDirectory();
  const file = isFolder ? join(target, `${project}-${stamp(wallMs)}.db`) : target;
  if (existsSync(file)) throw new Fault("alreadyExists", `${file} exists; a backup overwrites nothing: name another file, or a folder`);
  if (!existsSync(dirname(file))) throw new Fault("notFound", `the folder ${dirname(file)} does not exist; make it, or name another`);
  return file;
}

/** Moves a finished file to its place, whole or not at all, also to another file system. @throws Fault("alreadyExists") */
export function place(from: string, to: string): void {
  try {
    moveNew(from, to);
    syncPath(to);
    syncPath(dirname(to));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST")
      throw new Fault("alreadyExists", `${to} exists; name another file, or a folder`);
    throw Fault.from(cause, `write ${to}`, "precondition");
  }
}

function moveNew(from: string, to: string): void {
  try {
    linkSync(from, to); // unlike a rename it replaces nothing
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw error;
    // Another file system, or one without hard links.
    copyFileSync(from, to, constants.COPYFILE_EXCL);
  }
  rmSync(from);
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
