/** Everything an operator needs: see docs/guides/operator.md. */
export type { KubeObject, ObjectMeta, OwnerReference } from "@mecha/kinds";
export {
  ApiClient,
  type ApplyOptions,
  Controller,
  type ControllerSpec,
  type EventRecorder,
  eventRecorder,
  generationChanged,
  idOf,
  Informer,
  isReason,
  labelsChanged,
  Manager,
  type ObjectId,
  type Outcome,
  type Reconcile,
  type ReconcileContext,
  type ResourceRef,
  resourceRef,
  type Selection,
  StatusError,
  TerminalError,
  type Watched,
  watchFor,
  watchOwned,
  type WriteOptions,
} from "@mecha/machinery";
export { type Condition, setCondition } from "./conditions.ts";
export { controllerReference } from "./owner.ts";
export { type OperatorContext, type OperatorOptions, runOperator } from "./run.ts";
