/** For tests of kinds: an object as a request brings it, through the same steps as in the server. */
import { decodeByType } from "./decode.ts";
import type { JsonObject, KubeObject } from "./object.ts";
import type { AddressPools, FieldProblem, KindContext, ResourceDefinition } from "./resource.ts";
import { validateMeta } from "./rules/object-meta.ts";

export const testContext: KindContext = {
  nowMs: Date.parse("2030-01-01T00:00:00Z"),
  newUid: () => "00000000-0000-4000-8000-000000000001",
};

/** Always the same address and port; nothing is ever taken. */
export const testPools: AddressPools = {
  family: "IPv4",
  nextAddress: () => "10.96.0.7",
  takeAddress: () => undefined,
  nextPort: () => 30_001,
  takePort: () => undefined,
};

/** Body decoded, defaulted and prepared: what create would store. */
export function created(definition: ResourceDefinition, body: JsonObject): KubeObject {
  const { object } = decodeByType(definition.types, definition.type, body);
  definition.setDefaults?.(object as KubeObject);
  definition.prepare?.(object as KubeObject, undefined, testContext);
  definition.allocate?.(object as KubeObject, undefined, testPools);
  return object as KubeObject;
}

/** Everything wrong with it, as `field: message`. */
export function problemsWith(definition: ResourceDefinition, object: KubeObject, old?: KubeObject): string[] {
  const problems: readonly FieldProblem[] = [...validateMeta(definition, object, old), ...(definition.validate?.(object, old) ?? [])];
  return problems.map(({ field, message }) => `${field}: ${message}`);
}

/** The cells of `kubectl get -o wide`. */
export function cells(definition: ResourceDefinition, object: KubeObject): (string | number | boolean | undefined)[] {
  return (definition.columns ?? []).map((column) => column.cell(object, testContext.nowMs));
}
