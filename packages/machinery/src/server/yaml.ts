/**
 * YAML bodies to JSON values, with the keys that stand twice in one map. JSON is YAML, and what kubectl sends as apply-patch+yaml is JSON: it is read as such.
 *
 * Y1 a plain word is what Go's reader of Kubernetes takes it for: between YAML 1.1 (`yes`, `010`) and 1.2 (`0o10`; `1:20` and dates are texts)
 */
import { Fault } from "@mecha/kit";
import { isMap, isScalar, LineCounter, type Node, parseDocument, visit } from "yaml";
import { duplicateFields } from "./duplicates.ts";
import { goTags, unsupported } from "./yaml-words.ts";

/** Aliases expanded in one body: far above what people write, far below a billion laughs. */
const aliasesMax = 100;
/** Keys reported from one body; the rest is left out. */
const reportMax = 100;

export interface ParsedYaml {
  readonly value: unknown;
  /** `line 3: key "a" already set in map`, as the server has it. The last one counts. */
  readonly repeated: readonly string[];
}

/** Options for parsers of npm `yaml`: keeps Y1. The type does not name that package's, because it is published with the operator SDK, which has no need of it. */
export const kubernetesYaml: { readonly version: "1.1"; readonly customTags: never } = { version: "1.1", customTags: goTags as never };

/** @throws Error when it is no YAML */
export function parseYaml(text: string): ParsedYaml {
  return asJson(text) ?? asYaml(text);
}

function asJson(text: string): ParsedYaml | undefined {
  if (!/^\s*\{/u.test(text)) return undefined;
  try {
    return { value: JSON.parse(text), repeated: duplicateFields(text).map(({ key, line }) => repeatedText(key, line)) };
  } catch (error) {
    if (error instanceof Fault) throw error; // YAML's reader stops at fewer levels by itself
    return undefined; // a flow mapping that is no JSON, or nothing at all: YAML's reader will say
  }
}

function asYaml(text: string): ParsedYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, { uniqueKeys: false, lineCounter: lines, ...kubernetesYaml });
  const [error] = document.errors;
  if (error) throw new Error(problemText(error.message, error.linePos?.[0]));
  const repeated: string[] = [];
  visit(document, {
    Map: (_, map) => {
      if (!isMap(map) || repeated.length >= reportMax) return;
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) repeated.push(repeatedText(key.value, lines.linePos((key as Node).range?.[0] ?? 0).line));
        seen.add(key.value);
      }
    },
  });
  return { value: document.toJS({ maxAliasCount: aliasesMax }) as unknown, repeated };
}

/** The reader's sentence after the place, without the lines it shows below. */
function problemText(message: string, at: { readonly line: number; readonly col: number } | undefined): string {
  const sentence = message.split(/ at line \d+, column \d+:|\n/u, 1)[0] ?? "";
  if (sentence.startsWith(unsupported)) return sentence; // YAML has such a number, JSON has not
  return at ? `yaml: line ${at.line}, column ${at.col}: ${sentence}` : `yaml: ${sentence}`;
}

function repeatedText(key: unknown, line: number): string {
  return `line ${line}: key ${JSON.stringify(key)} already set in map`;
}
