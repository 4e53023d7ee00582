/** Problems of fields in the words of field/validation. */
import type { FieldProblem } from "@mecha/kinds";
import { goJson, isObject } from "../json.ts";

/** The value as messages show it: texts quoted, the rest as JSON. */
function shown(value: unknown): string {
  if (value === undefined) return '""';
  return typeof value === "string" ? JSON.stringify(value) : goJson(isObject(value) ? sorted(value) : value);
}

function sorted(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const detailed = (text: string, detail: string): string => (detail === "" ? text : `${text}: ${detail}`);

export const required = (field: string, detail = ""): FieldProblem => ({
  type: "FieldValueRequired",
  field,
  message: detailed("Required value", detail),
});
export const forbidden = (field: string, detail: string): FieldProblem => ({
  type: "FieldValueForbidden",
  field,
  message: detailed("Forbidden", detail),
});
export const invalidValue = (field: string, value: unknown, detail: string): FieldProblem => ({
  type: "FieldValueInvalid",
  field,
  message: detailed(`Invalid value: ${shown(value)}`, detail),
});
export const wrongType = (field: string, value: unknown, detail: string): FieldProblem => ({
  ...invalidValue(field, value, detail),
  type: "FieldValueTypeInvalid",
});
export const duplicate = (field: string, value: unknown): FieldProblem => ({
  type: "FieldValueDuplicate",
  field,
  message: `Duplicate value: ${shown(value)}`,
});
export const notSupported = (field: string, value: unknown, supported: readonly unknown[]): FieldProblem => ({
  type: "FieldValueNotSupported",
  field,
  message: `Unsupported value: ${shown(value)}: supported values: ${supported.map((item) => JSON.stringify(typeof item === "string" ? item : JSON.stringify(item))).join(", ")}`,
});
export const tooLong = (field: string, max: number): FieldProblem => ({
  type: "FieldValueTooLong",
  field,
  message: `Too long: may not be more than ${String(max)} ${max === 1 ? "byte" : "bytes"}`,
});
export const tooMany = (field: string, count: number, max: number): FieldProblem => ({
  type: "FieldValueTooMany",
  field,
  message: `Too many: ${String(count)}: must have at most ${String(max)} ${max === 1 ? "item" : "items"}`,
});
