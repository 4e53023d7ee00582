/** What Go's reader says of a text that is no JSON, as the API's messages hold it. Only called for texts JSON.parse has refused. */

const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/uy;
const stringPattern = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
const literals = ["true", "false", "null"] as const;

const ended = "unexpected end of JSON input";

/** `invalid character 'h' looking for beginning of value` */
export function jsonProblem(text: string): string {
  const reader = new Reader(text);
  /** What is open: `{` or `[`. */
  const open: string[] = [];
  for (let state: "value" | "key" | "after" = "value"; ;) {
    const char = reader.next();
    const top = open.at(-1);
    if (char === "") return ended;
    if (state === "after") {
      if (top === undefined) return invalid(char, "after top-level value");
      if (char === ",") state = top === "{" ? "key" : "value";
      else if (char === (top === "{" ? "}" : "]")) open.pop();
      else return invalid(char, top === "{" ? "after object key:value pair" : "after array element");
      reader.at++;
      continue;
    }
    if (state === "key") {
      if (char !== '"') return invalid(char, "looking for beginning of object key string");
      const problem = reader.string();
      if (problem !== undefined) return problem;
      const colon = reader.next();
      if (colon !== ":") return colon === "" ? ended : invalid(colon, "after object key");
      reader.at++;
      state = "value";
      continue;
    }
    if (char === "{" || char === "[") {
      open.push(char);
      reader.at++;
      const first = reader.next();
      if (first === (char === "{" ? "}" : "]")) {
        open.pop();
        reader.at++;
        state = "after";
      } else state = char === "{" ? "key" : "value";
      continue;
    }
    const problem = reader.scalar(char);
    if (problem !== undefined) return problem;
    state = "after";
  }
}

class Reader {
  readonly #text: string;
  at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The next sign that is no blank; empty at the end. */
  next(): string {
    while (/[ \t\r\n]/u.test(this.#text[this.at] ?? "")) this.at++;
    return String.fromCodePoint(...[this.#text.codePointAt(this.at)].filter((code) => code !== undefined));
  }

  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.#text)?.[0];
    this.at += found?.length ?? 0;
    return found !== undefined;
  }

  /** @returns What is wrong with it. */
  string(): string | undefined {
    if (this.#take(stringPattern)) return undefined;
    for (let i = this.at + 1; i < this.#text.length; i++) {
      const char = this.#text[i] ?? "";
      if (char < " ") return invalid(char, "in string literal");
      if (char !== "\\") continue;
      const code = this.#text[++i] ?? "";
      if (code === "") return ended;
      if (!/["\\/bfnrtu]/u.test(code)) return invalid(code, "in string escape code");
      if (code !== "u") continue;
      for (let digits = 0; digits < 4; digits++) {
        const digit = this.#text[++i] ?? "";
        if (digit === "") return ended;
        if (!/[0-9a-fA-F]/u.test(digit)) return invalid(digit, String.raw`in \u hexadecimal character escape`);
      }
    }
    return ended;
  }

  /** @returns What is wrong with it. */
  scalar(first: string): string | undefined {
    if (first === '"') return this.string();
    if (/[-\d]/u.test(first)) {
      if (this.#take(numberPattern)) return undefined;
      const after = this.#text[this.at + 1] ?? "";
      return after === "" ? ended : invalid(after, "in numeric literal");
    }
    const literal = literals.find((each) => each.startsWith(first));
    if (literal === undefined) return invalid(first, "looking for beginning of value");
    for (const expected of literal) {
      const char = this.#text[this.at] ?? "";
      if (char === "") return ended;
      if (char !== expected) return invalid(char, `in literal ${literal} (expecting '${expected}')`);
      this.at++;
    }
    return undefined;
  }
}

/** Go reads bytes: of a sign beyond ASCII it shows the first. */
function invalid(char: string, where: string): string {
  const [byte = 0] = new TextEncoder().encode(char);
  const shown = char === "'" ? String.raw`'\''` : char === '"' ? `'"'` : `'${JSON.stringify(String.fromCodePoint(byte)).slice(1, -1)}'`;
  return `invalid character ${shown} ${where}`;
}
