/** URLs in CEL: `isURL(x)`, `url(x).getHostname()`. */
import type { Environment } from "@marcbachmann/cel-js";

const type = "kubernetes.URL";

/** Parts of an absolute URL, or of an absolute path, as Go's `url.ParseRequestURI` takes them apart. */
class Url {
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  constructor(text: string) {
    const [, scheme = "", host = "", path = "", query = ""] =
      /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?]*)(?:\?(.*))?$/s.exec(text) ?? [];
    const absolute = scheme === "" ? text.startsWith("/") : true;
    if (!absolute || /[\s\u0000-\u001f\u007f]/.test(text) || !decodes(path))
      throw new Error("URL parse error during conversion from string: invalid URI for request");
    this.scheme = scheme.toLowerCase();
    this.host = host.slice(host.lastIndexOf("@") + 1);
    this.path = path;
    this.query = query;
  }
}

function decodes(text: string): boolean {
  return !/%(?![0-9a-fA-F]{2})/.test(text);
}

export function registerUrls(env: Environment): void {
  env.registerType(type, { ctor: Url, fields: {} });
  env.registerFunction(`url(string): ${type}`, (text: string) => new Url(text));
  env.registerFunction("isURL(string): bool", (text: string) => {
    try {
      new Url(text);
      return true;
    } catch {
      return false;
    }
  });
  env.registerFunction(`${type}.getScheme(): string`, ({ scheme }: Url) => scheme);
  env.registerFunction(`${type}.getHost(): string`, ({ host }: Url) => host);
  env.registerFunction(`${type}.getHostname(): string`, ({ host }: Url) => host.replace(/:\d*$/, "").replace(/^\[(.*)\]$/, "$1"));
  env.registerFunction(`${type}.getPort(): string`, ({ host }: Url) => /:(\d+)$/.exec(host)?.[1] ?? "");
  env.registerFunction(`${type}.getEscapedPath(): string`, ({ path }: Url) => path);
  env.registerFunction(`${type}.getQuery(): map<string, list<string>>`, ({ query }: Url) => {
    const found = new Map<string, string[]>();
    for (const pair of query.split("&").filter((text) => text !== "")) {
      const [name = "", value = ""] = pair.split(/=(.*)/s).map((text) => decodeURIComponent(text.replaceAll("+", " ")));
      found.set(name, [...(found.get(name) ?? []), value]);
    }
    return found;
  });
}
