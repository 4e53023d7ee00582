/**
 * What a path means: `/api/v1/namespaces/shop/configmaps/cart/status` and its kin. Pure.
 * A path that names no resource is somebody else's (discovery, health, OpenAPI) or nobody's.
 */
import type { GroupVersion } from "@mecha/kinds";
import { badRequest } from "./options.ts";

export interface ResourceRoute extends GroupVersion {
  readonly plural: string;
  /** Empty for cluster-scoped resources and for lists over all namespaces. */
  readonly namespace: string;
  /** Absent for collections. */
  readonly name?: string;
  /** `status`, `scale`, `log`; several segments stay joined with `/`. */
  readonly subresource?: string;
  /** `/api/v1/watch/…`: the way watches were asked for before there was a parameter for it. */
  readonly watch?: true;
}

/** @returns `undefined` when the path has not the form of a resource's. */
export function parseRoute(path: string): ResourceRoute | undefined {
  const segments = decodedSegments(path);
  if (!segments) return undefined;
  const [root, ...rest] = segments;
  if (root === "api") return afterVersion({ group: "", version: rest[0] ?? "" }, rest.slice(1));
  if (root === "apis") return afterVersion({ group: rest[0] ?? "", version: rest[1] ?? "" }, rest.slice(2));
  return undefined;
}

/** Segments of a namespace's own path that are its subresources, not resources inside it. */
const namespaceSubresources = new Set(["status", "finalize"]);

function afterVersion(of: GroupVersion, parts: readonly string[]): ResourceRoute | undefined {
  const [first, second] = parts;
  if (of.version === "" || first === undefined) return undefined;
  if (first !== "watch" || second === undefined) return namespacedRoute(of, parts);
  const route = namespacedRoute(of, parts.slice(1));
  return route && { ...route, watch: true };
}

function namespacedRoute(of: GroupVersion, parts: readonly string[]): ResourceRoute | undefined {
  const [first, second, third] = parts;
  if (first === "namespaces" && second !== undefined && third !== undefined && !namespaceSubresources.has(third))
    return routeOf(of, second, parts.slice(2));
  return routeOf(of, "", parts);
}

function routeOf(of: GroupVersion, namespace: string, [plural, name, ...sub]: readonly string[]): ResourceRoute | undefined {
  if (plural === undefined) return undefined;
  return {
    ...of,
    plural,
    namespace,
    ...(name !== undefined && { name }),
    ...(sub.length > 0 && { subresource: sub.join("/") }),
  };
}

/**
 * A watch by its own path as one by parameter: of the collection, the object's name as a selector.
 * @throws StatusError BadRequest when the request selects another name.
 */
export function watchByParameter(
  { watch: _watch, name, ...route }: ResourceRoute,
  query: URLSearchParams,
): { readonly route: ResourceRoute; readonly query: URLSearchParams } {
  const asked = new URLSearchParams(query);
  asked.set("watch", "true");
  const selector = asked.get("fieldSelector") || undefined;
  if (name !== undefined && selector !== undefined && selectedName(selector) !== name)
    throw badRequest("fieldSelector metadata.name doesn't match requested name");
  if (name !== undefined && selector === undefined) asked.set("fieldSelector", `metadata.name=${name}`);
  return { route, query: asked };
}

/** The one name a field selector leaves, if it says one. */
export function selectedName(fieldSelector: string): string | undefined {
  const names = fieldSelector.split(",").map((one) => /^metadata\.name==?([^=]+)$/u.exec(one)?.[1]);
  return names.find((one) => one !== undefined);
}

/** @returns `undefined` for a malformed escape, an empty segment in the middle, or a segment that would climb. */
function decodedSegments(path: string): readonly string[] | undefined {
  const raw = path.replace(/^\/+|\/+$/gu, "").split("/");
  try {
    const segments = raw.map(decodeURIComponent);
    return segments.some((segment) => segment === "" || segment === "." || segment === ".." || segment.includes("\0"))
      ? undefined
      : segments;
  } catch {
    return undefined; // a malformed escape: the path names nothing
  }
}
