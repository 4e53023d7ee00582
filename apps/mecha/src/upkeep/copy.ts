/**
 * Copies all files of a state in use into a folder.
 *
 * Q1 state and topics are of one moment: topics are marked while nothing is committed to the state, and their copy is taken back to the mark. The outbox of
 *    the one relies on what the other has, and cursors of the other on what was done in the one
 * Q2 Kubernetes objects stand for themselves; their copy is of a moment a little later
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type FileObjectLog, type FileStore, type FileTopics, openSqliteObjectLog, type StateFile } from "@mecha/store-sqlite";

/** What is copied. */
export interface StateParts {
  readonly store: FileStore;
  readonly topics: FileTopics;
  /** `undefined`: the Kubernetes API does not run. */
  readonly objects: () => Promise<Pick<FileObjectLog, "backup"> | undefined>;
  /** Where `control.db` of a run before lies. */
  readonly stateFolder: string;
}

/** Writes the files into `folder`, which is there. `progress`: pages of the file that is being copied, of all. @returns their names. */
export async function copyState(
  { store, topics, objects, stateFolder }: StateParts,
  folder: string,
  progress: (pages: number, of: number) => void,
): Promise<readonly StateFile[]> {
  const copied: StateFile[] = ["state.db"];
  const mark = join(folder, "topics.mark");
  let marked = false;
  const whileStill = async (): Promise<void> => void (marked = await topics.mark(mark));
  await store.backup(join(folder, "state.db"), { progress, whileStill }); // keeps Q1
  if (marked) {
    await topics.backup(join(folder, "topics.db"), { progress }, mark);
    copied.push("topics.db");
  }
  const file = join(folder, "control.db");
  const open = await objects();
  if (open) await open.backup(file, { progress });
  else if (existsSync(join(stateFolder, "control.db"))) await copyUnused(stateFolder, file);
  else return copied;
  return [...copied, "control.db"];
}

/** Objects of a run with the Kubernetes API, copied in one without. */
async function copyUnused(stateFolder: string, file: string): Promise<void> {
  await using log = await openSqliteObjectLog({ dir: stateFolder });
  await log.backup(file);
}
