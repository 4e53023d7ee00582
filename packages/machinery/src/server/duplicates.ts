/** Finds fields that stand twice in one object of a JSON text, by walking the text once. The text has been parsed before: it is valid JSON. */
import { Fault } from "@mecha/kit";

/** Paths reported from one body; the rest is left out. */
const reportMax = 100;
/** Levels of a body: far more than people nest, far fewer than what goes through it, level by level, can stand. Go's reader takes 10,000. */
const depthMax = 1_000;

interface Frame {
  readonly fields: Set<string> | undefined;
  readonly path: string;
  index: number;
}

/** A field that stands twice. */
export interface Duplicate {
  /** `spec.ports[0].port` */
  readonly path: string;
  readonly key: string;
  /** Of the second mention, from 1. */
  readonly line: number;
}

/** In the order of the second mention. @throws Fault("invalid") for a body that is nested too deep */
export function duplicateFields(text: string): readonly Duplicate[] {
  const found: Duplicate[] = [];
  let line = 1;
  const stack: Frame[] = [];
  /** Path of the value that begins next. */
  let path = "";
  let expectKey = false;
  for (let at = 0; at < text.length; at++) {
    const top = stack.at(-1);
    if (stack.length > depthMax) throw new Fault("invalid", "exceeded max depth");
    switch (text[at]) {
      case "{":
        stack.push({ fields: new Set(), path, index: 0 });
        expectKey = true;
        break;
      case "[":
        stack.push({ fields: undefined, path, index: 0 });
        path = `${path}[0]`;
        expectKey = false;
        break;
      case "}":
      case "]":
        stack.pop();
        expectKey = false;
        break;
      case ",":
        expectKey = top?.fields !== undefined;
        if (top && !top.fields) path = `${top.path}[${++top.index}]`;
        break;
      case '"': {
        const end = endOfString(text, at);
        if (expectKey && top?.fields) {
          const key = JSON.parse(text.slice(at, end + 1)) as string;
          path = top.path === "" ? key : `${top.path}.${key}`;
          if (!top.fields.has(key)) top.fields.add(key);
          else if (found.length < reportMax) found.push({ path, key, line });
          expectKey = false;
        }
        at = end;
        break;
      }
      case "\n":
        line++;
        break;
      default: // numbers, words, colons and blanks say nothing about fields
    }
  }
  return found;
}

/** `duplicate field "spec.ports[0].port"`, as the server says it. */
export function duplicateTexts(text: string): readonly string[] {
  return duplicateFields(text).map(({ path }) => `duplicate field ${JSON.stringify(path)}`);
}

/** Index of the closing quote. */
function endOfString(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === '"') return at;
  }
  return text.length;
}
