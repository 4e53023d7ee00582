import assert from "node:assert/strict";
import { test } from "node:test";
import { allKinds, type JsonObject, valueAt } from "@mecha/kinds";
import type { ApiAnswer, ApiRequest } from "../client.ts";
import { Registry } from "../registry/registry.ts";
import { crdSchema } from "./crd-schema.ts";
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
    items: { allOf: [{ $ref: "#/components/schemas/io.k8s.api.core.v1.Container" }], default: {} },
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
  assert.deepEqual(Object.keys(paths["/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"]!), ["post", "parameters"]);
});

test("what all operations of a path take is the path's; what only some take is theirs", () => {
  const paths = v3["paths"] as Record<string, JsonObject>;
  const names = (list: unknown): string[] => ((list ?? []) as JsonObject[]).map(({ name }) => String(name));
  const item = paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]!;
  assert.deepEqual(names(item["parameters"]), ["name", "namespace", "pretty"]);
  assert.deepEqual(names(valueAt(item, "delete.parameters")), ["dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"]);
  assert.ok(!("parameters" in (item["get"] as JsonObject)));
  assert.ok(names(paths["/apis/apps/v1/deployments"]!["parameters"]).includes("watch"));
});

test("operations are called as generators of clients know them", () => {
  const ids = (group: string): string[] => {
    const { paths } = openApiV3(allKinds().filter((each) => each.group === group && each.version === "v1"));
    const operations = Object.values(paths as Record<string, Record<string, JsonObject>>).flatMap((item) => Object.values(item));
    return operations.flatMap(({ operationId }) => (typeof operationId === "string" ? [operationId] : []));
  };
  const core = ids("");
  for (const id of [
    "getCoreV1APIResources",
    "listCoreV1PodForAllNamespaces",
    "listCoreV1NamespacedPod",
    "createCoreV1NamespacedPod",
    "deleteCoreV1CollectionNamespacedPod",
    "readCoreV1NamespacedPodStatus",
    "createCoreV1NamespacedPodEviction",
    "replaceCoreV1NamespaceFinalize",
    "watchCoreV1PodListForAllNamespaces",
    "watchCoreV1NamespacedPod",
    "watchCoreV1NodeList",
    "patchCoreV1Node",
  ])
    assert.ok(core.includes(id), id);
  assert.equal(new Set(core).size, core.length);
  assert.ok(ids("rbac.authorization.k8s.io").includes("listRbacAuthorizationV1ClusterRole"));
});

test("kinds are marked wherever their type is; what holds a zero unless said has it as default, but not in version 2", () => {
  const claim = schemas(v3)["io.k8s.api.core.v1.PersistentVolumeClaim"]!;
  assert.deepEqual(claim["x-kubernetes-group-version-kind"], [{ group: "", version: "v1", kind: "PersistentVolumeClaim" }]);
  const condition = schemas(v3)["io.k8s.api.apps.v1.DeploymentCondition"]!;
  assert.deepEqual([condition["required"], valueAt(condition, "properties.status.default")], [["type", "status"], ""]);
  assert.deepEqual(schemas(v3)["io.k8s.api.core.v1.SeccompProfile"]!["x-kubernetes-unions"], [
    { discriminator: "type", "fields-to-discriminateBy": { localhostProfile: "LocalhostProfile" } },
  ]);
  const old = openApiV2(apps)["definitions"] as Record<string, JsonObject>;
  assert.ok(!JSON.stringify(old).includes('"default"'));
});

test("schemas of CRDs: numbers or texts spelled out, embedded objects have what every object has; version 2 says less", () => {
  const schema: JsonObject = {
    type: "object",
    properties: {
      metadata: { type: "object", properties: { name: { type: "string", maxLength: 5 } } },
      port: { "x-kubernetes-int-or-string": true, pattern: "^x$" },
      own: { "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }] },
      other: { "x-kubernetes-int-or-string": true, anyOf: [{ minimum: 1 }] },
      embedded: { type: "object", "x-kubernetes-embedded-resource": true, required: ["kind"], properties: { x: { type: "string" } } },
      free: { type: "object", "x-kubernetes-preserve-unknown-fields": true, properties: { type: { type: "string" } } },
      items: { type: "array", items: { type: "string", nullable: true } },
      type: { type: "string", nullable: true, default: "x" },
    },
    required: ["type", "items"],
  };
  const reference = (name: string): JsonObject => ({ $ref: name });
  const either = [{ type: "integer" }, { type: "string" }];
  const shown = valueAt(crdSchema(schema, 3, reference), "properties") as Record<string, JsonObject>;
  assert.deepEqual(valueAt(shown, "metadata.allOf"), [{ $ref: "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" }]);
  assert.deepEqual(shown["port"], { "x-kubernetes-int-or-string": true, pattern: "^x$", anyOf: either });
  assert.deepEqual(shown["own"]?.["anyOf"], either);
  assert.deepEqual([shown["other"]?.["anyOf"], shown["other"]?.["allOf"]], [[{ minimum: 1 }], [{ anyOf: either }]]);
  assert.deepEqual(shown["embedded"]?.["required"], ["kind", "apiVersion"]);
  assert.deepEqual(Object.keys(shown["embedded"]?.["properties"] as JsonObject), ["x", "apiVersion", "kind", "metadata"]);
  const old = crdSchema(schema, 2, reference);
  const plain = old["properties"] as Record<string, JsonObject>;
  assert.deepEqual(old["required"], ["items"]);
  assert.deepEqual(plain["port"], { "x-kubernetes-int-or-string": true, pattern: "^x$" });
  assert.deepEqual(plain["free"], { "x-kubernetes-preserve-unknown-fields": true });
  assert.deepEqual(plain["items"], { type: "array", items: {} });
  assert.deepEqual(plain["type"], {});
  assert.deepEqual(crdSchema({ ...schema, "x-kubernetes-preserve-unknown-fields": true }, 2, reference), { type: "object" });
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
  assert.equal((await ask("/openapi/v3/apis/none/v1")).status, 404);
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
