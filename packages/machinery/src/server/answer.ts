/** Bodies of answers: JSON (compact or indented), YAML, Status; with the headers the API server sends. */
import { stringify } from "yaml";
import type { ApiAnswer } from "../client.ts";
import type { StatusError } from "../status.ts";
import type { Negotiated } from "./negotiate.ts";

const encoder = new TextEncoder();

/** Headers every answer of the API carries: nothing in between may keep it. */
export const apiHeaders = { "cache-control": "no-cache, private" } as const;

/** Warnings sent with one answer, and characters of each: past it kubectl would drown in them. */
const warningsMax = 64;
const warningMaxChars = 1_024;

export function answerOf(status: number, body: unknown, { media, pretty }: Negotiated, warnings: readonly string[] = []): ApiAnswer {
  const warning = warnings.slice(0, warningsMax).map(warningText);
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
    return stringify(body, { aliasDuplicateObjects: false, lineWidth: 0, sortMapEntries: true, indentSeq: false, version: "1.1" });
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

/** `299 - "text"`; anything a header cannot carry is replaced. */
function warningText(text: string): string {
  const clean = text.slice(0, warningMaxChars).replaceAll(/[^\x20-\x7e]/gu, "?");
  return `299 - "${clean.replaceAll(/["\\]/gu, String.raw`\$&`)}"`;
}
