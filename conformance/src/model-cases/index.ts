/** The model-side cases of the Cloudstate TCK: 34 for actions, 19 for value entities, 21 for event sourced entities, 82 for CRDTs. */
import { actionModelCases, actionServices } from "./action.ts";
import { crdtModelCases, crdtServices } from "./crdt.ts";
import { eventSourcedModelCases, eventSourcedServices } from "./event-sourced.ts";
import type { ModelCase } from "./kit.ts";
import { valueEntityModelCases, valueEntityServices } from "./value-entity.ts";

export const modelCases: readonly ModelCase[] = [
  ...actionModelCases,
  ...valueEntityModelCases,
  ...eventSourcedModelCases,
  ...crdtModelCases,
];

/** By group, the services it is about. A function without them is not tried on that group. */
export const modelServicesOf: Readonly<Record<string, readonly string[]>> = {
  action: actionServices,
  "value entity": valueEntityServices,
  "event sourced": eventSourcedServices,
  CRDT: crdtServices,
};
