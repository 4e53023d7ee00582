/**
 * Which form an answer takes: `Accept` read as the API server reads it. Pure.
 *
 * It is read twice: paths of built-in kinds know by themselves which media types they give, and look at nothing else (`mustProduce`); then a clause is
 * chosen by its parameters too (`negotiate`). Paths of CRDs have the second only.
 */
import { StatusError } from "../status.ts";

/** What stands in the body. */
export type AnswerShape =
  | { readonly as: "object" }
  /** meta/v1 or meta/v1beta1. */
  | { readonly as: "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList"; readonly version: "v1" | "v1beta1" };

export interface Negotiated {
  readonly media: "json" | "yaml";
  readonly shape: AnswerShape;
  /** People look at it: indent. */
  readonly pretty: boolean;
}

/** Clauses of one header looked at: real clients send two or three. */
const clausesMax = 32;

/** Media types of bodies, both ways; Protobuf is read, not written. */
export const accepted = ["application/json", "application/yaml"] as const;
/** Where lists are, there are watches. */
export const acceptedOfLists = [...accepted, "application/json;stream=watch"] as const;

/**
 * Is one of the media types a path gives asked for by name, or everything? Weights, parameters and `application/*` do not matter here.
 * @throws StatusError NotAcceptable, 406, listing them.
 */
export function mustProduce(accept: string | undefined, types: readonly string[]): void {
  const asked = (accept || anything).split(",").map((clause) => clause.split(";", 1)[0]?.trim() ?? "");
  if (asked.some((type) => type === anything || types.includes(type))) return;
  throw new StatusError("NotAcceptable", `406: Not Acceptable\n\nAvailable representations: ${types.join(", ")}`, {});
}

const anything = "*/*";

/**
 * The first clause that can be served, in the client's order of weights.
 * @param shapes Whether Table, PartialObjectMetadata and streams can be had here.
 * @throws StatusError NotAcceptable listing what can be had.
 */
export function negotiate(accept: string | undefined, shapes: boolean, pretty: boolean): Negotiated {
  for (const clause of clauses(accept || anything)) {
    const media = mediaOf(clause.type);
    if (!media) continue;
    const shape = shapeOf(clause.parameters, shapes);
    if (shape) return { media, shape, pretty };
  }
  throw new StatusError("NotAcceptable", `only the following media types are accepted: ${accepted.join(", ")}`);
}

/** The form of a failure: the one asked for when it can be had, else JSON for people, as who asked for it can read nothing of the sort. */
export function negotiatedError(accept: string | undefined, pretty: boolean): Pick<Negotiated, "media" | "pretty"> {
  try {
    return negotiate(accept, false, pretty);
  } catch {
    return { media: "json", pretty: true };
  }
}

/** One clause of `Accept`. */
export interface Clause {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** By weight, then those that name a type before those that take any, then as written. */
export function clauses(accept: string): readonly Clause[] {
  return accept
    .split(",", clausesMax)
    .map((text) => {
      const [type = "", ...rest] = text.split(";").map((part) => part.trim());
      const parameters = new Map(rest.map((part) => [part.split("=", 1)[0] ?? "", part.slice(part.indexOf("=") + 1)]));
      return { type: type.toLowerCase(), parameters, weight: weightOf(parameters.get("q")) };
    })
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight || stars(a.type) - stars(b.type));
}

function weightOf(q: string | undefined): number {
  const weight = Number(q ?? 1);
  return Number.isFinite(weight) ? weight : 1;
}

const stars = (type: string): number => type.split("*").length;

function mediaOf(type: string): Negotiated["media"] | undefined {
  if (type === "application/json" || type === anything || type === "application/*" || type === "") return "json";
  if (type === "application/yaml" || type === "text/yaml") return "yaml";
  return undefined;
}

/** @returns `undefined` when the clause asks for a form there is not. */
function shapeOf(parameters: ReadonlyMap<string, string>, shapes: boolean): AnswerShape | undefined {
  const said = (name: string): string => parameters.get(name) ?? "";
  const [stream, server] = [said("stream"), said("sv")];
  if ((stream !== "" && (stream !== "watch" || !shapes)) || (server !== "" && (server !== "v1" || !shapes))) return undefined;
  const [as, version, group] = [said("as"), said("v"), said("g")];
  if (as === "" && version === "" && group === "") return { as: "object" };
  if (!shapes || group !== "meta.k8s.io" || (version !== "v1" && version !== "v1beta1")) return undefined;
  return as === "Table" || as === "PartialObjectMetadata" || as === "PartialObjectMetadataList" ? { as, version } : undefined;
}

/** Browsers and curl get indented answers, programs compact ones; `?pretty` decides otherwise. */
export function wantsPretty(query: URLSearchParams, userAgent: string | undefined): boolean {
  const pretty = query.get("pretty");
  if (pretty !== null) return pretty !== "false" && pretty !== "0";
  return /^(curl|Wget|Mozilla\/5\.0)/u.test(userAgent ?? "");
}
