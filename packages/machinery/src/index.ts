/** The semantics of the Kubernetes API as decisions, and the controller loop: no sockets, files or timers. apps/apiserver serves it, adapters keep its log. */
export {
  ApiClient,
  type ApiClientOptions,
  type ApplyOptions,
  collectionPath,
  type DeleteOptions,
  idOf,
  isReason,
  type ObjectId,
  type ObjectList,
  type ObjectTable,
  objectPath,
  type ResourceRef,
  resourceRef,
  type Selection,
  type ServedResource,
  statusErrorOf,
  statusErrorOfBody,
  type WriteOptions,
} from "./api-client.ts";
export type { ApiAnswer, ApiRequest, ApiTransport, WatchEvent } from "./client.ts";
export {
  Controller,
  type ControllerPorts,
  type ControllerSpec,
  generationChanged,
  labelsChanged,
  type Outcome,
  type Reconcile,
  type ReconcileContext,
  TerminalError,
  type Watched,
  watchFor,
  watchOwned,
} from "./controller/controller.ts";
export { type EventRecorder, eventRecorder } from "./controller/events.ts";
export { cacheKey, idOfKey, Informer, type InformerListener, type InformerPorts } from "./controller/informer.ts";
export { type LeaseOptions, type LeasePorts, leases, runAsLeader } from "./controller/lease.ts";
export { Manager, type ManagerOptions, type ManagerPorts } from "./controller/manager.ts";
export { type RateLimits, rateLimitDefaults } from "./controller/rate-limit.ts";
export { type Priority, WorkQueue } from "./controller/work-queue.ts";
export type { ObjectChange, ObjectLog, ObjectWrite, StoredObject, WriteOutcome } from "./object-log.ts";
export { applyPatch, type FieldContext, resetFields, sameButTimes, trackUpdate } from "./apply/apply.ts";
export type { FieldSet } from "./apply/field-set.ts";
export type { Schema } from "./apply/shape.ts";
export type { Crd, CrdStatus } from "./crd/crd.ts";
export { definitionOf } from "./crd/definition.ts";
export { crdStatus, takenNames } from "./crd/names.ts";
export { jsonPatch, maxCopiedBytes, maxOperations } from "./patch/json-patch.ts";
export { mergePatch, mergePatchBetween } from "./patch/merge-patch.ts";
export { strategicMergePatch } from "./patch/strategic-patch.ts";
export {
  alreadyExists,
  conflict,
  invalid,
  notFound,
  qualifiedResource,
  type StatusCause,
  type StatusDetails,
  StatusError,
  type StatusReason,
  statusReasons,
} from "./status.ts";
export { aggregatedRules, hasRules } from "./authorization/aggregation.ts";
export { defaultRbacObjects } from "./authorization/default-roles.ts";
export { escalationGuard } from "./authorization/escalation.ts";
export { rbacAuthorizer, type RbacObjects, serviceAccountUser } from "./authorization/rbac.ts";
export { reviewSpecials, type VerifiedToken, type VerifyToken } from "./authorization/reviews.ts";
export type { Admission, Admit, Special, SpecialCall, Specials } from "./server/specials.ts";
export { type AccessDecision, type AccessRequest, type Authorizer, type Caller, mastersGroup, mastersOnly } from "./server/access.ts";
export { accessRequestOf, forbiddenAccess } from "./server/access-request.ts";
export { answerOf, textAnswer } from "./server/answer.ts";
export { bodyMaxBytes, type ProtobufDecoder } from "./server/body.ts";
export { type FieldChange, type FieldTracker, serverManager } from "./server/context.ts";
export { etagOf, type FixedPaths } from "./server/fixed-paths.ts";
export { inProcessTransport } from "./server/in-process.ts";
export { foregroundFinalizer, orphanFinalizer } from "./server/remove.ts";
export { defaultServiceRanges, type ServiceRanges } from "./server/addresses.ts";
export { kubernetesYaml } from "./server/yaml.ts";
export { KubeServer, type KubeServerOptions, type Served, type WatchForm } from "./server/server.ts";
export { backlogMaxBytes, Watching } from "./server/watch.ts";
export { compareVersions, Registry, type ServedGroup, type ServedVersion } from "./registry/registry.ts";
export { openApiV2, openApiV3 } from "./openapi/document.ts";
export { openApiPaths } from "./openapi/serve.ts";
export { decodeProtobuf } from "./protobuf/decode.ts";
