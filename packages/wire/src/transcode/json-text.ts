/** JSON documents from the network: text of bytes, and where a document goes wrong. */
import { Fault } from "@mecha/kit";

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The value of a JSON document.
 * @throws Fault("invalid") with line and column of the first mistake.
 */
export function parseJson(bytes: Uint8Array): unknown {
  let text;
  try {
    text = strictUtf8.decode(bytes);
  } catch {
    // The decoder does not say where, so neither do we.
    throw new Fault("invalid", "the body is not UTF-8");
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new Fault("invalid", `the body is not JSON: ${firstMistake(text)}`, { cause });
  }
}

/** Where and what the first mistake in `text` is. The engine's own message gives no position for most mistakes. */
export function firstMistake(text: string): string {
  const at = new JsonScanner(text).mistake();
  if (at >= text.length) return `it ends too early (character ${text.length + 1})`;
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  const column = at - before.lastIndexOf("\n");
  return `unexpected ${JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0))} at line ${line}, column ${column}`;
}

const blank = /[ \t\r\n]*/y;
const stringBody = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** Walks a document that is known to be wrong, without recursion, and stops at the mistake. */
class JsonScanner {
  readonly #text: string;
  #at = 0;
  /** What is open: "{" or "[". */
  readonly #open: string[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  mistake(): number {
    do {
      if (!this.#valueOrOpening()) return this.#at;
    } while (this.#toNextValue());
    return this.#at;
  }

  /** A scalar, or the openings of containers up to their first value. */
  #valueOrOpening(): boolean {
    for (;;) {
      this.#skip(blank);
      const start = this.#text.charAt(this.#at);
      if (start !== "{" && start !== "[") return this.#scalar(start);
      this.#at++;
      this.#skip(blank);
      if (this.#word(start === "{" ? "}" : "]")) return true;
      this.#open.push(start);
      if (start === "{" && !this.#key()) return false;
    }
  }

  #scalar(start: string): boolean {
    if (start === '"') return this.#string();
    return this.#word("true") || this.#word("false") || this.#word("null") || this.#skip(number);
  }

  /** After a value: closes what ends here, and moves behind the comma. False = wrong, or the end. */
  #toNextValue(): boolean {
    for (;;) {
      this.#skip(blank);
      const inside = this.#open.at(-1);
      const next = this.#text.charAt(this.#at);
      if (inside === undefined) return false;
      if (next === (inside === "{" ? "}" : "]")) {
        this.#at++;
        this.#open.pop();
      } else if (next === ",") {
        this.#at++;
        return inside === "[" || this.#key();
      } else return false;
    }
  }

  #key(): boolean {
    this.#skip(blank);
    if (!this.#string()) return false;
    this.#skip(blank);
    return this.#word(":");
  }

  #string(): boolean {
    return this.#skip(stringBody) && this.#word('"');
  }

  #word(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (!found) return false;
    this.#at += found[0].length;
    return true;
  }
}
