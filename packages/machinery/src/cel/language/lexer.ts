/** Text to tokens. @see CEL language definition, section "Syntax". */
import type { Issue } from "./issue.ts";

export type TokenKind = "int" | "uint" | "float" | "string" | "bytes" | "name" | "quoted" | "word" | "sign" | "end";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly at: number;
}

/** Words that are no names; `in` is an operator. */
const words = new Set(["true", "false", "null", "in"]);

const escape = String.raw`\\(?:[abfnrtv"'\\?\x60]|[0-3][0-7][0-7]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})`;
const textForms = [
  String.raw`[rR]"""[\s\S]*?"""`,
  String.raw`[rR]'''[\s\S]*?'''`,
  String.raw`[rR]"[^"\n\r]*"`,
  String.raw`[rR]'[^'\n\r]*'`,
  String.raw`"""(?:${escape}|[^\\])*?"""`,
  String.raw`'''(?:${escape}|[^\\])*?'''`,
  String.raw`"(?:${escape}|[^\\"\n\r])*"`,
  String.raw`'(?:${escape}|[^\\'\n\r])*'`,
].join("|");

/** Each alternative starts at its own characters, and none repeats a repetition: the whole runs in linear time. */
const token = new RegExp(
  [
    String.raw`(?<space>[\t \r\n\f]+|//[^\n]*)`,
    String.raw`(?<float>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)`,
    String.raw`(?<uint>0x[0-9a-fA-F]+[uU]|\d+[uU])`,
    String.raw`(?<int>0x[0-9a-fA-F]+|\d+)`,
    String.raw`(?<bytes>[bB](?:${textForms}))`,
    String.raw`(?<string>${textForms})`,
    String.raw`(?<name>[A-Za-z_][A-Za-z0-9_]*)`,
    "(?<quoted>`[A-Za-z0-9_.\\-/ ]+`)",
    String.raw`(?<sign>==|!=|<=|>=|&&|\|\||[-<>[\](){}.,!?:+*/%])`,
  ].join("|"),
  "uy",
);

/** The tokens, `end` last. Characters that begin none are left out and told. */
export function tokens(source: string): { readonly tokens: Token[]; readonly issues: Issue[] } {
  const found: Token[] = [];
  const issues: Issue[] = [];
  for (let at = 0; at < source.length;) {
    token.lastIndex = at;
    const match = token.exec(source);
    if (!match) {
      const length = unrecognised(source, at);
      issues.push({ message: `Syntax error: token recognition error at: '${shown(source.slice(at, at + length))}'`, at });
      at += length;
      continue;
    }
    const [text] = match;
    const kind = Object.keys(match.groups ?? {}).find((name) => match.groups?.[name] !== undefined);
    if (kind !== "space") found.push({ kind: kind === "name" && words.has(text) ? "word" : (kind as TokenKind), text, at });
    at += text.length;
  }
  found.push({ kind: "end", text: "<EOF>", at: source.length });
  return { tokens: found, issues };
}

/** What could have begun a token, and the character that ended it. */
const begun = new RegExp(
  String.raw`[bB]?(?:[rR](?:"[^"\n\r]*|'[^'\n\r]*)|"(?:${escape}|[^\\"\n\r])*\\?|'(?:${escape}|[^\\'\n\r])*\\?)|[&|=]`,
  "uy",
);

function unrecognised(source: string, at: number): number {
  begun.lastIndex = at;
  const length = begun.exec(source)?.[0].length ?? 0;
  const [next] = source.slice(at + length);
  return length + (next?.length ?? 0);
}

const shown = (text: string): string => text.replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t");
