/** Who set which fields, as `metadata.managedFields` tells it. */
import type { ManagedFieldsEntry } from "@mecha/kinds";
import { isObject } from "../json.ts";
import { FieldSet, fromFieldsV1, toFieldsV1 } from "./field-set.ts";

/** Updates of more managers than this are told as one; the server's number. Otherwise every `kubectl edit` of everybody would stay for ever. */
export const maxUpdateManagers = 10;
/** The manager that stands for those beyond `maxUpdateManagers`. */
const oldUpdates = "ancient-changes";

export interface Manager {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly subresource?: string;
  /** RFC 3339. */
  readonly time?: string;
  readonly set: FieldSet;
}

/** By identity: manager, operation and subresource, and for updates the version. */
export type Managers = ReadonlyMap<string, Manager>;

export function identityOf({ manager, operation, apiVersion, subresource }: Omit<Manager, "set">): string {
  return JSON.stringify({
    manager,
    operation,
    ...(operation === "Update" && { apiVersion }),
    ...(subresource !== undefined && { subresource }),
  });
}

/**
 * Reads managedFields.
 * @throws SyntaxError when an entry is not well-formed.
 */
export function decodeManagers(entries: unknown): Managers {
  const managers = new Map<string, Manager>();
  if (entries === undefined || entries === null) return managers;
  if (!Array.isArray(entries)) throw new SyntaxError("managedFields is not a list");
  for (const [index, entry] of entries.entries()) {
    const manager = decodeManager(entry, index);
    managers.set(identityOf(manager), manager);
  }
  return managers;
}

function decodeManager(entry: unknown, index: number): Manager {
  if (!isObject(entry)) throw new SyntaxError(`entry ${String(index)} is not an object`);
  const { manager, operation, apiVersion, time, fieldsType, fieldsV1, subresource } = entry;
  if (operation !== "Apply" && operation !== "Update") throw new SyntaxError("operation must be `Apply` or `Update`");
  if (typeof apiVersion !== "string" || apiVersion === "") throw new SyntaxError("apiVersion must not be empty");
  if (fieldsType === undefined || fieldsType === "") throw new SyntaxError(`missing fieldsType in managed fields entry ${String(index)}`);
  if (fieldsType !== "FieldsV1") throw new SyntaxError(`invalid fieldsType in managed fields entry ${String(index)}`);
  return {
    manager: typeof manager === "string" ? manager : "",
    operation,
    apiVersion,
    ...(typeof time === "string" && { time }),
    ...(typeof subresource === "string" && subresource !== "" && { subresource }),
    set: fieldsV1 === undefined || fieldsV1 === null ? FieldSet.empty : fromFieldsV1(fieldsV1),
  };
}

/** managedFields of the managers, in the server's order: Apply before Update, oldest first. */
export function encodeManagers(managers: Managers): ManagedFieldsEntry[] {
  return [...managers.values()].sort(inOrder).map(({ set, time, subresource, ...rest }) => ({
    manager: rest.manager,
    operation: rest.operation,
    apiVersion: rest.apiVersion,
    ...(time !== undefined && { time }),
    fieldsType: "FieldsV1",
    fieldsV1: toFieldsV1(set),
    ...(subresource !== undefined && { subresource }),
  }));
}

function inOrder(a: Manager, b: Manager): number {
  return (
    compareText(a.operation, b.operation) ||
    secondsOf(a) - secondsOf(b) ||
    compareText(a.manager, b.manager) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource ?? "", b.subresource ?? "")
  );
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function secondsOf({ time }: Manager): number {
  const ms = time === undefined ? 0 : Date.parse(time);
  return Number.isNaN(ms) ? 0 : Math.floor(ms / 1000);
}

/** Unites the oldest Update managers of each version until no more than `maxUpdateManagers` are left, if there are enough of one version. */
export function capped(managers: Managers): Managers {
  const updaters = [...managers].filter(([, manager]) => manager.operation === "Update");
  let excess = updaters.length - maxUpdateManagers;
  if (excess <= 0) return managers;
  updaters.sort(([idA, a], [idB, b]) => secondsOf(a) - secondsOf(b) || compareText(idA, idB));
  const result = new Map(managers);
  const first = new Map<string, string>();
  for (const [id, manager] of updaters) {
    if (excess <= 0) break;
    const { apiVersion } = manager;
    const firstId = first.get(apiVersion);
    if (firstId === undefined) {
      first.set(apiVersion, id);
      continue;
    }
    const bucket = identityOf({ manager: oldUpdates, operation: "Update", apiVersion });
    const before = result.get(bucket)?.set ?? managers.get(firstId)?.set ?? FieldSet.empty;
    if (bucket !== firstId) result.delete(firstId);
    if (bucket !== id) result.delete(id);
    const time = manager.time === undefined ? {} : { time: manager.time };
    result.set(bucket, { manager: oldUpdates, operation: "Update", apiVersion, ...time, set: before.union(manager.set) });
    excess--;
  }
  return result;
}

/** The user asks to forget who set what: the list is there and empty, or holds one empty entry. */
export function isReset(entries: unknown): boolean {
  if (!Array.isArray(entries)) return false;
  return entries.length === 0 || (entries.length === 1 && isObject(entries[0]) && Object.keys(entries[0]).length === 0);
}
