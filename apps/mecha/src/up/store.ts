import type { Clock, Log, Random } from "@mecha/kit";
import type { Store } from "@mecha/state";
import { openMemoryStore } from "@mecha/store-memory";
import { openSqliteStore } from "@mecha/store-sqlite";
import type { RunSettings } from "./settings.ts";

export interface StorePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** @throws Fault("unavailable") naming the process that holds the file; Fault("precondition") when it is not ours. */
export async function openStore(store: RunSettings["store"], ports: StorePorts): Promise<Store> {
  return store.kind === "memory" ? openMemoryStore() : openSqliteStore({ dir: store.directory, durability: store.durability, ...ports });
}
