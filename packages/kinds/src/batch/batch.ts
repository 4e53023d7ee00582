/** Job (pods that run to an end) and CronJob (Jobs at times). */
import { isObject, numberAt, objectAt, objectsAt, sameJson, textAt, valueAt } from "../access.ts";
import { ageColumn, nameColumn, none, numberColumn, selectorColumn, selectorText, templateColumns, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import { immutable, invalidValue, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { dns1123Label } from "../rules/names.ts";
import { validatePodTemplate } from "../rules/pod-template.ts";
import { notNegative } from "../rules/workload.ts";
import { scheduleComplaint, timeZoneComplaint } from "./cron.ts";
import { nameLabel, uidLabel, validateJobPolicies, validateJobSelector } from "./job-rules.ts";
import { ageOf, humanDuration } from "../values/duration.ts";
import { cronJobWarnings, jobWarnings } from "../warnings/workloads.ts";

const define = definer("batch", "v1");
const counts = [
  ...["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"],
  ...["backoffLimitPerIndex", "maxFailedIndexes"],
];
/** A Job's name and a suffix are the pod's host name: 63 less 11. */
const cronNameMax = 52;
function validateJobSpec(spec: JsonObject, field: string): FieldProblem[] {
  const pod = objectAt(spec, "template.spec");
  const policy = textAt(pod, "restartPolicy");
  const place = `${field}.template.spec.restartPolicy`;
  const problems = [
    ...notNegative(spec, counts, field),
    ...validateJobPolicies(spec, field),
    ...validatePodTemplate(objectAt(spec, "template"), `${field}.template`),
  ];
  // A template that says nothing has got Always by default.
  if (policy === "Always") problems.push(requiredValue(place, 'valid values: "OnFailure", "Never"'));
  else if (policy !== "OnFailure" && policy !== "Never") problems.push(unsupportedValue(place, policy, ["OnFailure", "Never"]));
  return problems;
}

/** Pods of indexes have the Job's name and their index as theirs. */
function validateHostNames(object: KubeObject): FieldProblem[] {
  const count = numberAt(object, "spec.completions");
  if (textAt(object, "spec.completionMode") !== "Indexed" || count <= 0) return [];
  const last = `${object.metadata.name}-${count - 1}`;
  const why = `will not able to create pod with invalid DNS label: ${last}`;
  return dns1123Label(last).length === 0 ? [] : [invalidValue("metadata.name", object.metadata.name, why)];
}

/** What a Job finds its pods by is given to it, so that a template of Jobs has none. */
function validateJobTemplate(spec: JsonObject, field: string): FieldProblem[] {
  const { selector, manualSelector } = spec;
  const problems = validateJobSpec(spec, field);
  if (isObject(selector)) problems.push(invalidValue(`${field}.selector`, selector, "`selector` will be auto-generated"));
  if (manualSelector === true) problems.push(unsupportedValue(`${field}.manualSelector`, true, ["nil", "false"]));
  return problems;
}

/** A Job's pods are found by its own uid, unless it says otherwise. */
function prepareJob(object: KubeObject, old: KubeObject | undefined): void {
  const spec = objectAt(object, "spec");
  if (old || spec["manualSelector"] === true || object.metadata.uid === undefined) return;
  const template = objectAt(spec, "template");
  const labels = {
    [uidLabel]: object.metadata.uid,
    [nameLabel]: object.metadata.name,
    "controller-uid": object.metadata.uid,
    "job-name": object.metadata.name,
  };
  const meta = objectAt(template, "metadata");
  spec["template"] = { ...template, metadata: { ...meta, labels: { ...labels, ...objectAt(meta, "labels") } } };
  // What was said stays, and is refused when it is something else.
  const selector = objectAt(spec, "selector");
  const said = objectAt(selector, "matchLabels");
  spec["selector"] = { ...selector, matchLabels: { ...said, [uidLabel]: said[uidLabel] ?? object.metadata.uid } };
  const none = Object.keys(object.metadata.labels ?? {}).length === 0;
  if (none || object.metadata.labels === meta["labels"]) object.metadata.labels = { ...objectAt(meta, "labels"), ...labels };
}

const hasCondition = (object: KubeObject, type: string): boolean =>
  objectsAt(object, "status.conditions").some((condition) => textAt(condition, "type") === type && textAt(condition, "status") === "True");

function jobStatus(object: KubeObject): string {
  if (hasCondition(object, "Complete")) return "Complete";
  if (hasCondition(object, "Failed")) return "Failed";
  if (object.metadata.deletionTimestamp !== undefined) return "Terminating";
  return ["Suspended", "FailureTarget", "SuccessCriteriaMet"].find((type) => hasCondition(object, type)) ?? "Running";
}

function completions(object: KubeObject): string {
  const done = numberAt(object, "status.succeeded");
  const wanted = valueAt(object, "spec.completions");
  if (typeof wanted === "number") return `${done}/${wanted}`;
  const parallel = numberAt(object, "spec.parallelism");
  return parallel > 1 ? `${done}/1 of ${parallel}` : `${done}/1`;
}

function runningTime(object: KubeObject, nowMs: number): string {
  const start = Date.parse(textAt(object, "status.startTime"));
  if (Number.isNaN(start)) return "";
  const end = Date.parse(textAt(object, "status.completionTime"));
  return humanDuration((Number.isNaN(end) ? nowMs : end) - start);
}

export const job = define({
  kind: "Job",
  plural: "jobs",
  orphansByDefault: {
    warning:
      "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning",
  },
  categories: ["all"],
  status: true,
  generation: true,
  columns: [
    nameColumn,
    textColumn("Status", "How the job is.", jobStatus),
    textColumn("Completions", "Pods that ended well, of those wanted.", completions),
    textColumn("Duration", "How long it took, or has been taking.", runningTime),
    ageColumn,
    ...templateColumns("spec.template"),
    selectorColumn,
  ],
  selectableFields: new Map([["status.successful", (object: KubeObject) => String(numberAt(object, "status.succeeded"))]]),
  validate(object, old) {
    const spec = objectAt(object, "spec");
    const problems = validateJobSpec(spec, "spec");
    problems.push(...validateHostNames(object));
    if (!old) return [...problems, ...validateJobSelector(object)];
    const before = objectAt(old, "spec");
    const fixed = ["completions", "selector", "template", "completionMode"].flatMap((name) =>
      name === "template" && before["suspend"] === true
        ? []
        : immutable(`spec.${name}`, spec[name] ?? null, sameJson(spec[name], before[name])),
    );
    return [...problems, ...fixed];
  },
  prepare: prepareJob,
  warnings: jobWarnings,
});

const policies = ["Allow", "Forbid", "Replace"];

export const cronJob = define({
  kind: "CronJob",
  plural: "cronjobs",
  shortNames: ["cj"],
  categories: ["all"],
  status: true,
  generation: true,
  columns: [
    nameColumn,
    textColumn("Schedule", "When jobs are made, as a cron expression.", (object) => textAt(object, "spec.schedule")),
    textColumn("Timezone", "Time zone of the schedule.", (object) => textAt(object, "spec.timeZone") || none),
    {
      name: "Suspend",
      type: "boolean",
      description: "Whether no more jobs are made.",
      priority: 0,
      cell: (object) => (valueAt(object, "spec.suspend") === true ? "True" : "False"),
    },
    numberColumn("Active", "Jobs that run.", (object) => objectsAt(object, "status.active").length),
    textColumn("Last Schedule", "Time since a job was made last.", (object, nowMs) => {
      const last = valueAt(object, "status.lastScheduleTime");
      return typeof last === "string" ? ageOf(last, nowMs) : none;
    }),
    ageColumn,
    ...templateColumns("spec.jobTemplate.spec.template"),
    textColumn(
      "Selector",
      "Which pods belong to the jobs.",
      (object) => selectorText(valueAt(object, "spec.jobTemplate.spec.selector")),
      1,
    ),
  ],
  validate(object, old) {
    const spec = objectAt(object, "spec");
    const schedule = textAt(spec, "schedule");
    const policy = textAt(spec, "concurrencyPolicy");
    const problems: FieldProblem[] = [];
    const name = textAt(object, "metadata.name"); // perhaps none
    if (name.length > cronNameMax) problems.push(invalidValue("metadata.name", name, `must be no more than ${cronNameMax} characters`));
    if (schedule === "") problems.push(requiredValue("spec.schedule"));
    else if (schedule !== textAt(old, "spec.schedule")) {
      const complaint = scheduleComplaint(schedule);
      if (complaint !== undefined) problems.push(invalidValue("spec.schedule", schedule, complaint));
    }
    const zone = spec["timeZone"];
    const complaint = typeof zone === "string" ? timeZoneComplaint(zone) : undefined;
    if (complaint !== undefined) problems.push(invalidValue("spec.timeZone", zone, complaint));
    if (!policies.includes(policy)) problems.push(unsupportedValue("spec.concurrencyPolicy", policy, policies));
    problems.push(...notNegative(spec, ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"]));
    const template = spec["jobTemplate"];
    return [...problems, ...validateJobTemplate(isObject(template) ? objectAt(template, "spec") : {}, "spec.jobTemplate.spec")];
  },
  warnings: cronJobWarnings,
});
