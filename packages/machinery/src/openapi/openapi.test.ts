import assert from "node:assert/strict";
import { test } from "node:test";
import { allKinds, type JsonObject, valueAt } from "@mecha/kinds";
import type { ApiAnswer, ApiRequest } from "../client.ts";
import { Registry } from "../registry/registry.ts";
import { openApiV2, openApiV3 } from "./document.ts";
import { openApiPaths } from "./serve.ts";

const apps = allKinds().filter((definition) => definition.group === "apps");
const v3 = openApiV3(apps);
const schemas = (document: JsonObject): Record<string, JsonObject> => valueAt(document, "components.schemas") as Record<string, JsonObject>;

/** Every `$ref` in a document. */
function* references(value: unknown): Generator<string> {
  if (typeof value !== "object" || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    if (name === "$ref" && typeof inner === "string") yield inner;
    else yield* references(inner);
  }
}

test("every reference leads to a schema, in both versions and every group", () => {
  const groups = Map.groupBy(allKinds(), (definition) => `${definition.group}/${definition.version}`);
  for (const definitions of groups.values()) {
    const document = openApiV3(definitions);
    for (const ref of references(document)) assert.ok(schemas(document)[ref.replace("#/components/schemas/", "")], ref);
  }
  const all = openApiV2(allKinds());
  for (const ref of references(all)) assert.ok((all["definitions"] as JsonObject)[ref.replace("#/definitions/", "")], ref);
});

test("PATCH lists what kubectl looks for, with the kind behind it", () => {
  const patch = (v3["paths"] as Record<string, JsonObject>)["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]![
    "patch"
  ] as JsonObject;
  assert.deepEqual(
    (patch["parameters"] as JsonObject[]).map((parameter) => parameter["name"]),
    ["dryRun", "fieldManager", "fieldValidation", "force"],
  );
  assert.deepEqual(patch["x-kubernetes-group-version-kind"], { group: "apps", version: "v1", kind: "Deployment" });
});

test("fields say how they are merged; what stands beside a reference is wrapped in version 3", () => {
  const podSpec = schemas(v3)["io.k8s.api.core.v1.PodSpec"]!;
  const { description: _, ...containers } = valueAt(podSpec, "properties.containers") as JsonObject;
  assert.deepEqual(containers, {
    type: "array",
    items: { $ref: "#/components/schemas/io.k8s.api.core.v1.Container" },
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "x-kubernetes-patch-strategy": "merge",
    "x-kubernetes-patch-merge-key": "name",
  });
  assert.deepEqual(podSpec["required"], ["containers"]);
  const strategy = valueAt(schemas(v3)["io.k8s.api.apps.v1.DeploymentSpec"], "properties.strategy") as JsonObject;
  assert.deepEqual(strategy["allOf"], [{ $ref: "#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy" }]);
  assert.equal(strategy["x-kubernetes-patch-strategy"], "retainKeys");
});

test("reviews can only be created", () => {
  const paths = openApiV3(allKinds().filter((definition) => definition.group === "authorization.k8s.io"))["paths"] as Record<
    string,
    JsonObject
  >;
  assert.deepEqual(Object.keys(paths["/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"]!), ["post"]);
});

test("documents are kept, revalidated by ETag, addressed by hash, and made anew when a kind comes or goes", async () => {
  const registry = new Registry(allKinds());
  const serve = openApiPaths();
  const ask = async (path: string, query = "", headers: ApiRequest["headers"] = {}): Promise<ApiAnswer> => {
    const answer = await serve({ method: "GET", path, query, headers }, registry);
    assert.ok(answer, path);
    return answer;
  };
  const json = (answer: ApiAnswer): JsonObject => JSON.parse(new TextDecoder().decode(answer.body)) as JsonObject;
  const index = await ask("/openapi/v3");
  const url = (json(index)["paths"] as Record<string, { serverRelativeURL: string }>)["apis/apps/v1"]!.serverRelativeURL;
  const [path = "", query = ""] = url.split("?");
  const document = await ask(path, query);
  assert.equal(document.headers["cache-control"], "public, immutable");
  assert.deepEqual(json(document), JSON.parse(JSON.stringify(openApiV3(apps))));
  assert.equal((await ask(path, query, { "if-none-match": document.headers["etag"]! })).status, 304);
  const stale = await ask(path, "hash=0");
  assert.deepEqual([stale.status, stale.headers["location"]], [301, url]);
  registry.unregister({ group: "apps", version: "v1" }, "deployments");
  assert.notEqual((await ask("/openapi/v3")).headers["etag"], index.headers["etag"]);
  assert.equal(await serve({ method: "GET", path: "/openapi/v3/apis/none/v1", query: "", headers: {} }, registry), undefined);
  assert.equal(json(await ask("/openapi/v2"))["swagger"], "2.0");
  const accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
  const { headers, body } = await ask("/openapi/v2", "", { accept });
  assert.equal(headers["content-type"], "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
  assert.match(new TextDecoder().decode(body), /^\n\x032\.0\x12.\n\nKubernetes\x12.v\d+\.\d+\.\d+$/u);
});

test("PATCH lists strategic patches only for kinds that take them: kubectl apply sends what it finds there", () => {
  const media = (strategicPatch: boolean): string[] => {
    const { paths } = openApiV3([{ ...apps[0]!, strategicPatch }]) as { paths: Record<string, JsonObject> };
    const item = Object.entries(paths).find(([path]) => path.endsWith("/{name}"))?.[1];
    return Object.keys(valueAt(item, "patch.requestBody.content") as JsonObject);
  };
  assert.ok(media(true).includes("application/strategic-merge-patch+json"));
  assert.ok(!media(false).includes("application/strategic-merge-patch+json"));
});
