/** A request for a resource as the verbs see it, what each reads from it, and what they answer. */
import { apiVersionOf, type JsonObject, type KubeObject, type ResourceDefinition } from "@mecha/kinds";
import { jsonProblem } from "../go-json.ts";
import { conflict, qualifiedResource, StatusError } from "../status.ts";
import type { Caller } from "./access.ts";
import { foreignBody } from "./body-kind.ts";
import { noJson, type ParsedBody, parseBody, type ProtobufDecoder, unrecognized, utf8 } from "./body.ts";
import { bodyRefusal, type Checked, checkedObject } from "./checked.ts";
import type { ServerParts, Target } from "./context.ts";
import { unnamed } from "./metadata.ts";
import { badRequest, type WriteOptions, writeOptions } from "./options.ts";
import type { Listing } from "./read.ts";
import type { Admit } from "./specials.ts";
import { otherApiVersion } from "./write.ts";

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

/** Warnings of one request: more than its answer has room for, and few enough to be the arguments of one call. */
const toldMax = 4_096;

export function optionsOf(
  { query, headers, caller, admit, told }: ResourceRequest,
  kind: "CreateOptions" | "UpdateOptions" | "PatchOptions" = "CreateOptions",
): WriteOptions {
  const options = {
    ...writeOptions(query, headers["user-agent"], kind),
    warn: (texts: readonly string[]): void => void told.splice(0, told.length, ...texts.slice(0, toldMax)),
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

/** What the body has to be. */
function kindOfBody({ definition, subresource }: ResourceRequest): string | undefined {
  if (subresource === "scale") return "Scale";
  return subresource === undefined || subresource === "status" ? definition.kind : undefined;
}

/** @throws StatusError BadRequest for a body that is of another kind, or of none that is known */
function checkForeign(value: JsonObject, { definition, parts, body }: ResourceRequest): void {
  const text = (): string => utf8(body ?? new Uint8Array());
  const foreign = foreignBody(value, definition, parts.registry, text);
  if (!foreign) return;
  if (foreign.said === undefined) throw unrecognized(definition.kind)(foreign.why, text());
  throw badRequest(`${foreign.said} cannot be handled as a ${definition.kind}: ${foreign.why}`);
}

/** The object of the body, decoded by its kind's types. @throws StatusError BadRequest with every unknown or repeated field when that is to be strict */
export function objectOf(request: ResourceRequest, options: WriteOptions): Checked {
  const { value, ...twice } = bodyOf(request);
  const { definition } = request;
  checkForeign(value, request);
  const unversioned = !value.apiVersion;
  const checked = checkedObject(value, definition, options, { twice, refuse: bodyRefusal(definition, true) });
  if (unversioned && !definition.strategicPatch) throw otherApiVersion("", apiVersionOf(definition)); // only built-in kinds have a version by themselves
  return checked;
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
