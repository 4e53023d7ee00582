/** Opens the store a project asks for, and says in its own words what keeps it from opening. */
import type { Clock, Log, Random } from "@mecha/kit";
import type { FedStore } from "@mecha/state";
import { openMemoryStore } from "@mecha/store-memory";
import { openSqliteStore } from "@mecha/store-sqlite";
import type { CopyStore } from "../admin/backups.ts";
import type { RunSettings } from "./settings.ts";

export interface StorePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The store of a run. */
export interface OpenedStore {
  readonly store: FedStore;
  /** Absent for a store in memory. */
  readonly copy: CopyStore | undefined;
}

/** @throws Fault("unavailable") naming the process that holds the file; Fault("precondition") when it is not ours. */
export async function openStore(store: RunSettings["store"], ports: StorePorts): Promise<OpenedStore> {
  if (store.kind === "memory") return { store: openMemoryStore(), copy: undefined };
  const opened = await openSqliteStore({ dir: store.directory, durability: store.durability, ...ports });
  return { store: opened, copy: (file, progress) => opened.backup(file, progress) };
}
