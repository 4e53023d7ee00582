/** Bodies of answers: JSON (compact or indented), YAML, Status; with the headers the API server sends. */
import { stringify } from "yaml";
import type { ApiAnswer } from "../client.ts";
import type { StatusError } from "../status.ts";
import type { Negotiated } from "./negotiate.ts";
import { cautiousTags } from "./yaml-words.ts";

const encoder = new TextEncoder();

/** Headers every answer of the API carries: nothing in between may keep it. */
export const apiHeaders = { "cache-control": "no-cache, private" } as const;

/** Characters of all warnings of one answer: clients and proxies take only so much in headers. Past it each is cut short. */
const warningsMaxChars = 4_096;
/** Characters of one warning then. */
const warningCutChars = 256;

export function answerOf(status: number, body: unknown, { media, pretty }: Negotiated, warnings: readonly string[] = []): ApiAnswer {
  const warning = fitting(warnings).map(warningText);
  return {
    status,
    headers: {
      ...apiHeaders,
      "content-type": media === "yaml" ? "application/yaml" : "application/json",
      ...(warning.length > 0 && { warning: warning.join(", ") }),
    },
    body: encoder.encode(encode(body, media, pretty)),
  };
}

function encode(body: unknown, media: Negotiated["media"], pretty: boolean): string {
  if (media === "yaml")
    return stringify(body, {
      ...{ aliasDuplicateObjects: false, lineWidth: 0, sortMapEntries: true, indentSeq: false },
      ...{ version: "1.1", merge: false, customTags: cautiousTags },
    });
  return `${JSON.stringify(body, undefined, pretty ? 2 : undefined)}\n`;
}

export function statusAnswer(
  error: StatusError,
  negotiated: Pick<Negotiated, "media" | "pretty"> = { media: "json", pretty: false },
): ApiAnswer {
  const answer = answerOf(error.code, error.status(), { ...negotiated, shape: { as: "object" } }, error.warnings);
  const { retryAfterSeconds } = error.details ?? {};
  return retryAfterSeconds === undefined ? answer : { ...answer, headers: { ...answer.headers, "retry-after": String(retryAfterSeconds) } };
}

export function textAnswer(status: number, text: string, headers: Readonly<Record<string, string>> = {}): ApiAnswer {
  return {
    status,
    headers: { ...apiHeaders, "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff", ...headers },
    body: encoder.encode(text),
  };
}

/** As net/http words it. */
export function pageNotFound(): ApiAnswer {
  return textAnswer(404, "404 page not found\n");
}

/** Each said once; what a header cannot carry is not told. When all are too long together, each is cut, and no more come than fit. */
function fitting(warnings: readonly string[]): readonly string[] {
  const once = [...new Set(warnings)].filter((text) => text !== "" && !/\p{Cc}/u.test(text));
  if (once.reduce((sum, text) => sum + text.length, 0) <= warningsMaxChars) return once;
  const cut: string[] = [];
  for (let i = 0, chars = 0; i < once.length && chars < warningsMaxChars; i++) {
    const text = (once[i] ?? "").slice(0, warningCutChars);
    cut.push(text);
    chars += text.length;
  }
  return cut;
}

/** `299 - "text"`; a sign beyond ASCII is replaced. */
function warningText(text: string): string {
  const clean = text.replaceAll(/[^\x20-\x7e]/gu, "?");
  return `299 - "${clean.replaceAll(/["\\]/gu, String.raw`\$&`)}"`;
}
