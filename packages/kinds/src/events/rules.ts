/** Rules of events. Those with an eventTime say who reports what, in which words; older ones only stand beside their object. */
import { isObject, numberAt, textAt } from "../access.ts";
import type { KubeObject } from "../object.ts";
import { invalidValue, problemsOf, requiredValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { qualifiedName } from "../rules/names.ts";

/** Names of the fields that differ between core/v1 and events.k8s.io/v1. */
export interface EventFields {
  readonly object: string;
  readonly message: string;
  readonly controller: string;
  readonly source: string;
  readonly first: string;
  readonly last: string;
  readonly count: string;
}

/** Characters of the reporting instance, the action and the reason each. */
const wordMax = 128;
const messageMax = 1_024;
const tooLong = (field: string, max: number): FieldProblem => invalidValue(field, "", `can have at most ${max} characters`);

/** In the namespace of its object. Problems name the fields of core/v1, whatever was asked for. */
export function validateEvent(event: KubeObject, at: EventFields): FieldProblem[] {
  const modern = textAt(event, "eventTime") !== "";
  const wanted = textAt(event, `${at.object}.namespace`);
  const namespace = event.metadata.namespace ?? "";
  const anywhere = modern ? ["default", "kube-system"] : ["", "default"];
  const fits = wanted === "" ? anywhere.includes(namespace) : modern || wanted === namespace;
  const problems = fits ? [] : [invalidValue("involvedObject.namespace", wanted, "does not match event.namespace")];
  return modern ? [...problems, ...validateReport(event, at)] : problems;
}

function validateReport(event: KubeObject, at: EventFields): FieldProblem[] {
  const controller = textAt(event, at.controller);
  const problems = controller === "" ? [requiredValue(at.controller)] : [];
  problems.push(...problemsOf(at.controller, controller, qualifiedName(controller)));
  for (const field of ["reportingInstance", "action", "reason"]) {
    const word = textAt(event, field);
    if (word === "") problems.push(requiredValue(field));
    if (word.length > wordMax) problems.push(tooLong(field, wordMax));
  }
  if (textAt(event, at.message).length > messageMax) problems.push(tooLong("message", messageMax));
  return problems;
}

/** What events.k8s.io/v1 asks of a new event beyond that: a time, a type, and nothing in the fields of the past. */
export function validateModernEvent(event: KubeObject, at: EventFields): FieldProblem[] {
  const problems: FieldProblem[] = textAt(event, "eventTime") === "" ? [requiredValue("eventTime")] : [];
  if (isObject(event["series"])) {
    if (numberAt(event, "series.count") < 2) problems.push(invalidValue("series.count", "", "should be at least 2"));
    if (textAt(event, "series.lastObservedTime") === "") problems.push(requiredValue("series.lastObservedTime"));
  }
  const type = textAt(event, "type");
  if (type !== "Normal" && type !== "Warning") problems.push(invalidValue("type", "", `has invalid value: ${type}`));
  const past: readonly (readonly [string, boolean])[] = [
    ["firstTimestamp", textAt(event, at.first) !== ""],
    ["lastTimestamp", textAt(event, at.last) !== ""],
    ["count", numberAt(event, at.count) !== 0],
    ["source", textAt(event, `${at.source}.component`) !== "" || textAt(event, `${at.source}.host`) !== ""],
  ];
  for (const [field, said] of past) if (said) problems.push(invalidValue(field, "", "needs to be unset"));
  return problems;
}
