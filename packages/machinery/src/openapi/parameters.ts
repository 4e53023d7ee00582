/** Parameters of operations: which there are, of which type, and which operation takes them. */
import type { JsonObject } from "@mecha/kinds";
import type { OpenApiVersion } from "./schema.ts";

type ParameterType = "string" | "integer" | "boolean";

/** In our own words. */
const parameters = {
  allowWatchBookmarks: ["boolean", "Whether a watch may be told how far it has come, by events that change nothing."],
  continue: ["string", "Where to go on: what an earlier part of the list said. The other parameters have to stay as they were."],
  dryRun: ["string", "All: everything is checked and answered, nothing is stored."],
  fieldManager: ["string", "Who writes, for the fields' owners: printable, at most 128 characters."],
  fieldSelector: ["string", "Selects by fields, such as metadata.name=a."],
  fieldValidation: ["string", "Fields nobody knows, or that come twice: Ignore drops them, Warn says so too, Strict refuses the request."],
  force: ["boolean", "Whether an apply takes fields from others who own them. Not for other patches."],
  gracePeriodSeconds: ["integer", "Seconds to end in order; 0 deletes at once."],
  labelSelector: ["string", "Selects by labels, such as app=a,tier!=b."],
  limit: ["integer", "Most objects to answer; the answer says where to go on."],
  orphanDependents: ["boolean", "Whether dependents stay. Old: use propagationPolicy."],
  pretty: ["string", "Whether the answer is laid out for people."],
  propagationPolicy: ["string", "What becomes of dependents: Orphan, Background or Foreground."],
  resourceVersion: ["string", "The version that is meant; resourceVersionMatch says how."],
  resourceVersionMatch: ["string", "NotOlderThan or Exact, for resourceVersion of a list."],
  sendInitialEvents: ["boolean", "Whether a watch begins with what is there, and says when that is over."],
  timeoutSeconds: ["integer", "Seconds after which the server ends the call, whatever it is at."],
  watch: ["boolean", "Whether to be told of changes instead of getting a list."],
} as const satisfies Readonly<Record<string, readonly [ParameterType, description: string]>>;

export type QueryParameter = keyof typeof parameters;

const listParameters: readonly QueryParameter[] = [
  "allowWatchBookmarks",
  "continue",
  "fieldSelector",
  "labelSelector",
  "limit",
  "resourceVersion",
  "resourceVersionMatch",
  "sendInitialEvents",
  "timeoutSeconds",
  "watch",
];
const writeParameters: readonly QueryParameter[] = ["dryRun", "fieldManager", "fieldValidation"];
const deleteParameters: readonly QueryParameter[] = ["dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"];

/** Query parameters by verb. kubectl validates on the server only where PATCH lists fieldValidation, and dry-runs only where it lists dryRun. */
export const parametersOf: Readonly<Record<string, readonly QueryParameter[]>> = {
  list: listParameters,
  watch: listParameters,
  watchlist: listParameters,
  create: writeParameters,
  update: writeParameters,
  patch: [...writeParameters, "force"],
  delete: deleteParameters,
  deletecollection: [...listParameters.filter((name) => name !== "allowWatchBookmarks" && name !== "watch"), ...deleteParameters],
};

/** A CRD's operations say it otherwise: the collection's DELETE takes what the list takes, GET a version. */
export const parametersOfCrd: Readonly<Record<string, readonly QueryParameter[]>> = {
  ...parametersOf,
  get: ["resourceVersion"],
  deletecollection: listParameters,
};

export function queryParameter(name: QueryParameter, version: OpenApiVersion): JsonObject {
  const [type, description] = parameters[name];
  return { name, in: "query", description, ...typed(type, version) };
}

export function pathParameter(name: string, kind: string, version: OpenApiVersion): JsonObject {
  const description = name === "name" ? `name of the ${kind}` : "namespace the objects are in";
  return { name, in: "path", description, required: true, ...typed("string", version) };
}

const typed = (type: ParameterType, version: OpenApiVersion): JsonObject =>
  version === 3 ? { schema: { type, uniqueItems: true } } : { type, uniqueItems: true };
