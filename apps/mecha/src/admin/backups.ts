/**
 * Backups of a running Mecha, begun over the admin API. They are written into the state folder and nowhere else, so the API can be used to fill no
 * other place; whoever asked takes the finished folder away. One at a time; what an earlier run left is removed at the start, and of those that were
 * finished and nobody took away only the newest stay.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { explain, Fault, type Random, uuid } from "@mecha/kit";
import { privateFolder } from "@mecha/host";
import type { StateFile } from "@mecha/store-sqlite";
import type { BackupJson } from "./model.ts";

/** Copies the files of the state into a folder. @returns their names. */
export type CopyState = (folder: string, progress: (pages: number, of: number) => void) => Promise<readonly StateFile[]>;

/** Folder of unfinished and not yet fetched backups, in the state folder. */
export const backupFolderName = "backup";

/**
 * Finished folders that may lie there. Each is as large as the state, and whoever asked for one may have been killed. The one before the newest may still be
 * looked through by whoever asked for it.
 */
const finishedMax = 2;

export class Backups {
  readonly #folder: string;
  readonly #copy: CopyState;
  readonly #random: Random;
  /** The newest one. */
  #last: BackupJson | undefined;
  /** Folders that were finished, oldest first; those that were taken away too. */
  readonly #finished: string[] = [];

  constructor(stateFolder: string, copy: CopyState, random: Random) {
    this.#folder = join(stateFolder, backupFolderName);
    this.#copy = copy;
    this.#random = random;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** @throws Fault("exhausted") while one is being made. */
  async begin(): Promise<BackupJson> {
    if (this.#last?.state === "copying") throw new Fault("exhausted", "a backup is being made; wait for it, or for its end");
    const id = uuid(this.#random);
    const folder = join(this.#folder, id);
    this.#last = { id, state: "copying", pages: 0, of: 0 };
    try {
      await privateFolder(this.#folder);
      await privateFolder(folder);
    } catch (error) {
      this.#last = undefined;
      throw error;
    }
    this.#copy(folder, (pages, of) => (this.#last = { id, state: "copying", pages, of })).then(
      (files) => {
        this.#last = { id, state: "done", folder, files };
        this.#finished.push(folder);
        if (this.#finished.length > finishedMax) this.#finished.splice(0, 1).forEach(removeQuietly);
      },
      (error: unknown) => {
        this.#last = { id, state: "failed", problem: explain(error) };
        removeQuietly(folder);
      },
    );
    return this.#last;
  }

  /** @throws Fault("notFound") when a newer one was begun, or none of that id. */
  get(id: string): BackupJson {
    if (this.#last?.id === id) return this.#last;
    throw new Fault("notFound", `there is no backup ${JSON.stringify(id)}; only the newest one is remembered`);
  }
}

function removeQuietly(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // What cannot be removed now goes at the next start.
  }
}
