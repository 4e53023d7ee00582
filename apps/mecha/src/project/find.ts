/** From what was typed to a project on disk. */
import { readTextFile } from "@mecha/host";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
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
 * @throws UsageError when there is none, or listing all mistakes.
 */
export async function openProject(folder: string, cwd: string): Promise<FoundProject> {
  const path = join(folder, projectFileName);
  const text = await projectText(path);
  const shown = relative(cwd, path) || path;
  if (text === undefined)
    throw new UsageError(`there is no ${shown}; name the folder of a project (mecha up DIR), or write one: docs/reference/project-file.md`);
  try {
    return { project: projectOf(readProject(text), shown.startsWith("../../") ? path : shown), folder };
  } catch (error) {
    throw new UsageError(explain(error));
  }
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
    if (dirname(folder) === folder) return join(from, ".mecha");
  }
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
