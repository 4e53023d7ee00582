/** CRDs, apply and managedFields through the whole server, as requests. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { allKinds, type JsonObject } from "@mecha/kinds";
import { testServer, type TestServer } from "../server/testing.ts";

const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const widgets = "/apis/x.dev/v1/namespaces/default/widgets";
const applyType = { "content-type": "application/apply-patch+yaml" };
const crd = (more: JsonObject = {}): JsonObject => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.x.dev" },
  spec: {
    group: "x.dev",
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
            properties: {
              spec: {
                type: "object",
                properties: {
                  size: { type: "integer", maximum: 10 },
                  color: { type: "string", default: "red" },
                  replicas: { type: "integer" },
                },
                "x-kubernetes-validations": [{ rule: "self.size != 3", message: "three is not a size" }],
              },
              status: { type: "object", properties: { replicas: { type: "integer" } } },
            },
          },
        },
        subresources: { status: {}, scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" } },
      },
      {
        name: "v1alpha1",
        served: true,
        storage: false,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
    ...more,
  },
});
const widget = (spec: JsonObject, name = "w"): JsonObject => ({ apiVersion: "x.dev/v1", kind: "Widget", metadata: { name }, spec });

async function served(): Promise<TestServer> {
  const server = await testServer({ definitions: allKinds() });
  const created = await server.ask("POST", crds, crd());
  assert.equal(created.status, 201, created.text);
  return server;
}

test("a CRD is served from the answer to its creation on: discovery, objects, defaults, rules, both versions", async () => {
  const { ask } = await served();
  const stored = await ask("GET", `${crds}/widgets.x.dev`);
  assert.deepEqual(
    stored.body.status.conditions.map(({ type, status }: JsonObject) => [type, status]),
    [
      ["NamesAccepted", "True"],
      ["Established", "True"],
    ],
  );
  assert.equal(stored.body.metadata.finalizers, undefined, "held for the objects of its kind only once it is deleted");
  assert.deepEqual(
    (await ask("GET", "/apis/x.dev/v1")).body.resources.map(({ name }: JsonObject) => name),
    ["widgets", "widgets/status", "widgets/scale"],
  );
  const made = await ask("POST", `${widgets}?fieldValidation=Warn`, { ...widget({ size: 1, foo: 1 }), status: { replicas: 9 } });
  assert.equal(made.status, 201, made.text);
  assert.deepEqual(made.body.spec, { size: 1, color: "red" });
  assert.equal(made.body.status, undefined);
  assert.equal(made.headers["warning"], '299 - "unknown field \\"spec.foo\\""');
  const strict = await ask("POST", `${widgets}?fieldValidation=Strict`, widget({ foo: 1 }, "strict"));
  const strange = 'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.foo"';
  assert.deepEqual([strict.status, strict.body.message], [400, strange]);
  const damaged = await ask("POST", `${widgets}?dryRun=All`, { ...widget({ size: 1 }, "damaged"), status: 7 });
  assert.deepEqual(
    [damaged.status, damaged.body.metadata.managedFields],
    [201, undefined],
    "of what cannot be read nobody manages a field",
  );
  const wrong = await ask("POST", widgets, widget({ size: 11 }, "big"));
  assert.deepEqual(
    [wrong.status, wrong.body.message],
    [422, 'Widget.x.dev "big" is invalid: spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10'],
  );
  const ruled = await ask("POST", widgets, widget({ size: 3 }, "three"));
  assert.deepEqual([ruled.status, ruled.body.message], [422, 'Widget.x.dev "three" is invalid: spec: Invalid value: three is not a size']);
  const alpha = await ask("GET", "/apis/x.dev/v1alpha1/namespaces/default/widgets/w");
  assert.deepEqual([alpha.body.apiVersion, alpha.body.spec], ["x.dev/v1alpha1", { size: 1, color: "red" }]);
  assert.equal((await ask("GET", "/apis/x.dev/v1alpha1/widgets")).body.items[0].apiVersion, "x.dev/v1alpha1");
});

test("server-side apply over the wire: create, conflict, force, status, no write for nothing", async () => {
  const { ask, clock } = await served();
  const apply = (spec: JsonObject, manager: string, more = "") =>
    ask("PATCH", `${widgets}/w?fieldManager=${manager}${more}`, widget(spec), applyType);
  const first = await apply({ size: 1 }, "m1");
  assert.equal(first.status, 201, first.text);
  assert.deepEqual(first.body.metadata.managedFields, [
    {
      manager: "m1",
      operation: "Apply",
      apiVersion: "x.dev/v1",
      time: "2026-01-01T00:00:00Z",
      fieldsType: "FieldsV1",
      fieldsV1: { "f:spec": { "f:size": {} } },
    },
  ]);
  await clock.advance(5000);
  const same = await apply({ size: 1 }, "m1");
  assert.deepEqual(same.body, first.body);
  const conflict = await apply({ size: 2 }, "m2");
  assert.deepEqual(
    [conflict.status, conflict.body.reason, conflict.body.message],
    [409, "Conflict", 'Apply failed with 1 conflict: conflict with "m1": .spec.size'],
  );
  assert.deepEqual(conflict.body.details.causes, [{ reason: "FieldManagerConflict", message: 'conflict with "m1"', field: ".spec.size" }]);
  const forced = await apply({ size: 2 }, "m2", "&force=true");
  assert.deepEqual([forced.status, forced.body.spec.size], [200, 2]);
  const status = await ask("PATCH", `${widgets}/w/status?fieldManager=c`, { ...widget({ size: 9 }), status: { replicas: 1 } }, applyType);
  assert.deepEqual([status.status, status.body.spec.size, status.body.status.replicas], [200, 2, 1], status.text);
  assert.equal(status.body.metadata.generation, forced.body.metadata.generation);
  const nobody = await ask("PATCH", `${widgets}/w`, widget({}), applyType);
  assert.deepEqual(
    [nobody.status, nobody.body.message],
    [422, 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'],
  );
  const undeclared = await apply({ foo: 1 }, "m2");
  assert.deepEqual(
    [undeclared.status, undeclared.body.message],
    [500, "failed to create typed patch object (/w; x.dev/v1, Kind=Widget): .spec.foo: field not declared in schema"],
  );
});

test("who updates is recorded: create, merge patch, scale", async () => {
  const { ask } = await served();
  await ask("POST", `${widgets}?fieldManager=maker`, widget({ size: 1 }));
  await ask("PATCH", `${widgets}/w?fieldManager=painter`, { spec: { color: "blue" } }, { "content-type": "application/merge-patch+json" });
  await ask(
    "PATCH",
    `${widgets}/w/scale?fieldManager=scaler`,
    { spec: { replicas: 4 } },
    { "content-type": "application/merge-patch+json" },
  );
  const { body } = await ask("GET", `${widgets}/w`);
  const owners = Object.fromEntries(
    body.metadata.managedFields.map((entry: JsonObject) => [entry["manager"], [entry["subresource"], entry["fieldsV1"]]]),
  );
  assert.deepEqual(owners, {
    maker: [undefined, { "f:spec": { ".": {}, "f:size": {} } }],
    painter: [undefined, { "f:spec": { "f:color": {} } }],
    scaler: ["scale", { "f:spec": { "f:replicas": {} } }],
  });
});

test("a CRD goes with its objects, and its kind with it; objects with finalizers hold it", async () => {
  const { ask } = await served();
  await ask("POST", widgets, widget({ size: 1 }));
  await ask("POST", widgets, { ...widget({ size: 1 }, "held"), metadata: { name: "held", finalizers: ["x.dev/wait"] } });
  await ask("DELETE", `${crds}/widgets.x.dev`);
  assert.equal((await ask("GET", `${widgets}/w`)).status, 404);
  const ending = await ask("GET", `${crds}/widgets.x.dev`);
  assert.ok(
    ending.body.status.conditions.some(({ type, status }: JsonObject) => type === "Terminating" && status === "True"),
    ending.text,
  );
  const late = await ask("POST", widgets, widget({ size: 1 }, "late"));
  assert.deepEqual([late.status, late.body.message], [405, "create not allowed while custom resource definition is terminating"]);
  assert.equal((await ask("PATCH", `${widgets}/late?fieldManager=m`, widget({ size: 1 }, "late"), applyType)).status, 405);
  await ask("PATCH", `${widgets}/held`, { metadata: { finalizers: null } }, { "content-type": "application/merge-patch+json" });
  await ask("DELETE", `${crds}/nothing`); // whoever asks next waits for the round
  assert.equal((await ask("GET", `${crds}/widgets.x.dev`)).status, 404);
  assert.equal((await ask("GET", widgets)).status, 404);
});

test("a changed CRD is served as changed; a second server on the same log serves it from the start", async () => {
  const { ask, log } = await served();
  const one = await ask("GET", `${crds}/widgets.x.dev`);
  one.body.spec.versions[1].served = false;
  assert.equal((await ask("PUT", `${crds}/widgets.x.dev`, one.body)).status, 200);
  assert.equal((await ask("GET", "/apis/x.dev/v1alpha1/widgets")).status, 404);
  assert.equal((await ask("POST", widgets, widget({ size: 1 }))).status, 201);
  const second = await testServer({ definitions: allKinds(), log });
  assert.equal((await second.ask("GET", `${widgets}/w`)).status, 200);
});

test("what the server says of a CRD is recorded as its own; stored versions are its status's, and checked with the spec", async () => {
  const { ask } = await served();
  const path = `${crds}/widgets.x.dev`;
  const merge = { "content-type": "application/merge-patch+json" };
  const managers = (await ask("GET", path)).body.metadata.managedFields as {
    manager: string;
    subresource?: string;
    fieldsV1: JsonObject;
  }[];
  const own = managers.find(({ manager }) => manager === "mecha-apiserver");
  assert.equal(own?.subresource, "status");
  assert.deepEqual(Object.keys(own.fieldsV1["f:status"] as JsonObject).sort(), ["f:acceptedNames", "f:conditions"]);
  const moved = await ask("PATCH", `${path}/status`, { status: { storedVersions: ["v9"] } }, merge);
  assert.deepEqual([moved.status, moved.body.status.storedVersions], [200, ["v9"]]);
  const odd = await ask("PATCH", `${path}/status`, { status: { acceptedNames: { kind: "a b" } } }, merge);
  assert.match(odd.body.message, /status\.acceptedNames\.kind: Invalid value: "a b"/u);
  const changed = await ask("PATCH", path, { spec: { names: { shortNames: ["wg"] } } }, merge);
  assert.match(changed.body.message, /status\.storedVersions\[0\]: Invalid value: "v9": missing from spec\.versions/u);
  await ask("PATCH", `${path}/status`, { status: { storedVersions: ["v1alpha1"] } }, merge);
  const stored = await ask("PATCH", path, { spec: { names: { shortNames: ["wg"] } } }, merge);
  assert.deepEqual(stored.body.status.storedVersions, ["v1alpha1", "v1"]);
});

test("a CRD with a conversion webhook is served in its storage version, told so, and keeps that version while objects may be stored in it", async () => {
  const { ask } = await testServer({ definitions: allKinds() });
  const service = { name: "converter", namespace: "default", path: "/convert" };
  const conversion = { strategy: "Webhook", webhook: { clientConfig: { service }, conversionReviewVersions: ["v1"] } };
  const created = await ask("POST", crds, crd({ conversion }));
  assert.equal(created.status, 201, created.text);
  assert.equal(created.body.spec.conversion.webhook.clientConfig.service.port, 443);
  assert.match(String(created.headers["warning"]), /this server calls no webhooks: only v1 is served, and not v1alpha1/);
  assert.equal((await ask("POST", widgets, widget({ size: 1 }))).status, 201);
  assert.equal((await ask("GET", widgets.replace("v1", "v1alpha1"))).status, 404);
  const { body } = await ask("GET", "/apis/x.dev");
  assert.deepEqual(
    body.versions.map(({ version }: { version: string }) => version),
    ["v1"],
  );
  const turned = structuredClone(created.body.spec.versions) as { storage: boolean }[];
  for (const version of turned) version.storage = !version.storage;
  const merge = { "content-type": "application/merge-patch+json" };
  const refused = await ask("PATCH", `${crds}/widgets.x.dev`, { spec: { versions: turned } }, merge);
  assert.equal(refused.status, 422, refused.text);
  assert.match(
    refused.body.message,
    /spec\.conversion\.strategy: Forbidden: this server calls no webhooks, and objects may be stored as v1:/,
  );
});

test("a CRD that cannot be served is refused when it comes", async () => {
  const { ask } = await testServer({ definitions: allKinds() });
  const refused = await ask(
    "POST",
    crds,
    crd({
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: "object",
              properties: { spec: { type: "object", "x-kubernetes-validations": [{ rule: "self.nothing" }] } },
            },
          },
        },
      ],
    }),
  );
  assert.equal(refused.status, 422);
  assert.match(
    refused.body.message,
    /^CustomResourceDefinition\.apiextensions\.k8s\.io "widgets\.x\.dev" is invalid: spec\.validation\.openAPIV3Schema\.properties\[spec\]\.x-kubernetes-validations\[0\]\.rule: Invalid value: .*compilation failed/,
  );
});

test("formats nobody knows are taken with a warning, once; on update only new ones are told", async () => {
  const { ask } = await testServer({ definitions: allKinds() });
  const version = (fields: JsonObject): JsonObject => ({
    name: "v1",
    served: true,
    storage: true,
    schema: { openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties: fields } } } },
  });
  const known = {
    a: { type: "string", format: "date-time" },
    b: { type: "integer", format: "int32" },
    c: { type: "number", format: "double" },
  };
  const strange = {
    d: { type: "string", format: "soup" },
    e: { type: "array", items: { type: "string", format: "soup" } },
    f: { type: "object", additionalProperties: { type: "integer", format: "uint32" } },
  };
  const quoted = (format: string): string => String.raw`299 - "unrecognized format \"${format}\""`;
  const { headers } = await ask("POST", crds, crd({ versions: [version({ ...known, ...strange })] }));
  assert.equal(headers.warning, `${quoted("soup")}, ${quoted("uint32")}`);
  const change = { spec: { versions: [version({ ...strange, g: { type: "boolean", format: "x" } })] } };
  const merge = { "content-type": "application/merge-patch+json" };
  assert.equal((await ask("PATCH", `${crds}/widgets.x.dev`, change, merge)).headers.warning, quoted("x"));
});

test("a change through a version that knows other fields leaves nobody known, as on a cluster without a webhook", async () => {
  const { ask } = await testServer({ definitions: allKinds() });
  const version = (name: string, field: string): JsonObject => ({
    name,
    served: true,
    storage: name === "v1",
    schema: {
      openAPIV3Schema: {
        type: "object",
        properties: { spec: { type: "object", properties: { a: { type: "string" }, [field]: { type: "string", default: "x" } } } },
      },
    },
  });
  await ask("POST", crds, crd({ versions: [version("v1", "b"), version("v2", "c")] }));
  const { body: made } = await ask("POST", widgets, widget({ a: "x" }));
  const change = { spec: { a: "y" } };
  const merge = { "content-type": "application/merge-patch+json" };
  const { body: same } = await ask("PATCH", `${widgets}/w`, change, merge);
  assert.deepEqual([made.metadata.managedFields.length, same.metadata.managedFields.length], [1, 1]);
  const { body: other } = await ask("PATCH", `${widgets.replace("/v1/", "/v2/")}/w`, { spec: { a: "z" } }, merge);
  assert.deepEqual([other.spec.a, other.metadata.managedFields], ["z", undefined]);
});

test("a webhook without versions, and a URL made to be tried again and again, are refused", { timeout: 60_000 }, async () => {
  const { ask } = await testServer({ definitions: allKinds() });
  const hooked = (url: string, more: object): object => {
    const conversion = { strategy: "Webhook", webhook: { clientConfig: { url }, conversionReviewVersions: ["v1"] } };
    return { ...crd(), spec: { ...(crd()["spec"] as JsonObject), conversion, ...more } };
  };
  const none = await ask("POST", crds, hooked("https://a.dev", { versions: undefined }));
  assert.deepEqual([none.status, /must have exactly one version marked as storage version/u.test(none.body.message)], [422, true]);
  const long = await ask("POST", crds, hooked(`https://${"a@".repeat(40_000)}#\n`, {}));
  assert.deepEqual([long.status, /fragments are not permitted/u.test(long.body.message)], [422, true]);
});
