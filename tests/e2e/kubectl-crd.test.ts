/** Real kubectls with kinds users add, and with server-side apply: what people type, and what they get to see. */
import assert from "node:assert/strict";
import type { JsonObject } from "@mecha/kinds";
import type { Kubectl } from "../support/kubectl.ts";
import { kubectlSessions } from "../support/kubectl-sessions.ts";

const session = kubectlSessions("kubectl-crd", 2);

const crd = (group: string): JsonObject => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `widgets.${group}` },
  spec: {
    group,
    names: { plural: "widgets", kind: "Widget", shortNames: ["wd"] },
    scope: "Namespaced",
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            description: "Something that can be made in any size.",
            properties: {
              spec: {
                type: "object",
                description: "What is wanted.",
                required: ["size"],
                properties: {
                  size: { type: "integer", minimum: 1, maximum: 10, description: "How large it is, from 1 to 10." },
                  color: { type: "string", enum: ["red", "blue"], default: "red" },
                  replicas: { type: "integer" },
                },
                "x-kubernetes-validations": [{ rule: "self.size >= oldSelf.size", message: "widgets do not shrink" }],
              },
              status: { type: "object", properties: { replicas: { type: "integer" } } },
            },
          },
        },
        subresources: { status: {}, scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" } },
        additionalPrinterColumns: [
          { name: "Size", type: "integer", jsonPath: ".spec.size" },
          { name: "Color", type: "string", jsonPath: ".spec.color" },
        ],
        selectableFields: [{ jsonPath: ".spec.color" }],
      },
    ],
  },
});
const widget = (group: string, spec: JsonObject, name = "w"): JsonObject => ({
  apiVersion: `${group}/v1`,
  kind: "Widget",
  metadata: { name },
  spec,
});

session("a kind of one's own", async ({ kubectl, at, wrong }) => {
  const group = `k${kubectl.minor}.example.dev`;
  assert.equal(await at(["apply", "-f", "-"], crd(group)), `customresourcedefinition.apiextensions.k8s.io/widgets.${group} created\n`);
  assert.match(await kubectl.run(["wait", "--for=condition=Established", `crd/widgets.${group}`]), /condition met/u);
  assert.equal(await at(["apply", "-f", "-"], widget(group, { size: 2 })), `widget.${group}/w created\n`);
  assert.match(await at(["get", `wd.${group}`]), /^NAME +SIZE +COLOR\nw +2 +red\n$/u);
  assert.equal(await at(["apply", "-f", "-"], widget(group, { size: 3 })), `widget.${group}/w configured\n`);
  assert.equal(await at(["apply", "-f", "-"], widget(group, { size: 3 })), `widget.${group}/w unchanged\n`);
  assert.match(
    await wrong(["apply", "-f", "-"], widget(group, { size: 11 })),
    /spec\.size: Invalid value: 11: spec\.size in body should be less than or equal to 10/u,
  );
  assert.match(await wrong(["apply", "-f", "-"], widget(group, { size: 2 })), /spec: Invalid value: (?:"object": )?widgets do not shrink/u);
  assert.match(
    await wrong(["apply", "-f", "-"], widget(group, { size: 3, weight: 1 })),
    /strict decoding error: unknown field "spec\.weight"/u,
  );
  assert.match(
    await wrong(["create", "-f", "-"], widget(group, { color: "green" }, "g")),
    /Unsupported value: "green": supported values: "red", "blue"[\s\S]*spec\.size: Required value|spec\.size: Required value[\s\S]*Unsupported value: "green"/u,
  );
  assert.equal(await at(["patch", `wd.${group}`, "w", "--type=merge", "-p", '{"spec":{"color":"blue"}}']), `widget.${group}/w patched\n`);
  assert.equal(
    await at(["patch", `wd.${group}`, "w", "--type=json", "-p", '[{"op":"replace","path":"/spec/size","value":4}]']),
    `widget.${group}/w patched\n`,
  );
  assert.match(
    await wrong(["patch", `wd.${group}`, "w", "-p", '{"spec":{"size":5}}']),
    /application\/strategic-merge-patch\+json is not supported by/u,
  );
  assert.equal(
    await at(["patch", `wd.${group}`, "w", "--subresource=status", "--type=merge", "-p", '{"status":{"replicas":1}}']),
    `widget.${group}/w patched\n`,
  );
  assert.equal(await at(["scale", `wd.${group}/w`, "--replicas=3"]), `widget.${group}/w scaled\n`);
  assert.equal(
    await at(["get", `wd.${group}`, "w", "-o", "jsonpath={.spec.size} {.spec.color} {.spec.replicas} {.status.replicas}"]),
    "4 blue 3 1",
  );
  assert.match(await at(["get", `wd.${group}`, "--field-selector", "spec.color=blue", "-o", "name"]), /\/w\n$/u);
  assert.equal(await at(["get", `wd.${group}`, "--field-selector", "spec.color=red", "-o", "name"]), "");
  assert.match(
    await kubectl.run(["explain", "widgets", "--api-version", `${group}/v1`]),
    /Something that can be made in any size\.[\s\S]*What is wanted\./u,
  );
  assert.match(await kubectl.run(["explain", "widgets.spec.size", "--api-version", `${group}/v1`]), /How large it is, from 1 to 10\./u);
  assert.match(await kubectl.run(["delete", "crd", `widgets.${group}`]), /deleted/u);
  assert.match(await wrong(["get", `wd.${group}`]), /the server doesn't have a resource type|could not find the requested resource/u);
});

const deployment = (image: string, more: JsonObject = {}): JsonObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "cart" },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: "cart" } },
    template: {
      metadata: { labels: { app: "cart" } },
      spec: { containers: [{ name: "cart", image, ports: [{ containerPort: 80 }], env: [{ name: "A", value: "1" }] }] },
    },
    ...more,
  },
});

session("patches of a built-in kind", async ({ at, attempt }) => {
  const images = ["get", "deploy", "cart", "-o", "jsonpath={range .spec.template.spec.containers[*]}{.name}={.image} {end}"];
  await at(["apply", "-f", "-"], deployment("cart:1"));
  assert.match(
    await at(["patch", "deploy", "cart", "-p", '{"spec":{"template":{"spec":{"containers":[{"name":"proxy","image":"proxy:1"}]}}}}']),
    /patched/u,
  );
  assert.equal(await at(images), "proxy=proxy:1 cart=cart:1 ");
  assert.match(await at(["set", "image", "deploy/cart", "cart=cart:2"]), /image updated/u);
  assert.match(await at(["set", "env", "deploy/cart", "-c", "cart", "B=2"]), /env updated/u);
  assert.equal(
    await at(["get", "deploy", "cart", "-o", "jsonpath={.spec.template.spec.containers[?(@.name=='cart')].env[*].name}"]),
    "A B",
  );
  assert.match(await at(["annotate", "deploy", "cart", "note=x"]), /annotated/u);
  assert.match(await at(["rollout", "restart", "deploy/cart"]), /restarted/u);
  assert.match(await at(["rollout", "pause", "deploy/cart"]), /paused/u);
  assert.match(await at(["scale", "deploy", "cart", "--replicas=4"]), /scaled/u);
  assert.match(
    await at(["patch", "deploy", "cart", "--type=json", "-p", '[{"op":"remove","path":"/spec/template/spec/containers/0"}]']),
    /patched/u,
  );
  assert.equal(await at(images), "cart=cart:2 ");
  const failed = await attempt(["patch", "deploy", "cart", "-p", '{"spec":{"template":{"spec":{"containers":[{"image":"x"}]}}}}']);
  assert.match(failed.output, /map: map\[image:x\] does not contain declared merge key: name/u);
  assert.match(await at(["apply", "-f", "-"], deployment("cart:3")), /configured/u);
  assert.equal(
    await at(["get", "deploy", "cart", "-o", "jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image}"]),
    "1 cart:3",
  );
});

session("server-side apply with conflicts", async ({ at, attempt }) => {
  const apply = (manager: string, object: JsonObject, more: readonly string[] = []): ReturnType<Kubectl["try"]> =>
    attempt(["apply", "--server-side", `--field-manager=${manager}`, ...more, "-f", "-"], object);
  const first = await apply("team-a", deployment("cart:1"));
  assert.equal(first.output, "deployment.apps/cart serverside-applied\n");
  const conflict = await apply("team-b", deployment("cart:2"));
  assert.match(
    conflict.output,
    /Apply failed with 1 conflict: conflict with "team-a": \.spec\.template\.spec\.containers\[name="cart"\]\.image/u,
  );
  assert.equal((await apply("team-b", deployment("cart:2"), ["--force-conflicts"])).code, 0);
  const labels: JsonObject = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "cart", labels: { tier: "web" } } };
  assert.equal((await apply("labeller", labels)).code, 0);
  const managers = await at(["get", "deploy", "cart", "--show-managed-fields", "-o", "jsonpath={.metadata.managedFields[*].manager}"]);
  assert.deepEqual(managers.split(" ").sort(), ["labeller", "team-a", "team-b"]);
  assert.equal((await apply("labeller", { ...labels, metadata: { name: "cart" } })).code, 0);
  assert.equal(await at(["get", "deploy", "cart", "-o", "jsonpath={.metadata.labels}"]), "");
});

session("from client-side to server-side apply", async ({ at, attempt }) => {
  await at(["apply", "-f", "-"], deployment("cart:1"));
  const taken = await attempt(["apply", "--server-side", "-f", "-"], deployment("cart:2"));
  assert.equal(taken.code, 0, taken.output);
  assert.equal(await at(["get", "deploy", "cart", "-o", "jsonpath={.spec.template.spec.containers[0].image}"]), "cart:2");
  const managers = await at([
    "get",
    "deploy",
    "cart",
    "--show-managed-fields",
    "-o",
    "jsonpath={range .metadata.managedFields[*]}{.manager}:{.operation} {end}",
  ]);
  assert.match(managers, /kubectl:Apply/u);
  assert.doesNotMatch(managers, /kubectl-client-side-apply/u);
});
