/** Patterns (RE2, linear time): `text.find(pattern)`, `text.findAll(pattern)`. */
import { RE2JS } from "re2js";
import { compiled } from "../../crd/check-value.ts";
import { exactly, matching, type Range } from "../language/cost.ts";
import { type Library } from "../language/environment.ts";
import { intType, listType, stringType } from "../language/types.ts";
import { CelError } from "../language/values.ts";

/** @throws CelError for a text that is no pattern. */
export function expression(pattern: string): RE2JS {
  const found = compiled(pattern);
  if (found) return found;
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw new CelError((error as Error).message);
  }
}

function* matches(text: string, pattern: string): Generator<string> {
  const matcher = expression(pattern).matcher(text);
  while (matcher.find()) yield matcher.group() ?? "";
}

function findAll(text: string, pattern: string, limit: bigint): string[] {
  const found: string[] = [];
  for (const match of matches(text, pattern)) {
    if (limit >= 0n && found.length >= Number(limit)) break;
    found.push(match);
  }
  return found;
}

export function addRegex(library: Library): void {
  const two = [stringType, stringType];
  const many = ({ max }: Range): Range => ({ min: exactly(0).min, max });
  const cost = matching(many);
  library.member(
    "find",
    "string_find_string",
    two,
    stringType,
    (text: string, pattern: string) => matches(text, pattern).next().value ?? "",
    cost,
  );
  const list = listType(stringType);
  library.member("findAll", "string_find_all_string", two, list, (text: string, pattern: string) => findAll(text, pattern, -1n), cost);
  library.member("findAll", "string_find_all_string_int", [...two, intType], list, findAll, cost);
}
