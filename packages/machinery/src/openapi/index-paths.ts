/** Documents of what is no resource: `/api`, `/apis`, each group, and `/version`. */
import type { GroupVersion, JsonObject } from "@mecha/kinds";
import { groupName, operationGroup, tagOf } from "./operations.ts";
import type { OpenApiVersion } from "./schema.ts";

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1.";

/** A path that is read, and the type it answers with. */
export interface IndexPath {
  readonly path: string;
  readonly tag: string;
  readonly id: string;
  readonly description: string;
  readonly type: string;
}

/** Fields of `/version`, by name: whether each is always there. No type of the API, so that the tables have none. */
const versionFields: Readonly<Record<string, boolean>> = {
  major: true,
  minor: true,
  emulationMajor: false,
  emulationMinor: false,
  minCompatibilityMajor: false,
  minCompatibilityMinor: false,
  gitVersion: true,
  gitCommit: true,
  gitTreeState: true,
  buildDate: true,
  goVersion: true,
  compiler: true,
  platform: true,
};

export const versionType = "io.k8s.apimachinery.pkg.version.Info";

export function versionSchema(version: OpenApiVersion): JsonObject {
  const fields = Object.entries(versionFields);
  return {
    type: "object",
    description: "Which Kubernetes the server is.",
    required: fields.filter(([, always]) => always).map(([name]) => name),
    properties: Object.fromEntries(
      fields.map(([name, always]) => [name, { type: "string", ...(always && version === 3 && { default: "" }) }]),
    ),
  };
}

export const versionPath: IndexPath = {
  path: "/version/",
  tag: "version",
  id: "getCodeVersion",
  description: "get the version information for this server",
  type: versionType,
};

const available = "get available API versions";

export const corePath: IndexPath = {
  path: "/api/",
  tag: "core",
  id: "getCoreAPIVersions",
  description: available,
  type: `${meta}APIVersions`,
};
export const groupsPath: IndexPath = {
  path: "/apis/",
  tag: "apis",
  id: "getAPIVersions",
  description: available,
  type: `${meta}APIGroupList`,
};

export function groupPath(group: string): IndexPath {
  const tag = groupName(group);
  const id = `get${tag.charAt(0).toUpperCase()}${tag.slice(1)}APIGroup`;
  return { path: `/apis/${group}/`, tag, id, description: "get information of a group", type: `${meta}APIGroup` };
}

export function resourcesPath(of: GroupVersion): IndexPath {
  const path = of.group === "" ? `/api/${of.version}/` : `/apis/${of.group}/${of.version}/`;
  const id = `get${operationGroup(of)}APIResources`;
  return { path, tag: tagOf(of), id, description: "get available resources", type: `${meta}APIResourceList` };
}

/** The path with its one operation. */
export function indexOperation({ tag, id, description, type }: IndexPath, schema: JsonObject, version: OpenApiVersion): JsonObject {
  const types = type === versionType ? ["application/json"] : ["application/json", "application/yaml"];
  const ok = version === 2 ? { schema } : { content: Object.fromEntries(types.map((each) => [each, { schema }])) };
  const operation = {
    tags: [tag],
    description,
    operationId: id,
    ...(version === 2 && { consumes: types, produces: types, schemes: ["https"] }),
    responses: { "200": { description: "OK", ...ok }, "401": { description: "Unauthorized" } },
  };
  return { get: operation };
}
