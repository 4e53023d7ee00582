/**
 * The head of an HTTP/1.1 request (RFC 9112), read strictly: what two parsers could read in two ways is refused, because a proxy in front of us
 * may have read it the other way (request smuggling).
 *
 * Invariants
 * H1 lines end in CR LF; a CR or LF anywhere else, NUL and other control characters are refused, and so are folded lines (§2.2, §5.2)
 * H2 no blank between a header's name and its colon (§5.1)
 * H3 a body's length is said once and in one way: digits alone, or `chunked` alone, never both (§6.1, §6.3)
 * H4 HTTP/1.1 requests name exactly one host (§3.2)
 */

/** A request's head. */
export interface RequestHead {
  readonly method: string;
  /** As sent: in any of the four forms of RFC 9112 §3.2. */
  readonly target: string;
  /** 0 for HTTP/1.0. */
  readonly minor: 0 | 1;
  /** Names in lower case; a header sent twice is joined with `, `, `cookie` with `; `. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Bytes, or that they come in chunks; 0 = none. */
  readonly body: number | "chunked";
  /** The client would use the connection again. */
  readonly keepAlive: boolean;
  /** It waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
}

/** Why a request is refused, as HTTP says it. Its connection cannot be used again. */
export interface HeadRefusal {
  readonly refused: number;
}

/** Lines of headers taken; browsers send about 20. Past it: 431. */
export const headerLinesMax = 256;

/** Targets are a path, `http(s)://…` or `*` (RFC 9112 §3.2). */
const requestLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\/[\x21-\x7e]*|[Hh][Tt][Tt][Pp][Ss]?:\/\/[\x21-\x7e]+|\*) HTTP\/(\d)\.(\d)$/;
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What may stand in no head (H1). Latin-1 above ASCII may, in values (§5.5 of RFC 9110, obs-text). */
const forbidden = /[^\t\x20-\x7e\x80-\xff\r\n]|\r(?!\n)|(?<!\r)\n/;
/** Up to 2^53; more than anybody may send anyway. */
const digits = /^\d{1,15}$/;

/** Names met before, in lower case, so that they need no second look. The limit keeps strangers from filling it. */
const knownNames = new Map<string, string>();
const knownNamesMax = 512;

/** The name in lower case; `undefined` when it is none (keeps H2: a blank is no token character). */
function lowerName(name: string): string | undefined {
  if (!token.test(name)) return undefined;
  const lower = name.toLowerCase();
  if (knownNames.size < knownNamesMax) knownNames.set(name, lower);
  return lower;
}

/** @param text The head in Latin-1, without the empty line that ends it. */
export function parseHead(text: string): RequestHead | HeadRefusal {
  if (forbidden.test(text)) return badRequest; // keeps H1
  const firstEnd = text.indexOf("\r\n");
  const first = requestLine.exec(firstEnd < 0 ? text : text.slice(0, firstEnd));
  if (first === null) return badRequest;
  if (first[3] !== "1") return { refused: 505 };
  const headers = firstEnd < 0 ? {} : readHeaders(text, firstEnd);
  if ("refused" in headers && typeof headers.refused === "number") return headers as HeadRefusal;
  return frame(first[1] as string, first[2] as string, first[4] === "0" ? 0 : 1, headers as Record<string, string | undefined>);
}

const badRequest: HeadRefusal = { refused: 400 };

/** @param end Where the line before the first header ends. */
function readHeaders(text: string, end: number): Record<string, string | undefined> | HeadRefusal {
  // A plain object: one without a prototype is slow in V8. `__proto__` as a name has no effect on it.
  const headers: Record<string, string | undefined> = {};
  let lines = 0;
  for (let next = end; next >= 0;) {
    const start = next + 2;
    next = text.indexOf("\r\n", start);
    const stop = next < 0 ? text.length : next;
    const colon = text.indexOf(":", start);
    if (colon <= start || colon >= stop) return badRequest;
    if (++lines > headerLinesMax) return { refused: 431 };
    const name = text.slice(start, colon);
    const lower = knownNames.get(name) ?? lowerName(name);
    if (lower === undefined) return badRequest;
    const value = trimmed(text, colon + 1, stop);
    const before = headers[lower];
    if (typeof before !== "string") headers[lower] = value;
    else if (lower === "host")
      return badRequest; // keeps H4
    else headers[lower] = `${before}${lower === "cookie" ? "; " : ", "}${value}`;
  }
  return headers;
}

/** Without blanks around it. */
function trimmed(text: string, from: number, to: number): string {
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isBlank(unit: number): boolean {
  return unit === 0x20 || unit === 0x09;
}

function frame(method: string, target: string, minor: 0 | 1, headers: Record<string, string | undefined>): RequestHead | HeadRefusal {
  if (minor === 1 && headers["host"] === undefined) return badRequest; // keeps H4
  const body = bodyOf(minor, headers);
  if (typeof body === "object") return body;
  const expect = headers["expect"];
  const expectsContinue = minor === 1 && expect !== undefined;
  if (expectsContinue && expect.toLowerCase() !== "100-continue") return { refused: 417 };
  return { method, target, minor, headers, body, keepAlive: keepsAlive(minor, headers["connection"]), expectsContinue };
}

/** Keeps H3: a length said twice was joined to text that is no digits, a coding said twice to one we do not know. */
function bodyOf(minor: 0 | 1, headers: Readonly<Record<string, string | undefined>>): RequestHead["body"] | HeadRefusal {
  const length = headers["content-length"];
  const coding = headers["transfer-encoding"];
  if (coding === undefined) return length === undefined ? 0 : digits.test(length) ? Number(length) : badRequest;
  if (length !== undefined || minor === 0) return badRequest;
  return coding.toLowerCase() === "chunked" ? "chunked" : { refused: 501 };
}

function keepsAlive(minor: 0 | 1, connection: string | undefined): boolean {
  if (connection === undefined) return minor === 1;
  const options = connection.toLowerCase().split(",");
  const has = (option: string): boolean => options.some((given) => given.trim() === option);
  return minor === 1 ? !has("close") : has("keep-alive");
}
