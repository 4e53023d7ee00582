/**
 * CRDs of other projects, as they publish them: accepted with all their rules, and the rules say what the real server says. The files come with the Go modules
 * of these projects, by version, from Go's own module cache; nothing of them is kept here.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { allKinds, type JsonObject } from "@mecha/kinds";
import { parseAllDocuments } from "yaml";
import { testServer, type TestServer } from "../server/testing.ts";

interface Project {
  readonly module: string;
  /** The newest first; an older Go gets an older one. */
  readonly versions: readonly [newest: string, older: string];
  /** Folders of CRDs in the module. */
  readonly folders: readonly string[];
  /** CRDs it has at least. */
  readonly least: number;
}

const gateway: Project = {
  module: "sigs.k8s.io/gateway-api",
  versions: ["v1.6.3", "v1.2.1"],
  folders: ["config/crd/standard", "config/crd/experimental"],
  least: 14,
};
const projects: readonly Project[] = [
  gateway,
  { module: "knative.dev/serving", versions: ["v0.51.0", "v0.42.2"], folders: ["config/core/300-resources"], least: 7 },
  { module: "github.com/tektoncd/pipeline", versions: ["v1.6.0", "v0.65.0"], folders: ["config/300-crds"], least: 8 },
];

/** A download of a module; beyond it there is none, as without a network. */
const downloadMs = 120_000;

/** The folder of a module Go can get, or why there is none. */
function folderOf({ module, versions }: Project): { readonly folder: string } | { readonly reason: string } {
  let why = "";
  for (const version of versions) {
    const { error, stdout } = spawnSync("go", ["mod", "download", "-json", `${module}@${version}`], {
      encoding: "utf8",
      timeout: downloadMs,
    });
    const told = error || stdout === "" ? {} : (JSON.parse(stdout) as { readonly Dir?: string; readonly Error?: string });
    if (told.Dir !== undefined) return { folder: told.Dir };
    why = told.Error ?? error?.message ?? "go says nothing";
  }
  return { reason: `needs the Go module ${module}: ${why}` };
}

function crdsOf(folder: string, { folders }: Project): JsonObject[] {
  const files = folders.flatMap((inside) => readdirSync(join(folder, inside)).map((file) => join(folder, inside, file)));
  const documents = files.filter((file) => file.endsWith(".yaml")).flatMap((file) => parseAllDocuments(readFileSync(file, "utf8")));
  return documents.map((document) => document.toJS() as JsonObject).filter((object) => object?.["kind"] === "CustomResourceDefinition");
}

const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

for (const project of projects)
  test(`CRDs of ${project.module} are accepted`, async (t) => {
    const at = folderOf(project);
    if ("reason" in at) {
      assert.notEqual(process.env["MECHA_TEST_NO_SKIP"], "1", at.reason); // CI has Go and its module proxy
      t.skip(at.reason);
      return;
    }
    const all = crdsOf(at.folder, project);
    assert.ok(all.length >= project.least, `${String(all.length)} CRDs in ${at.folder}`);
    const { ask } = await testServer({ definitions: allKinds() });
    for (const crd of all) {
      const { name } = crd["metadata"] as { name: string };
      const { status, text } = await ask("POST", `${crds}?dryRun=All`, crd);
      assert.equal(status, 201, `${name}: ${text}`);
    }
    if (project === gateway) await gatewayRules(all);
  });

const routes = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes";
const route = (name: string, spec: JsonObject): JsonObject => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  metadata: { name },
  spec,
});

/** The answers are the real server's. */
async function gatewayRules(all: readonly JsonObject[]): Promise<void> {
  const { ask } = await testServer({ definitions: allKinds() });
  const served = all.filter(({ spec }) => ["HTTPRoute", "Gateway"].includes((spec as { names: { kind: string } }).names.kind));
  for (const crd of served.slice(0, 2)) assert.equal((await ask("POST", crds, crd)).status, 201);
  const match = { matches: [{ path: { type: "PathPrefix", value: "/cart" } }], backendRefs: [{ name: "cart", port: 8080 }] };
  const good = await ask("POST", routes, route("good", { parentRefs: [{ name: "g" }], hostnames: ["shop.example.com"], rules: [match] }));
  assert.equal(good.status, 201, good.text);
  assert.equal(good.body.spec.rules[0].backendRefs[0].weight, 1, "defaults");
  const redirect = { statusCode: 301, path: { type: "ReplaceFullPath", replaceFullPath: "/x", replacePrefixMatch: "/y" } };
  const bad = {
    parentRefs: [{ name: "g" }, { name: "g" }],
    rules: [
      {
        filters: [
          { type: "RequestRedirect", requestRedirect: redirect },
          { type: "RequestRedirect", requestRedirect: {} },
        ],
        matches: [{ path: { type: "PathPrefix", value: "cart//x" } }],
        backendRefs: [{ name: "cart" }],
      },
    ],
  };
  assert.deepEqual(await causes(ask, route("bad", bad)), [
    "spec.parentRefs: Invalid value: sectionName must be unique when parentRefs includes 2 or more references to the same parent",
    "spec.rules[0].backendRefs[0]: Invalid value: Must have port for Service reference",
    "spec.rules[0].filters: Invalid value: RequestRedirect filter cannot be repeated",
    "spec.rules[0].filters[0].requestRedirect.path: Invalid value: type must be 'ReplacePrefixMatch' when replacePrefixMatch is set",
    "spec.rules[0].matches[0].path: Invalid value: must not contain '//' when type one of ['Exact', 'PathPrefix']",
    "spec.rules[0].matches[0].path: Invalid value: value must be an absolute path and start with '/' when type one of ['Exact', 'PathPrefix']",
    "spec.rules[0]: Invalid value: RequestRedirect filter must not be used together with backendRefs",
  ]);
  assert.deepEqual(
    await causes(ask, route("host", { hostnames: ["UPPER"], rules: [{ backendRefs: [{ name: "c", port: 1, weight: -1 }] }] })),
    [
      `spec.hostnames[0]: Invalid value: "UPPER": spec.hostnames[0] in body should match '^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'`,
      "spec.rules[0].backendRefs[0].weight: Invalid value: -1: spec.rules[0].backendRefs[0].weight in body should be greater than or equal to 0",
    ],
  );
}

async function causes(ask: TestServer["ask"], object: JsonObject): Promise<string[]> {
  const { status, body } = await ask("POST", routes, object);
  assert.equal(status, 422);
  return (body.details.causes as { field: string; message: string }[]).map(({ field, message }) => `${field}: ${message}`).sort();
}
