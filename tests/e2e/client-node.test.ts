/** The API as programs meet it that use npm's own Kubernetes client: informers, watches and server-side apply over TLS. */
import {
  type Informer,
  KubeConfig,
  KubernetesObjectApi,
  type KubernetesObject,
  makeInformer,
  PatchStrategy,
  V1ObjectMeta,
} from "@kubernetes/client-node";
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ApiServer, openApiServer } from "@mecha/apiserver";
import { hostClock, hostRandom } from "@mecha/host";
import { noLog } from "@mecha/kit";
import { allKinds } from "@mecha/kinds";
import { openMemoryObjectLog } from "@mecha/store-memory";
import { type TempDir, tempDir } from "../support/files.ts";

interface Gadget extends KubernetesObject {
  spec: { size?: number; color?: string };
}

let dir: TempDir;
let api: ApiServer;
let config: KubeConfig;
let client: KubernetesObjectApi;

before(async () => {
  dir = await tempDir("client-node");
  api = await openApiServer(
    { host: "127.0.0.1", port: 0, folder: `${dir.path}/kubernetes`, hosts: [], name: "test" },
    { clock: hostClock, random: hostRandom, log: noLog, objects: openMemoryObjectLog(), definitions: allKinds() },
  );
  config = new KubeConfig();
  config.loadFromFile(api.kubeconfig);
  client = KubernetesObjectApi.makeApiClient(config);
  await client.create(crd);
});

after(async () => {
  await api[Symbol.asyncDispose]();
  await dir[Symbol.asyncDispose]();
});

const crd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "gadgets.example.dev" },
  spec: {
    group: "example.dev",
    names: { plural: "gadgets", kind: "Gadget" },
    scope: "Namespaced",
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: { spec: { type: "object", properties: { size: { type: "integer" }, color: { type: "string" } } } },
          },
        },
      },
    ],
  },
};

const gadget = (name: string, spec: Gadget["spec"]): Gadget => ({
  apiVersion: "example.dev/v1",
  kind: "Gadget",
  metadata: Object.assign(new V1ObjectMeta(), { name, namespace: "default" }),
  spec,
});

const apply = (object: Gadget, manager: string, force = false): Promise<Gadget> =>
  client.patch(object, undefined, undefined, manager, force, PatchStrategy.ServerSideApply);

test("server-side apply: creates, tells of conflicts, takes with force", async () => {
  const made = await apply(gadget("a", { size: 1, color: "red" }), "one");
  assert.deepEqual(made.spec, { size: 1, color: "red" });
  await assert.rejects(apply(gadget("a", { size: 2 }), "two"), (error: Error) => {
    assert.match(error.message, /409/u);
    assert.match(error.message, /Apply failed with 1 conflict: conflict with [\\"]+one[\\"]+: \.spec\.size/u);
    return true;
  });
  const taken = await apply(gadget("a", { size: 2 }), "two", true);
  assert.deepEqual(taken.spec, { size: 2, color: "red" });
  assert.deepEqual(
    taken.metadata?.managedFields?.map(({ manager, fieldsV1 }) => [manager, fieldsV1]),
    [
      ["one", { "f:spec": { "f:color": {} } }],
      ["two", { "f:spec": { "f:size": {} } }],
    ],
  );
});

test("an informer lists, then follows: added, changed and deleted objects of a kind users added", async () => {
  await apply(gadget("b", { size: 1 }), "one");
  const list = (): Promise<{ items: Gadget[]; apiVersion?: string; kind?: string; metadata?: object }> =>
    client.list<Gadget>("example.dev/v1", "Gadget", "default");
  const informer: Informer<Gadget> = makeInformer<Gadget>(config, "/apis/example.dev/v1/namespaces/default/gadgets", list);
  const seen: string[] = [];
  let wake: () => void = () => undefined;
  const note = (what: string) => (object: Gadget) => {
    seen.push(`${what} ${object.metadata?.name ?? ""} ${String(object.spec.size)}`);
    wake();
  };
  informer.on("add", note("add"));
  informer.on("update", note("update"));
  informer.on("delete", note("delete"));
  const failed: unknown[] = [];
  informer.on("error", (error) => failed.push(error));
  const until = async (what: string): Promise<void> => {
    while (!seen.includes(what)) await new Promise<void>((resolve) => (wake = resolve));
  };
  await informer.start();
  try {
    await until("add b 1");
    await apply(gadget("c", { size: 5 }), "one");
    await until("add c 5");
    await apply(gadget("c", { size: 6 }), "one");
    await until("update c 6");
    await client.delete(gadget("c", {}));
    await until("delete c 6");
    assert.deepEqual(failed, []);
  } finally {
    await informer.stop();
  }
});
