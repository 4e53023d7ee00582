/** Functions as objects of the Kubernetes API, with a real kubectl: those of mecha.yaml are shown, those somebody applies are run. */
import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { addItem, copyCart, getCart, startUp } from "../support/cart.ts";
import { installedKubectls, type Kubectl, openKubectl } from "../support/kubectl.ts";
import { eventually } from "../support/program.ts";

function kubectlFor(folder: string): Kubectl {
  const [binary] = installedKubectls().slice(-1);
  assert.ok(binary, "a kubectl is on this machine");
  return openKubectl(binary, join(folder, ".mecha/kubernetes/kubeconfig"), join(folder, "home"));
}

/** Waits for a Ready condition; `kubectl wait` fails at once for an object that is not there yet. */
async function untilReady(kubectl: Kubectl, object: string, status: "True" | "False"): Promise<void> {
  await eventually(`${object} is there`, async () => (await kubectl.try(["get", object])).code === 0);
  await kubectl.run(["wait", `--for=condition=Ready=${status}`, object, "--timeout=60s"]);
}

/** The cart as a StatefulService somebody applies. */
const cartObject = (name: string, env: readonly object[], more: object = { command: ["node", "src/main.ts"] }): string =>
  JSON.stringify({
    apiVersion: "cloudstate.io/v1alpha1",
    kind: "StatefulService",
    metadata: { name, labels: { "mecha.dev/project": "shopping-cart" } },
    spec: { containers: [{ name, image: "example/cart", env, ...more }] },
  });

test("the cart is a Ready StatefulService, comes back when deleted, and follows its process", async () => {
  await using dir = await copyCart();
  await using up = await startUp(dir.path);
  const kubectl = kubectlFor(dir.path);
  await untilReady(kubectl, "statefulservice/cart", "True");
  await untilReady(kubectl, "statefulstore/shopping-cart", "True");
  const rows = (await kubectl.run(["get", "statefulservices", "--no-headers"])).trim().split("\n");
  assert.equal(rows.length, 1);
  assert.match(rows[0] ?? "", /^cart +1 +Ready +shopping-cart +\d+s$/u);
  const message = ["-o", 'jsonpath={.status.conditions[?(@.type=="Ready")].message}'];
  assert.equal(await kubectl.run(["get", "statefulservice", "cart", ...message]), "serves shop.Cart");

  const since = ["get", "statefulservice", "cart", "-o", "jsonpath={.status.conditions[0].lastTransitionTime} {.metadata.uid}"];
  const before = await kubectl.run(since);
  await kubectl.run(["delete", "statefulservice", "cart"]);
  await untilReady(kubectl, "statefulservice/cart", "True");
  assert.notEqual((await kubectl.run(since)).split(" ")[1], before.split(" ")[1]);

  const watching = kubectl.start(["get", "statefulservice", "cart", "--watch", "--no-headers"]);
  await using _watching = watching;
  await eventually("the watch tells", () => Promise.resolve(watching.output.includes("Ready")));
  const [pid = 0] = await up.program.descendants();
  process.kill(pid, "SIGKILL");
  await eventually("it is Ready no more", () => Promise.resolve(/ 0 +Restarting /u.test(watching.output)));
  await untilReady(kubectl, "statefulservice/cart", "True");
});

test("a function made with kubectl runs: beside others, over kill -9, with another environment, until it is deleted", async () => {
  await using dir = await copyCart();
  const ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}: {.status.conditions[?(@.type=="Ready")].message}';
  const config = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "colours" }, data: { RED: "1" } };
  const needy = [{ name: "RED", valueFrom: { configMapKeyRef: { name: "colours", key: "RED" } } }];
  const kubectl = kubectlFor(dir.path);
  {
    await using up = await startUp(dir.path);
    await untilReady(kubectl, "statefulservice/cart", "True");
    await kubectl.run(["apply", "-f", "-"], cartObject("other", needy));
    await eventually("it waits for its ConfigMap", async () =>
      /^EnvironmentIncomplete: it cannot start: env RED: there is no ConfigMap colours$/u.test(
        await kubectl.run(["get", "ss", "other", "-o", ready]),
      ),
    );
    await kubectl.run(["apply", "-f", "-"], JSON.stringify(config));
    await eventually("the first one keeps the service", async () =>
      /^Refused: the service shop\.Cart is served by function cart already/u.test(await kubectl.run(["get", "ss", "other", "-o", ready])),
    );
    await kubectl.run(["apply", "-f", "-"], cartObject("lost", [], { command: ["node", "x.js"], workingDir: "/nowhere" }));
    await untilReady(kubectl, "statefulservice/lost", "False");
    assert.match(await kubectl.run(["get", "ss", "lost", "-o", ready]), /^CannotStart: the folder \/nowhere does not exist/u);
    await kubectl.run(["delete", "ss", "lost"]);
    await kubectl.run(["apply", "-f", "-"], cartObject("imaged", [], {}));
    await untilReady(kubectl, "statefulservice/imaged", "False");
    assert.match(await kubectl.run(["describe", "ss", "imaged"]), /Warning +ImageNotRunnable .*the image example\/cart cannot be run/u);
    await untilReady(kubectl, "statefulservice/cart", "True");
    await addItem(up.ingress, "7", { sku: "tea", quantity: 2 });
    up.program.kill("SIGKILL");
  }
  // Without mecha.yaml, from a file: what was in its way is no more there.
  await rm(join(dir.path, "mecha.yaml"));
  await writeFile(join(dir.path, "cart.json"), cartObject("other", needy));
  await writeFile(join(dir.path, "colours.yaml"), JSON.stringify(config));
  {
    await using up = await startUp(dir.path);
    assert.match(up.program.output, /mecha \| +statefulservice\/other is ready: serves shop\.Cart/u);
    await untilReady(kubectl, "statefulservice/other", "True");
    await kubectl.run(["wait", "--for=delete", "statefulservice/cart", "--timeout=60s"]);
    await addItem(up.ingress, "7", { sku: "cup", quantity: 1 });
    up.program.kill("SIGKILL");
  }
  await rm(join(dir.path, "cart.json"));
  await using up = await startUp(dir.path);
  await up.program.waitFor(/statefulservice\/other is in no file any more, and stays/u);
  await untilReady(kubectl, "statefulservice/other", "True");
  const items = { cartId: "7", items: [item("tea", 2), item("cup", 1)], checkedOut: false };
  assert.deepEqual(await getCart(up.ingress, "7"), items);
  const environ = async (): Promise<string> => readFile(`/proc/${String((await up.program.descendants())[0])}/environ`, "utf8");
  assert.match(await environ(), /(^|\0)RED=1\0/u);
  await kubectl.run([
    "patch",
    "ss",
    "other",
    "--type=json",
    "-p",
    JSON.stringify([{ op: "replace", path: "/spec/containers/0/env/0", value: { name: "BLUE", value: "2" } }]),
  ]);
  await untilReady(kubectl, "statefulservice/other", "True");
  await eventually("the old one has ended", async () => (await up.program.descendants()).length === 1);
  assert.match(await environ(), /(^|\0)BLUE=2\0/u);
  assert.deepEqual(await getCart(up.ingress, "7"), items);
  await kubectl.run(["scale", "ss", "other", "--replicas=0"]);
  await untilReady(kubectl, "statefulservice/other", "False");
  await assert.rejects(getCart(up.ingress, "7"), / 404 /u);
  await kubectl.run(["scale", "ss", "other", "--replicas=1"]);
  await untilReady(kubectl, "statefulservice/other", "True");
  assert.deepEqual(await getCart(up.ingress, "7"), items);
  await kubectl.run(["delete", "ss", "other"]);
  await assert.rejects(getCart(up.ingress, "7"), / 404 /u);
  assert.deepEqual(await up.program.descendants(), []);
});

const item = (sku: string, quantity: number): object => ({ sku, name: sku, quantity });
