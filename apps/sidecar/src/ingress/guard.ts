/** Who may ask at all (DESIGN D9): Host against DNS rebinding, Origin against web pages. Pure decisions. */
import { Fault } from "@mecha/kit";
import { type HttpAnswer, type HttpExchange, webStatusHeaders } from "@mecha/wire";
import { forwardedExchange } from "./forwarding.ts";
import type { ResolvedOptions } from "./options.ts";

type Headers = HttpExchange["headers"];

/**
 * Lets a request pass, or says why not.
 * @returns The headers its answer needs: none, or those that let the listed origin's page read it.
 * @throws Fault("denied") naming the host or origin and the option to change.
 */
export function admit(headers: Headers, options: ResolvedOptions): Readonly<Record<string, string>> {
  checkHost(headers.host, options.hosts);
  const { origin } = headers;
  if (origin === undefined) {
    // Links and form-less GETs of other sites carry no Origin; browsers say where they come from here.
    const site = headers["sec-fetch-site"];
    if (site === "cross-site" || site === "same-site") throw new Fault("denied", "requests from other web sites are refused");
    return {};
  }
  if (!options.allowedOrigins.includes(origin)) {
    throw new Fault(
      "denied",
      `requests from web pages of ${JSON.stringify(origin.slice(0, 200))} are refused; list the origin to allow them (spec.ingress.allowedOrigins, --allow-origin)`,
    );
  }
  return { "access-control-allow-origin": origin, vary: "origin" };
}

function checkHost(host: string | undefined, hosts: ResolvedOptions["hosts"]): void {
  if (hosts === "any") return;
  const name = hostName(host ?? "");
  if (!hosts.some((allowed) => allowed.toLowerCase() === name)) {
    throw new Fault(
      "denied",
      `the host ${JSON.stringify(name.slice(0, 200))} is not served here; list it to allow it (spec.ingress.hosts, --allow-host)`,
    );
  }
}

/** Without the port, in lower case; IPv6 addresses keep their brackets. */
function hostName(host: string): string {
  const end = host.startsWith("[") ? host.indexOf("]") + 1 : host.indexOf(":");
  return (end > 0 ? host.slice(0, end) : host).toLowerCase();
}

/** Readable by any page without being exposed (Fetch, "CORS-safelisted response-header name"), or of no use to one. */
const safeHeaders = new Set([
  "content-type",
  "content-length",
  "cache-control",
  "content-language",
  "expires",
  "last-modified",
  "pragma",
  "vary",
]);

/** The exchange with an admitted origin's headers in its answer, so that the page may read it and the names of its headers. */
export function admittedExchange(exchange: HttpExchange, admitted: Readonly<Record<string, string>>): HttpExchange {
  if (admitted["access-control-allow-origin"] === undefined) return exchange;
  const opened = (headers: Readonly<Record<string, string>>): Record<string, string> => {
    const exposed = [...webStatusHeaders, ...Object.keys(headers).filter((name) => !safeHeaders.has(name))];
    return { ...headers, ...admitted, "access-control-expose-headers": [...new Set(exposed)].join(", ") };
  };
  return forwardedExchange(exchange, {
    respond: (status, answer, body) => exchange.respond(status, opened(answer), body),
    stream: (status, answer) => exchange.stream(status, opened(answer)),
  });
}

/** How long a browser may remember a preflight's answer, seconds. Short: a changed list takes effect soon. */
const preflightMaxAgeS = 60;

/** The answer to a browser's preflight of an admitted origin; `undefined` when the request is none. */
export function preflight(method: string, headers: Headers, admitted: Readonly<Record<string, string>>): HttpAnswer | undefined {
  const wanted = headers["access-control-request-method"];
  if (method !== "OPTIONS" || wanted === undefined || headers.origin === undefined) return undefined;
  return {
    status: 204,
    headers: {
      ...admitted,
      "access-control-allow-methods": wanted,
      "access-control-allow-headers": headers["access-control-request-headers"] ?? "content-type",
      "access-control-max-age": String(preflightMaxAgeS),
    },
    body: "",
  };
}
