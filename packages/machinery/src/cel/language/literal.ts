/** Values of literals: numbers within their range, texts and bytes with their escapes. */
import { Uint } from "./values.ts";

const intMin = -(2n ** 63n);
const intMax = 2n ** 63n - 1n;
const uintMax = 2n ** 64n - 1n;

export const isInt = (value: bigint): boolean => value >= intMin && value <= intMax;
export const isUint = (value: bigint): boolean => value >= 0n && value <= uintMax;

/** `undefined` outside the range. */
export function intLiteral(text: string, negative: boolean): bigint | undefined {
  const value = negative ? -BigInt(text) : BigInt(text);
  return isInt(value) ? value : undefined;
}

export function uintLiteral(text: string): Uint | undefined {
  const value = BigInt(text.slice(0, -1));
  return isUint(value) ? new Uint(value) : undefined;
}

export function floatLiteral(text: string, negative: boolean): number | undefined {
  const value = Number(text);
  return Number.isFinite(value) ? (negative ? -value : value) : undefined;
}

const single: Readonly<Record<string, string>> = { a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

/** Inside of a text token: without prefix and quotes, and whether escapes are left alone. */
function inside(text: string): { readonly body: string; readonly raw: boolean } {
  const raw = /^[rR]/u.test(text);
  const quoted = raw ? text.slice(1) : text;
  const quotes = /^("""|''')/u.test(quoted) ? 3 : 1;
  return { body: quoted.slice(quotes, -quotes).replaceAll("\r\n", "\n").replaceAll("\r", "\n"), raw };
}

const escapes = /\\(?:([0-3][0-7][0-7])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]))/gu;

/** @throws Error for a code point that is none. */
export function textLiteral(token: string): string {
  const { body, raw } = inside(token);
  if (raw) return body;
  return body.replace(escapes, (_, octal?: string, hex?: string, u4?: string, u8?: string, one?: string) => {
    if (one !== undefined) return single[one] ?? one;
    const code = octal === undefined ? parseInt(hex ?? u4 ?? u8 ?? "", 16) : parseInt(octal, 8);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) throw new Error("invalid unicode code point");
    return String.fromCodePoint(code);
  });
}

/** Escapes of one byte give that byte, everything else its UTF-8. */
export function bytesLiteral(token: string): Uint8Array {
  const { body, raw } = inside(token.slice(1));
  const encode = (text: string): number[] => [...new TextEncoder().encode(text)];
  if (raw) return Uint8Array.from(encode(body));
  const bytes: number[] = [];
  let last = 0;
  for (const match of body.matchAll(escapes)) {
    const [whole, octal, hex, u4, u8, one] = match;
    if (u4 !== undefined || u8 !== undefined) throw new Error("unable to unescape string");
    bytes.push(...encode(body.slice(last, match.index)));
    if (one === undefined) bytes.push(octal === undefined ? parseInt(hex ?? "", 16) : parseInt(octal, 8));
    else bytes.push(...encode(single[one] ?? one));
    last = match.index + whole.length;
  }
  return Uint8Array.from([...bytes, ...encode(body.slice(last))]);
}
