/**
 * Tokens that say where a list in pages goes on: readable by anybody, as the real server's are.
 *
 * T1 a page is of the revision of the first one; only a token of `newest`, given when that revision is forgotten, goes on with what there is now
 */
import { jsonKind } from "../json.ts";
import type { StatusError } from "../status.ts";
import { badRequest } from "./options.ts";

export interface ContinueToken {
  /** Of the list, or `newest`. */
  readonly revision: number;
  /** Key of the last object that has been given. */
  readonly after: string;
}

/** Stands for the newest revision. */
export const newest = -1;
const form = "meta.k8s.io/v1";

export function continueToken({ revision, after }: ContinueToken): string {
  return base64Url(JSON.stringify({ v: form, rv: revision, start: `${after}\0` }));
}

/** @throws StatusError BadRequest for what no list gave */
export function parseContinue(token: string): ContinueToken {
  const odd = /[^\w-]/u.exec(token)?.index ?? (token.length % 4 === 1 ? token.length - 1 : undefined);
  if (odd !== undefined) throw refusal(`illegal base64 data at input byte ${odd}`);
  const { v, rv, start } = fieldsOf(token);
  if (v !== form) throw refusal(`server does not recognize this encoded version ${v}`);
  if (rv === 0) throw refusal(`incorrect encoded start resourceVersion (version ${form})`);
  if (start === "") throw refusal(`encoded start key empty (version ${form})`);
  return { revision: rv < 0 ? newest : rv, after: start.replace(/\0$/u, "") };
}

function fieldsOf(token: string): { readonly v: string; readonly rv: number; readonly start: string } {
  let value: unknown;
  try {
    value = JSON.parse(fromBase64Url(token));
  } catch {
    throw refusal("it is not what a list of this server gave");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw refusal("it is not what a list of this server gave");
  const { v, rv, start } = value as Record<string, unknown>;
  const fit = (name: string, field: unknown, type: "string" | "int64"): void => {
    const fits = type === "string" ? typeof field === "string" : Number.isSafeInteger(field);
    if (field !== undefined && field !== null && !fits)
      throw refusal(`json: cannot unmarshal ${jsonName(field)} into Go struct field continueToken.${name} of type ${type}`);
  };
  fit("v", v, "string");
  fit("rv", rv, "int64");
  fit("start", start, "string");
  return { v: (v ?? "") as string, rv: (rv ?? 0) as number, start: (start ?? "") as string };
}

/** What the server calls a value of JSON that has another type than it should. */
function jsonName(value: unknown): string {
  return typeof value === "number" && !Number.isInteger(value) ? `number ${value}` : jsonKind(value);
}

function refusal(why: string): StatusError {
  return badRequest(`invalid continue token: continue key is not valid: ${why}`);
}

function base64Url(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/u, "");
}

function fromBase64Url(text: string): string {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return new TextDecoder().decode(Uint8Array.from(binary, (char) => char.charCodeAt(0)));
}
