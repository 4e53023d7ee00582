/** What a server says it has: discovery in both forms, OpenAPI, health, version. */
import type { Case, Session } from "../session.ts";
import { samples } from "./samples.ts";

const reviews = ["apis/authentication.k8s.io/v1", "apis/authorization.k8s.io/v1", "apis/apiextensions.k8s.io/v1"];

export const discoveryCases: readonly Case[] = [
  { name: "discovery/groups", run: groups },
  { name: "discovery/resources", run: resources },
  { name: "discovery/aggregated", run: aggregated },
  { name: "discovery/health", run: health },
  { name: "openapi/index", run: openApiIndex },
  ...servedGroupVersions().map((at) => ({ name: `openapi/${at}`, run: (session: Session) => openApi(session, at) })),
];

/** `api/v1`, `apis/apps/v1` */
function servedGroupVersions(): readonly string[] {
  return [...new Set([...samples.map(({ root }) => root.slice(1)), ...reviews])];
}

async function groups(session: Session): Promise<void> {
  await session.get("/api");
  const { body } = await session.get("/apis", { quiet: true });
  session.note("/apis", { ...body, groups: Object.fromEntries(body.groups.map((group: any) => [group.name, group])) });
  for (const at of servedGroupVersions()) {
    const [, group] = at.split("/");
    if (at.startsWith("apis/")) await session.get(`/apis/${group ?? ""}`);
  }
}

async function resources(session: Session): Promise<void> {
  for (const at of servedGroupVersions()) {
    const { status, body } = await session.get(`/${at}`, { quiet: true });
    session.note(`/${at}`, [status, { ...body, resources: byName(body.resources) }]);
  }
}

function byName(list: any[]): unknown {
  // A hash of storage details nobody promises anything about.
  return Object.fromEntries(list.map(({ storageVersionHash: _hash, ...resource }) => [resource.name, resource]));
}

async function aggregated(session: Session): Promise<void> {
  for (const version of ["v2", "v2beta1"])
    for (const path of ["/api", "/apis"]) {
      const accept = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList,application/json`;
      const { status, headers, body } = await session.get(path, { quiet: true, headers: { accept } });
      session.note(`${path} ${version}`, {
        status,
        contentType: headers["content-type"],
        vary: headers["vary"],
        etag: typeof headers["etag"],
        cacheControl: headers["cache-control"],
        kind: [body.kind, body.apiVersion],
        groups: Object.fromEntries(
          (body.items ?? []).map((group: any) => [
            group.metadata?.name ?? "",
            group.versions.map((each: any) => ({
              ...each,
              resources: Object.fromEntries((each.resources ?? []).map((one: any) => [one.resource, one])),
            })),
          ]),
        ),
      });
      const again = await session.get(path, { quiet: true, headers: { accept, "if-none-match": String(headers["etag"]) } });
      session.note(`${path} ${version} unchanged`, again.status);
    }
}

async function health(session: Session): Promise<void> {
  for (const path of ["/healthz", "/livez", "/readyz", "/healthz/ping", "/livez/ping", "/readyz/ping", "/healthz/none"])
    await session.get(path);
  await session.get("/healthz", { label: "by nobody", as: "nobody" });
  await session.get("/api", { label: "discovery by nobody", as: "nobody" });
  await session.get("/version", { label: "version by nobody", as: "nobody" });
  const { body } = await session.get("/version", { quiet: true });
  session.note("fields of the version", Object.keys(body).sort());
  session.note("major and minor", [body.major, body.minor]);
}

async function openApiIndex(session: Session): Promise<void> {
  const { status, headers, body } = await session.get("/openapi/v3", { quiet: true });
  const paths = Object.entries(body.paths as Record<string, { serverRelativeURL: string }>);
  session.note("index", [status, headers["content-type"]]);
  session.note(
    "paths",
    Object.fromEntries(paths.map(([path, { serverRelativeURL }]) => [path, serverRelativeURL.replace(/hash=.*/u, "hash=…")])),
  );
  const first = paths.find(([path]) => path === "apis/apps/v1")?.[1].serverRelativeURL ?? "";
  const hashed = await session.get(first, { quiet: true });
  session.note("hashed document", [
    hashed.status,
    hashed.headers["content-type"],
    hashed.headers["cache-control"],
    typeof hashed.headers["etag"],
  ]);
  const again = await session.get(first, { quiet: true, headers: { "if-none-match": String(hashed.headers["etag"]) } });
  session.note("hashed document, unchanged", again.status);
  await session.get("/openapi/v3/apis/nobody.dev/v1", { label: "of nobody" });
  await session.get("/openapi", { label: "the folder" });
  const old = await session.get("/openapi/v2", { quiet: true });
  session.note("v2", [old.status, old.headers["content-type"], old.body?.swagger]);
}

/**
 * Of the kinds with a sample: their paths with methods and parameters, and every schema they reach, with its fields. Sentences are everybody's own;
 * where a document names a parameter (at the path or at the method) and how it wraps a reference is the same to a reader.
 */
async function openApi(session: Session, at: string): Promise<void> {
  const { body } = await session.get(`/openapi/v3/${at}`, { quiet: true });
  const here = samples.filter(({ root }) => root === `/${at}`);
  for (const { plural, object } of here) {
    const kind = String(object["kind"]);
    const paths = Object.entries((body?.paths ?? {}) as Record<string, any>).filter(
      ([path]) => path.includes(`/${plural}`) && !path.includes("/watch/"),
    );
    const own = paths.filter(([path]) => /^(\/\{name\}(\/(status|scale))?)?$/u.test(path.split(`/${plural}`)[1] ?? ""));
    session.note(`paths of ${kind}`, Object.fromEntries(own.map(([path, item]) => [path, operations(item)])));
    session.note(`schemas of ${kind}`, reached((body?.components?.schemas ?? {}) as Record<string, any>, kind));
  }
}

function operations(item: Record<string, any>): unknown {
  const shared = (item["parameters"] ?? []) as readonly any[];
  const methods = Object.entries(item).filter(([method]) => method !== "parameters");
  return Object.fromEntries(
    methods.map(([method, operation]) => [
      method,
      {
        action: operation["x-kubernetes-action"],
        kind: operation["x-kubernetes-group-version-kind"],
        parameters: parameters([...shared, ...(operation.parameters ?? [])]),
        body: operation.requestBody && Object.keys(operation.requestBody.content).sort(),
      },
    ]),
  );
}

function parameters(list: readonly any[]): unknown {
  return [...new Set(list.map(({ name, in: where, required }) => `${name} in ${where}${required ? ", required" : ""}`))].sort();
}

/** The kind's own schema and all it leads to. */
function reached(schemas: Record<string, any>, kind: string): unknown {
  const names = Object.keys(schemas).filter((name) => name.endsWith(`.${kind}`) && schemas[name]["x-kubernetes-group-version-kind"]);
  const found: Record<string, unknown> = {};
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    if (name in found || schemas[name] === undefined) continue;
    const text = JSON.stringify(schemas[name]);
    found[name] = plain(schemas[name]);
    for (const [, other = ""] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/gu)) names.push(other);
  }
  return found;
}

function plain(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(plain);
  if (typeof schema !== "object" || schema === null) return schema;
  const { description, allOf, default: fallback, required, ...rest } = schema as Record<string, any>;
  const wrapped = Array.isArray(allOf) && allOf.length === 1 ? plain(allOf[0]) : undefined;
  return {
    ...Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, plain(value)])),
    ...(typeof description === "object" && { description: plain(description) }),
    ...(Array.isArray(required) ? { required: [...required].sort() } : required !== undefined && { required: plain(required) }),
    // An empty value as default only says of which type the field is.
    ...(fallback !== undefined && !["{}", '""', "0", "false"].includes(JSON.stringify(fallback)) && { default: fallback }),
    ...(typeof wrapped === "object" ? wrapped : allOf !== undefined && { allOf: plain(allOf) }),
  };
}
