/** Real kubectls against the API server: what people type, and what they get to see. */
import assert from "node:assert/strict";
import { kubectlSessions } from "../support/kubectl-sessions.ts";

const session = kubectlSessions("kubectl", 3);
const cart = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "cart" }, data: { a: "1" } };

session("create, get, label, delete", async ({ at, attempt }) => {
  assert.equal(await at(["create", "--validate=false", "-f", "-"], cart), "configmap/cart created\n");
  assert.match(await at(["get", "cm", "cart"]), /^NAME +DATA +AGE\ncart +1 +\d+s\n$/u);
  assert.match(await at(["get", "cm", "cart", "-o", "yaml"]), /^data:\n {2}a: "1"$/mu);
  assert.equal(await at(["label", "cm", "cart", "tier=web"]), "configmap/cart labeled\n");
  assert.match(await at(["get", "cm", "-l", "tier=web", "-o", "name"]), /^configmap\/cart$/mu);
  const again = await attempt(["create", "--validate=false", "-f", "-"], cart);
  assert.match(again.output, /Error from server \(AlreadyExists\): error when creating "STDIN": configmaps "cart" already exists/u);
  assert.match(await at(["delete", "cm", "cart"]), /^configmap "cart" deleted/u);
  const gone = await attempt(["get", "cm", "cart"]);
  assert.equal(gone.output, 'Error from server (NotFound): configmaps "cart" not found\n');
});

session("watch with get -w", async ({ kubectl, namespace, at }) => {
  await using watch = kubectl.start(["-n", namespace, "get", "cm", "-w", "--output-watch-events"]);
  await at(["create", "--validate=false", "-f", "-"], cart);
  await watch.waitFor(/ADDED +cart/u);
  await at(["label", "cm", "cart", "a=b"]);
  await watch.waitFor(/MODIFIED +cart/u);
  await at(["delete", "cm", "cart"]);
  await watch.waitFor(/DELETED +cart/u);
});

session(
  "accounts, roles, tokens, can-i",
  async ({ kubectl, namespace, api, at, attempt }) => {
    await at(["create", "serviceaccount", "bot"]);
    await at(["create", "rolebinding", "bot", "--clusterrole=view", `--serviceaccount=${namespace}:bot`]);
    const as = ["--as", `system:serviceaccount:${namespace}:bot`];
    assert.equal(await at(["auth", "can-i", "list", "pods", ...as]), "yes\n");
    assert.match((await attempt(["auth", "can-i", "delete", "pods", ...as])).output, /^no\n/u);
    assert.match(await kubectl.run(["auth", "whoami", ...as]), new RegExp(`Username +system:serviceaccount:${namespace}:bot`, "u"));
    const token = (await at(["create", "token", "bot"])).trim();
    const withToken = ["--server", api.url, "--token", token, "--kubeconfig", "/dev/null", "--insecure-skip-tls-verify"];
    assert.match(await at(["get", "cm", "-o", "name", ...withToken]), /^configmap\/kube-root-ca\.crt$/mu);
    const refused = await attempt(["get", "secrets", ...withToken]);
    assert.match(refused.output, /secrets is forbidden: User "system:serviceaccount:\S+:bot" cannot list resource "secrets"/u);
  },
  "newest",
);
