/**
 * The part of JSONPath that printer columns, selectable fields and the scale subresource use: `.a.b`, `['a']`, `[0]`, `[*]`, `[?(@.type=="Ready")]`,
 * with `\.` for a dot in a name. Braces around the whole are allowed.
 */
import { isObject, own } from "../json.ts";

type Step =
  | { readonly do: "field"; readonly name: string }
  | { readonly do: "index"; readonly index: number }
  | { readonly do: "all" }
  | { readonly do: "filter"; readonly path: readonly Step[]; readonly op: "==" | "!=" | "exists"; readonly value: unknown };

export type JsonPath = readonly Step[];

/** @throws SyntaxError when the path has a form not listed above. */
export function parseJsonPath(text: string): JsonPath {
  const inner = /^\{(.*)\}$/s.exec(text.trim())?.[1] ?? text.trim();
  const steps: Step[] = [];
  let rest = inner.startsWith("$") || inner.startsWith("@") ? inner.slice(1) : inner;
  while (rest !== "") {
    const [step, length] = nextStep(rest, text);
    if (step) steps.push(step);
    rest = rest.slice(length);
  }
  return steps;
}

function nextStep(rest: string, whole: string): [Step | undefined, number] {
  const field = /^\.?((?:\\.|[^.[\]\\{}])+)/.exec(rest);
  if (field && !rest.startsWith("..")) {
    const name = (field[1] ?? "").replace(/\\(.)/g, "$1");
    return [name === "*" ? { do: "all" } : { do: "field", name }, field[0].length];
  }
  const quoted = /^\.?\[(?:'([^']*)'|"([^"]*)")\]/.exec(rest);
  if (quoted) return [{ do: "field", name: quoted[1] ?? quoted[2] ?? "" }, quoted[0].length];
  const index = /^\.?\[(-?\d{1,9})\]/.exec(rest);
  if (index) return [{ do: "index", index: Number(index[1]) }, index[0].length];
  const all = /^\.?\[\*\]/.exec(rest);
  if (all) return [{ do: "all" }, all[0].length];
  const filter = /^\.?\[\?\(\s*(@[^=!]*?)\s*(?:(==|!=)\s*('[^']*'|"[^"]*"|[^)'"]+?)\s*)?\)\]/.exec(rest);
  if (filter) {
    const [matched, path = "", op, value] = filter;
    return [
      { do: "filter", path: parseJsonPath(path), op: op === undefined ? "exists" : (op as "==" | "!="), value: literal(value) },
      matched.length,
    ];
  }
  if (rest === ".") return [undefined, 1];
  throw new SyntaxError(`unsupported JSONPath ${JSON.stringify(whole)} at ${JSON.stringify(rest)}`);
}

function literal(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  if (/^['"]/.test(text)) return text.slice(1, -1);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Every value the path leads to; none is an empty list. */
export function findAll(path: JsonPath, value: unknown): unknown[] {
  return path.reduce<unknown[]>((at, step) => at.flatMap((item) => follow(step, item)), [value]);
}

function follow(step: Step, value: unknown): unknown[] {
  switch (step.do) {
    case "field": {
      const inner = isObject(value) ? own(value, step.name) : undefined;
      return inner === undefined ? [] : [inner];
    }
    case "index": {
      const inner: unknown = Array.isArray(value) ? value.at(step.index) : undefined;
      return inner === undefined ? [] : [inner];
    }
    case "all":
      return Array.isArray(value) ? (value as unknown[]) : isObject(value) ? Object.values(value) : [];
    case "filter":
      return Array.isArray(value) ? value.filter((item) => passes(step, item)) : [];
  }
}

function passes(step: Step & { do: "filter" }, item: unknown): boolean {
  const [found] = findAll(step.path, item);
  if (step.op === "exists") return found !== undefined;
  return (found === step.value) === (step.op === "==") && found !== undefined;
}

/** Names of fields a path without brackets goes through, such as `.spec.replicas`; `undefined` for any other path. */
export function fieldNames(path: JsonPath): readonly string[] | undefined {
  const names = path.map((step) => (step.do === "field" ? step.name : undefined));
  return names.every((name) => name !== undefined) ? names : undefined;
}
