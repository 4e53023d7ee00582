/** From what was typed to a project on disk. */
import { readTextFile } from "@mecha/host";
import { stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { explain } from "@mecha/kit";
import { UsageError } from "../exit.ts";
import { projectFileMaxBytes, projectOf, readProject } from "./read.ts";
import type { Project } from "./schema.ts";

export const projectFileName = "mecha.yaml";

/** A project and where it lies. */
export interface FoundProject {
  readonly project: Project;
  /** Folder of the project file, absolute. */
  readonly folder: string;
}

/**
 * Reads the project in `folder`.
 * @param needsNone The folder holds other things to run: without a project file all defaults hold, and the project is named after the folder.
 * @throws UsageError when there is none, or listing all mistakes.
 */
export async function openProject(folder: string, cwd: string, needsNone = false): Promise<FoundProject> {
  const path = join(folder, projectFileName);
  const text = await projectText(path);
  const shown = relative(cwd, path) || path;
  if (text === undefined && needsNone) return { project: projectOf(readProject(emptyProject(basename(folder))), shown), folder };
  if (text === undefined)
    throw new UsageError(
      `there is no ${shown}, and no file with Kubernetes objects beside it; name the folder of a project (mecha up DIR), or write one: docs/reference/project-file.md`,
    );
  try {
    return { project: projectOf(readProject(text), shown.startsWith("../../") ? path : shown), folder };
  } catch (error) {
    throw new UsageError(explain(error));
  }
}

function emptyProject(folderName: string): string {
  const name = folderName
    .toLowerCase()
    .replace(/[^a-z0-9]+/gu, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/gu, "");
  return `apiVersion: mecha.dev/v1alpha1\nkind: Project\nmetadata: { name: ${JSON.stringify(name || "project")} }\nspec: {}\n`;
}

/** The state folder a client command means: `--state`, or that of the project in or above `from`, or `.mecha` there. */
export async function findStateFolder(from: string, state: string | undefined): Promise<string> {
  if (state !== undefined) return resolve(from, state);
  for (let folder = from; ; folder = dirname(folder)) {
    const text = await projectText(join(folder, projectFileName)).catch(() => undefined);
    if (text !== undefined) {
      const reading = readProject(text);
      return resolve(folder, "project" in reading ? reading.project.spec.store.directory : ".mecha");
    }
    if (await isDirectory(join(folder, ".mecha"))) return join(folder, ".mecha"); // of a folder that has objects only
    if (dirname(folder) === folder) return join(from, ".mecha");
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

async function projectText(path: string): Promise<string | undefined> {
  try {
    return await readTextFile(path, projectFileMaxBytes);
  } catch (error) {
    throw new UsageError(explain(error));
  }
}

/** A path of the project file, made absolute. */
export function inProject(folder: string, path: string): string {
  return isAbsolute(path) ? path : resolve(folder, path);
}
