/** Query parameters of the verbs, checked (meta/v1 ListOptions, CreateOptions, UpdateOptions, PatchOptions, DeleteOptions). Pure. */
import type { FieldProblem, ResourceDefinition } from "@mecha/kinds";
import { isObject, jsonKind } from "../json.ts";
import { type FieldSelector, parseFieldSelector } from "../selector/fields.ts";
import { type LabelSelector, parseLabelSelector } from "../selector/labels.ts";
import { invalid, StatusError } from "../status.ts";
import type { Admission } from "./specials.ts";

export type ResourceVersionMatch = "Exact" | "NotOlderThan";

export interface ListOptions {
  readonly labels: LabelSelector;
  readonly fields: FieldSelector;
  /** 0: all. */
  readonly limit: number;
  readonly continueToken: string | undefined;
  /** As sent; empty and absent are one. */
  readonly resourceVersion: string | undefined;
  readonly resourceVersionMatch: ResourceVersionMatch | undefined;
  readonly includeObject: "None" | "Metadata" | "Object";
}

export interface WatchOptions extends ListOptions {
  readonly timeoutSeconds: number | undefined;
  readonly allowWatchBookmarks: boolean;
  readonly sendInitialEvents: boolean | undefined;
}

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldValidation: "Strict" | "Warn" | "Ignore";
  /** Who the change is of: `fieldManager`, else the first part of User-Agent. */
  readonly fieldManager: string;
  /** Was it named? Server-side apply demands it. */
  readonly fieldManagerNamed: boolean;
  readonly force: boolean;
  /** Asked with the state that is to be written. @throws StatusError Forbidden */
  readonly admit?: (change: Omit<Admission, "caller">) => void;
  /** Told what the kind warns of in the state that is to be written. When a change is computed again, the last call counts. */
  readonly warn?: (texts: readonly string[]) => void;
}

export interface DeleteOptions {
  readonly dryRun: boolean;
  readonly gracePeriodSeconds: number | undefined;
  readonly propagationPolicy: "Orphan" | "Background" | "Foreground" | undefined;
  readonly preconditions: { readonly uid?: string; readonly resourceVersion?: string };
}

export function isWatch(query: URLSearchParams): boolean {
  return flagOf(query, "watch") === true;
}

/** How much of each object stands in a row of a table. */
export function includeObjectOf(query: URLSearchParams): ListOptions["includeObject"] {
  const include = query.get("includeObject") ?? "Metadata";
  if (include !== "None" && include !== "Metadata" && include !== "Object") throw badRequest(`Unknown object include policy: "${include}"`);
  return include;
}

export function listOptions(query: URLSearchParams, definition: ResourceDefinition): ListOptions {
  wholeOf(query, "timeoutSeconds"); // of lists only that it is a number matters: they take as long as they take
  if (!isWatch(query) && flagOf(query, "sendInitialEvents") !== undefined)
    throw invalid("ListOptions", "meta.k8s.io", "", [forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")]);
  return {
    labels: parseLabelSelector(query.get("labelSelector") ?? ""),
    fields: parseFieldSelector(query.get("fieldSelector") ?? "", definition),
    limit: Math.max(wholeOf(query, "limit") ?? 0, 0),
    continueToken: textOf(query, "continue"),
    resourceVersion: textOf(query, "resourceVersion"),
    resourceVersionMatch: matchOf(query),
    includeObject: includeObjectOf(query),
  };
}

export function watchOptions(query: URLSearchParams, definition: ResourceDefinition): WatchOptions {
  const options = {
    ...listOptions(query, definition),
    timeoutSeconds: Math.max(wholeOf(query, "timeoutSeconds") ?? 0, 0) || undefined,
    allowWatchBookmarks: flagOf(query, "allowWatchBookmarks") ?? false,
    sendInitialEvents: flagOf(query, "sendInitialEvents"),
  };
  const problems = watchProblems(options);
  if (problems.length > 0) throw invalid("ListOptions", "meta.k8s.io", "", problems);
  return options;
}

function watchProblems({ sendInitialEvents, resourceVersionMatch, continueToken }: WatchOptions): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const forbid = (field: string, why: string): void => void problems.push(forbidden(field, why));
  if (sendInitialEvents === undefined && resourceVersionMatch !== undefined)
    forbid("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
  if (sendInitialEvents !== undefined && resourceVersionMatch !== "NotOlderThan")
    forbid("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
  if (resourceVersionMatch !== undefined && resourceVersionMatch !== "NotOlderThan")
    problems.push({
      type: "FieldValueNotSupported",
      field: "resourceVersionMatch",
      message: `Unsupported value: ${JSON.stringify(resourceVersionMatch)}: supported values: "NotOlderThan"`,
    });
  if (continueToken !== undefined) forbid("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided");
  return problems;
}

function forbidden(field: string, why: string): FieldProblem {
  return { type: "FieldValueForbidden", field, message: `Forbidden: ${why}` };
}

/** @param kind How refusals call the options. */
export function writeOptions(
  query: URLSearchParams,
  userAgent: string | undefined,
  kind: "CreateOptions" | "UpdateOptions" | "PatchOptions" = "CreateOptions",
): WriteOptions {
  const validation = query.get("fieldValidation") || "Warn";
  if (validation !== "Strict" && validation !== "Warn" && validation !== "Ignore")
    throw invalid(kind, "meta.k8s.io", "", [
      {
        type: "FieldValueNotSupported",
        field: "fieldValidation",
        message: `Unsupported value: ${JSON.stringify(validation)}: supported values: "", "Ignore", "Strict", "Warn"`,
      },
    ]);
  const named = query.get("fieldManager") ?? "";
  checkManager(named, kind);
  return {
    dryRun: dryRunOf(query.getAll("dryRun"), kind),
    fieldValidation: validation,
    fieldManager: named || managerOf(userAgent),
    fieldManagerNamed: named !== "",
    force: flagOf(query, "force") ?? false,
  };
}

/** What stands before the first `/`: `kubectl/v1.33 (linux/amd64)` is `kubectl`. */
function managerOf(userAgent: string | undefined): string {
  return (userAgent ?? "").split("/", 1)[0]?.slice(0, managerMax) || "unknown";
}

/** Longest name of a field manager, characters. */
const managerMax = 128;

function checkManager(name: string, kind: string): void {
  const refuse = (type: FieldProblem["type"], message: string): StatusError =>
    invalid(kind, "meta.k8s.io", "", [{ type, field: "fieldManager", message }]);
  if (new TextEncoder().encode(name).length > managerMax)
    throw refuse("FieldValueTooLong", `Too long: may not be more than ${managerMax} bytes`);
  const odd = Array.from(name).findIndex((sign) => /[\p{C}\p{Zl}\p{Zp}]/u.test(sign));
  const code = Array.from(name)[odd]?.codePointAt(0);
  if (code === undefined) return;
  const hex = code.toString(16).padStart(4, "0").toUpperCase();
  throw refuse("FieldValueInvalid", `Invalid value: ${goQuoted(name)}: invalid character U+${hex} (at position ${odd})`);
}

/** As Go's %q shows what cannot be printed. */
function goQuoted(text: string): string {
  return JSON.stringify(text).replaceAll(/\\u00([0-9a-f]{2})/gu, String.raw`\x$1`);
}

/** From the body (meta/v1 DeleteOptions) when there is one, else from the query. */
export function deleteOptions(query: URLSearchParams, body: unknown): DeleteOptions {
  const given = isObject(body) ? body : fromQuery(query);
  checkDeleteOptions(given);
  const grace = given.gracePeriodSeconds;
  if (grace !== undefined && grace !== null && (typeof grace !== "number" || !Number.isSafeInteger(grace)))
    throw badRequest(`invalid gracePeriodSeconds: ${JSON.stringify(grace)}`);
  const policy = policyOf(given);
  const preconditions = isObject(given.preconditions) ? given.preconditions : {};
  const dryRun = given.dryRun ?? query.getAll("dryRun");
  return {
    dryRun: dryRunOf(Array.isArray(dryRun) ? dryRun.map(String) : [], "DeleteOptions"),
    // Less than nothing is the least there is.
    gracePeriodSeconds: typeof grace === "number" ? Math.max(grace, grace < 0 ? 1 : 0) : undefined,
    propagationPolicy: policy,
    preconditions: {
      ...(typeof preconditions.uid === "string" && { uid: preconditions.uid }),
      ...(typeof preconditions.resourceVersion === "string" && { resourceVersion: preconditions.resourceVersion }),
    },
  };
}

/** Types of fields that decide what is deleted, and whether. @throws StatusError BadRequest: what cannot be read must not delete more than was meant */
function checkDeleteOptions({ preconditions, orphanDependents, propagationPolicy, dryRun }: Record<string, unknown>): void {
  const fit = (field: string, value: unknown, goType: string, fits: boolean): void => {
    if (value !== undefined && value !== null && !fits)
      throw badRequest(`json: cannot unmarshal ${jsonKind(value)} into Go struct field DeleteOptions.${field} of type ${goType}`);
  };
  const isText = (value: unknown): boolean => typeof value === "string";
  fit("preconditions", preconditions, "v1.Preconditions", isObject(preconditions));
  if (isObject(preconditions)) {
    fit("preconditions.uid", preconditions.uid, "types.UID", isText(preconditions.uid));
    fit("preconditions.resourceVersion", preconditions.resourceVersion, "string", isText(preconditions.resourceVersion));
  }
  fit("orphanDependents", orphanDependents, "bool", typeof orphanDependents === "boolean");
  fit("propagationPolicy", propagationPolicy, "v1.DeletionPropagation", isText(propagationPolicy));
  fit("dryRun", dryRun, "[]string", Array.isArray(dryRun));
  for (const each of Array.isArray(dryRun) ? (dryRun as unknown[]) : []) fit("dryRun", each, "string", isText(each));
}

function policyOf({ propagationPolicy: policy, orphanDependents: orphan }: Record<string, unknown>): DeleteOptions["propagationPolicy"] {
  const refuse = (type: FieldProblem["type"], message: string): StatusError =>
    invalid("DeleteOptions", "meta.k8s.io", "", [{ type, field: "propagationPolicy", message }]);
  if (policy === undefined || policy === null) return typeof orphan === "boolean" ? (orphan ? "Orphan" : "Background") : undefined;
  if (typeof orphan === "boolean")
    throw refuse(
      "FieldValueInvalid",
      `Invalid value: ${JSON.stringify(policy)}: orphanDependents and deletionPropagation cannot be both set`,
    );
  if (policy !== "Orphan" && policy !== "Background" && policy !== "Foreground")
    throw refuse(
      "FieldValueNotSupported",
      `Unsupported value: ${JSON.stringify(policy)}: supported values: "Foreground", "Background", "Orphan", "nil"`,
    );
  return policy;
}

function fromQuery(query: URLSearchParams): Record<string, unknown> {
  return {
    gracePeriodSeconds: wholeOf(query, "gracePeriodSeconds"),
    orphanDependents: flagOf(query, "orphanDependents"),
    propagationPolicy: textOf(query, "propagationPolicy"),
  };
}

/** @param kind How refusals call the options. */
function dryRunOf(values: readonly string[], kind: string): boolean {
  const list = [...new Set(values)];
  if (list.some((value) => value !== "All"))
    throw invalid(kind, "meta.k8s.io", "", [
      { type: "FieldValueNotSupported", field: "dryRun", message: `Unsupported value: ${JSON.stringify(list)}: supported values: "All"` },
    ]);
  return list.length > 0;
}

function matchOf(query: URLSearchParams): ResourceVersionMatch | undefined {
  const match = textOf(query, "resourceVersionMatch");
  const problem = (field: string, message: string): StatusError =>
    invalid("ListOptions", "meta.k8s.io", "", [{ type: "FieldValueForbidden", field, message: `Forbidden: ${message}` }]);
  if (match === undefined) return undefined;
  if (match !== "Exact" && match !== "NotOlderThan")
    throw invalid("ListOptions", "meta.k8s.io", "", [
      {
        type: "FieldValueNotSupported",
        field: "resourceVersionMatch",
        message: `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`,
      },
    ]);
  const version = textOf(query, "resourceVersion");
  if (flagOf(query, "watch") === true) return match;
  if (version === undefined) throw problem("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided");
  if (textOf(query, "continue") !== undefined)
    throw problem("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided");
  if (match === "Exact" && version === "0")
    throw problem("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  return match;
}

function textOf(query: URLSearchParams, name: string): string | undefined {
  return query.get(name) || undefined;
}

/** Go's strconv.ParseBool; anything else set counts as true, as the API's own conversion has it. */
function flagOf(query: URLSearchParams, name: string): boolean | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  return value !== "false" && value !== "0";
}

function wholeOf(query: URLSearchParams, name: string): number | undefined {
  const value = textOf(query, name);
  if (value === undefined) return undefined;
  const number = Number(value);
  const why = !/^[-+]?\d+$/u.test(value) ? "invalid syntax" : Number.isSafeInteger(number) ? "" : "value out of range";
  if (why !== "") throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(value)}: ${why}`);
  return number;
}

export function badRequest(message: string): StatusError {
  return new StatusError("BadRequest", message);
}
