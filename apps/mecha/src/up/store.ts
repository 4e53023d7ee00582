/** Opens the store a project asks for, and says in its own words what keeps it from opening. */
import type { Retention, TopicLog } from "@mecha/binding";
import type { Clock, Log, Random, Scope } from "@mecha/kit";
import type { FedStore } from "@mecha/state";
import { openMemoryStore, openMemoryTopics } from "@mecha/store-memory";
import { openSqliteStore, openSqliteTopics } from "@mecha/store-sqlite";
import type { StateParts } from "../upkeep/copy.ts";
import type { RunSettings } from "./settings.ts";

export interface StorePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** How much topics keep. */
  readonly retention: Retention;
  /** Closes what was opened. */
  readonly scope: Scope;
}

/** The store of a run. */
export interface OpenedStore {
  readonly store: FedStore;
  readonly topics: TopicLog;
  /** The same two, as files that can be copied. Absent for a store in memory. */
  readonly files: Pick<StateParts, "store" | "topics"> | undefined;
}

/** @throws Fault("unavailable") naming the process that holds the file; Fault("precondition") when it is not ours. */
export async function openStore(store: RunSettings["store"], ports: StorePorts): Promise<OpenedStore> {
  const { retention, scope } = ports;
  if (store.kind === "memory")
    return { store: scope.own(openMemoryStore()), topics: scope.own(openMemoryTopics(retention)), files: undefined };
  const { directory: dir, durability } = store;
  const opened = scope.own(await openSqliteStore({ dir, durability, ...ports }));
  const topics = scope.own(await openSqliteTopics({ dir, durability, retention, log: ports.log }));
  return { store: opened, topics, files: { store: opened, topics } };
}
