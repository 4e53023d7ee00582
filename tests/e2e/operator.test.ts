/** The ConfigWatch example, an operator written from its guide, against `mecha up` with the real kubectl; killed and started again in the middle. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startUp } from "../support/cart.ts";
import { repository, type TempDir, tempDir } from "../support/files.ts";
import { installedKubectls, type Kubectl, openKubectl } from "../support/kubectl.ts";
import { eventually, type Program, startNode } from "../support/program.ts";

const operatorMain = "examples/config-watch/src/main.ts";
const deploy = join(repository, "examples/config-watch/deploy");

let dir: TempDir;
before(async () => void (dir = await tempDir("operator")));
after(() => dir[Symbol.asyncDispose]());

const pod = (name: string): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: "greeter" } },
    spec: { containers: [{ name: "main", image: "example/greeter" }] },
  });

async function podNames(kubectl: Kubectl): Promise<string[]> {
  const out = await kubectl.run(["get", "pods", "-l", "app=greeter", "-o", "name"]);
  return out.split("\n").filter((line) => line !== "");
}

const hashOf = (kubectl: Kubectl, name: string): Promise<string> =>
  kubectl.run(["get", "pod", name, "-o", "jsonpath={.metadata.annotations.ops\\.example\\.dev/config-hash}"]);

test("Pods of an old configuration are restarted: while the operator runs, after a change it did not see, and over kill -9 of Mecha", async () => {
  const [binary] = installedKubectls().slice(-1);
  assert.ok(binary);
  const project = join(repository, "examples/shopping-cart");
  const state = join(dir.path, "state");
  const up = () => startUp(project, ["--state", state]);
  let mecha = await up();
  const kubeconfig = join(state, "kubernetes/kubeconfig");
  const kubectl = openKubectl(binary, kubeconfig, join(dir.path, "home"));
  await eventually("the API answers", async () => (await kubectl.try(["get", "--raw", "/readyz"])).stdout === "ok");
  let operator: Program | undefined;
  const start = (): Program => startNode(operatorMain, ["--kubeconfig", kubeconfig, "--leader-elect"]);
  try {
    await kubectl.run(["apply", "-f", join(deploy, "crd.yaml")]);
    await kubectl.run(["wait", "--for=condition=Established", "crd/configwatches.ops.example.dev", "--timeout=20s"]);
    operator = start();
    await kubectl.run(["apply", "-f", join(deploy, "example.yaml")]);
    await kubectl.run(["create", "-f", "-"], pod("one"));
    await eventually("the Pod is adopted", async () => (await hashOf(kubectl, "one")) !== "");
    await kubectl.run(["wait", "--for=condition=Ready", "configwatch/greeter", "--timeout=20s"]);

    await kubectl.run(["patch", "configmap", "greeting", "--type", "merge", "-p", '{"data":{"text":"good evening"}}']);
    await eventually("the Pod is restarted", async () => (await podNames(kubectl)).length === 0);
    await eventually("it is said", async () => (await kubectl.run(["get", "events"])).includes("restarted Pod one"));
    await kubectl.run(["create", "-f", "-"], pod("two"));
    await eventually("its successor is adopted", async () => (await hashOf(kubectl, "two")) !== "");

    await operator[Symbol.asyncDispose](); // killed: it gives nothing back and sees nothing more
    await kubectl.run(["patch", "configmap", "greeting", "--type", "merge", "-p", '{"data":{"text":"good night"}}']);
    mecha.program.kill("SIGKILL");
    await mecha.program.exit;
    mecha = await up();
    await eventually("the API answers again", async () => (await kubectl.try(["get", "--raw", "/readyz"])).stdout === "ok");
    operator = start();
    await eventually("what it did not see is seen", async () => (await podNames(kubectl)).length === 0);

    const bad = await kubectl.try(["apply", "-f", "-"], JSON.stringify({ ...watch, spec: { ...watch.spec, podLabels: undefined } }));
    assert.match(bad.output, /set exactly one of workload and podLabels/u);
  } catch (error) {
    throw new Error(`the operator said: ${operator?.output ?? ""}`, { cause: error });
  } finally {
    await operator?.[Symbol.asyncDispose]();
    await mecha[Symbol.asyncDispose]();
  }
});

const watch = {
  apiVersion: "ops.example.dev/v1",
  kind: "ConfigWatch",
  metadata: { name: "wrong", namespace: "default" },
  spec: { configMaps: ["greeting"], podLabels: { app: "greeter" } },
};

test("without a cluster, or with a wrong flag, one line says what to do", async () => {
  await using lost = startNode(operatorMain, ["--kubeconfig", join(dir.path, "nothing")]);
  assert.equal((await lost.exit).code, 1);
  assert.match(lost.output, /read kubeconfig .*nothing: ENOENT/u);
  await using wrong = startNode(operatorMain, ["--health-port", "many"]);
  assert.equal((await wrong.exit).code, 2);
  assert.match(wrong.output, /--health-port: expected a port number, got "many"/u);
});
