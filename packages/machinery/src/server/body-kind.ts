/** Is a body of the kind its path holds? Asked before it is read as one, told in the server's words. Pure. */
import { apiVersionOf, decodeByType, groupVersionOf, type JsonObject, type ResourceDefinition } from "@mecha/kinds";
import { Fault } from "@mecha/kit";
import { jsonKind } from "../json.ts";
import type { Registry } from "../registry/registry.ts";
import { noJson } from "./body.ts";

/** Where the server keeps the kinds it knows, as its messages name it. */
const scheme = '"pkg/runtime/scheme.go:111"';

export const notRegistered = (kind: string, apiVersion: string): string =>
  `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme ${scheme}`;

/** Why a body cannot be read as what its path holds. */
export interface Foreign {
  readonly why: string;
  /** What the body says it is, where that can be told: `Secret in version "v1"`. */
  readonly said?: string;
}

/**
 * @param text The body as it came, or what a patch made; asked for only to be shown.
 * @returns `undefined` for a body of this kind, and for one of another version of it, which only its apiVersion tells apart.
 */
export function foreignBody(
  value: JsonObject,
  definition: ResourceDefinition,
  registry: Registry,
  text: () => string,
): Foreign | undefined {
  if (value.kind === definition.kind && value.apiVersion === apiVersionOf(definition)) return undefined; // as nearly all say
  for (const [field, said] of Object.entries(value))
    if ((field === "kind" || field === "apiVersion") && typeof said !== "string" && said !== null)
      return { why: noJson(`json: cannot unmarshal ${jsonKind(said)} into Go struct field .${field} of type string`) };
  const [kind, apiVersion] = [value.kind, value.apiVersion] as (string | null | undefined)[];
  if ((apiVersion ?? "").split("/").length > 2) return { why: `unexpected GroupVersion string: ${apiVersion}` };
  // A built-in body that says nothing is of the path's kind; of a CRD's kind nobody would know.
  if (!definition.strategicPatch) return kind ? undefined : { why: `Object 'Kind' is missing in '${text()}'` };
  return foreignKind(value, kind || definition.kind, apiVersion || apiVersionOf(definition), { definition, registry });
}

function foreignKind(
  value: JsonObject,
  kind: string,
  apiVersion: string,
  { definition, registry }: { readonly definition: ResourceDefinition; readonly registry: Registry },
): Foreign | undefined {
  const { version } = groupVersionOf(apiVersion);
  const said = `${kind} in version ${JSON.stringify(version)}`;
  if (!isRegistered(kind, apiVersion, registry)) return { said, why: notRegistered(kind, apiVersion) };
  const other = registry.findKind(apiVersion, kind);
  if (other && packageOf(other) === packageOf(definition) && kind === definition.kind) return undefined;
  const meta = unversioned.has(kind) || ofEachVersion.has(kind);
  const why = `converting (${meta ? "v1" : version}.${kind}) to (${packageOf(definition)}.${definition.kind}): unknown conversion`;
  return { said, why: (other && misread(value, other)) ?? why };
}

/** Of every group, in any version. */
const unversioned: ReadonlySet<string> = new Set(["Status", "APIVersions", "APIGroup", "APIGroupList", "APIResourceList"]);
/** Of each version of each group: what requests and watches are made of. */
const ofEachVersion: ReadonlySet<string> = new Set([
  ...["WatchEvent", "ListOptions", "GetOptions"],
  ...["CreateOptions", "UpdateOptions", "PatchOptions", "DeleteOptions"],
]);

/** Does the server know the kind, served or not? What its group's types name as an object is one. */
function isRegistered(kind: string, apiVersion: string, registry: Registry): boolean {
  if (unversioned.has(kind)) return true;
  for (const each of registry.definitions()) {
    if (!isBuiltIn(each) || apiVersionOf(each) !== apiVersion) continue;
    if (each.kind === kind || each.listKind === kind || ofEachVersion.has(kind) || (apiVersion === "v1" && kind === "List")) return true;
    const fields = each.types.get(each.type.slice(0, -each.kind.length) + kind)?.fields ?? [];
    if (["apiVersion", "kind"].every((name) => fields.some((field) => field.name === name))) return true;
  }
  return false;
}

const isBuiltIn = ({ strategicPatch }: ResourceDefinition): boolean => strategicPatch === true;

/** What is wrong with the body as the kind it says it is: the server reads it so before it sees that nobody wants one here. */
function misread(value: JsonObject, { types, type }: ResourceDefinition): string | undefined {
  try {
    decodeByType(types, type, value);
    return undefined;
  } catch (error) {
    if (error instanceof Fault && error.code === "invalid") return error.message;
    throw error;
  }
}

/** Go's package of a group: all versions of a kind are one kind in it, and events are the core's. */
function packageOf({ group }: ResourceDefinition): string {
  return group === "" || group === "events.k8s.io" ? "core" : (group.split(".")[0] ?? "");
}
