/** Kinds made by CustomResourceDefinitions: the definitions themselves, and objects of them. */
import type { Case, Session } from "../session.ts";
import { badCrds } from "./bad-crds.ts";
import { definition } from "./crd-definition.ts";
import { readable } from "./openapi-text.ts";

export const crdCases: readonly Case[] = [
  { name: "crd/life", run: life },
  { name: "crd/objects", run: objects },
  { name: "crd/values", run: values },
  { name: "crd/rules", run: rules },
  { name: "crd/versions", run: versions },
  { name: "crd/columns", run: columns },
  { name: "crd/invalid", run: invalid },
  { name: "crd/openapi", run: openApi },
];

const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** Made, and served. */
async function serve(session: Session, body: any): Promise<string> {
  const made = await session.post(crds, body, { quiet: true });
  if (made.status !== 201 && made.status !== 409) throw new Error(`the definition is refused: ${made.text.slice(0, 2_000)}`);
  const { group, versions: all, scope } = body.spec;
  const at = `/apis/${group}/${all[0].name}`;
  await session.until("the kind is served", async () => (await session.get(`${at}/gizmos`, { quiet: true })).status === 200);
  const namespace = await session.stage();
  return scope === "Namespaced" ? `${at}/namespaces/${namespace}/gizmos` : `${at}/gizmos`;
}

const gizmo = (group: string, name: string, more: object = {}): object => ({
  apiVersion: `${group}/v1`,
  kind: "Gizmo",
  metadata: { name },
  ...more,
});
const object = (properties: object, more: object = {}): object => ({ type: "object", properties, ...more });

async function life(session: Session): Promise<void> {
  const group = `life-${session.namespace}.dev`;
  const body = definition(group, { schema: object({ spec: object({ size: { type: "integer" } }) }) });
  await session.post(`${crds}?dryRun=All`, body, { label: "dry run" });
  await session.post(crds, body, { label: "create" });
  const at = await serve(session, body);
  await session.get(`${crds}/gizmos.${group}`, { label: "get" });
  await session.get(`${crds}/gizmos.${group}`, { label: "table", headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" } });
  await session.get(`/apis/${group}`, { label: "group" });
  const { status, body: version } = await session.get(`/apis/${group}/v1`, { quiet: true });
  // A hash of storage details nobody promises anything about.
  const resources = version.resources.map(({ storageVersionHash: _hash, ...resource }: any) => resource);
  session.note("version", [status, { ...version, resources }]);
  await session.post(at, gizmo(group, "a", { spec: { size: 1 } }), { label: "an object" });
  await session.get(at, { label: "list" });
  await session.patch("merge", `${crds}/gizmos.${group}`, { spec: { names: { shortNames: ["gzz"] } } }, { label: "other names" });
  await session.patch("merge", `${crds}/gizmos.${group}`, { spec: { group: "other.dev" } }, { label: "another group" });
  await session.patch("merge", `${crds}/gizmos.${group}`, { spec: { scope: "Cluster" } }, { label: "another scope" });
  await session.patch("merge", `${crds}/gizmos.${group}`, { spec: { names: { kind: "Other" } } }, { label: "another kind" });
  await session.patch("merge", `${crds}/gizmos.${group}`, { spec: { versions: [] } }, { label: "no versions" });
  await session.patch("merge", `${crds}/gizmos.${group}/status`, { status: { storedVersions: ["v9"] } }, { label: "stored versions" });
  const taken = definition(group, { schema: { type: "object" }, names: { plural: "others", singular: "other", kind: "Gizmo" } });
  await session.post(crds, { ...taken, metadata: { name: `others.${group}` } }, { label: "a kind that is taken", quiet: true });
  const conditions = async (): Promise<number> =>
    (await session.get(`${crds}/others.${group}`, { quiet: true })).body.status?.conditions?.length ?? 0;
  await session.until("its names are looked at", async () => (await conditions()) > 0);
  const { body: other } = await session.get(`${crds}/others.${group}`, { quiet: true });
  session.note("a kind that is taken", other.status);
}

async function objects(session: Session): Promise<void> {
  const group = `objects-${session.namespace}.dev`;
  const schema = object({
    spec: object({
      size: { type: "integer", minimum: 1, maximum: 10 },
      replicas: { type: "integer", default: 1 },
      mode: { type: "string", enum: ["a", "b"], default: "a" },
      nested: object({ x: { type: "string", default: "y" } }),
      list: {
        type: "array",
        items: object({ name: { type: "string" }, value: { type: "string", default: "v" } }, { required: ["name"] }),
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
      },
      set: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
      free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      map: { type: "object", additionalProperties: { type: "integer" } },
      port: { "x-kubernetes-int-or-string": true },
      any: { type: "string", nullable: true },
    }),
    status: object({ replicas: { type: "integer" }, selector: { type: "string" }, phase: { type: "string" } }),
  });
  const subresources = {
    status: {},
    scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas", labelSelectorPath: ".status.selector" },
  };
  const at = await serve(session, definition(group, { schema, more: { subresources, selectableFields: [{ jsonPath: ".spec.mode" }] } }));
  await session.post(
    at,
    gizmo(group, "a", {
      spec: { size: 3, nested: {}, list: [{ name: "n" }], free: { x: [1] }, map: { a: 1 }, port: "http", any: null, gone: 1 },
      status: { phase: "x" },
      other: 1,
    }),
    { label: "create" },
  );
  await session.post(`${at}?fieldValidation=Strict`, gizmo(group, "b", { spec: { gone: 1 }, other: 1 }), { label: "strict" });
  await session.post(`${at}?fieldValidation=Ignore`, gizmo(group, "c", { spec: { gone: 1, list: [{ name: "a", oops: 1 }] } }), {
    label: "ignore",
  });
  await session.patch("merge", `${at}/a`, { spec: { size: 4, gone: 1 } }, { label: "merge" });
  await session.patch("json", `${at}/a`, [{ op: "replace", path: "/spec/size", value: 5 }], { label: "json" });
  await session.patch("strategic", `${at}/a`, {}, { label: "strategic" });
  await session.patch(
    "apply",
    `${at}/a?fieldManager=one`,
    gizmo(group, "a", { spec: { list: [{ name: "m", value: "1" }], set: ["x"], size: 5 } }),
    { label: "apply" },
  );
  await session.patch("apply", `${at}/a?fieldManager=one`, gizmo(group, "a", { spec: { set: ["y"], size: 6 } }), {
    label: "apply with a conflict",
  });
  await session.patch("apply", `${at}/a?fieldManager=one&force=true`, gizmo(group, "a", { spec: { set: ["y"], size: 6 } }), {
    label: "apply by force",
  });
  await session.patch(
    "merge",
    `${at}/a/status`,
    { status: { phase: "Ready", replicas: 2, selector: "a=b" }, spec: { size: 9 } },
    { label: "status" },
  );
  await session.get(`${at}/a/scale`, { label: "scale" });
  await session.patch("merge", `${at}/a/scale`, { spec: { replicas: 7 } }, { label: "scale up" });
  await session.patch("merge", `${at}/a/scale`, { spec: { replicas: -7 } }, { label: "scale below nothing" });
  await session.put(`${at}/a`, gizmo(group, "a", {}), { label: "update without a version" });
  const { body } = await session.get(`${at}/a`, { quiet: true });
  await session.put(`${at}/a`, { ...body, spec: { size: 1 }, status: { phase: "no" } }, { label: "update" });
  await session.put(
    `${at}/a/status`,
    { ...(await session.get(`${at}/a`, { quiet: true })).body, status: {} },
    { label: "update of the status" },
  );
  await session.get(`${at}?fieldSelector=spec.mode%3Da`, { label: "by its field" });
  await session.get(`${at}?fieldSelector=spec.size%3D1`, { label: "by another field" });
  await session.get(at, { label: "table", headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" } });
  await session.post(at, "kind: Gizmo", { label: "YAML", headers: { "content-type": "application/yaml" } });
  await session.post(at, { ...gizmo(group, "x"), kind: "Other" }, { label: "another kind" });
  await session.post(at, gizmo(group, "A_"), { label: "bad name" });
  await session.get(`${at}/none`, { label: "none" });
  await session.post(at, gizmo(group, "dup", { spec: { list: [{ name: "a" }, { name: "a" }] } }), { label: "an item twice" });
  await session.post(at, gizmo(group, "dup", { spec: { set: ["x", "x"] } }), { label: "a value twice" });
  await session.delete(`${at}/a`, undefined, { label: "delete" });
  await session.delete(at, undefined, { label: "delete collection" });
}

async function values(session: Session): Promise<void> {
  const group = `values-${session.namespace}.dev`;
  const schema = object(
    {
      spec: object(
        {
          integer: { type: "integer", minimum: 2, maximum: 5, multipleOf: 2 },
          exclusive: { type: "number", minimum: 1, exclusiveMinimum: true, maximum: 9, exclusiveMaximum: true },
          int32: { type: "integer", format: "int32" },
          text: { type: "string", minLength: 2, maxLength: 4, pattern: "^[a-z]+$" },
          word: { type: "string", enum: ["a", "b"] },
          time: { type: "string", format: "date-time" },
          date: { type: "string", format: "date" },
          uuid: { type: "string", format: "uuid" },
          ip: { type: "string", format: "ipv4" },
          bytes: { type: "string", format: "byte" },
          duration: { type: "string", format: "duration" },
          uri: { type: "string", format: "uri" },
          email: { type: "string", format: "email" },
          host: { type: "string", format: "hostname" },
          list: { type: "array", minItems: 1, maxItems: 2, items: { type: "integer" } },
          unique: { type: "array", "x-kubernetes-list-type": "set", items: { type: "string" } },
          map: { type: "object", minProperties: 1, maxProperties: 2, additionalProperties: { type: "string" } },
          bool: { type: "boolean" },
          either: {
            type: "object",
            properties: { a: { type: "string" }, b: { type: "string" } },
            oneOf: [{ required: ["a"] }, { required: ["b"] }],
          },
          all: { type: "object", properties: { a: { type: "integer" } }, allOf: [{ properties: { a: { minimum: 3 } } }] },
          none: { type: "object", properties: { a: { type: "integer" } }, not: { required: ["a"] } },
          any: {
            type: "object",
            properties: { a: { type: "integer" }, b: { type: "integer" } },
            anyOf: [{ required: ["a"] }, { required: ["b"] }],
          },
          port: { "x-kubernetes-int-or-string": true },
          deep: object({ deeper: object({ x: { type: "integer" } }, { required: ["x"] }) }),
          embedded: { type: "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true },
        },
        { required: ["must"] },
      ),
    },
    { required: ["spec"] },
  );
  (schema as any).properties.spec.properties.must = { type: "string" };
  const at = await serve(session, definition(group, { schema }));
  const tries: Record<string, unknown>[] = [
    { integer: 1 },
    { integer: 3 },
    { integer: 6 },
    { integer: 4 },
    { integer: 4.5 },
    { integer: "4" },
    { integer: 4.0 },
    { exclusive: 1 },
    { exclusive: 9 },
    { exclusive: 5 },
    { int32: 3_000_000_000 },
    { text: "a" },
    { text: "abcde" },
    { text: "AB" },
    { text: "" },
    { text: 5 },
    { text: null },
    { word: "c" },
    { time: "now" },
    { time: "2030-01-01T00:00:00Z" },
    { date: "2030-13-01" },
    { uuid: "x" },
    { ip: "999.1.1.1" },
    { bytes: "%" },
    { duration: "5 parsecs" },
    { duration: "5m" },
    { uri: "::" },
    { email: "x" },
    { host: "a_b" },
    { list: [] },
    { list: [1, 2, 3] },
    { list: ["a"] },
    { list: {} },
    { list: [1, null] },
    { unique: ["a", "a"] },
    { map: {} },
    { map: { a: "1", b: "2", c: "3" } },
    { map: { a: 1 } },
    { bool: "true" },
    { bool: 1 },
    { either: {} },
    { either: { a: "1", b: "2" } },
    { all: { a: 1 } },
    { none: { a: 1 } },
    { any: {} },
    { port: 80 },
    { port: "x" },
    { port: true },
    { port: 1.5 },
    { deep: {} },
    { deep: { deeper: {} } },
    { deep: { deeper: { x: "1" } } },
    { deep: 5 },
    { embedded: {} },
    { embedded: { apiVersion: "v1", kind: "Pod", metadata: { name: "A_" } } },
    { embedded: { apiVersion: "v1", kind: "Pod", metadata: { name: "a" }, x: 1 } },
  ];
  for (const [i, spec] of tries.entries())
    await session.post(`${at}?dryRun=All`, gizmo(group, `g${i}`, { spec: { must: "x", ...spec } }), { label: JSON.stringify(spec) });
  await session.post(`${at}?dryRun=All`, gizmo(group, "a"), { label: "no spec" });
  await session.post(`${at}?dryRun=All`, gizmo(group, "a", { spec: {} }), { label: "not what must be" });
  await session.post(`${at}?dryRun=All`, gizmo(group, "a", { spec: [] }), { label: "spec is a list" });
  await session.post(`${at}?dryRun=All`, gizmo(group, "a", { spec: null }), { label: "spec is null" });
}

async function rules(session: Session): Promise<void> {
  const group = `rules-${session.namespace}.dev`;
  const schema = object({
    spec: object(
      {
        min: { type: "integer" },
        max: { type: "integer" },
        fixed: { type: "string", "x-kubernetes-validations": [{ rule: "self == oldSelf", message: "fixed is fixed" }] },
        name: {
          type: "string",
          maxLength: 20,
          "x-kubernetes-validations": [{ rule: "self.startsWith('a')", reason: "FieldValueForbidden" }],
        },
        list: {
          type: "array",
          maxItems: 5,
          items: object({ k: { type: "string", maxLength: 9 } }),
          "x-kubernetes-validations": [
            { rule: "self.all(x, x.k != 'bad')", messageExpression: "self[0].k == 'bad' ? 'the first is bad' : 'one of them is bad'" },
          ],
        },
        labels: {
          type: "object",
          maxProperties: 5,
          additionalProperties: { type: "string", maxLength: 10 },
          "x-kubernetes-validations": [{ rule: "!('no' in self)", message: "no is no", fieldPath: ".no" }],
        },
        when: { type: "string", format: "date-time", "x-kubernetes-validations": [{ rule: "self > timestamp('2020-01-01T00:00:00Z')" }] },
        quantity: { type: "string", maxLength: 10, "x-kubernetes-validations": [{ rule: "quantity(self).isLessThan(quantity('1Gi'))" }] },
        optional: { type: "string", "x-kubernetes-validations": [{ rule: "self == 'x' || oldSelf.hasValue()", optionalOldSelf: true }] },
      },
      { "x-kubernetes-validations": [{ rule: "!has(self.min) || !has(self.max) || self.min <= self.max", message: "min over max" }] },
    ),
  });
  (schema as any)["x-kubernetes-validations"] = [{ rule: "self.metadata.name != 'forbidden'", message: "not that name" }];
  const at = await serve(session, definition(group, { schema }));
  for (const spec of [
    { min: 2, max: 1 },
    { min: 1, max: 2 },
    { name: "b" },
    { list: [{ k: "bad" }, { k: "x" }] },
    { labels: { no: "x" } },
    { when: "2010-01-01T00:00:00Z" },
    { quantity: "2Gi" },
    { quantity: "x" },
    { optional: "y" },
    { optional: "x" },
    { min: 3, max: 1, name: "c" },
    { name: "toolongforthisfieldtoohold" },
  ])
    await session.post(`${at}?dryRun=All`, gizmo(group, "a", { spec }), { label: JSON.stringify(spec) });
  await session.post(at, gizmo(group, "forbidden"), { label: "the name" });
  await session.post(at, gizmo(group, "a", { spec: { fixed: "x", optional: "x" } }), { label: "made" });
  await session.patch("merge", `${at}/a`, { spec: { fixed: "y" } }, { label: "a transition" });
  await session.patch("merge", `${at}/a`, { spec: { min: 5 } }, { label: "an allowed change" });
  await session.patch("merge", `${at}/a`, { spec: { optional: "z" } }, { label: "optional old self" });
  await session.patch("merge", `${at}/a`, { spec: { fixed: null } }, { label: "taking it away" });
}

async function versions(session: Session): Promise<void> {
  const group = `versions-${session.namespace}.dev`;
  const one = {
    name: "v1",
    served: true,
    storage: true,
    schema: { openAPIV3Schema: object({ spec: object({ a: { type: "string" }, b: { type: "string", default: "one" } }) }) },
  };
  const two = {
    name: "v1beta1",
    served: true,
    storage: false,
    deprecated: true,
    schema: { openAPIV3Schema: object({ spec: object({ a: { type: "string" }, c: { type: "string", default: "beta" } }) }) },
  };
  const off = { name: "v1alpha1", served: false, storage: false, schema: { openAPIV3Schema: { type: "object" } } };
  const body = definition(group, { schema: { type: "object" }, spec: { versions: [one, two, off] } });
  const at = await serve(session, body);
  await session.get(`/apis/${group}`, { label: "group" });
  await session.post(at, gizmo(group, "a", { spec: { a: "x", c: "y" } }), { label: "made as v1" });
  const beta = at.replace("/v1/", "/v1beta1/");
  await session.get(`${beta}/a`, { label: "read as v1beta1" });
  await session.post(
    beta,
    { ...gizmo(group, "b", { spec: { a: "x", b: "y" } }), apiVersion: `${group}/v1beta1` },
    { label: "made as v1beta1" },
  );
  await session.get(`${at}/b`, { label: "read as v1" });
  await session.get(beta, { label: "list as v1beta1" });
  await session.patch("merge", `${beta}/a`, { spec: { a: "z" } }, { label: "changed as v1beta1" });
  await session.patch(
    "apply",
    `${beta}/a?fieldManager=m`,
    { apiVersion: `${group}/v1beta1`, kind: "Gizmo", spec: { c: "q" } },
    { label: "applied as v1beta1" },
  );
  await session.get(at.replace("/v1/", "/v1alpha1/"), { label: "not served" });
  await session.post(at, { ...gizmo(group, "c"), apiVersion: `${group}/v1beta1` }, { label: "a body of another version" });
}

async function columns(session: Session): Promise<void> {
  const group = `columns-${session.namespace}.dev`;
  const schema = object({
    spec: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    status: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
  });
  const column = (name: string, type: string, jsonPath: string, more: object = {}): object => ({ name, type, jsonPath, ...more });
  const additionalPrinterColumns = [
    column("Text", "string", ".spec.text", { description: "A text." }),
    column("Number", "integer", ".spec.number"),
    column("Float", "number", ".spec.float", { priority: 1 }),
    column("Flag", "boolean", ".spec.flag"),
    column("Since", "date", ".spec.since"),
    column("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
    column("List", "string", ".spec.list[*].name"),
    column("First", "string", ".spec.list[0].name"),
    column("Whole", "string", ".spec.list"),
    column("Age", "date", ".metadata.creationTimestamp"),
  ];
  const at = await serve(session, definition(group, { schema, more: { additionalPrinterColumns } }));
  const old = "2020-01-01T00:00:00Z";
  await session.post(
    at,
    gizmo(group, "full", {
      spec: { text: "x", number: 5, float: 1.5, flag: true, since: old, list: [{ name: "a" }, { name: "b" }] },
      status: {
        conditions: [
          { type: "Other", status: "x" },
          { type: "Ready", status: "True" },
        ],
      },
    }),
    { quiet: true },
  );
  await session.post(at, gizmo(group, "none"), { quiet: true });
  await session.post(at, gizmo(group, "odd", { spec: { text: 5, number: "x", float: 3, flag: "yes", since: "never", list: "no" } }), {
    quiet: true,
  });
  const { body } = await session.get(at, { quiet: true, headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" } });
  session.note("columns", body.columnDefinitions);
  // An age in years moves on while the case runs: what counts is its form.
  session.note(
    "cells",
    body.rows.map(({ cells }: any) =>
      cells.map((cell: unknown) => (typeof cell === "string" ? cell.replace(/^(?:\d+y\d+d|\d+s)$/u, "<age>") : cell)),
    ),
  );
}

async function invalid(session: Session): Promise<void> {
  const group = `invalid-${session.namespace}.dev`;
  for (const [label, make] of Object.entries(badCrds)) await session.post(`${crds}?dryRun=All`, make(group), { label });
}

async function openApi(session: Session): Promise<void> {
  const group = `openapi-${session.namespace}.dev`;
  const schema = object({
    spec: object(
      {
        a: { type: "string", description: "What a is.", default: "x" },
        b: { "x-kubernetes-int-or-string": true },
        c: { type: "array", "x-kubernetes-list-type": "set", items: { type: "string" } },
        d: { "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }], pattern: "^x$" },
        e: { type: "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true },
        f: { type: "object", "x-kubernetes-embedded-resource": true, properties: { spec: { type: "object" } } },
        g: { type: "string", nullable: true, maxLength: 4, "x-kubernetes-validations": [{ rule: "self == 'a'" }] },
        h: { type: "object", properties: { i: { type: "string" } }, oneOf: [{ required: ["i"] }] },
        j: { type: "object", additionalProperties: { type: "integer", format: "int64" } },
        k: { "x-kubernetes-preserve-unknown-fields": true },
        l: {
          type: "array",
          maxItems: 3,
          items: object({ description: { type: "string" } }, { required: ["description"], "x-kubernetes-map-type": "atomic" }),
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["description"],
        },
      },
      { required: ["a", "g"] },
    ),
  });
  const subresources = { status: {}, scale: { specReplicasPath: ".spec.j.n", statusReplicasPath: ".status.n" } };
  const free = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  const more = { subresources, selectableFields: [{ jsonPath: ".spec.a" }] };
  const body = definition(group, { schema, more });
  body.spec.versions.push({ name: "v1beta1", served: true, storage: false, schema: { openAPIV3Schema: free } });
  await serve(session, body);
  const inCluster = definition(group, {
    schema,
    scope: "Cluster",
    names: { plural: "others", singular: "other", kind: "Other", shortNames: [] },
  });
  await session.post(crds, { ...inCluster, metadata: { name: `others.${group}` } }, { quiet: true });
  const names = (of: unknown): string[] => Object.keys(of ?? {}).filter((name) => name.endsWith(".Gizmo") || name.endsWith(".Other"));
  const published = async (path: string, kinds: (document: any) => unknown): Promise<any> => {
    let document: any;
    await session.until(`${path} has both kinds`, async () => {
      ({ body: document } = await session.get(path, { quiet: true }));
      return names(kinds(document)).filter((name) => name.includes(session.namespace)).length >= 2;
    });
    return document;
  };
  for (const version of ["v1", "v1beta1"]) {
    const document = await published(`/openapi/v3/apis/${group}/${version}`, (of) =>
      version === "v1" ? of?.components?.schemas : { [`${session.namespace}.Gizmo`]: of, [`${session.namespace}.Other`]: of },
    );
    session.note(version, readable(document, 3));
  }
  const { paths, definitions } = await published("/openapi/v2", (of) => of?.definitions);
  const ours = (all: object): object => Object.fromEntries(Object.entries(all).filter(([name]) => name.includes(session.namespace)));
  session.note("definitions of version 2", readable({ definitions: ours(definitions) }, 2));
  session.note("paths of version 2", Object.keys(ours(paths)).sort());
}
