/** Kinds of the Kubernetes API: what their objects look like, their defaults and their rules. Semantics of requests are packages/machinery's. */
export {
  apiVersionOf,
  type GroupVersion,
  groupVersionOf,
  type Json,
  type JsonObject,
  type KubeObject,
  type ManagedFieldsEntry,
  type ObjectMeta,
  type OwnerReference,
} from "./object.ts";
export type { AddressPools, FieldProblem, KindContext, PrinterColumn, ResourceDefinition, ScalePaths, WarningContext } from "./resource.ts";
export { isObject, listAt, mapAt, numberAt, objectAt, objectsAt, sameJson, textAt, textsAt, valueAt } from "./access.ts";
export { allKinds } from "./all.ts";
export { takenBy as takenByService } from "./core/service-addresses.ts";
export { selectorText } from "./columns.ts";
export { decodeByType, type Decoded } from "./decode.ts";
export { type DefaultRule, type DefaultRules, defaultsOf } from "./defaults.ts";
export { dns1035Label, dns1123Label, dns1123Subdomain, labelValue, pathSegment, qualifiedName } from "./rules/names.ts";
export { validateMeta } from "./rules/object-meta.ts";
export { selectorMatches, validateSelector } from "./rules/selector.ts";
export { forbiddenValue, immutable, invalidValue, problemsOf, requiredValue, unsupportedValue } from "./problem.ts";
export { kubernetesTypes, kubernetesVersion } from "./tables/index.ts";
export {
  type FieldRow,
  fieldsOf,
  type ListType,
  type ScalarName,
  typeOf,
  type TypeRef,
  type TypeRow,
  type TypeTable,
} from "./type-table.ts";
export {
  annotations as functionAnnotations,
  type FunctionContext,
  type FunctionEntry,
  type FunctionProgram,
  programOf,
  projectLabel,
  statefulServiceOf,
  statefulStoreOf,
} from "./own/functions.ts";
export { ownCrds, type StatefulService, type StatefulStore } from "./own/index.ts";
export { fieldText, typeText } from "./texts/index.ts";
export { ageOf, formatDuration, humanDuration, parseDuration } from "./values/duration.ts";
export { type IpFamily, ipFamily, ipNumber, ipv4Number, ipv4Text, ipv6Text, isIpv4, isIpv6 } from "./values/ip.ts";
export { compareQuantities, parseQuantity, type Quantity, type QuantityFormat } from "./values/quantity.ts";
