/** URLs: `isURL(x)`, `url(x).getHostname()`. Absolute URLs and absolute paths, as Go's `url.ParseRequestURI` takes them apart. */
import { reading, sameSize } from "../language/cost.ts";
import { type Library } from "../language/environment.ts";
import { boolType, listType, mapType, stringType, structType } from "../language/types.ts";
import { CelError, Dictionary, Opaque } from "../language/values.ts";
import { parses } from "./network.ts";

export const urlType = structType("kubernetes.URL");

class Url extends Opaque {
  readonly type = urlType;
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly text: string;

  constructor(text: string) {
    super();
    const why = complaint(text);
    if (why !== undefined) throw new CelError(`URL parse error during conversion from string: parse ${JSON.stringify(text)}: ${why}`);
    const [, scheme = "", authority = "", path = "", query = ""] =
      /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?$/su.exec(text) ?? [];
    this.text = text;
    this.scheme = scheme.toLowerCase();
    this.host = authority.slice(authority.lastIndexOf("@") + 1);
    this.path = path;
    this.query = query;
  }

  equals(other: Opaque): boolean {
    return other instanceof Url && this.text === other.text;
  }
}

/** What Go says is wrong; `undefined` for a URL. */
export function complaint(text: string): string | undefined {
  if (/[\u0000-\u001f\u007f]/u.test(text)) return "net/url: invalid control character in URL";
  if (text === "") return "empty url";
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/u.exec(text);
  if (!scheme && text.startsWith(":")) return "missing protocol scheme";
  if (!scheme && !text.startsWith("/")) return "invalid URI for request";
  const rest = scheme ? text.slice(scheme[0].length) : text;
  if (scheme && !rest.startsWith("/")) return undefined; // such as mailto:
  const authority = rest.startsWith("//") && (scheme || !rest.startsWith("///")) ? (/^\/\/([^/?]*)/u.exec(rest)?.[1] ?? "") : "";
  const bad = badAuthority(authority);
  if (bad !== undefined) return bad;
  const path = rest.slice(authority === "" ? 0 : authority.length + 2).split("?")[0] ?? "";
  const escape = /%(?![0-9a-fA-F]{2}).{0,2}/u.exec(path);
  return escape ? `invalid URL escape ${JSON.stringify(escape[0])}` : undefined;
}

function badAuthority(authority: string): string | undefined {
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  const port = /:([^:\]]*)$/u.exec(host);
  if (port && !host.endsWith("]") && !/^\d*$/u.test(port[1] ?? "")) return `invalid port ${JSON.stringify(port[0])} after host`;
  const strange = /[ <>"`^{}|\\]/u.exec(host);
  return strange ? `invalid character ${JSON.stringify(strange[0])} in host name` : undefined;
}

function queryOf({ query }: Url): Dictionary {
  const found = new Map<string, string[]>();
  for (const pair of query.split("&").filter((text) => text !== "" && !text.includes(";"))) {
    const [name = "", value = ""] = pair.split(/=(.*)/su).map(unescaped);
    found.set(name, [...(found.get(name) ?? []), value]);
  }
  const map = new Dictionary();
  for (const [name, values] of found) map.set(name, values);
  return map;
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text; // Go drops what does not decode; nothing to tell apart here
  }
}

export function addUrls(library: Library): void {
  library.global("url", "string_to_url", [stringType], urlType, (text: string) => new Url(text), reading(0, 1, sameSize));
  library.global(
    "isURL",
    "is_url_string",
    [stringType],
    boolType,
    parses((text) => new Url(text)),
  );
  const parts: readonly (readonly [string, string, (url: Url) => string])[] = [
    ["getScheme", "url_get_scheme", ({ scheme }) => scheme],
    ["getHost", "url_get_host", ({ host }) => host],
    ["getHostname", "url_get_hostname", ({ host }) => host.replace(/:\d*$/u, "").replace(/^\[(.*)\]$/u, "$1")],
    ["getPort", "url_get_port", ({ host }) => /:(\d+)$/u.exec(host)?.[1] ?? ""],
    ["getEscapedPath", "url_get_escaped_path", ({ path }) => path],
  ];
  for (const [name, id, part] of parts) library.member(name, id, [urlType], stringType, part);
  library.member("getQuery", "url_get_query", [urlType], mapType(stringType, listType(stringType)), queryOf);
}
