/** A request for a resource as the verbs see it, what each reads from it, and what they answer. */
import type { JsonObject, KubeObject, ResourceDefinition } from "@mecha/kinds";
import { conflict, qualifiedResource, StatusError } from "../status.ts";
import type { Caller } from "./access.ts";
import { type ParsedBody, parseBody, type ProtobufDecoder } from "./body.ts";
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
  | { readonly is: "list"; readonly listing: Listing; readonly definition: ResourceDefinition }
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
  /** For an apply or update that finds nothing and creates. @throws StatusError Forbidden when the caller may change here and not create. */
  readonly mayCreate: () => void;
}

export function nameOf({ name, definition }: ResourceRequest): string {
  if (name === undefined)
    throw new StatusError("MethodNotAllowed", `name is required for ${qualifiedResource(definition.plural, definition.group)}`);
  return name;
}

export function optionsOf(
  { query, headers, caller, admit }: ResourceRequest,
  kind: "CreateOptions" | "UpdateOptions" | "PatchOptions" = "CreateOptions",
): WriteOptions {
  const options = writeOptions(query, headers["user-agent"], kind);
  return admit ? { ...options, admit: (change) => admit({ ...change, caller }) } : options;
}

export function subresourceOption({ subresource }: ResourceRequest): { readonly subresource?: string } {
  return subresource === undefined ? {} : { subresource };
}

export function bodyOf(request: ResourceRequest): ParsedBody {
  const parsed = parseBody(request.body, request.headers["content-type"], request.protobuf);
  if (!parsed) throw badRequest("the body of the request must be an object; it is empty");
  return parsed;
}

/** The object of the body, decoded by its kind's types. @throws StatusError BadRequest with every unknown or repeated field when that is to be strict */
export function objectOf(request: ResourceRequest, options: WriteOptions): Checked {
  const { value, ...twice } = bodyOf(request);
  return checkedObject(value, request.definition, options, { twice, refuse: bodyRefusal(request.definition, true) });
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
