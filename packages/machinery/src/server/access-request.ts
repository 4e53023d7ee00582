/** What a request wants, as authorization sees it: by its method and path alone, whether or not there is such a resource; and how it is refused. Pure. */
import type { ApiRequest } from "../client.ts";
import { qualifiedResource, StatusError } from "../status.ts";
import type { AccessRequest, Caller } from "./access.ts";
import { isWatch } from "./options.ts";
import { parseRoute, type ResourceRoute, selectedName } from "./route.ts";

/** @param route Of the path, for who has it already. */
export function accessRequestOf(
  method: ApiRequest["method"],
  path: string,
  query: URLSearchParams,
  route = parseRoute(path),
): AccessRequest {
  return route ? accessOf(selected(method, route, query), accessVerb(method, route, query)) : { path, verb: method.toLowerCase() };
}

/** Whoever asks a collection for the object of one name asks for that object: a rule for the name allows it. */
function selected(method: ApiRequest["method"], route: ResourceRoute, query: URLSearchParams): ResourceRoute {
  if (route.name !== undefined || (method !== "GET" && method !== "DELETE")) return route;
  const name = selectedName(query.get("fieldSelector") ?? "");
  return name === undefined ? route : { ...route, name };
}

const verbsOfMethods = { GET: "get", POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" } as const;

/** What the method does as authorization has it: by the path alone, whether or not there is such a resource. */
function accessVerb(method: ApiRequest["method"], { name, watch }: ResourceRoute, query: URLSearchParams): string {
  if (watch) return "watch";
  if (name !== undefined) return verbsOfMethods[method];
  if (method === "GET") return isWatch(query) ? "watch" : "list";
  return method === "DELETE" ? "deletecollection" : verbsOfMethods[method];
}

/** A namespace is in itself: a role there may let its holder get it. */
export function accessOf({ group, version, plural, namespace, name = "", subresource }: ResourceRoute, verb: string): AccessRequest {
  const isNamespace = group === "" && plural === "namespaces";
  const within = isNamespace ? name : namespace;
  return { resource: plural, group, version, namespace: within, name, verb, ...(subresource !== undefined && { subresource }) };
}

/** How it is refused. */
export function forbiddenAccess(caller: Caller, access: AccessRequest, reason: string): StatusError {
  const why = reason === "" ? "" : `: ${reason}`;
  if ("path" in access) {
    const what = `${access.verb} path ${JSON.stringify(access.path)}`;
    return new StatusError("Forbidden", `forbidden: User ${JSON.stringify(caller.name)} cannot ${what}${why}`, {});
  }
  const { resource, group, namespace, name, verb, subresource } = access;
  const scope = namespace === "" ? " at the cluster scope" : ` in the namespace ${JSON.stringify(namespace)}`;
  const what = `${resource}${subresource === undefined ? "" : `/${subresource}`}`;
  const qualified = qualifiedResource(resource, group);
  const subject = name === "" ? qualified : `${qualified} ${JSON.stringify(name)}`;
  return new StatusError(
    "Forbidden",
    `${subject} is forbidden: User ${JSON.stringify(caller.name)} cannot ${verb} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)}${scope}${why}`,
    { ...(name !== "" && { name }), ...(group !== "" && { group }), kind: resource },
  );
}
