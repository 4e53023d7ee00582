/** The semantics of the Kubernetes API as decisions, and the controller loop: no sockets, files or timers. apps/apiserver serves it, adapters keep its log. */
export type { ApiAnswer, ApiRequest, ApiTransport, WatchEvent } from "./client.ts";
export type { ObjectChange, ObjectLog, ObjectWrite, StoredObject, WriteOutcome } from "./object-log.ts";
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
