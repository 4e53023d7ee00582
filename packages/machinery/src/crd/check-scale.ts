/** Where a kind's scale reads and writes: what stands there is a number of pods, as the server checks it of each object. */
import type { FieldProblem, JsonObject } from "@mecha/kinds";
import { goText, isObject } from "../json.ts";
import { invalidValue } from "./problems.ts";

const int32Max = 2 ** 31 - 1;

/** @param path `.spec.replicas` */
export function* checkReplicas(object: JsonObject, path: string): Generator<FieldProblem> {
  let value: unknown = object;
  for (const step of path.split(".").filter((name) => name !== "")) {
    if (!isObject(value)) {
      yield mistyped(path, value, "map[string]interface{}");
      return;
    }
    if (!Object.hasOwn(value, step)) return;
    value = value[step];
  }
  if (typeof value !== "number" || !Number.isInteger(value)) yield mistyped(path, value, "int64");
  else if (value < 0) yield invalidValue(path, value, "should be a non-negative integer");
  else if (value > int32Max) yield invalidValue(path, value, `should be less than or equal to ${String(int32Max)}`);
}

const mistyped = (path: string, value: unknown, wanted: string): FieldProblem =>
  invalidValue(path, 0, `${path} accessor error: ${goText(value)} is of the type ${goType(value)}, expected ${wanted}`);

/** What Go calls the type of a JSON value. */
function goType(value: unknown): string {
  if (value === null) return "<nil>";
  if (Array.isArray(value)) return "[]interface {}";
  if (typeof value === "number") return Number.isInteger(value) ? "int64" : "float64";
  if (typeof value === "boolean") return "bool";
  return typeof value === "string" ? "string" : "map[string]interface {}";
}
