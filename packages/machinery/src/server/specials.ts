/**
 * Requests that are answered instead of stored: reviews (who am I, may I), and subresources that something is done by (a token, an eviction).
 * The server knows where they are; what they do is given to it.
 */
import type { JsonObject, KubeObject, ManagedFieldsEntry, ResourceDefinition } from "@mecha/kinds";
import type { Caller } from "./access.ts";

/** One create that is answered. */
export interface SpecialCall {
  readonly caller: Caller;
  /** Empty for cluster-scoped resources. */
  readonly namespace: string;
  /** The object a subresource belongs to; `undefined` for reviews. */
  readonly of: KubeObject | undefined;
  /** The body. */
  readonly body: JsonObject;
  readonly dryRun: boolean;
  /** When it is asked, milliseconds since 1970. */
  readonly nowMs: number;
  /** Who said what, as managedFields has it. @param said The body, with what is taken for granted. */
  readonly managed: (said: JsonObject) => readonly ManagedFieldsEntry[] | undefined;
}

/** @returns What is answered, with status 201. @throws StatusError */
export type Special = (call: SpecialCall) => JsonObject | Promise<JsonObject>;

/** By `group/plural` for reviews, `group/plural/subresource` for subresources of an object. */
export type Specials = ReadonlyMap<string, Special>;

export function specialKey({ group, plural }: ResourceDefinition, subresource?: string): string {
  return subresource === undefined ? `${group}/${plural}` : `${group}/${plural}/${subresource}`;
}

/** A change that is about to be written, for rules that look at who makes it. */
export interface Admission {
  readonly caller: Caller;
  readonly definition: ResourceDefinition;
  readonly namespace: string;
  /** As it will be stored. */
  readonly object: KubeObject;
  /** `undefined`: it is created. */
  readonly old: KubeObject | undefined;
}

/** @throws StatusError Forbidden when the caller may not make this change. */
export type Admit = (admission: Admission) => void;
