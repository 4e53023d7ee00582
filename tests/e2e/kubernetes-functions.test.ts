/** Functions of mecha.yaml as objects of the Kubernetes API beside them, seen with a real kubectl. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { copyCart, startUp } from "../support/cart.ts";
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

const foreign = (name: string): string =>
  JSON.stringify({
    apiVersion: "cloudstate.io/v1alpha1",
    kind: "StatefulService",
    metadata: { name, labels: { "mecha.dev/project": "shopping-cart" } },
    spec: { containers: [{ name, image: "example/other" }] },
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

test("a StatefulService that is not of mecha.yaml says so; what left the file goes, what a person made stays", async () => {
  await using dir = await copyCart();
  {
    await using _up = await startUp(dir.path);
    const kubectl = kubectlFor(dir.path);
    await kubectl.run(["apply", "-f", "-"], foreign("other"));
    await untilReady(kubectl, "statefulservice/other", "False");
    const ready = 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}: {.status.conditions[?(@.type=="Ready")].message}';
    assert.match(
      await kubectl.run(["get", "statefulservice", "other", "-o", ready]),
      /^NotSupportedYet: .*put this one into its spec\.functions/u,
    );
    await untilReady(kubectl, "statefulservice/cart", "True");
  }
  const file = join(dir.path, "mecha.yaml");
  await writeFile(file, (await readFile(file, "utf8")).replace("name: cart\n", "name: basket\n"));
  await using _again = await startUp(dir.path);
  const kubectl = kubectlFor(dir.path);
  await untilReady(kubectl, "statefulservice/basket", "True");
  await kubectl.run(["wait", "--for=delete", "statefulservice/cart", "--timeout=60s"]);
  assert.equal(
    await kubectl.run(["get", "statefulservices", "-o", "name"]),
    "statefulservice.cloudstate.io/basket\nstatefulservice.cloudstate.io/other\n",
  );
});
