/**
 * Path templates of google.api.http:
 *
 *   Template  = "/" [ Segments ] [ ":" Literal ]
 *   Segments  = Segment { "/" Segment }
 *   Segment   = "*" | "**" | Literal | "{" FieldPath [ "=" Segments ] "}"
 *   FieldPath = Name { "." Name }
 *
 * `*` is one segment that is not empty, `**` is any number of segments and stands last. Variables do not nest.
 */
import { Fault } from "@mecha/kit";

/** What one part of a path between slashes must be. */
export type TemplateSegment = { readonly is: "literal"; readonly text: string } | { readonly is: "one" } | { readonly is: "rest" };

/** A variable and the segments it stands for: `[from, to)`; `to` is undefined when they run to the end of the path. */
export interface TemplateVariable {
  /** Names as written: `cart.id` is ["cart", "id"]. */
  readonly fieldPath: readonly string[];
  readonly from: number;
  readonly to: number | undefined;
}

export interface PathTemplate {
  /** As written. */
  readonly text: string;
  readonly segments: readonly TemplateSegment[];
  readonly variables: readonly TemplateVariable[];
  /** What follows the last ":", without it. */
  readonly verb: string | undefined;
}

/** Most segments in a template; real ones have under ten. */
export const templateSegmentsMax = 100;

/** @throws Fault("invalid") saying what is wrong and at which character. */
export function parseTemplate(text: string): PathTemplate {
  return new TemplateParser(text).parse();
}

/** What the template accepts, without the names of its variables. Two templates of one shape match the same paths. */
export function templateShape(template: PathTemplate): string {
  const parts = template.segments.map((segment) =>
    segment.is === "literal" ? encodeURIComponent(segment.text) : segment.is === "one" ? "*" : "**",
  );
  return `/${parts.join("/")}${template.verb === undefined ? "" : `:${encodeURIComponent(template.verb)}`}`;
}

class TemplateParser {
  readonly #text: string;
  #at = 0;
  readonly #segments: TemplateSegment[] = [];
  readonly #variables: TemplateVariable[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  parse(): PathTemplate {
    if (!this.#take("/")) throw this.#wrong("must begin with /");
    if (!this.#done && !this.#sees(":")) this.#segmentsUntilEnd(false);
    const verb = this.#take(":") ? this.#literal("a verb after :") : undefined;
    if (!this.#done) throw this.#wrong(`has ${JSON.stringify(this.#next)} where it should end`);
    return { text: this.#text, segments: this.#segments, variables: this.#variables, verb };
  }

  #segmentsUntilEnd(inVariable: boolean): void {
    do this.#segment(inVariable);
    while (this.#take("/"));
  }

  #segment(inVariable: boolean): void {
    if (this.#segments.at(-1)?.is === "rest") throw this.#wrong("has something behind **, which must be the last segment");
    if (this.#segments.length >= templateSegmentsMax) throw this.#wrong(`has more than ${templateSegmentsMax} segments`);
    if (this.#sees("{")) {
      if (inVariable) throw this.#wrong("has a variable inside a variable");
      this.#variable();
    } else if (this.#take("**")) this.#segments.push({ is: "rest" });
    else if (this.#take("*")) this.#segments.push({ is: "one" });
    else this.#segments.push({ is: "literal", text: this.#literal("a segment") });
  }

  #variable(): void {
    this.#take("{");
    const fieldPath = [this.#name()];
    while (this.#take(".")) fieldPath.push(this.#name());
    const from = this.#segments.length;
    if (this.#take("=")) this.#segmentsUntilEnd(true);
    else this.#segments.push({ is: "one" });
    if (!this.#take("}")) throw this.#wrong(`has a variable ${fieldPath.join(".")} that is not closed by }`);
    const name = fieldPath.join(".");
    if (this.#variables.some((other) => other.fieldPath.join(".") === name)) throw this.#wrong(`has the variable ${name} twice`);
    this.#variables.push({ fieldPath, from, to: this.#segments.at(-1)?.is === "rest" ? undefined : this.#segments.length });
  }

  #name(): string {
    const name = /[A-Za-z_][A-Za-z0-9_]*/y;
    name.lastIndex = this.#at;
    const found = name.exec(this.#text)?.[0];
    if (found === undefined) throw this.#wrong("needs a field name");
    this.#at += found.length;
    return found;
  }

  #literal(what: string): string {
    const literal = /[^/*{}:=?#\s]+/y;
    literal.lastIndex = this.#at;
    const found = literal.exec(this.#text)?.[0];
    if (found === undefined) throw this.#wrong(`needs ${what}`);
    try {
      const decoded = decodeURIComponent(found);
      this.#at += found.length;
      return decoded;
    } catch {
      // Only a stray % makes decoding fail.
      throw this.#wrong("has a % that begins no percent-encoding");
    }
  }

  get #done(): boolean {
    return this.#at >= this.#text.length;
  }
  get #next(): string {
    return this.#text.charAt(this.#at);
  }
  #sees(token: string): boolean {
    return this.#text.startsWith(token, this.#at);
  }
  #take(token: string): boolean {
    if (!this.#sees(token)) return false;
    this.#at += token.length;
    return true;
  }
  #wrong(problem: string): Fault {
    return new Fault("invalid", `path template ${JSON.stringify(this.#text)} ${problem} (character ${this.#at + 1})`);
  }
}
