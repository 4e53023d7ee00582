/** Which form an answer takes: `Accept` read as the API server reads it. Pure. */
import { StatusError } from "../status.ts";

/** What stands in the body. */
export type AnswerShape =
  | { readonly as: "object" }
  /** meta/v1 or meta/v1beta1. */
  | { readonly as: "Table" | "PartialObjectMetadata"; readonly version: "v1" | "v1beta1" };

export interface Negotiated {
  readonly media: "json" | "yaml";
  readonly shape: AnswerShape;
  /** People look at it: indent. */
  readonly pretty: boolean;
}

/** Clauses of one header looked at: real clients send two or three. */
const clausesMax = 32;

/**
 * The first clause that can be served, in the client's order of weights.
 * @param shapes Whether Table and PartialObjectMetadata can be had here.
 * @throws StatusError NotAcceptable listing what can be had.
 */
export function negotiate(accept: string | undefined, shapes: boolean, pretty: boolean): Negotiated {
  for (const clause of clauses(accept ?? "*/*")) {
    const media = mediaOf(clause.type);
    if (!media) continue;
    const shape = shapeOf(clause.parameters, shapes);
    if (shape) return { media, shape, pretty };
  }
  throw new StatusError("NotAcceptable", `only the following media types are accepted: ${accepted.join(", ")}`);
}

/** Media types of bodies, both ways; Protobuf is read, not written. */
export const accepted = ["application/json", "application/yaml"] as const;

/** One clause of `Accept`. */
export interface Clause {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** By weight, then as written. */
export function clauses(accept: string): readonly Clause[] {
  return accept
    .split(",", clausesMax)
    .map((text) => {
      const [type = "", ...rest] = text.split(";").map((part) => part.trim());
      const parameters = new Map(rest.map((part) => [part.split("=", 1)[0] ?? "", part.slice(part.indexOf("=") + 1)]));
      return { type: type.toLowerCase(), parameters, weight: weightOf(parameters.get("q")) };
    })
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight);
}

function weightOf(q: string | undefined): number {
  const weight = Number(q ?? 1);
  return Number.isFinite(weight) ? weight : 1;
}

function mediaOf(type: string): Negotiated["media"] | undefined {
  if (type === "application/json" || type === "*/*" || type === "application/*" || type === "") return "json";
  if (type === "application/yaml" || type === "text/yaml") return "yaml";
  return undefined;
}

/** @returns `undefined` when the clause asks for a form there is not. */
function shapeOf(parameters: ReadonlyMap<string, string>, shapes: boolean): AnswerShape | undefined {
  const as = parameters.get("as");
  if (as === undefined) return { as: "object" };
  const version = parameters.get("v");
  if (!shapes || parameters.get("g") !== "meta.k8s.io" || (version !== "v1" && version !== "v1beta1")) return undefined;
  if (as === "Table") return { as, version };
  // A list of metadata is asked for by the list's name.
  if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList") return { as: "PartialObjectMetadata", version };
  return undefined;
}

/** Browsers and curl get indented answers, programs compact ones; `?pretty` decides otherwise. */
export function wantsPretty(query: URLSearchParams, userAgent: string | undefined): boolean {
  const pretty = query.get("pretty");
  if (pretty !== null) return pretty !== "false" && pretty !== "0";
  return /^(curl|Wget|Mozilla\/5\.0)/u.test(userAgent ?? "");
}
