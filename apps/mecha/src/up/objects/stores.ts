/** Which StatefulStores `mecha up` is: it has one, the project's. An object promises something, and is ready when that store keeps the promise. Pure. */
import { resolve } from "node:path";
import { isObject, type KubeObject, objectAt, textAt } from "@mecha/kinds";
import type { RunSettings } from "../settings.ts";
import type { Finding } from "./plan.ts";

/** Folder an `embedded` store has when it names none: the one Mecha has, wherever that is. */
const embeddedDefault = ".mecha";

type Kept = Pick<RunSettings, "store" | "folder">;

const notHere = (message: string): Finding => ({ ready: false, reason: "StoreNotHere", message });
const ready = (message: string): Finding => ({ ready: true, reason: "Ready", message });

/** What the project's store is to this object. */
export function storeFinding(object: KubeObject, { store, folder }: Kept): Finding {
  const spec = objectAt(object, "spec");
  const [kind = "none"] = Object.keys(spec).filter((name) => spec[name] !== false);
  if (kind === "inMemory") return inMemoryFinding(store.kind);
  if (kind !== "embedded" || !isObject(spec["embedded"]))
    return notHere(
      `mecha up keeps state in SQLite on this machine and reaches no ${kind} store: use embedded here, for example with kustomize`,
    );
  if (store.kind === "memory")
    return notHere("mecha up runs with a store in memory, which forgets: set spec.store.kind to sqlite in mecha.yaml and start it again");
  const { directory, durability } = { directory: textAt(spec, "embedded.directory"), durability: textAt(spec, "embedded.durability") };
  if (directory !== "" && directory !== embeddedDefault && resolve(folder, directory) !== resolve(store.directory))
    return notHere(
      `mecha up has one database, in ${store.directory}: leave out embedded.directory, or start mecha up with --state ${directory}`,
    );
  if (durability !== "relaxed" && store.durability === "relaxed")
    return notHere("mecha up answers before the disk has the data: set spec.store.durability to full in mecha.yaml and start it again");
  return ready("mecha up keeps the state of its functions here");
}

function inMemoryFinding(kind: RunSettings["store"]["kind"]): Finding {
  if (kind === "memory") return ready("mecha up keeps the state of its functions in memory");
  return ready("mecha up keeps this state in its database: it survives restarts, which is more than inMemory asks for");
}

/** Name of the store an object asks for; `undefined`: it leaves it to Mecha. */
export function storeNameOf(service: KubeObject): string | undefined {
  return textAt(service, "spec.storeConfig.statefulStore.name") || undefined;
}

/** Why a service cannot have the store it asks for; `undefined`: it can. @param store The object it names, when there is one. */
export function storeProblem(name: string, store: KubeObject | undefined, kept: Kept): Finding | undefined {
  if (!store) return { ready: false, reason: "StoreNotFound", message: `there is no StatefulStore ${name} in its namespace`, replicas: 0 };
  const { ready: usable, message } = storeFinding(store, kept);
  return usable
    ? undefined
    : { ready: false, reason: "StoreNotReady", message: `its StatefulStore ${name} is not ready: ${message}`, replicas: 0 };
}
