import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, SeededRandom } from "@mecha/kit/testing";
import { allKinds, type KubeObject, objectAt } from "@mecha/kinds";
import { ApiClient, inProcessTransport, KubeServer, mastersGroup, resourceRef } from "@mecha/machinery";
import { openMemoryObjectLog } from "@mecha/store-memory";
import { UsageError } from "../../exit.ts";
import { readText } from "../../manifests/read.ts";
import { applyDirectory, filesManager, inOrder } from "./directory.ts";

const configMaps = resourceRef("v1", "ConfigMap");
const never = new AbortController().signal;

/** A server, and a folder whose one file is applied to it. */
async function serve() {
  const clock = new FakeClock();
  const server = await KubeServer.open({
    log: openMemoryObjectLog(),
    clock,
    random: new SeededRandom(1),
    definitions: allKinds(),
  });
  const client = new ApiClient(inProcessTransport(server, { name: "mecha", groups: [mastersGroup] }), { fieldManager: filesManager });
  const apply = async (
    text: string,
    prune = false,
  ): Promise<{ readonly applied: readonly KubeObject[]; readonly said: readonly string[] }> => {
    const said: string[] = [];
    const { manifests, problems } = readText(text, "f.yaml", "objects");
    assert.deepEqual(problems, []);
    const applied = await applyDirectory(manifests, { client, clock, signal: never, say: (line) => said.push(line), prune });
    return { applied, said };
  };
  const there = async (name: string): Promise<boolean> => (await client.find(configMaps, { namespace: "default", name })) !== undefined;
  return { client, apply, there };
}

const configMap = (name: string, more = ""): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}${more} }\n`;
const crd = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: gizmos.x.dev }
spec:
  group: x.dev
  scope: Namespaced
  names: { kind: Gizmo, plural: gizmos, singular: gizmo, listKind: GizmoList }
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, properties: { spec: { type: object, properties: { size: { type: integer } } } } } }
`;
const gizmo = (size: string): string =>
  `apiVersion: x.dev/v1\nkind: Gizmo\nmetadata: { name: g, namespace: things }\nspec: { size: ${size} }\n`;
const namespace = "apiVersion: v1\nkind: Namespace\nmetadata: { name: things }\n";
const all = (...texts: readonly string[]): string => texts.join("---\n");

test("what others need comes first, and within that the order is the files'", () => {
  const { manifests } = readText(all(gizmo("1"), configMap("b"), crd, configMap("a"), namespace), "f.yaml", "objects");
  const order = inOrder(manifests).map(({ object }) => `${object.kind}/${object.metadata.name}`);
  assert.deepEqual(order, ["Namespace/things", "CustomResourceDefinition/gizmos.x.dev", "ConfigMap/b", "ConfigMap/a", "Gizmo/g"]);
});

test("namespaces and CRDs of the same files are there when what needs them is applied; again, nothing is said", async () => {
  const { apply, client } = await serve();
  const files = all(gizmo("3"), crd, namespace, configMap("a"));
  const said = [
    "namespace/things created",
    "customresourcedefinition/gizmos.x.dev created",
    "configmap/a created",
    "gizmo/things/g created",
  ];
  assert.deepEqual((await apply(files)).said, said);
  assert.deepEqual((await apply(files)).said, []);
  assert.deepEqual((await apply(all(gizmo("4"), crd, namespace, configMap("a")))).said, ["gizmo/things/g configured"]);
  const stored = await client.get(resourceRef("x.dev/v1", "Gizmo"), { namespace: "things", name: "g" });
  assert.deepEqual(objectAt(stored, "spec"), { size: 4 });
  assert.deepEqual(new Set(stored.metadata.managedFields?.map(({ manager }) => manager)), new Set([filesManager]));
});

test("one mistake, and nothing is applied; each is named with file and line", async () => {
  const { apply, there } = await serve();
  const bad = all(
    configMap("good"),
    configMap("bad", ", labels: { a: '???' }"),
    "apiVersion: y.dev/v1\nkind: None\nmetadata: { name: none }\n",
    "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: { name: hook }\n",
  );
  await assert.rejects(apply(bad), (error: Error) => {
    assert.match(
      error.message,
      /^nothing was applied:\n {2}f\.yaml:5: configmap\/bad: .*.*"\?\?\?"[^]*\n {2}f\.yaml:9: the server has no kind None of y\.dev\/v1; no file brings its CustomResourceDefinition\n {2}f\.yaml:13: .* ValidatingWebhookConfiguration .*: leave the object out/u,
    );
    return true;
  });
  assert.equal(await there("good"), false);
  await assert.rejects(
    apply(all(configMap("good"), crd, namespace, gizmo("no"))),
    /nothing was applied but namespaces and CRDs:\n {2}f\.yaml:\d+: gizmo\/things\/g: /u,
  );
  assert.equal(await there("good"), false);
  await assert.rejects(apply(all(configMap("x", ", namespace: nowhere"))), /f\.yaml:1: configmap\/nowhere\/x: .*is its namespace there\?/u);
  await assert.rejects(apply(all(configMap("x"), configMap("x"))), /^UsageError: f\.yaml:5: configmap\/x is in these files twice/u);
});

test("what left the files is said and stays; pruned, it goes, unless it is another object by now", async () => {
  const { apply, there, client } = await serve();
  await apply(all(configMap("a"), configMap("b"), configMap("c")));
  assert.deepEqual((await apply(configMap("a"))).said, [
    "configmap/b is in no file any more, and stays; mecha up --prune deletes it",
    "configmap/c is in no file any more, and stays; mecha up --prune deletes it",
  ]);
  await client.delete(configMaps, { namespace: "default", name: "c" });
  await client.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c", namespace: "default" } });
  assert.deepEqual((await apply(configMap("a"), true)).said, ["configmap/b deleted: it is in no file any more"]);
  assert.deepEqual([await there("a"), await there("b"), await there("c")], [true, false, true]);
  assert.deepEqual((await apply("", true)).said, ["configmap/a deleted: it is in no file any more"]);
});

test("when Mecha ends meanwhile nothing further is applied", async () => {
  const { client, there } = await serve();
  const { manifests } = readText(all(configMap("a"), configMap("b")), "f.yaml", "objects");
  const ends = new AbortController();
  const ports = { client, clock: new FakeClock(), signal: ends.signal, say: () => ends.abort(), prune: false };
  await assert.rejects(applyDirectory(manifests, ports));
  assert.deepEqual([await there("a"), await there("b")], [true, false]);
  await assert.rejects(applyDirectory(manifests, ports), (error) => !(error instanceof UsageError), "no mistake of the files");
});
