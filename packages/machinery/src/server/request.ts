/** A request for a resource as the verbs see it, what each reads from it, and what they answer. */
import { apiVersionOf, groupVersionOf, type JsonObject, type KubeObject, type ResourceDefinition } from "@mecha/kinds";
import { jsonProblem } from "../go-json.ts";
import { conflict, qualifiedResource, StatusError } from "../status.ts";
import type { Caller } from "./access.ts";
import { noJson, type ParsedBody, parseBody, type ProtobufDecoder, unrecognized, utf8 } from "./body.ts";
import { bodyRefusal, type Checked, checkedObject } from "./checked.ts";
import type { ServerParts, Target } from "./context.ts";
import { unnamed } from "./metadata.ts";
import { badRequest, type WriteOptions, writeOptions } from "./options.ts";
import type { Listing } from "./read.ts";
import type { Admit } from "./specials.ts";

/** What stands in the answer, before it takes its form. */
export type Result =
  | {
      readonly is: "object";
      readonly status: number;
      readonly object: KubeObject;
      readonly definition: ResourceDefinition;
      readonly warnings: readonly string[];
    }
  | { readonly is: "list"; readonly listing: Listing; readonly definition: ResourceDefinition; readonly warnings: readonly string[] }
  | { readonly is: "status"; readonly status?: number; readonly object: JsonObject; readonly warnings: readonly string[] };

/** A request for a resource, its path and query understood. */
export interface ResourceRequest extends Target {
  readonly parts: ServerParts;
  /** Absent for collections. */
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  readonly protobuf: ProtobufDecoder | undefined;
  readonly caller: Caller;
  readonly admit: Admit | undefined;
  /** What the kind's rules warn of: filled by the write, told with the answer whether it succeeds or fails after that. */
  readonly told: string[];
  /** For an apply or update that finds nothing and creates. @throws StatusError Forbidden when the caller may change here and not create. */
  readonly mayCreate: () => void;
}

export function nameOf({ name, definition }: ResourceRequest): string {
  if (name === undefined)
    throw new StatusError("MethodNotAllowed", `name is required for ${qualifiedResource(definition.plural, definition.group)}`);
  return name;
}

export function optionsOf(
  { query, headers, caller, admit, told }: ResourceRequest,
  kind: "CreateOptions" | "UpdateOptions" | "PatchOptions" = "CreateOptions",
): WriteOptions {
  const options = {
    ...writeOptions(query, headers["user-agent"], kind),
    warn: (texts: readonly string[]): void => void told.splice(0, told.length, ...texts),
  };
  return admit ? { ...options, admit: (change) => admit({ ...change, caller }) } : options;
}

export function subresourceOption({ subresource }: ResourceRequest): { readonly subresource?: string } {
  return subresource === undefined ? {} : { subresource };
}

export function bodyOf(request: ResourceRequest): ParsedBody {
  const kind = kindOfBody(request);
  const refuse = kind === undefined ? undefined : unrecognized(kind);
  const parsed = parseBody(request.body, request.headers["content-type"], request.protobuf, refuse);
  if (parsed) return parsed;
  throw refuse ? refuse(noJson(jsonProblem("")), "") : badRequest("the body of the request must be an object; it is empty");
}

/** What the body of a built-in resource has to be; of others only their schema knows. */
function kindOfBody({ definition, subresource }: ResourceRequest): string | undefined {
  if (subresource === "scale") return "Scale";
  return definition.strategicPatch && (subresource === undefined || subresource === "status") ? definition.kind : undefined;
}

/** Where the server keeps the kinds it knows, as its messages name it. */
const scheme = '"pkg/runtime/scheme.go:111"';

export const notRegistered = (kind: string, apiVersion: string): string =>
  `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme ${scheme}`;

/** A body of a built-in resource that says what it is must be of a kind that is known. @throws StatusError BadRequest */
function checkRegistered(value: JsonObject, { definition, parts, body }: ResourceRequest): void {
  if (!definition.strategicPatch) return;
  const said = (field: string, other: string): string => (typeof value[field] === "string" && value[field]) || other;
  const apiVersion = said("apiVersion", apiVersionOf(definition));
  const kind = said("kind", definition.kind);
  if (apiVersion.split("/").length > 2)
    throw unrecognized(definition.kind)(`unexpected GroupVersion string: ${apiVersion}`, utf8(body ?? new Uint8Array()));
  if ((apiVersion === apiVersionOf(definition) && kind === definition.kind) || parts.registry.findKind(apiVersion, kind)) return;
  const { version } = groupVersionOf(apiVersion);
  const what = `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${definition.kind}`;
  throw badRequest(`${what}: ${notRegistered(kind, apiVersion)}`);
}

/** The object of the body, decoded by its kind's types. @throws StatusError BadRequest with every unknown or repeated field when that is to be strict */
export function objectOf(request: ResourceRequest, options: WriteOptions): Checked {
  const { value, ...twice } = bodyOf(request);
  checkRegistered(value, request);
  return checkedObject(value, request.definition, options, { twice, refuse: bodyRefusal(request.definition, true) });
}

/** Work on a request, with what its kind warned of: after what reading the body gave, also when it fails. */
export async function withTold({ told }: ResourceRequest, work: Promise<Result>): Promise<Result> {
  try {
    const result = await work;
    return result.is === "list" || told.length === 0 ? result : { ...result, warnings: [...result.warnings, ...told] };
  } catch (error) {
    if (error instanceof StatusError) error.warnings.push(...told);
    throw error;
  }
}

/** What is to be told is told also when `work` fails. */
export async function warned<T>(warnings: readonly string[], work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof StatusError) error.warnings.unshift(...warnings);
    throw error;
  }
}

/** @throws StatusError when the object may not be created under the request's name */
export function checkNew({ metadata }: KubeObject, request: ResourceRequest): void {
  const { plural, group } = request.definition;
  const name = nameOf(request);
  if (!metadata.name) throw badRequest(unnamed(name));
  if (metadata.name !== name) throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  if (metadata.uid) throw conflict(plural, group, name, uidMismatch(metadata.uid));
}

const uidMismatch = (uid: string): string => `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`;
