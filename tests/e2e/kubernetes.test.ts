/** The Kubernetes API of `mecha up`: kill -9 loses no acknowledged object, also in the middle of a command, and clients that watch go on. */
import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { tempDir } from "../support/files.ts";
import { installedKubectls, type Kubectl, openKubectl } from "../support/kubectl.ts";
import { eventually, type Program, startNode } from "../support/program.ts";

const project = `apiVersion: mecha.dev/v1alpha1
kind: Project
metadata: {name: kube}
spec:
  functions: [{name: idle, command: [node, idle.mjs]}]
`;
/** Listens and says nothing: the API does not wait for functions. */
const idle = `import { createServer } from "node:net"; createServer().listen(Number(process.env.PORT), process.env.HOST);`;

async function up(folder: string): Promise<Program> {
  return startNode("apps/mecha/src/main.ts", ["up", folder, "--port", "0", "--admin-port", "0"]);
}

/** The server answers, with the kubeconfig of this start. */
async function ready(kubectl: Kubectl): Promise<void> {
  await eventually("the API answers", async () => (await kubectl.try(["get", "--raw", "/readyz"])).stdout === "ok");
}

/** Told apart from those the server's own controllers put into every namespace. */
const configMap = (name: string): string =>
  JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels: { mine: "1" } }, data: { x: name } });

const manyCount = 60;
/** More than are applied before the process is killed. */
const many = JSON.stringify({
  apiVersion: "v1",
  kind: "List",
  items: Array.from({ length: manyCount }, (_, i) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: `many-${i}`, labels: { many: "1" } },
  })),
});

test("what kubectl created is there after kill -9, and a watch that was cut off goes on from its revision", async () => {
  await using dir = await tempDir("kube");
  await dir.write({ "mecha.yaml": project, "idle.mjs": idle });
  const folder = join(dir.path, ".mecha/kubernetes");
  const [binary] = installedKubectls().slice(-1);
  assert.ok(binary, "a kubectl is on this machine");
  const kubectl = openKubectl(binary, join(folder, "kubeconfig"), join(dir.path, "home"));
  let revision: string;
  let applying: Program;
  let watching: Program;
  {
    await using first = await up(dir.path);
    await ready(kubectl);
    for (const file of ["kubeconfig", "ca.key", "admin.key", "server.key", "../control.db"])
      assert.equal((await stat(join(folder, file))).mode & 0o777, 0o600, file);
    await kubectl.run(["create", "--validate=false", "-f", "-"], configMap("before"));
    revision = await kubectl.run(["get", "cm", "before", "-o", "jsonpath={.metadata.resourceVersion}"]);
    await kubectl.run(["create", "--validate=false", "-f", "-"], configMap("last"));
    // In the middle of commands: one that applies many objects, one that watches.
    applying = kubectl.start(["apply", "-f", "-"], many);
    watching = kubectl.start(["get", "cm", "-w", "-l", "many", "-o", "name"]);
    await applying.waitFor(/configmap\/many-9 created/u);
    first.kill("SIGKILL");
    await Promise.all([applying.exit, watching.exit]); // both find the connection gone and end
  }
  await using _second = await up(dir.path);
  await ready(kubectl);
  assert.equal(await kubectl.run(["get", "cm", "-l", "mine", "-o", "name"]), "configmap/before\nconfigmap/last\n");
  const there = new Set((await kubectl.run(["get", "cm", "-l", "many", "-o", "name"])).trim().split("\n"));
  const told = [...`${applying.stdout}\n${watching.stdout}`.matchAll(/^configmap\/many-\d+/gmu)].map(([name]) => name);
  assert.ok(told.length >= 10 && there.size < manyCount, `${told.length} told, ${there.size} there`);
  assert.deepEqual(
    told.filter((name) => !there.has(name)),
    [],
  );
  await kubectl.run(["apply", "-f", "-"], many);
  const again = await kubectl.run(["get", "cm", "-l", "many", "-o", "name"]);
  assert.equal(again.trim().split("\n").length, manyCount);
  await kubectl.run(["delete", "cm", "before"]);
  const path = `/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1&labelSelector=mine&resourceVersion=${revision}`;
  const events = (await kubectl.run(["get", "--raw", path])).trim().split("\n");
  assert.deepEqual(
    events.map((line) => JSON.parse(line)).map(({ type, object }) => [type, object.metadata.name]),
    [
      ["ADDED", "last"],
      ["DELETED", "before"],
    ],
  );
});
