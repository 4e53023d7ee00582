/** Paths of x-kubernetes-validations' fieldPath: `.a.b`, `['a.b']`, `.map['key']`. Lists have no places in them. */
import { isObject } from "../json.ts";
import type { JsonSchema } from "../crd/schema.ts";

/** The path as problems show it; `undefined` when the schema has nothing there. */
export function parseFieldPath(text: string, schema: JsonSchema): string | undefined {
  let at: JsonSchema | undefined = schema;
  let shown = "";
  let rest = text;
  while (rest !== "") {
    const step = /^(?:\.([^.[\]]+)|\['((?:[^'\\]|\\.)*)'\])/u.exec(rest);
    if (!step || !at) return undefined;
    const name = step[1] ?? unescaped(step[2] ?? "");
    if (name === undefined) return undefined;
    if (at.properties) {
      shown += shown === "" ? name : `.${name}`;
      at = Object.hasOwn(at.properties, name) ? at.properties[name] : undefined;
      if (!at) return undefined;
    } else if (isObject(at.additionalProperties)) {
      shown += `[${name}]`;
      at = at.additionalProperties;
    } else return undefined;
    rest = rest.slice(step[0].length);
  }
  return shown;
}

const escapes: Readonly<Record<string, string>> = { a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v", "'": "'", "\\": "\\" };

function unescaped(text: string): string | undefined {
  let fine = true;
  const plain = text.replace(/\\(.)/gu, (_, char: string) => {
    fine &&= Object.hasOwn(escapes, char);
    return escapes[char] ?? "";
  });
  return fine ? plain : undefined;
}
