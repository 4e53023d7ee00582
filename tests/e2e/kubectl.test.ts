/** Real kubectls against the API server: what people type, and what they get to see. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ApiServer, openApiServer } from "@mecha/apiserver";
import { hostClock, hostRandom } from "@mecha/host";
import { noLog } from "@mecha/kit";
import { allKinds } from "@mecha/kinds";
import { openMemoryObjectLog } from "@mecha/store-memory";
import { type TempDir, tempDir } from "../support/files.ts";
import { installedKubectls, type Kubectl, openKubectl } from "../support/kubectl.ts";

const binaries = installedKubectls();
let dir: TempDir;
let api: ApiServer;

before(async () => {
  dir = await tempDir("kubectl");
  api = await openApiServer(
    { host: "127.0.0.1", port: 0, folder: `${dir.path}/kubernetes`, hosts: [], name: "test" },
    { clock: hostClock, random: hostRandom, log: noLog, objects: openMemoryObjectLog(), definitions: allKinds() },
  );
});

after(async () => {
  await api[Symbol.asyncDispose]();
  await dir[Symbol.asyncDispose]();
});

/** One test for each version, in a namespace of its own. */
function session(name: string, steps: (kubectl: Kubectl, namespace: string) => Promise<void>): void {
  for (const binary of binaries)
    test(`kubectl 1.${binary.minor}: ${name}`, async () => {
      const namespace = `n${binary.minor}-${name.replaceAll(/[^a-z]+/gu, "-").slice(0, 40)}x`;
      const kubectl = openKubectl(binary, api.kubeconfig, `${dir.path}/home-${binary.minor}`);
      await kubectl.run(
        ["create", "--validate=false", "-f", "-"],
        manifest({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }),
      );
      await steps(kubectl, namespace);
    });
}

const manifest = (object: unknown): string => JSON.stringify(object);
const cart = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "cart" }, data: { a: "1" } };

test("at least three kubectls are on this machine", () => assert.ok(binaries.length >= 3, JSON.stringify(binaries)));

session("create, get, label, delete", async (kubectl, namespace) => {
  const here = ["-n", namespace];
  assert.equal(await kubectl.run([...here, "create", "--validate=false", "-f", "-"], manifest(cart)), "configmap/cart created\n");
  assert.match(await kubectl.run([...here, "get", "cm", "cart"]), /^NAME +DATA +AGE\ncart +1 +\d+s\n$/u);
  assert.match(await kubectl.run([...here, "get", "cm", "cart", "-o", "yaml"]), /^data:\n {2}a: "1"$/mu);
  assert.equal(await kubectl.run([...here, "label", "cm", "cart", "tier=web"]), "configmap/cart labeled\n");
  assert.match(await kubectl.run([...here, "get", "cm", "-l", "tier=web", "-o", "name"]), /^configmap\/cart$/mu);
  const again = await kubectl.try([...here, "create", "--validate=false", "-f", "-"], manifest(cart));
  assert.match(again.output, /Error from server \(AlreadyExists\): error when creating "STDIN": configmaps "cart" already exists/u);
  assert.match(await kubectl.run([...here, "delete", "cm", "cart"]), /^configmap "cart" deleted/u);
  const gone = await kubectl.try([...here, "get", "cm", "cart"]);
  assert.equal(gone.output, 'Error from server (NotFound): configmaps "cart" not found\n');
});

session("watch with get -w", async (kubectl, namespace) => {
  await using watch = kubectl.start(["-n", namespace, "get", "cm", "-w", "--output-watch-events"]);
  await kubectl.run(["-n", namespace, "create", "--validate=false", "-f", "-"], manifest(cart));
  await watch.waitFor(/ADDED +cart/u);
  await kubectl.run(["-n", namespace, "label", "cm", "cart", "a=b"]);
  await watch.waitFor(/MODIFIED +cart/u);
  await kubectl.run(["-n", namespace, "delete", "cm", "cart"]);
  await watch.waitFor(/DELETED +cart/u);
});

session("accounts, roles, tokens, can-i", async (kubectl, namespace) => {
  const here = ["-n", namespace];
  await kubectl.run([...here, "create", "serviceaccount", "bot"]);
  await kubectl.run([...here, "create", "rolebinding", "bot", "--clusterrole=view", `--serviceaccount=${namespace}:bot`]);
  const as = ["--as", `system:serviceaccount:${namespace}:bot`];
  assert.equal(await kubectl.run([...here, "auth", "can-i", "list", "pods", ...as]), "yes\n");
  assert.match((await kubectl.try([...here, "auth", "can-i", "delete", "pods", ...as])).output, /^no\n/u);
  assert.match(await kubectl.run(["auth", "whoami", ...as]), new RegExp(`Username +system:serviceaccount:${namespace}:bot`, "u"));
  const token = (await kubectl.run([...here, "create", "token", "bot"])).trim();
  const withToken = ["--server", api.url, "--token", token, "--kubeconfig", "/dev/null", "--insecure-skip-tls-verify"];
  assert.match(await kubectl.run([...here, "get", "cm", "-o", "name", ...withToken]), /^configmap\/kube-root-ca\.crt$/mu);
  const refused = await kubectl.try([...here, "get", "secrets", ...withToken]);
  assert.match(refused.output, /secrets is forbidden: User "system:serviceaccount:\S+:bot" cannot list resource "secrets"/u);
});
