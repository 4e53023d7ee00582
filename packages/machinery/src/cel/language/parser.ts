/**
 * Tokens to an expression. One syntax error ends it; mistakes inside (literals out of range, wrong arguments of macros) are collected.
 *
 * Invariants
 * P1 nothing a user writes recurses deeper than `maxDepth`, so that every later walk over the expression is safe as well
 */
import { type Expr, type MapEntry } from "./ast.ts";
import type { Issue } from "./issue.ts";
import { type Token, tokens } from "./lexer.ts";
import { bytesLiteral, floatLiteral, intLiteral, textLiteral, uintLiteral } from "./literal.ts";
import { expandMacro, MacroError } from "./macros.ts";

/** Levels of nesting and links of a chain of operators, members or calls; the server's. */
const maxDepth = 250;
/** Characters of an expression; the server's. */
const maxLength = 100_000;

/** Words that are legal as fields, not as variables. */
const reserved = new Set("as break const continue else for function if import let loop package namespace return var void while".split(" "));

/** Signs and words, in the order the server's parser lists what it expects. */
const signs = ["[", "]", "{", "}", "(", ")", ".", ",", "-", "!", "?", ":", "true", "false", "null"];
const operandSigns = new Set(["[", "{", "(", ".", "-", "!", "true", "false", "null"]);

/** What may stand where an operand is expected, and what else there. */
function operands(others: readonly string[]): string {
  const named = signs.filter((sign) => operandSigns.has(sign) || others.includes(sign)).map((sign) => `'${sign}'`);
  return `{${[...named, "NUM_FLOAT", "NUM_INT", "NUM_UINT", "STRING", "BYTES", "IDENTIFIER"].join(", ")}}`;
}

function beginsOperand({ kind, text }: Token): boolean {
  return kind === "sign" || kind === "word" ? operandSigns.has(text) : kind !== "end" && kind !== "quoted";
}

class SyntaxIssue extends Error {
  readonly at: number | undefined;
  constructor(message: string, at: number | undefined) {
    super(message);
    this.at = at;
  }
}

export interface Parsed {
  /** `undefined` when there are issues. */
  readonly expr: Expr | undefined;
  readonly issues: readonly Issue[];
}

export function parse(source: string): Parsed {
  const length = source.length > maxLength ? Array.from(source).length : 0;
  if (length > maxLength) {
    const message = `expression code point size exceeds limit: size: ${String(length)}, limit ${String(maxLength)}`;
    return { expr: undefined, issues: [{ message, at: undefined }] };
  }
  const read = tokens(source);
  const parser = new Parser(read.tokens, read.issues);
  const expr = parser.whole();
  return { expr: parser.issues.length > 0 ? undefined : expr, issues: parser.issues };
}

/** Operators of two operands by how tightly they bind, loosest first. */
const levels: readonly (readonly string[])[] = [
  ["<", "<=", ">=", ">", "==", "!=", "in"],
  ["+", "-"],
  ["*", "/", "%"],
];

class Parser {
  readonly issues: Issue[];
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;
  /** How deep the expression below a node is (keeps P1). */
  readonly #depths = new Map<Expr, number>();

  constructor(read: readonly Token[], issues: Issue[]) {
    this.#tokens = read;
    this.issues = issues;
  }

  whole(): Expr | undefined {
    try {
      const expr = this.#expr();
      const { kind, text, at } = this.#peek();
      if (kind !== "end") throw new SyntaxIssue(`Syntax error: ${this.#trailing()} input '${text}' expecting <EOF>`, at);
      return expr;
    } catch (error) {
      if (!(error instanceof SyntaxIssue)) throw error;
      this.issues.push({ message: error.message, at: error.at });
      return undefined;
    }
  }

  /** One token too many is extraneous, several are a mismatch. */
  #trailing(): string {
    return this.#tokens[this.#next + 1]?.kind === "end" ? "extraneous" : "mismatched";
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: "end", text: "<EOF>", at: 0 };
  }

  #is(text: string): boolean {
    const { kind, text: has } = this.#peek();
    return has === text && (kind === "sign" || kind === "word");
  }

  #take(): Token {
    const token = this.#peek();
    if (token.kind !== "end") this.#next++;
    return token;
  }

  #skip(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#next++;
    return true;
  }

  /** A sign that must come. One token too many before it is left out, a missing one is made up for, so that what follows can be told as well. */
  #expect(text: string, others: readonly string[] = []): Token {
    const token = this.#peek();
    if (this.#is(text)) return this.#take();
    const expected = others.length > 0 ? `{${[text, ...others].map((sign) => `'${sign}'`).join(", ")}}` : `'${text}'`;
    const after = this.#tokens[this.#next + 1];
    if (after?.kind === "sign" && after.text === text) {
      this.#tell(`extraneous input '${token.text}' expecting ${expected}`, token.at);
      this.#next++;
      return this.#take();
    }
    const canFollow = text === ":" ? beginsOperand(token) : others.length === 0 && !beginsOperand(token) && token.text !== ",";
    if (!canFollow) throw new SyntaxIssue(`Syntax error: mismatched input '${token.text}' expecting ${expected}`, token.at);
    this.#tell(`missing '${text}' at '${token.text}'`, token.at);
    return { kind: "sign", text, at: token.at };
  }

  #tell(message: string, at: number): void {
    this.issues.push({ message: `Syntax error: ${message}`, at });
  }

  #deeper<T>(read: () => T): T {
    if (++this.#depth > maxDepth) throw this.#tooDeep();
    const result = read();
    this.#depth--;
    return result;
  }

  #tooDeep(): SyntaxIssue {
    return new SyntaxIssue(`expression recursion limit exceeded: ${String(maxDepth)}`, undefined);
  }

  #expr(): Expr {
    return this.#deeper(() => {
      const condition = this.#logical("||");
      if (!this.#is("?")) return condition;
      const { at } = this.#take();
      const then = this.#logical("||");
      this.#expect(":");
      return this.#call(at, "_?_:_", undefined, [condition, then, this.#expr()]);
    });
  }

  #made<T extends Expr>(expr: T, parts: readonly Expr[]): T {
    const depth = parts.reduce((deepest, part) => Math.max(deepest, this.#depths.get(part) ?? 0), 0) + 1;
    if (depth > maxDepth) throw new SyntaxIssue("max recursion depth exceeded", undefined);
    this.#depths.set(expr, depth);
    return expr;
  }

  /** A chain of && or || as a tree of little depth. */
  #logical(operator: "&&" | "||"): Expr {
    const term = (): Expr => (operator === "||" ? this.#logical("&&") : this.#binary(0));
    const terms = [term()];
    const ats: number[] = [];
    while (this.#is(operator)) {
      ats.push(this.#take().at);
      terms.push(term());
    }
    const whole = balanced(operator === "&&" ? "_&&_" : "_||_", terms, ats);
    return terms.length === 1 ? whole : this.#made(whole, terms);
  }

  #binary(level: number): Expr {
    const operators = levels[level];
    if (!operators) return this.#unary();
    let left = this.#binary(level + 1);
    for (let links = 1; operators.some((text) => this.#is(text)); links++) {
      if (links > maxDepth) throw this.#tooDeep();
      const { text, at } = this.#take();
      left = this.#call(at, text === "in" ? "@in" : `_${text}_`, undefined, [left, this.#binary(level + 1)]);
    }
    return left;
  }

  #unary(): Expr {
    const { text, at, kind } = this.#peek();
    if (kind !== "sign" || (text !== "!" && text !== "-")) return this.#member(this.#primary());
    const number = this.#tokens[this.#next + 1];
    if (text === "-" && (number?.kind === "int" || number?.kind === "float")) {
      this.#take();
      return this.#member(this.#number(at, true));
    }
    let times = 0;
    while (this.#skip(text)) times++;
    const operand = this.#member(this.#primary());
    return times % 2 === 0 ? operand : this.#call(at, text === "!" ? "!_" : "-_", undefined, [operand]);
  }

  #member(start: Expr): Expr {
    let expr = start;
    for (let links = 1; this.#is(".") || this.#is("["); links++) {
      if (links > maxDepth) throw this.#tooDeep();
      expr = this.#is(".") ? this.#field(expr) : this.#index(expr);
    }
    return expr;
  }

  #field(operand: Expr): Expr {
    const dot = this.#take();
    const optional = this.#skip("?");
    const name = this.#peek();
    if (name.kind !== "name" && name.kind !== "quoted") return this.#noField(operand, name);
    this.#take();
    if (name.kind === "quoted") this.issues.push({ message: "unsupported syntax: '`'", at: name.at });
    if (optional) {
      const field: Expr = { kind: "literal", value: name.text, at: name.at };
      return this.#made({ kind: "call", name: "_?._", target: undefined, args: [operand, field], at: dot.at }, [operand]);
    }
    if (!this.#is("(")) return this.#made({ kind: "select", operand, field: name.text, test: false, at: dot.at }, [operand]);
    const { at } = this.#take();
    return this.#call(at, name.text, operand, this.#arguments());
  }

  /** The operand alone; what stands there is read as what follows it. */
  #noField(operand: Expr, { text, at, kind }: Token): Expr {
    const isLiteral = kind === "word" && text !== "in";
    const message = isLiteral
      ? `mismatched input '${text}' expecting IDENTIFIER`
      : `no viable alternative at input '.${kind === "end" ? "" : text}'`;
    if (kind !== "word") throw new SyntaxIssue(`Syntax error: ${message}`, at);
    this.#tell(message, at);
    if (isLiteral) this.#take();
    return operand;
  }

  #index(operand: Expr): Expr {
    const { at } = this.#take();
    const optional = this.#skip("?");
    this.#operandNext(optional ? [] : ["?"]);
    const index = this.#expr();
    this.#expect("]");
    return this.#call(at, optional ? "_[?_]" : "_[_]", undefined, [operand, index]);
  }

  #arguments(): Expr[] {
    const args: Expr[] = [];
    if (this.#skip(")")) return args;
    this.#operandNext([")"]);
    if (this.#skip(")")) return args;
    do args.push(this.#expr());
    while (this.#skip(","));
    this.#expect(")");
    return args;
  }

  #primary(): Expr {
    this.#operandNext();
    const { kind, text, at } = this.#peek();
    switch (kind) {
      case "int":
      case "float":
        return this.#number(at, false);
      case "uint":
      case "string":
      case "bytes":
        return this.#valued();
      case "name":
        return this.#named(at, "");
      case "word":
        this.#take();
        return { kind: "literal", value: text === "null" ? null : text === "true", at };
      case "sign":
        if (this.#skip("(")) return this.#nested();
        if (this.#skip("[")) return this.#list(at);
        if (this.#skip("{")) return this.#map(at);
        if (this.#skip(".")) {
          if (this.#peek().kind === "name") return this.#named(this.#peek().at, ".");
          throw new SyntaxIssue(`Syntax error: no viable alternative at input '.${this.#peek().text}'`, this.#peek().at);
        }
        break;
      case "quoted":
      case "end":
    }
    throw new SyntaxIssue(`Syntax error: mismatched input '${text}' expecting ${operands([])}`, at);
  }

  /** Tells of what is there in place of an operand. One token too many is left out. @param others What else may come here. */
  #operandNext(others: readonly string[] = []): void {
    const token = this.#peek();
    if (beginsOperand(token) || others.includes(token.text)) return;
    const after = this.#tokens[this.#next + 1];
    const isExtra = token.kind !== "end" && after !== undefined && (beginsOperand(after) || others.includes(after.text));
    const message = `${isExtra ? "extraneous" : "mismatched"} input '${token.text}' expecting ${operands(others)}`;
    if (!isExtra) throw new SyntaxIssue(`Syntax error: ${message}`, token.at);
    this.#tell(message, token.at);
    this.#next++;
  }

  #nested(): Expr {
    const expr = this.#expr();
    this.#expect(")");
    return expr;
  }

  #number(at: number, negative: boolean): Expr {
    const { kind, text } = this.#take();
    const value = kind === "int" ? intLiteral(text, negative) : floatLiteral(text, negative);
    if (value === undefined) this.issues.push({ message: `invalid ${kind === "int" ? "int" : "double"} literal`, at });
    return { kind: "literal", value: value ?? 0n, at };
  }

  #valued(): Expr {
    const { kind, text, at } = this.#take();
    try {
      const value = kind === "uint" ? uintLiteral(text) : kind === "bytes" ? bytesLiteral(text) : textLiteral(text);
      if (value === undefined) throw new Error("invalid uint literal");
      return { kind: "literal", value, at };
    } catch (error) {
      this.issues.push({ message: (error as Error).message, at });
      return { kind: "literal", value: null, at };
    }
  }

  #named(start: number, dot: string): Expr {
    const { text, at } = this.#take();
    const name = `${dot}${text}`;
    if (this.#is("(")) {
      const open = this.#take().at;
      if (reserved.has(text)) this.issues.push({ message: `reserved identifier: ${text}`, at: start });
      return this.#call(open, name, undefined, this.#arguments());
    }
    const message = this.#messageName(name);
    if (message !== undefined) return this.#struct(message);
    if (reserved.has(text)) this.issues.push({ message: `reserved identifier: ${text}`, at: start });
    return { kind: "ident", name, at };
  }

  /** The name of a message literal `a.b.C{`, when that is what follows; its names are then read. */
  #messageName(first: string): string | undefined {
    let name = first;
    let ahead = this.#next;
    while (this.#tokens[ahead]?.text === "." && this.#tokens[ahead + 1]?.kind === "name") {
      name += `.${this.#tokens[ahead + 1]?.text ?? ""}`;
      ahead += 2;
    }
    if (this.#tokens[ahead]?.kind !== "sign" || this.#tokens[ahead]?.text !== "{") return undefined;
    this.#next = ahead;
    return name;
  }

  #struct(name: string): Expr {
    const { at } = this.#take();
    const values: Expr[] = [];
    while (!this.#is("}")) {
      this.#skip("?");
      const field = this.#take();
      if (field.kind !== "name")
        throw new SyntaxIssue(`Syntax error: mismatched input '${field.text}' expecting {'}', '?', ',', IDENTIFIER}`, field.at);
      this.#expect(":");
      values.push(this.#expr());
      if (!this.#skip(",")) break;
    }
    this.#expect("}");
    return this.#made({ kind: "struct", name, values, at }, values);
  }

  #list(at: number): Expr {
    const elements: { value: Expr; optional: boolean }[] = [];
    this.#operandNext(["]", ",", "?"]);
    while (!this.#is("]") && !this.#is(",")) {
      elements.push({ optional: this.#skip("?"), value: this.#expr() });
      if (!this.#is(",")) break;
      if (["]", ","].includes(this.#tokens[this.#next + 1]?.text ?? "")) break;
      this.#take();
    }
    this.#expect("]", this.#skip(",") ? [] : [","]);
    const values = elements.map(({ value }) => value);
    return this.#made({ kind: "list", elements, at }, values);
  }

  #map(at: number): Expr {
    const entries = this.#entries();
    const parts = entries.flatMap(({ key, value }) => [key, value]);
    return this.#made({ kind: "map", entries, at }, parts);
  }

  #entries(): MapEntry[] {
    const entries: MapEntry[] = [];
    this.#operandNext(["}", ",", "?"]);
    while (!this.#is("}") && !this.#is(",")) {
      const optional = this.#skip("?");
      const key = this.#expr();
      const { at } = this.#expect(":");
      entries.push({ key, value: this.#expr(), optional, at });
      if (!this.#is(",")) break;
      if (["}", ","].includes(this.#tokens[this.#next + 1]?.text ?? "")) break;
      this.#take();
    }
    this.#expect("}", this.#skip(",") ? [] : [","]);
    return entries;
  }

  /** A call, or what the macro of its name makes of it. */
  #call(at: number, name: string, target: Expr | undefined, args: readonly Expr[]): Expr {
    const call: Expr = { kind: "call", name, target, args, at };
    const parts = target ? [target, ...args] : args;
    try {
      return this.#made(expandMacro(call) ?? call, parts);
    } catch (error) {
      if (!(error instanceof MacroError)) throw error;
      this.issues.push({ message: error.message, at: error.at });
      return call;
    }
  }
}

function balanced(name: string, terms: readonly Expr[], ats: readonly number[]): Expr {
  const tree = (from: number, to: number): Expr => {
    if (from === to) return terms[from] as Expr;
    const middle = Math.floor((from + to - 1) / 2);
    return { kind: "call", name, target: undefined, args: [tree(from, middle), tree(middle + 1, to)], at: ats[middle] ?? 0 };
  };
  return tree(0, terms.length - 1);
}
