/** What a server says it has: discovery in both forms, OpenAPI, health, version. */
import type { Answer } from "../client.ts";
import type { Case, Session } from "../session.ts";
import { readable } from "./openapi-text.ts";
import { samples } from "./samples.ts";

const reviews = ["apis/authentication.k8s.io/v1", "apis/authorization.k8s.io/v1", "apis/apiextensions.k8s.io/v1"];

export const discoveryCases: readonly Case[] = [
  { name: "discovery/groups", run: groups },
  { name: "discovery/resources", run: resources },
  { name: "discovery/aggregated", run: aggregated },
  { name: "discovery/health", run: health },
  { name: "openapi/index", run: openApiIndex },
  { name: "openapi/v2", run: openApiV2 },
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
      const own = path === "/apis" && version === "v2";
      const { status, headers, body } = await (own
        ? withOwnKinds(session, path, { accept })
        : session.get(path, { quiet: true, headers: { accept } }));
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
              resources: Object.fromEntries((each.resources ?? []).map((one: any) => [one.resource, aggregatedResource(one)])),
            })),
          ]),
        ),
      });
      const again = await session.get(path, { quiet: true, headers: { accept, "if-none-match": String(headers["etag"]) } });
      session.note(`${path} ${version} unchanged`, again.status);
    }
}

function aggregatedResource({ subresources, ...rest }: any): unknown {
  return { ...rest, ...(subresources && { subresources: Object.fromEntries(subresources.map((one: any) => [one.subresource, one])) }) };
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

/** Asks until the answer names both kinds of ours: the real server, which gets them when the run begins, serves and publishes them a little later. */
async function withOwnKinds(session: Session, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  let answer = await session.get(path, { quiet: true, headers });
  await session.until(`${path} names the kinds of ours`, async () => {
    answer = await session.get(path, { quiet: true, headers });
    const text = JSON.stringify(answer.body) ?? "";
    return ["statefulservices", "statefulstores"].every((plural) => text.includes(plural));
  });
  return answer;
}

async function openApiIndex(session: Session): Promise<void> {
  await withOwnKinds(session, "/openapi/v3/apis/cloudstate.io/v1alpha1");
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
  for (const path of ["api", "apis", "apis/apps", "apis/rbac.authorization.k8s.io", "version"]) {
    const { body: document } = await session.get(`/openapi/v3/${path}`, { quiet: true });
    session.note(`document of ${path}`, readable(document, 3));
  }
}

/** Whole, but for sentences. */
async function openApi(session: Session, at: string): Promise<void> {
  const { body } = await session.get(`/openapi/v3/${at}`, { quiet: true });
  session.note("document", readable(body, 3));
}

/** Swagger of everything; of other groups than ours only that they are there. */
async function openApiV2(session: Session): Promise<void> {
  const { status, headers, body } = await withOwnKinds(session, "/openapi/v2");
  session.note("answer", [status, headers["content-type"]]);
  session.note("document", readable(body, 2));
}
