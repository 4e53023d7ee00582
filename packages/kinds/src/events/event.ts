/** Events: what happened to an object, for people. One stored object, served as core/v1 and as events.k8s.io/v1. */
import { isObject, numberAt, textAt } from "../access.ts";
import { nameColumn, numberColumn, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import type { KubeObject } from "../object.ts";
import type { ResourceDefinition } from "../resource.ts";
import { ageOf } from "../values/duration.ts";
import { type EventFields, validateEvent, validateModernEvent } from "./rules.ts";

/** Names of the same field in core/v1 and in events.k8s.io/v1. */
const names: readonly (readonly [core: string, events: string])[] = [
  ["involvedObject", "regarding"],
  ["message", "note"],
  ["reportingComponent", "reportingController"],
  ["source", "deprecatedSource"],
  ["firstTimestamp", "deprecatedFirstTimestamp"],
  ["lastTimestamp", "deprecatedLastTimestamp"],
  ["count", "deprecatedCount"],
];

function renamed(object: KubeObject, apiVersion: string, pairs: readonly (readonly [string, string])[]): KubeObject {
  const to = new Map(pairs);
  const entries = Object.entries(object).map(([name, value]) => [to.get(name) ?? name, value] as const);
  return { ...Object.fromEntries(entries), apiVersion } as KubeObject;
}

const core: EventFields = {
  object: "involvedObject",
  message: "message",
  source: "source",
  controller: "reportingComponent",
  first: "firstTimestamp",
  last: "lastTimestamp",
  count: "count",
};
const modern: EventFields = {
  object: "regarding",
  message: "note",
  source: "deprecatedSource",
  controller: "reportingController",
  first: "deprecatedFirstTimestamp",
  last: "deprecatedLastTimestamp",
  count: "deprecatedCount",
};

const firstSeen = (event: KubeObject, at: EventFields, nowMs: number): string =>
  ageOf(textAt(event, at.first) || textAt(event, "eventTime"), nowMs);

function lastSeen(event: KubeObject, at: EventFields, nowMs: number): string {
  if (isObject(event["series"])) return ageOf(textAt(event, "series.lastObservedTime"), nowMs);
  const last = textAt(event, at.last);
  return last === "" ? firstSeen(event, at, nowMs) : ageOf(last, nowMs);
}

function target(event: KubeObject, at: EventFields): string {
  const name = textAt(event, `${at.object}.name`);
  const kind = textAt(event, `${at.object}.kind`).toLowerCase();
  return name === "" ? kind : `${kind}/${name}`;
}

function source(event: KubeObject, at: EventFields): string {
  const component = textAt(event, `${at.source}.component`) || textAt(event, at.controller);
  const instance = textAt(event, `${at.source}.host`) || textAt(event, "reportingInstance");
  return instance === "" ? component : `${component}, ${instance}`;
}

/** Who says once does not count. */
const seen = (event: KubeObject, at: EventFields): number =>
  isObject(event["series"]) ? numberAt(event, "series.count") : numberAt(event, at.count) || 1;

const columns = (at: EventFields): NonNullable<ResourceDefinition["columns"]> => [
  textColumn("Last Seen", "Time since it happened last.", (event, nowMs) => lastSeen(event, at, nowMs)),
  textColumn("Type", "Normal, or Warning when somebody should look.", (event) => textAt(event, "type")),
  textColumn("Reason", "What happened, in one word for machines.", (event) => textAt(event, "reason")),
  textColumn("Object", "What it happened to.", (event) => target(event, at)),
  textColumn("Subobject", "Part of the object.", (event) => textAt(event, `${at.object}.fieldPath`), 1),
  textColumn("Source", "Who says so.", (event) => source(event, at), 1),
  textColumn("Message", "What happened, for people.", (event) => textAt(event, at.message).trim()),
  textColumn("First Seen", "Time since it happened first.", (event, nowMs) => firstSeen(event, at, nowMs), 1),
  { ...numberColumn("Count", "How often it happened.", (event) => seen(event, at), "string"), priority: 1 },
  { ...nameColumn, priority: 1 },
];

const objectFields = ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"];

function selectable(at: EventFields): ReadonlyMap<string, (event: KubeObject) => string> {
  const field = (name: string, path: string): readonly [string, (event: KubeObject) => string] => [name, (event) => textAt(event, path)];
  return new Map([
    ...objectFields.map((name) => field(`${at.object}.${name}`, `${at.object}.${name}`)),
    field("reason", "reason"),
    field("type", "type"),
    field(at.controller, at.controller),
    ["source", (event: KubeObject) => textAt(event, `${at.source}.component`) || textAt(event, at.controller)] as const,
  ]);
}

export const coreEvent = definer(
  "",
  "v1",
)({
  kind: "Event",
  plural: "events",
  nameRule: "path",
  createOnUpdate: true,
  shortNames: ["ev"],
  columns: columns(core),
  selectableFields: selectable(core),
  validate: (object) => validateEvent(object, core),
});

export const event = definer(
  "events.k8s.io",
  "v1",
)({
  kind: "Event",
  plural: "events",
  createOnUpdate: true,
  shortNames: ["ev"],
  columns: columns(modern),
  selectableFields: selectable(modern),
  validate: (object, old) => [...validateEvent(object, modern), ...(old ? [] : validateModernEvent(object, modern))],
  storedAs: {
    group: "",
    plural: "events",
    toStored: (object) =>
      renamed(
        object,
        "v1",
        names.map(([a, b]) => [b, a] as const),
      ),
    fromStored: (object) => renamed(object, "events.k8s.io/v1", names),
  },
});
