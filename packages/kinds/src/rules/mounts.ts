/** Where a pod's volumes appear in a container: as folders, or as block devices. */
import { isObject, textAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { invalidValue, notFoundValue, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { descendingPath, hasBacksteps } from "./paths.ts";

const propagations = ["Bidirectional", "HostToContainer", "None"];

/** @param volumes Those of the pod, by name. */
export function validateMounts(
  mounts: readonly JsonObject[],
  volumes: ReadonlyMap<string, JsonObject>,
  privileged: boolean,
  field: string,
): FieldProblem[] {
  const paths = new Set<string>();
  return mounts.flatMap((mount, i) => {
    const place = `${field}[${i}]`;
    const name = textAt(mount, "name");
    const path = textAt(mount, "mountPath");
    const problems: FieldProblem[] = [];
    if (name === "") problems.push(requiredValue(`${place}.name`));
    if (!volumes.has(name)) problems.push(notFoundValue(`${place}.name`, name));
    if (path === "") problems.push(requiredValue(`${place}.mountPath`));
    if (paths.has(path)) problems.push(invalidValue(`${place}.mountPath`, path, "must be unique"));
    paths.add(path);
    return [...problems, ...validateOptions(mount, privileged, place, field)];
  });
}

/** The server names the list, not the mount, for all but a second way to say the same. */
function validateOptions(mount: JsonObject, privileged: boolean, place: string, field: string): FieldProblem[] {
  const subPath = textAt(mount, "subPath");
  const expression = textAt(mount, "subPathExpr");
  const problems = subPath === "" ? [] : descendingPath(subPath, `${field}.subPath`);
  if (expression !== "") {
    if (subPath !== "") problems.push(invalidValue(`${place}.subPathExpr`, expression, "subPathExpr and subPath are mutually exclusive"));
    problems.push(...descendingPath(expression, `${field}.subPathExpr`));
  }
  const propagation = mount["mountPropagation"];
  if (typeof propagation !== "string") return problems;
  if (!propagations.includes(propagation)) problems.push(unsupportedValue(`${field}.mountPropagation`, propagation, propagations));
  else if (propagation === "Bidirectional" && !privileged)
    problems.push({
      type: "FieldValueForbidden",
      field: `${field}.mountPropagation`,
      message: "Forbidden: Bidirectional mount propagation is available only to privileged containers",
    });
  return problems;
}

/** Block devices: of claims only. */
export function validateDevices(devices: readonly JsonObject[], volumes: ReadonlyMap<string, JsonObject>, field: string): FieldProblem[] {
  const paths = new Set<string>();
  return devices.flatMap((device, i) => {
    const place = `${field}[${i}]`;
    const name = textAt(device, "name");
    const path = textAt(device, "devicePath");
    const problems: FieldProblem[] = [];
    if (name === "") problems.push(requiredValue(`${place}.name`));
    if (path === "") problems.push(requiredValue(`${place}.devicePath`));
    if (paths.has(path)) problems.push(invalidValue(`${place}.devicePath`, path, "must be unique"));
    if (path !== "" && hasBacksteps(path)) problems.push(invalidValue(`${place}.devicePath`, path, "can not contain backsteps ('..')"));
    paths.add(path);
    const volume = volumes.get(name);
    if (!volume) problems.push(notFoundValue(`${place}.name`, name));
    else if (!isObject(volume["persistentVolumeClaim"]) && !isObject(volume["ephemeral"]))
      problems.push(
        invalidValue(`${place}.name`, name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"),
      );
    return problems;
  });
}
