import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, KubeObject } from "@mecha/kinds";
import { checkEmbedded, checkLists } from "./check-structure.ts";
import { checkValue } from "./check-value.ts";
import { validateCrd } from "./check-crd.ts";
import type { Crd } from "./crd.ts";
import { definitionOf } from "./definition.ts";
import { findAll, parseJsonPath } from "./json-path.ts";
import { crdStatus, takenNames } from "./names.ts";
import type { JsonSchema } from "./schema.ts";
import { prune, setDefaults } from "./shape-object.ts";

const text = (schema: JsonSchema, value: unknown): string[] =>
  [...checkValue(schema, value, "spec.x"), ...checkEmbedded(schema, value, "spec.x"), ...checkLists(schema, value, "spec.x")].map(
    ({ field, message }) => `${field}: ${message}`,
  );

const values: [string, JsonSchema, unknown, string[]][] = [
  ["type", { type: "integer" }, "a", ['spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"']],
  ["integers are numbers", { type: "number" }, 1, []],
  [
    "whole numbers are integers",
    { type: "integer" },
    1.5,
    [
      'spec.x: Invalid value: "number": spec.x in body must be of type integer: "number"',
      '<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.x',
    ],
  ],
  ["null", { type: "string" }, null, ['spec.x: Invalid value: "null": spec.x in body must be of type string: "null"']],
  ["nullable", { type: "string", nullable: true }, null, []],
  ["null of anything", { "x-kubernetes-preserve-unknown-fields": true }, null, []],
  [
    "null of any object",
    { type: "array", items: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
    [null],
    ['spec.x[0]: Invalid value: "null": spec.x[0] in body must be of type object: "null"'],
  ],
  ["enum", { type: "string", enum: ["a", "b"] }, "c", ['spec.x: Unsupported value: "c": supported values: "a", "b"']],
  ["maximum", { type: "integer", maximum: 10 }, 11, ["spec.x: Invalid value: 11: spec.x in body should be less than or equal to 10"]],
  [
    "exclusive minimum",
    { type: "number", minimum: 0, exclusiveMinimum: true },
    0,
    ["spec.x: Invalid value: 0: spec.x in body should be greater than 0"],
  ],
  ["multipleOf", { type: "integer", multipleOf: 5 }, 7, ["spec.x: Invalid value: 7: spec.x in body should be a multiple of 5"]],
  ["maxLength counts characters", { type: "string", maxLength: 2 }, "äöü", ["spec.x: Too long: may not be more than 2 bytes"]],
  ["minLength", { type: "string", minLength: 1 }, "", ['spec.x: Invalid value: "": spec.x in body should be at least 1 chars long']],
  ["pattern", { type: "string", pattern: "^a+$" }, "b", ["spec.x: Invalid value: \"b\": spec.x in body should match '^a+$'"]],
  ["an unanchored pattern matches anywhere", { type: "string", pattern: "a" }, "bab", []],
  [
    "format",
    { type: "string", format: "date-time" },
    "soon",
    ['spec.x: Invalid value: "soon": spec.x in body must be of type date-time: "soon"'],
  ],
  ["unknown formats mean nothing", { type: "string", format: "colour" }, "soon", []],
  [
    "maxItems",
    { type: "array", maxItems: 1, items: { type: "integer" } },
    [1, "2"],
    [
      "spec.x: Too many: 2: must have at most 1 item",
      'spec.x[1]: Invalid value: "string": spec.x[1] in body must be of type integer: "string"',
    ],
  ],
  ["minItems", { type: "array", minItems: 1 }, [], ["spec.x: Invalid value: 0: spec.x in body should have at least 1 items"]],
  ["set", { type: "array", "x-kubernetes-list-type": "set", items: { type: "string" } }, ["a", "a"], ['spec.x[1]: Duplicate value: "a"']],
  [
    "map list",
    {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      items: { type: "object", properties: { name: { type: "string" } } },
    },
    [{ name: "a" }, { name: "a" }],
    ['spec.x[1]: Duplicate value: {"name":"a"}'],
  ],
  ["required", { type: "object", required: ["a"], properties: { a: { type: "string" } } }, {}, ["spec.x.a: Required value"]],
  [
    "additionalProperties",
    { type: "object", additionalProperties: { type: "integer" } },
    { k: "v" },
    ['spec.x.k: Invalid value: "string": spec.x.k in body must be of type integer: "string"'],
  ],
  [
    "minProperties",
    { type: "object", minProperties: 1 },
    {},
    ["spec.x: Invalid value: 0: spec.x in body should have at least 1 properties"],
  ],
  [
    "int or string",
    { "x-kubernetes-int-or-string": true },
    true,
    ['spec.x: Invalid value: "boolean": spec.x in body must be of type integer,string: "boolean"'],
  ],
  [
    "anyOf",
    { type: "string", anyOf: [{ pattern: "^a" }, { pattern: "^b" }] },
    "c",
    [
      '<nil>: Invalid value: "": "spec.x" must validate at least one schema (anyOf)',
      "spec.x: Invalid value: \"c\": spec.x in body should match '^a'",
    ],
  ],
  [
    "oneOf, both",
    { type: "string", oneOf: [{ pattern: "a" }, { pattern: "b" }] },
    "ab",
    ['<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
  ],
  ["not", { type: "string", not: { pattern: "a" } }, "a", ['<nil>: Invalid value: "": "spec.x" must not validate the schema (not)']],
  [
    "embedded resource",
    { type: "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true },
    { kind: "A" },
    ["spec.x.apiVersion: Required value"],
  ],
];
for (const [name, schema, value, problems] of values) test(`values: ${name}`, () => assert.deepEqual(text(schema, value), problems));

test("a pattern made to backtrack is answered at once", () => {
  const attack = "a".repeat(50_000);
  assert.equal(checkValue({ type: "string", pattern: "^(a+)+$" }, `${attack}!`).length, 1);
});

test("pruning drops what the schema does not know, and says so; embedded and free parts stay", () => {
  const schema: JsonSchema = {
    type: "object",
    properties: {
      spec: {
        type: "object",
        properties: {
          a: { type: "string" },
          list: { type: "array", items: { type: "object", properties: { b: { type: "string" } } } },
          free: { type: "object", "x-kubernetes-preserve-unknown-fields": true, properties: { strict: { type: "object" } } },
          map: { type: "object", additionalProperties: { type: "object", properties: { c: { type: "string" } } } },
        },
      },
      template: { type: "object", "x-kubernetes-embedded-resource": true, properties: { spec: { type: "object" } } },
    },
  };
  const object: JsonObject = {
    apiVersion: "v",
    kind: "k",
    metadata: { name: "n" },
    extra: 1,
    spec: { a: "1", z: 1, list: [{ b: "1", y: 2 }], free: { x: { y: 1 }, strict: { gone: 1 } }, map: { k: { c: "1", d: 2 } } },
    template: { apiVersion: "v1", kind: "Pod", metadata: { labels: { a: "b" } }, spec: { x: 1 } },
  };
  assert.deepEqual(prune(schema, object).sort(), [
    "extra",
    "spec.free.strict.gone",
    "spec.list[0].y",
    "spec.map.k.d",
    "spec.z",
    "template.spec.x",
  ]);
  assert.deepEqual(object, {
    apiVersion: "v",
    kind: "k",
    metadata: { name: "n" },
    spec: { a: "1", list: [{ b: "1" }], free: { x: { y: 1 }, strict: {} }, map: { k: { c: "1" } } },
    template: { apiVersion: "v1", kind: "Pod", metadata: { labels: { a: "b" } }, spec: {} },
  });
});

test("defaults fill what is absent, in order from outside to inside, each object its own copy", () => {
  const schema: JsonSchema = {
    type: "object",
    properties: {
      spec: {
        type: "object",
        default: {},
        properties: {
          size: { type: "integer", default: 1 },
          n: { type: "string", nullable: true, default: "x" },
          m: { type: "string", default: "y" },
          list: { type: "array", items: { type: "object", properties: { p: { type: "string", default: "TCP" } } } },
        },
      },
    },
  };
  const one: JsonObject = {};
  setDefaults(schema, one);
  assert.deepEqual(one, { spec: { size: 1, n: "x", m: "y" } });
  const two: JsonObject = { spec: { n: null, m: null, list: [{}, { p: "UDP" }] } };
  setDefaults(schema, two);
  assert.deepEqual(two, { spec: { size: 1, n: null, m: "y", list: [{ p: "TCP" }, { p: "UDP" }] } });
  (one["spec"] as JsonObject)["size"] = 9;
  const three: JsonObject = {};
  setDefaults(schema, three);
  assert.deepEqual(three["spec"], { size: 1, n: "x", m: "y" });
});

test("JSONPath of columns", () => {
  const object = {
    a: [
      { t: "Ready", s: "True" },
      { t: "X", s: "False" },
    ],
    b: { "c.d/e": 1, f: { g: "h" } },
  };
  const cases: [string, unknown[]][] = [
    ['.a[?(@.t=="Ready")].s', ["True"]],
    [".a[?(@.t!='Ready')].s", ["False"]],
    [".a[*].t", ["Ready", "X"]],
    [".a[-1].t", ["X"]],
    [".b.c\\.d/e", [1]],
    ["{.b['f'].g}", ["h"]],
    [".b.none.x", []],
    [".a[?(@.none)].s", []],
  ];
  for (const [path, found] of cases) assert.deepEqual(findAll(parseJsonPath(path), object), found, path);
  assert.throws(() => parseJsonPath("..a"), /unsupported JSONPath/);
});

const crd = (more: JsonObject = {}, version: JsonObject = {}): Crd => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.x.dev" },
  spec: {
    group: "x.dev",
    names: { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList", shortNames: ["wd"] },
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
              spec: { type: "object", properties: { size: { type: "integer", maximum: 10, default: 1 }, color: { type: "string" } } },
              status: { type: "object", properties: { ready: { type: "boolean" } } },
            },
          },
        },
        subresources: { status: {} },
        additionalPrinterColumns: [
          { name: "Size", type: "integer", jsonPath: ".spec.size" },
          { name: "Born", type: "date", jsonPath: ".metadata.creationTimestamp" },
        ],
        selectableFields: [{ jsonPath: ".spec.color" }],
        ...version,
      },
      {
        name: "v1alpha1",
        served: true,
        storage: false,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
      { name: "v0", served: false, storage: false },
    ],
    ...more,
  },
});

test("a CRD becomes a definition for each served version", () => {
  const [v1, alpha, none] = definitionOf(crd());
  assert.ok(v1 && alpha && !none);
  assert.deepEqual(
    [v1.group, v1.version, v1.kind, v1.listKind, v1.singular, v1.status, v1.strategicPatch, v1.namespaced],
    ["x.dev", "v1", "Widget", "WidgetList", "widget", true, false, true],
  );
  const object = {
    apiVersion: "x.dev/v1alpha1",
    kind: "Widget",
    metadata: { name: "a", creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: { color: "red" },
  } as unknown as KubeObject;
  const read = v1.storedAs?.fromStored(object);
  assert.deepEqual([read?.apiVersion, read?.["spec"], object["spec"]], ["x.dev/v1", { color: "red", size: 1 }, { color: "red" }]);
  assert.equal(alpha.storedAs?.toStored(object).apiVersion, "x.dev/v1");
  assert.deepEqual(
    v1.columns?.map((column) => [column.name, column.cell(read ?? object, Date.UTC(2026, 0, 1, 0, 5))]),
    [
      ["Name", "a"],
      ["Size", 1],
      ["Born", "5m"],
    ],
  );
  assert.deepEqual(
    alpha.columns?.map(({ name }) => name),
    ["Name", "Age"],
  );
  assert.equal(v1.selectableFields?.get("spec.color")?.(object), "red");
});

test("an update is not refused for what was wrong before", () => {
  const [v1] = definitionOf(crd());
  const widget = (spec: JsonObject): KubeObject => ({ apiVersion: "x.dev/v1", kind: "Widget", metadata: { name: "a" }, spec });
  assert.equal(v1?.validate?.(widget({ size: 11 }), undefined).length, 1);
  assert.deepEqual(v1?.validate?.(widget({ size: 11, color: "red" }), widget({ size: 11 })), []);
  assert.equal(v1?.validate?.(widget({ size: 12 }), widget({ size: 11 })).length, 1);
});

test("names: accepted when free, told which when not; a CRD that is served stays served", () => {
  const first = crd();
  const status = crdStatus(first, takenNames(first, []), 0);
  assert.deepEqual(
    status.conditions?.map(({ type, status: is, reason }) => [type, is, reason]),
    [
      ["NamesAccepted", "True", "NoConflicts"],
      ["Established", "True", "InitialNamesAccepted"],
    ],
  );
  assert.deepEqual(status.acceptedNames, {
    plural: "widgets",
    singular: "widget",
    kind: "Widget",
    listKind: "WidgetList",
    shortNames: ["wd"],
  });
  assert.deepEqual(status.storedVersions, ["v1"]);
  const served = { ...first, status } as Crd;
  assert.deepEqual(crdStatus(served, takenNames(served, [served]), 99_000), status);
  const second = {
    ...crd({ names: { plural: "gadgets", kind: "Widget", shortNames: ["wd"] } }),
    metadata: { name: "gadgets.x.dev" },
  } as Crd;
  const refusedStatus = crdStatus(second, takenNames(second, [served]), 0);
  assert.deepEqual(
    refusedStatus.conditions?.map(({ status: is, reason, message }) => [is, reason, message]),
    [
      ["False", "ListKindConflict", '"WidgetList" is already in use'],
      ["False", "NotAccepted", "not all names are accepted"],
    ],
  );
  const renamed = { ...served, spec: { ...served.spec, names: { ...served.spec.names, shortNames: ["gd"] } } } as Crd;
  const gadgets = { ...second, status: { acceptedNames: { plural: "gadgets", kind: "Gadget", shortNames: ["gd"] } } } as Crd;
  const kept = crdStatus(renamed, takenNames(renamed, [gadgets]), 0);
  assert.equal(kept.conditions?.find(({ type }) => type === "Established")?.status, "True");
  assert.deepEqual(kept.acceptedNames?.shortNames, ["wd"]);
});

const crdProblems = (object: Crd, old?: Crd): string[] => validateCrd(object, old).map(({ field, message }) => `${field}: ${message}`);
const withSchema = (schema: JsonSchema): Crd =>
  crd(
    {},
    { schema: { openAPIV3Schema: { type: "object", properties: { spec: schema } } }, additionalPrinterColumns: [], selectableFields: [] },
  );

test("a CRD this server can serve has no problems", () => {
  const two = crd();
  const served = { ...two, spec: { ...two.spec, versions: two.spec.versions.slice(0, 2) } } as Crd;
  assert.deepEqual(crdProblems(served), []);
});

const wrongCrds: [string, Crd, RegExp][] = [
  ["no schema", crd(), /^spec\.versions\[2\]\.schema\.openAPIV3Schema: Required value$/m],
  ["name", { ...crd(), metadata: { name: "x" } }, /^metadata\.name: Invalid value: "x": must be spec\.names\.plural\+"\."\+spec\.group$/m],
  ["group", crd({ group: "dev" }), /^spec\.group: Invalid value: "dev": should be a domain with at least one dot$/m],
  ["scope", crd({ scope: "World" }), /^spec\.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"$/m],
  [
    "webhook nowhere",
    crd({ conversion: { strategy: "Webhook", webhook: { clientConfig: {}, conversionReviewVersions: ["v9"] } } }),
    /^spec\.conversion\.webhookClientConfig: Required value: exactly one of url or service is required\nspec\.conversion\.conversionReviewVersions: Invalid value: \["v9"\]: must include at least one of v1, v1beta1$/m,
  ],
  [
    "webhook without webhook",
    crd({ conversion: { strategy: "Webhook" } }),
    /^spec\.conversion\.webhookClientConfig: Required value: .*\nspec\.conversion\.conversionReviewVersions: Required value$/m,
  ],
  [
    "protected group",
    crd({ group: "x.k8s.io" }),
    /^metadata\.annotations\[api-approved\.kubernetes\.io\]: Required value: protected groups must have approval annotation/m,
  ],
  [
    "no approval",
    { ...crd({ group: "k8s.io" }), metadata: { name: "x", annotations: { "api-approved.kubernetes.io": "yes" } } },
    /^metadata\.annotations\[api-approved\.kubernetes\.io\]: Invalid value: "yes": .* with either a URL or a reason/m,
  ],
  ["storage", crd({}, { storage: false }), /^spec\.versions: .*must have exactly one version marked as storage version$/m],
  [
    "column",
    crd({}, { additionalPrinterColumns: [{ name: "x", type: "text", jsonPath: "spec" }] }),
    /type: Invalid value: "text": must be one of boolean,date,integer,number,string\n.*must be a simple json path starting with \./,
  ],
  [
    "scale",
    crd({}, { subresources: { scale: { specReplicasPath: ".replicas", statusReplicasPath: ".status.replicas" } } }),
    /specReplicasPath: Invalid value: "\.replicas": should be a json path under \.spec$/m,
  ],
  ["selectable", crd({}, { selectableFields: [{ jsonPath: ".spec" }] }), /must point to a field of type string, boolean or integer/],
  [
    "no type",
    withSchema({ type: "object", properties: { a: {} } }),
    /properties\[spec\]\.properties\[a\]\.type: Required value: must not be empty for specified object fields/,
  ],
  ["no items", withSchema({ type: "array" }), /properties\[spec\]\.items: Required value: must be specified/],
  [
    "both kinds of properties",
    withSchema({ type: "object", properties: { a: { type: "string" } }, additionalProperties: { type: "string" } }),
    /additionalProperties and properties are mutual exclusive/,
  ],
  [
    "type in an alternative",
    withSchema({ type: "object", anyOf: [{ type: "object" }] }),
    /anyOf\[0\]\.type: Forbidden: must be empty to be structural/,
  ],
  [
    "uniqueItems",
    withSchema({ type: "array", items: { type: "string" }, uniqueItems: true }),
    /uniqueItems: Forbidden: uniqueItems cannot be set to true/,
  ],
  ["$ref", withSchema({ type: "object", $ref: "#/x" } as JsonSchema), /\$ref: Forbidden: \$ref is not supported/],
  [
    "list keys",
    withSchema({
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["a", "b"],
      items: { type: "object", properties: { a: { type: "string" } } },
    }),
    /default: Required value: this property is in x-kubernetes-list-map-keys[\s\S]*entries must all be names of item properties/,
  ],
  ["pattern", withSchema({ type: "string", pattern: "[" }), /pattern: Invalid value: "\[": must be a valid regular expression/],
  [
    "default",
    withSchema({ type: "object", properties: { a: { type: "integer", default: "x" } } }),
    /properties\[a\]\.default: Invalid value: "string": .* must be of type integer/,
  ],
  [
    "unknown fields in a default",
    withSchema({ type: "object", default: { b: 1 }, properties: {} }),
    /default: Invalid value: \{"b":1\}: must not have unknown fields$/m,
  ],
  [
    "a rule",
    withSchema({ type: "object", "x-kubernetes-validations": [{ rule: "self.nothing == 1" }] }),
    /properties\[spec\]\.x-kubernetes-validations\[0\]\.rule: Invalid value: \{"Rule":"self\.nothing == 1",.*\}: compilation failed: ERROR: /,
  ],
  ["preserve false", withSchema({ type: "object", "x-kubernetes-preserve-unknown-fields": false }), /must be true or undefined/],
];
for (const [name, object, expected] of wrongCrds)
  test(`a CRD is refused: ${name}`, () => assert.match(crdProblems(object).join("\n"), expected));

test("what objects depend on stays: group, names, scope, versions that were stored", () => {
  const old = { ...crd(), status: { storedVersions: ["v1", "v0"], conditions: [{ type: "Established", status: "True" }] } } as Crd;
  const next = crd({ scope: "Cluster", versions: old.spec.versions.slice(0, 2) });
  const problems = crdProblems(next, old).join("\n");
  assert.match(problems, /^spec\.scope: Invalid value: "Cluster": field is immutable$/m);
  assert.match(problems, /^status\.storedVersions\[1\]: Invalid value: "v0": missing from spec\.versions/m);
});
