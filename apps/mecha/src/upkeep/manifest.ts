/**
 * `backup.json`: says that a folder is a backup that was finished, and what it must hold. It is written last, when everything else is on the disk, so a
 * backup that was cut off has none.
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "@mecha/kit";
import { type StateFile, stateFiles } from "@mecha/store-sqlite";
import { version } from "../version.ts";
import { syncPath } from "./place.ts";

export const manifestName = "backup.json";
/** Of this layout. A newer one is refused. */
const format = 1;

export interface BackupFile {
  readonly name: StateFile;
  readonly bytes: number;
  /** Hexadecimal. Absent for a state that was set aside by a restore. */
  readonly sha256?: string;
}

export interface Manifest {
  readonly format: typeof format;
  readonly mecha: string;
  /** ISO 8601. */
  readonly time: string;
  readonly project?: string;
  readonly files: readonly BackupFile[];
  /** Files of a state that were not there: restoring takes them away. */
  readonly absent: readonly StateFile[];
}

/** Describes the files in a folder and writes the manifest, both flushed. Whoever reads the folder then finds all of it. */
export async function writeManifest(
  folder: string,
  names: readonly StateFile[],
  { project, wallMs }: { readonly project: string; readonly wallMs: number },
): Promise<Manifest> {
  const files: BackupFile[] = [];
  for (const name of names) {
    const path = join(folder, name);
    syncPath(path);
    files.push({ name, bytes: statSync(path).size, sha256: await sha256Of(path) });
  }
  const absent = stateFiles.filter((name) => !names.includes(name));
  return putManifest(folder, { time: new Date(wallMs).toISOString(), project, files, absent });
}

export function putManifest(folder: string, about: Omit<Manifest, "format" | "mecha">): Manifest {
  const manifest: Manifest = { format, mecha: version, ...about };
  const path = join(folder, manifestName);
  writeFileSync(path, `${JSON.stringify(manifest, undefined, 2)}\n`, { mode: 0o600 });
  syncPath(path);
  syncPath(folder);
  return manifest;
}

/**
 * Reads the manifest of a backup and holds the files against it.
 * @throws Fault("precondition") when the folder is no finished backup, or is of a newer version; Fault("dataLoss") when a file is not as it was written.
 */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = join(folder, manifestName);
  if (!existsSync(path)) {
    const fix = "name the folder that `mecha backup` said it wrote; one that was cut off is of no use";
    throw new Fault("precondition", `${folder} is no finished backup: it has no ${manifestName}; ${fix}`);
  }
  const manifest = parse(path);
  for (const file of manifest.files) await checkFile(join(folder, file.name), file);
  return manifest;
}

async function checkFile(path: string, { bytes, sha256 }: BackupFile): Promise<void> {
  const found = statSync(path, { throwIfNoEntry: false })?.size;
  if (found === undefined) throw new Fault("dataLoss", `${path} is missing; nothing was changed`);
  if (found !== bytes) throw new Fault("dataLoss", `${path} has ${found} bytes, it was written with ${bytes}; nothing was changed`);
  if (sha256 !== undefined && (await sha256Of(path)) !== sha256)
    throw new Fault("dataLoss", `${path} is not what was written: its SHA-256 differs; nothing was changed`);
}

function parse(path: string): Manifest {
  const strange = (what: string): Fault => new Fault("precondition", `${path}: ${what}; nothing was changed`);
  let read: Partial<Record<keyof Manifest, unknown>>;
  try {
    read = JSON.parse(readFileSync(path, "utf8")) as typeof read;
  } catch (cause) {
    throw new Fault("precondition", `${path} is no JSON; nothing was changed`, { cause });
  }
  if (typeof read.format === "number" && read.format > format)
    throw strange(`format ${read.format} is newer than ${format}; use the version of Mecha that wrote it (${String(read.mecha)})`);
  if (read.format !== format || !Array.isArray(read.files) || !Array.isArray(read.absent)) throw strange("it describes no backup");
  const names = new Set<unknown>(stateFiles);
  const wrong = [...(read.files as unknown[]).map((file) => (file as BackupFile | null)?.name), ...(read.absent as unknown[])].find(
    (name) => !names.has(name),
  );
  if (wrong !== undefined) throw strange(`${JSON.stringify(wrong)} is no file of a state`);
  if (read.files.length === 0) throw strange("it names no files");
  return read as unknown as Manifest;
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
