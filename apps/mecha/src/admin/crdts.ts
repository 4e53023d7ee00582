/** CRDTs as the admin API shows them: the value as JSON, and which replicas said something. */
import { type CrdtValue, type EntityRecord, type Payload, storedValue } from "@mecha/state";
import type { CrdtJson, CrdtValueJson, PayloadJson } from "./model.ts";

type Decode = (payload: Payload) => PayloadJson;

/** Elements and entries shown of one set or map; the function's own answers have them all. */
const shownMax = 1_000;

/** @throws Fault("dataLoss") when a row cannot be read. */
export function crdtJson({ replicas }: EntityRecord, decode: Decode): CrdtJson {
  if (replicas === "deleted") return { deleted: true, replicas: [] };
  const rows = replicas ?? [];
  const value = storedValue(rows);
  return {
    deleted: false,
    ...(value && { type: value.type, value: valueJson(value, decode) }),
    replicas: rows
      .map(({ replica, state }) => ({ node: replica.node, incarnation: replica.incarnation, bytes: state.length }))
      .sort(byName),
  };
}

function byName(a: CrdtJson["replicas"][number], b: CrdtJson["replicas"][number]): number {
  return `${a.node}/${a.incarnation}` < `${b.node}/${b.incarnation}` ? -1 : 1;
}

function valueJson(value: CrdtValue, decode: Decode): CrdtValueJson {
  switch (value.type) {
    case "gcounter":
    case "pncounter":
      return String(value.value); // 64 bits: text, as in protobuf's JSON
    case "gset":
    case "orset":
      return sorted(value.elements).map((element) => decode(element));
    case "lwwregister":
      return decode(value.value);
    case "flag":
      return value.value;
    case "ormap":
    case "countermap":
    case "registermap":
    case "multimap":
      return sorted(value.entries).map((entry) => ({
        key: decode(entry.key),
        type: entry.value.type,
        value: valueJson(entry.value, decode),
      }));
    case "vote":
      return "votes are not stored: they are those of the connections that are there";
  }
}

function sorted<T>(items: ReadonlyMap<string, T>): T[] {
  const keys = [...items.keys()].sort().slice(0, shownMax);
  return keys.flatMap((key) => items.get(key) ?? []);
}
