/**
 * Label selectors: `app=cart,tier in (web,api),!canary`. Parsed from text, or made from the LabelSelector of an object.
 * The grammar is the API's (labels/selector): requirements joined with commas, all must hold.
 */
import { labelValue, qualifiedName } from "@mecha/kinds";
import { StatusError } from "../status.ts";

export type Requirement =
  | { readonly operator: "in" | "notIn"; readonly key: string; readonly values: ReadonlySet<string> }
  | { readonly operator: "exists" | "doesNotExist"; readonly key: string }
  | { readonly operator: "gt" | "lt"; readonly key: string; readonly bound: bigint };

export type LabelSelector = readonly Requirement[];

/** meta/v1 LabelSelector, as workloads and budgets hold it. */
export interface LabelSelectorObject {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] }[];
}

/** Requirements in one selector: a bound for what one list walks for each object. */
const requirementsMax = 100;

/** Do all requirements hold? An empty selector holds always. */
export function matchesLabels(selector: LabelSelector, labels: Readonly<Record<string, string>> | undefined): boolean {
  return selector.every((requirement) => holds(requirement, labels?.[requirement.key]));
}

function holds(requirement: Requirement, value: string | undefined): boolean {
  switch (requirement.operator) {
    case "in":
      return value !== undefined && requirement.values.has(value);
    case "notIn":
      return value === undefined || !requirement.values.has(value);
    case "exists":
      return value !== undefined;
    case "doesNotExist":
      return value === undefined;
    case "gt":
    case "lt": {
      if (value === undefined || !/^-?\d{1,19}$/u.test(value)) return false;
      return requirement.operator === "gt" ? BigInt(value) > requirement.bound : BigInt(value) < requirement.bound;
    }
  }
}

/** @throws StatusError BadRequest naming what cannot be parsed. */
export function parseLabelSelector(text: string): LabelSelector {
  const words = tokens(text);
  const requirements: Requirement[] = [];
  let at = 0;
  const fail = (found: string, expected: string): never => {
    throw badSelector(`found '${found}', expected: ${expected}`);
  };
  /** Between requirements, not in one. */
  const failOutside = (found: string, expected: string): never => {
    throw new StatusError("BadRequest", `found '${found}', expected: ${expected}`);
  };
  const take = (): string => words[at++] ?? "";
  while (at < words.length) {
    if (requirements.length === requirementsMax) throw badSelector(`more than ${requirementsMax} requirements`);
    const first = words[at] ?? "";
    if (first !== "!" && isSign(first)) failOutside(first, "!, identifier, or 'end of string'");
    requirements.push(requirement());
    const next = take();
    if (next === "" && at > words.length) break;
    if (next !== ",") failOutside(next, "',' or 'end of string'");
    const after = words[at] ?? "";
    if (after !== "!" && isSign(after)) failOutside(after, "identifier after ','");
  }
  return requirements;

  function requirement(): Requirement {
    const first = take();
    if (first === "!") return { operator: "doesNotExist", key: identifier(take()) };
    const key = identifier(first);
    const operator = words[at] ?? "";
    if (operator === "" || operator === ",") return { operator: "exists", key };
    at++;
    if (operator === "=" || operator === "==") return { operator: "in", key, values: new Set([oneValue(key)]) };
    if (operator === "!=") return { operator: "notIn", key, values: new Set([oneValue(key)]) };
    if (operator === ">" || operator === "<") return { operator: operator === ">" ? "gt" : "lt", key, bound: whole(take()) };
    if (operator === "in" || operator === "notin") return { operator: operator === "in" ? "in" : "notIn", key, values: valueList(key) };
    return fail(operator, "in, notin, =, ==, !=, gt, lt");
  }

  function identifier(word: string): string {
    if (isSign(word)) fail(word, "identifier");
    return keyOf(word);
  }

  function oneValue(key: string): string {
    const next = words[at];
    if (next === undefined || next === ",") return "";
    at++;
    if (isSign(next)) fail(next, "identifier");
    return valueOf(key, next);
  }

  function valueList(key: string): Set<string> {
    const open = take();
    if (open !== "(") throw badSelector(`found '${open}' expected: '('`);
    const opened = at;
    const values = new Set<string>();
    for (let empty = true; ;) {
      const first = at === opened;
      const next = take();
      if (next === ")") {
        if (empty) values.add("");
        return values;
      }
      if (next === ",") {
        if (empty) values.add("");
        empty = true;
      } else if (!empty) fail(next, "',' or ')'");
      else if (isSign(next)) fail(next, first ? "',', ')' or identifier" : "',', or identifier");
      else {
        values.add(valueOf(key, next));
        empty = false;
      }
    }
  }
}

/** @throws StatusError Invalid-like BadRequest when an operator is none of the four. */
export function labelSelectorOf({ matchLabels = {}, matchExpressions = [] }: LabelSelectorObject): LabelSelector {
  return [
    ...Object.entries(matchLabels).map(([key, value]) => ({ operator: "in", key, values: new Set([value]) }) as const),
    ...matchExpressions.map(({ key, operator, values = [] }): Requirement => {
      if (operator === "In" || operator === "NotIn") return { operator: operator === "In" ? "in" : "notIn", key, values: new Set(values) };
      if (operator === "Exists" || operator === "DoesNotExist") return { operator: operator === "Exists" ? "exists" : "doesNotExist", key };
      throw badSelector(`"${operator}" is not a valid label selector operator`);
    }),
  ];
}

/** As text, keys in order: what the scale subresource shows as its selector. */
export function labelSelectorText(selector: LabelSelector): string {
  return selector
    .map((requirement) => {
      switch (requirement.operator) {
        case "in":
        case "notIn": {
          const values = [...requirement.values].sort();
          if (values.length === 1) return `${requirement.key}${requirement.operator === "in" ? "=" : "!="}${values[0] ?? ""}`;
          return `${requirement.key} ${requirement.operator === "in" ? "in" : "notin"} (${values.join(",")})`;
        }
        case "exists":
          return requirement.key;
        case "doesNotExist":
          return `!${requirement.key}`;
        case "gt":
        case "lt":
          return `${requirement.key}${requirement.operator === "gt" ? ">" : "<"}${requirement.bound}`;
      }
    })
    .sort()
    .join(",");
}

function tokens(text: string): string[] {
  const found: string[] = [];
  const pattern = /\s*(?:([!=]=|[=!<>(),])|([^\s!=<>(),]+))/uy;
  let at = 0;
  while (at < text.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (!match) break; // only blanks are left
    found.push(match[1] ?? match[2] ?? "");
    at = pattern.lastIndex;
  }
  return found;
}

/** Nothing, or a word of the grammar. */
function isSign(word: string): boolean {
  return /^(?:[!=]?=|[!<>(),]|)$/u.test(word);
}

function keyOf(text: string): string {
  const [why] = qualifiedName(text);
  if (why !== undefined) throw badSelector(`<nil>: Invalid value: ${JSON.stringify(text)}: ${why}`);
  return text;
}

function valueOf(key: string, text: string): string {
  const [why] = labelValue(text);
  if (why !== undefined) throw badSelector(`values[0][${key}]: Invalid value: ${JSON.stringify(text)}: ${why}`);
  return text;
}

function whole(text: string): bigint {
  if (!/^-?\d{1,18}$/u.test(text))
    throw badSelector(`values[0]: Invalid value: ${JSON.stringify(text)}: for 'Gt', 'Lt' operators, the value must be an integer`);
  return BigInt(text);
}

function badSelector(why: string): StatusError {
  return new StatusError("BadRequest", `unable to parse requirement: ${why}`);
}
