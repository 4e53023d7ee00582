/** Kubernetes objects without kubectl: `mecha apply`, `get`, `describe`, `delete` against `mecha up`. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { mechaMain, startUp } from "../support/cart.ts";
import { repository, tempDir } from "../support/files.ts";
import { eventually, runProgram } from "../support/program.ts";

const project = join(repository, "examples/shopping-cart");
const deploy = join(repository, "examples/config-watch/deploy");

test("a CRD and objects of it are applied, shown, described and deleted; mistakes are named with their place", async () => {
  await using dir = await tempDir("objects");
  const state = join(dir.path, "state");
  await using _mecha = await startUp(project, ["--state", state]);
  const mecha = (...args: readonly string[]): ReturnType<typeof runProgram> =>
    runProgram(process.execPath, [mechaMain, ...args, "-C", project, "--state", state], { cwd: repository });
  const done = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, output } = await mecha(...args);
    assert.equal(code, 0, output);
    return stdout;
  };
  await eventually("the API answers", async () => (await mecha("get", "namespaces")).code === 0);

  assert.equal(
    await done("apply", join(deploy, "crd.yaml"), join(deploy, "example.yaml")),
    "customresourcedefinition/configwatches.ops.example.dev created\nconfigmap/greeting created\nconfigwatch/greeter created\n",
  );
  assert.equal(await done("apply", join(deploy, "example.yaml")), "configmap/greeting unchanged\nconfigwatch/greeter unchanged\n");
  await dir.write({
    "changed.json": JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "greeting" }, data: { text: "hi" } }),
  });
  assert.equal(await done("apply", join(dir.path, "changed.json"), "--dry-run"), "configmap/greeting configured (dry run)\n");
  assert.equal(await done("apply", join(dir.path, "changed.json")), "configmap/greeting configured\n");

  assert.match(await done("get", "cm", "greeting"), /^NAME +DATA +AGE\ngreeting +1 +\d+s\n$/);
  assert.match(await done("get", "configmaps", "-A"), /^NAMESPACE +NAME +DATA +AGE\n[^]*kube-system +kube-root-ca\.crt/);
  assert.equal(
    (JSON.parse(await done("get", "cw", "greeter", "-o", "json")) as { spec: { configMaps: unknown } }).spec.configMaps?.toString(),
    "greeting",
  );
  assert.equal(await done("get", "pods"), "no pods found\n");
  assert.match(await done("describe", "cm", "greeting"), /^apiVersion: v1\nkind: ConfigMap\n[^]*text: hi\n[^]*no events\n$/);

  assert.equal(await done("delete", "cw", "greeter"), "configwatch/greeter deleted\n");
  const gone = await mecha("delete", "cw", "greeter", "other");
  assert.equal(gone.code, 1);
  assert.match(gone.output, /configwatches\.ops\.example\.dev "greeter" not found[^]*2 of 2 failed/);
  const unknown = await mecha("get", "gizmos");
  assert.deepEqual([unknown.code, /there is no resource "gizmos"; the server has .*configmaps/.test(unknown.output)], [2, true]);

  await dir.write({
    "bad/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: fine }\n---\nkind: ConfigMap\n",
    "none/readme.txt": "",
  });
  const bad = await mecha("apply", join(dir.path, "bad"));
  assert.deepEqual([bad.code, /a\.yaml:5: an object needs apiVersion and kind/.test(bad.output)], [2, true]);
  assert.match((await mecha("apply", join(dir.path, "none"))).output, /no object in there/);
  assert.match((await mecha("apply", join(dir.path, "nowhere"))).output, /there is no such file or folder/);
  await dir.write({ "kind.yaml": "apiVersion: x.dev/v1\nkind: Gizmo\nmetadata: { name: g }\n" });
  const kind = await mecha("apply", join(dir.path, "kind.yaml"));
  assert.deepEqual(
    [kind.code, /the server has no kind Gizmo of x\.dev\/v1; is its CustomResourceDefinition applied\?/.test(kind.output)],
    [1, true],
  );
});
