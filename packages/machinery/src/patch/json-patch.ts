/**
 * JSON Patch (RFC 6902), as the Kubernetes API takes it.
 *
 * Invariants
 * J1 the object handed in is never changed; when an operation fails nothing has happened
 * J2 work is bounded: `maxOperations`, and `maxCopiedBytes` for `copy`, which could otherwise double a document with each operation
 */
import type { JsonObject } from "@mecha/kinds";
import { cannotUnmarshal, copy, equal, isObject, own, put } from "../json.ts";
import { StatusError } from "../status.ts";
import { badPatch, unfitting } from "./refusal.ts";

/** Operations of one patch; the server's limit. */
export const maxOperations = 10_000;
/** Bytes of JSON that the `copy` operations of one patch may write together; the server's limit (3 MiB, as for a request's body). */
export const maxCopiedBytes = 3 * 1024 * 1024;

interface Operation {
  readonly op: string;
  readonly path: readonly string[];
  readonly from?: readonly string[];
  /** Absent: `undefined`. JSON null is null. */
  readonly value?: unknown;
}

/**
 * The object after all operations.
 * @param opened Told every object that a path leads through.
 * @throws StatusError 400 for something that is no patch, 413 for too many operations, 422 when an operation does not apply (a failed `test` too).
 */
export function jsonPatch(object: JsonObject, patch: unknown, opened?: WeakSet<object>): JsonObject {
  const operations = decode(patch);
  const root = { document: copy<unknown>(object), opened }; // J1
  const budget = { bytes: maxCopiedBytes };
  for (const operation of operations) apply(root, operation, budget);
  if (!isObject(root.document)) throw unfitting("the patched document is not an object");
  return root.document;
}

function decode(patch: unknown): readonly Operation[] {
  if (patch === null) return [];
  if (!Array.isArray(patch)) throw badPatch(`error decoding patch: ${cannotUnmarshal(patch, "[]handlers.jsonPatchOp")}`);
  if (patch.length > maxOperations) {
    const text = `The allowed maximum operations in a JSON patch is ${String(maxOperations)}, got ${String(patch.length)}`;
    throw new StatusError("RequestEntityTooLarge", `Request entity too large: ${text}`);
  }
  return patch.map(operationOf);
}

function operationOf(entry: unknown): Operation {
  if (!isObject(entry)) throw badPatch("json: cannot unmarshal value into Go value of type jsonpatch.Operation");
  const { op, path, from } = entry;
  if (typeof op !== "string") throw unfitting("an operation has no op");
  if (typeof path !== "string") throw unfitting("operation missing path field");
  return {
    op,
    path: pointer(path),
    ...(typeof from === "string" && { from: pointer(from) }),
    ...(Object.hasOwn(entry, "value") && { value: entry["value"] }),
  };
}

/** The tokens of a JSON pointer (RFC 6901). */
function pointer(path: string): readonly string[] {
  if (path === "") return [];
  if (!path.startsWith("/")) throw unfitting(`not a JSON pointer: ${path}`);
  return path
    .slice(1)
    .split("/")
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

interface Root {
  document: unknown;
  readonly opened: WeakSet<object> | undefined;
}

function apply(root: Root, operation: Operation, budget: { bytes: number }): void {
  const { op, path } = operation;
  switch (op) {
    case "add":
      return add(root, path, copy(valueOf(operation)));
    case "remove":
      remove(root, path);
      return;
    case "replace":
      return replace(root, path, copy(valueOf(operation)));
    case "move": {
      const from = fromOf(operation);
      if (from.length < path.length && from.every((token, index) => token === path[index])) throw unfitting("move into itself");
      return add(root, path, remove(root, from));
    }
    case "copy": {
      const value = copy(findOrNull(root, fromOf(operation)));
      budget.bytes -= JSON.stringify(value).length; // keeps J2
      if (budget.bytes < 0) throw unfitting("copies are too large");
      return add(root, path, value);
    }
    case "test":
      return test(root, path, operation.value ?? null);
    default:
      throw unfitting(`Unexpected kind: ${op}`);
  }
}

/** The server takes a missing value for null. */
function valueOf({ value }: Operation): unknown {
  return value ?? null;
}

function fromOf(operation: Operation): readonly string[] {
  if (operation.from === undefined) throw unfitting("operation, missing from field");
  return operation.from;
}

/** Where the last token of a path points. */
type Holder = { readonly list: unknown[]; readonly token: string } | { readonly object: JsonObject; readonly token: string };

function holderOf(root: Root, path: readonly string[]): Holder {
  const token = path.at(-1);
  const holder = find(root, path.slice(0, -1));
  if (token === undefined) throw unfitting("a path is empty");
  if (Array.isArray(holder)) return { list: holder as unknown[], token };
  if (isObject(holder)) {
    root.opened?.add(holder);
    return { object: holder, token };
  }
  throw unfitting(`doc is missing path: /${path.join("/")}`);
}

function find(root: Root, path: readonly string[]): unknown {
  let at = root.document;
  for (const token of path) {
    if (isObject(at)) root.opened?.add(at);
    at = Array.isArray(at) ? at[indexIn(at as unknown[], token)] : fieldIn(at, token);
  }
  return at;
}

function fieldIn(value: unknown, name: string): unknown {
  if (!isObject(value) || !Object.hasOwn(value, name)) throw unfitting(`doc is missing key: ${name}`);
  return value[name];
}

/** A place in the list that exists. The server counts negative ones from the end. */
function indexIn(list: readonly unknown[], token: string): number {
  return bounded(token, list.length, list.length - 1);
}

function bounded(token: string, length: number, highest: number): number {
  if (!/^(0|-?[1-9]\d{0,9})$/.test(token)) throw unfitting(`value was not a proper array index: '${token}'`);
  const index = Number(token) < 0 ? length + Number(token) : Number(token);
  if (index < 0 || index > highest) throw unfitting(`Unable to access invalid index: ${token}`);
  return index;
}

/** The whole document can be replaced, not added. */
function add(root: Root, path: readonly string[], value: unknown): void {
  const holder = holderOf(root, path);
  if ("object" in holder) put(holder.object, holder.token, value);
  else {
    const { list, token } = holder;
    list.splice(token === "-" ? list.length : bounded(token, list.length + 1, list.length), 0, value);
  }
}

function remove(root: Root, path: readonly string[]): unknown {
  const holder = holderOf(root, path);
  if ("list" in holder) return holder.list.splice(indexIn(holder.list, holder.token), 1)[0];
  const value = fieldIn(holder.object, holder.token);
  Reflect.deleteProperty(holder.object, holder.token);
  return value;
}

function replace(root: Root, path: readonly string[], value: unknown): void {
  if (path.length === 0) {
    root.document = value;
    return;
  }
  const holder = holderOf(root, path);
  if ("list" in holder) holder.list[indexIn(holder.list, holder.token)] = value;
  else put(holder.object, holder.token, value); // a field that is missing is added, as in the server
}

/** A missing field is null to `test` and `copy`, as in the server. */
function findOrNull(root: Root, path: readonly string[]): unknown {
  const [last] = path.slice(-1);
  const parent = last === undefined ? undefined : find(root, path.slice(0, -1));
  return (last !== undefined && isObject(parent) ? own(parent, last) : find(root, path)) ?? null;
}

function test(root: Root, path: readonly string[], want: unknown): void {
  if (!equal(findOrNull(root, path), want)) throw unfitting(`testing value /${path.join("/")} failed`);
}
