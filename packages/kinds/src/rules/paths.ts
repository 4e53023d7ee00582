/** Rules of paths inside volumes. */
import { invalidValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";

export const hasBacksteps = (path: string): boolean => path.split("/").includes("..");

/** No step upwards. */
export const backsteps = (path: string, field: string): FieldProblem[] =>
  hasBacksteps(path) ? [invalidValue(field, path, "must not contain '..'")] : [];

/** A path from the volume's folder downwards. */
export function descendingPath(path: string, field: string): FieldProblem[] {
  const absolute = path.startsWith("/") ? [invalidValue(field, path, "must be a relative path")] : [];
  return [...absolute, ...backsteps(path, field)];
}

/** A path of a file the server's helpers write: names with two dots in front are theirs. */
export function unreservedPath(path: string, field: string): FieldProblem[] {
  const reserved = path.startsWith("..") && !path.startsWith("../");
  return [...descendingPath(path, field), ...(reserved ? [invalidValue(field, path, "must not start with '..'")] : [])];
}
