/** Files only this user may read, written whole or not at all. */
import { randomBytes } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { Fault } from "@mecha/kit";

/**
 * Makes a folder (and its parents) that only this user may enter (0700), and narrows one that exists.
 * @throws Fault("precondition") when the path is a file or may not be made.
 */
export async function privateFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await chmod(path, 0o700);
  } catch (cause) {
    throw new Fault("precondition", `make the folder ${path}: it must be a folder this user may write`, { cause });
  }
}

/**
 * Writes a file of mode 0600 so that a reader sees the old content or the new, never a part: a temporary file beside it, flushed, renamed over it.
 * @throws Fault("precondition") when the folder cannot be written.
 */
export async function writePrivateFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new Fault("precondition", `write ${path}: is its folder ${dirname(path)} there, and writable?`, { cause });
  }
}

/**
 * The text of a file of at most `maxBytes`; `undefined` when there is none.
 * @throws Fault("outOfRange") when it is larger, Fault("precondition") when it cannot be read or is no regular file.
 */
export async function readTextFile(path: string, maxBytes: number): Promise<string | undefined> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw new Fault("precondition", `${path} is not a file`);
    if (found.size > maxBytes) throw new Fault("outOfRange", `${path} has ${found.size} bytes; at most ${maxBytes} are read`);
    return await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw Fault.from(cause, `read ${path}`, "precondition");
  }
}
