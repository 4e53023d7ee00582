/** Problems of fields in the words of the real server (facts §6.5). Callers give the path, the value and why. */
import type { FieldProblem } from "./resource.ts";

const said = (value: unknown): string => (value === undefined ? "null" : JSON.stringify(value));

/** `Invalid value: "x": why`. */
export const invalidValue = (field: string, value: unknown, why: string): FieldProblem => ({
  type: "FieldValueInvalid",
  field,
  message: `Invalid value: ${said(value)}${why === "" ? "" : `: ${why}`}`,
});

/** `Required value` or `Required value: why`. */
export const requiredValue = (field: string, why = ""): FieldProblem => ({
  type: "FieldValueRequired",
  field,
  message: why === "" ? "Required value" : `Required value: ${why}`,
});

/** `Unsupported value: "x": supported values: "a", "b"`. */
export const unsupportedValue = (field: string, value: unknown, supported: readonly string[]): FieldProblem => ({
  type: "FieldValueNotSupported",
  field,
  message: `Unsupported value: ${said(value)}: supported values: ${supported.map((text) => JSON.stringify(text)).join(", ")}`,
});

/** `Forbidden: why`. */
export const forbiddenValue = (field: string, why: string): FieldProblem => ({
  type: "FieldValueForbidden",
  field,
  message: `Forbidden${why === "" ? "" : `: ${why}`}`,
});

/** `Duplicate value: "x"`. */
export const duplicateValue = (field: string, value: unknown): FieldProblem => ({
  type: "FieldValueDuplicate",
  field,
  message: `Duplicate value: ${said(value)}`,
});

/** `Not found: "x"`. */
export const notFoundValue = (field: string, value: unknown): FieldProblem => ({
  type: "FieldValueNotFound",
  field,
  message: `Not found: ${said(value)}`,
});

/** `Too long: may not be more than N bytes`. */
export const tooLongValue = (field: string, maxBytes: number): FieldProblem => ({
  type: "FieldValueTooLong",
  field,
  message: `Too long: may not be more than ${maxBytes} bytes`,
});

/** One problem for each complaint of a check that answers texts. */
export const problemsOf = (field: string, value: unknown, complaints: readonly string[]): FieldProblem[] =>
  complaints.map((why) => invalidValue(field, value, why));

/** `field is immutable` unless both say the same. */
export function immutable(field: string, value: unknown, same: boolean): FieldProblem[] {
  return same ? [] : [invalidValue(field, value, "field is immutable")];
}
