import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FieldRow, JsonObject, KubeObject, TypeTable } from "@mecha/kinds";
import { StatusError } from "../status.ts";
import { applyPatch, type FieldContext, resetFields, sameButTimes, trackUpdate } from "./apply.ts";
import { compare, fieldSetOf } from "./compare.ts";
import { FieldSet, fromFieldsV1, toFieldsV1 } from "./field-set.ts";

const text = { scalar: "string" } as const;
const number = { scalar: "int32" } as const;
const field = (name: string, ref: FieldRow["ref"], more: Partial<FieldRow> = {}): FieldRow => ({ name, ref, ...more });
const types: TypeTable = new Map(
  [
    {
      name: "Widget",
      fields: [
        field("apiVersion", text),
        field("kind", text),
        field("metadata", { type: "Meta" }),
        field("spec", { type: "Spec" }),
        field("status", { type: "Status" }),
      ],
    },
    {
      name: "Meta",
      fields: [
        field("name", text),
        field("namespace", text),
        field("uid", text),
        field("labels", { map: text }),
        field("annotations", { map: text }),
        field("finalizers", { list: text, listType: "set" as const }),
      ],
    },
    {
      name: "Spec",
      fields: [
        field("size", number),
        field("color", text),
        field("ports", { list: { type: "Port" }, listType: "map" as const, mapKeys: ["port", "protocol"] }),
        field("tags", { list: text, listType: "set" as const }),
        field("args", { list: text }),
        field("selector", { map: text, mapType: "atomic" as const }),
        field("inner", { type: "Inner" }),
        field("free", { scalar: "any" as const }),
      ],
    },
    { name: "Port", fields: [field("port", number), field("protocol", text, { default: "TCP" }), field("name", text)] },
    { name: "Inner", fields: [field("a", text), field("b", text)] },
    { name: "Status", fields: [field("phase", text)] },
  ].map((row) => [row.name, row]),
);
const schema = { types, type: "Widget" };
const start = Date.UTC(2026, 0, 1);
const context = (manager: string, more: Partial<FieldContext> = {}): FieldContext => ({
  schema,
  apiVersion: "x.dev/v1",
  manager,
  reset: resetFields(more.subresource, { status: true, strategicPatch: false }),
  nowMs: start,
  ...more,
});
const widget = (spec: JsonObject, more: JsonObject = {}): KubeObject => ({
  apiVersion: "x.dev/v1",
  kind: "Widget",
  metadata: { name: "w", ...more },
  spec,
});
const stored = (object: KubeObject): KubeObject => ({ ...object, metadata: { ...object.metadata, uid: "u" } });
const apply = (
  live: KubeObject | undefined,
  spec: JsonObject,
  manager: string,
  force = false,
  more: Partial<FieldContext> = {},
): KubeObject => stored(applyPatch(live, widget(spec), { ...context(manager, more), kind: "Widget", force }));
const update = (old: KubeObject | undefined, spec: JsonObject, manager: string, more: Partial<FieldContext> = {}): KubeObject =>
  stored(trackUpdate(old, old ? { ...old, spec } : widget(spec), context(manager, more)));
/** Manager → its fields, in short. */
const owners = (object: KubeObject): Record<string, unknown> =>
  Object.fromEntries(
    (object.metadata.managedFields ?? []).map((entry) => [
      `${entry.manager} ${entry.operation}${entry.subresource ? ` ${entry.subresource}` : ""}`,
      entry.fieldsV1,
    ]),
  );
const conflictOf = (attempt: () => unknown): StatusError => {
  try {
    attempt();
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new Error("no conflict");
};

test("create, update and status of three managers are told apart, each field owned by who set it last", () => {
  const created = update(undefined, { size: 1, color: "red", tags: ["a"] }, "kubectl");
  assert.deepEqual(owners(created), {
    "kubectl Update": { "f:spec": { ".": {}, "f:color": {}, "f:size": {}, "f:tags": { ".": {}, 'v:"a"': {} } } },
  });
  const resized = update(created, { size: 2, color: "red", tags: ["a", "b"] }, "scaler", { nowMs: start + 1000 });
  assert.deepEqual(owners(resized), {
    "kubectl Update": { "f:spec": { ".": {}, "f:color": {}, "f:tags": { ".": {}, 'v:"a"': {} } } },
    "scaler Update": { "f:spec": { "f:size": {}, "f:tags": { 'v:"b"': {} } } },
  });
  const ready = trackUpdate(resized, { ...resized, status: { phase: "Ready" } }, context("controller", { subresource: "status" }));
  assert.deepEqual(owners(ready)["controller Update status"], { "f:status": { ".": {}, "f:phase": {} } });
  const emptied = update(stored(ready), { color: "red" }, "kubectl");
  assert.deepEqual(owners(emptied), {
    "kubectl Update": { "f:spec": { ".": {}, "f:color": {} } },
    "controller Update status": { "f:status": { ".": {}, "f:phase": {} } },
  });
});

test("a manager's time changes when it sets something, and only then", () => {
  const created = update(undefined, { size: 1, color: "red" }, "a");
  const same = update(created, { size: 1, color: "red" }, "a", { nowMs: start + 5000 });
  assert.equal(same.metadata.managedFields?.[0]?.time, "2026-01-01T00:00:00Z");
  assert.ok(sameButTimes(created, same));
  const removed = update(created, { size: 1 }, "a", { nowMs: start + 5000 });
  assert.equal(removed.metadata.managedFields?.[0]?.time, "2026-01-01T00:00:00Z");
  const changed = update(created, { size: 2 }, "a", { nowMs: start + 5999 });
  assert.equal(changed.metadata.managedFields?.[0]?.time, "2026-01-01T00:00:05Z");
});

test("apply refuses to change what another manager set, names it, and takes it with force", () => {
  const live = update(undefined, { size: 1, color: "red" }, "m1");
  const one = conflictOf(() => apply(live, { size: 2 }, "m2"));
  assert.equal(one.message, 'Apply failed with 1 conflict: conflict with "m1" using x.dev/v1: .spec.size');
  assert.equal(one.code, 409);
  assert.deepEqual(one.details?.causes, [
    { reason: "FieldManagerConflict", message: 'conflict with "m1" using x.dev/v1', field: ".spec.size" },
  ]);
  const two = conflictOf(() => apply(live, { size: 2, color: "blue" }, "m2"));
  assert.equal(two.message, 'Apply failed with 2 conflicts: conflicts with "m1" using x.dev/v1:\n- .spec.color\n- .spec.size');
  const forced = apply(live, { size: 2 }, "m2", true);
  assert.deepEqual(forced["spec"], { size: 2, color: "red" });
  assert.deepEqual(owners(forced), { "m2 Apply": { "f:spec": { "f:size": {} } }, "m1 Update": { "f:spec": { ".": {}, "f:color": {} } } });
  const byApplier = conflictOf(() => apply(forced, { size: 3 }, "m3"));
  assert.equal(byApplier.message, 'Apply failed with 1 conflict: conflict with "m2": .spec.size');
});

test("the same value is owned by all who apply it; a field goes when its last owner gives it up", () => {
  const first = apply(undefined, { size: 1, color: "red" }, "a");
  const shared = apply(first, { color: "red" }, "b");
  assert.deepEqual(owners(shared), {
    "a Apply": { "f:spec": { "f:color": {}, "f:size": {} } },
    "b Apply": { "f:spec": { "f:color": {} } },
  });
  const given = apply(shared, {}, "a");
  assert.deepEqual(given["spec"], { color: "red" });
  assert.deepEqual(apply(given, {}, "b")["spec"] ?? {}, {});
});

test("fields others set in the same map, and elements others added to the same list, stay", () => {
  const live = apply(undefined, { ports: [{ port: 80, name: "http" }], tags: ["a"], inner: { a: "1" } }, "a");
  const other = update(live, { ports: [{ port: 80, name: "http" }, { port: 81 }], tags: ["a", "b"], inner: { a: "1", b: "2" } }, "u");
  assert.deepEqual(owners(other)["u Update"], {
    "f:spec": {
      "f:inner": { "f:b": {} },
      "f:ports": { 'k:{"port":81,"protocol":"TCP"}': { ".": {}, "f:port": {} } },
      "f:tags": { 'v:"b"': {} },
    },
  });
  const moved = apply(other, { ports: [{ port: 90 }], tags: ["z"] }, "a");
  assert.deepEqual(moved["spec"], { ports: [{ port: 81 }, { port: 90 }], tags: ["b", "z"], inner: { b: "2" } });
});

test("lists keep the order of the configuration, and elements of others their place", () => {
  const live = update(undefined, { tags: ["a", "x", "b", "c"] }, "u");
  assert.deepEqual((apply(live, { tags: ["c", "a"] }, "a")["spec"] as JsonObject)["tags"], ["x", "b", "c", "a"]);
  assert.deepEqual((apply(live, { tags: ["a", "c", "n"] }, "a")["spec"] as JsonObject)["tags"], ["a", "x", "b", "c", "n"]);
});

test("atomic lists and maps are owned and replaced as one", () => {
  const live = apply(undefined, { args: ["a"], selector: { x: "1" }, free: { deep: [1] } }, "a");
  assert.deepEqual(owners(live)["a Apply"], { "f:spec": { "f:args": {}, "f:free": {}, "f:selector": {} } });
  const replaced = apply(live, { args: ["b", "c"], selector: { y: "2" } }, "a");
  assert.deepEqual(replaced["spec"], { args: ["b", "c"], selector: { y: "2" } });
  assert.match(conflictOf(() => apply(replaced, { selector: { y: "2", z: "3" } }, "b")).message, /conflict with "a": \.spec\.selector$/);
});

test("elements are named in conflicts by their keys", () => {
  const live = apply(undefined, { ports: [{ port: 80, protocol: "UDP", name: "x" }] }, "a");
  assert.match(
    conflictOf(() => apply(live, { ports: [{ port: 80, protocol: "UDP", name: "y" }] }, "b")).message,
    /: \.spec\.ports\[port=80,protocol="UDP"\]\.name$/,
  );
});

test("applying to an object without managedFields: what was there belongs to before-first-apply", () => {
  const live = stored(widget({ size: 1, color: "red" }));
  assert.equal(update(live, { size: 5 }, "u").metadata.managedFields, undefined);
  assert.match(
    conflictOf(() => apply(live, { size: 2 }, "a")).message,
    /conflict with "before-first-apply" using x\.dev\/v1: \.spec\.size$/,
  );
  assert.deepEqual(owners(apply(live, { size: 1 }, "a")), {
    "a Apply": { "f:spec": { "f:size": {} } },
    "before-first-apply Update": { "f:spec": { ".": {}, "f:color": {}, "f:size": {} } },
  });
});

test("managedFields can be cleared, and not written by a request to a subresource", () => {
  const live = update(undefined, { size: 1 }, "a");
  for (const reset of [[], [{}]]) {
    const cleared = trackUpdate(live, { ...live, metadata: { ...live.metadata, managedFields: reset as never } }, context("b"));
    assert.equal(cleared.metadata.managedFields, undefined);
    const kept = trackUpdate(
      live,
      { ...live, metadata: { ...live.metadata, managedFields: reset as never } },
      context("b", { subresource: "status" }),
    );
    assert.deepEqual(owners(kept), owners(live));
  }
});

test("kubectl takes over silently what it applied from the client's side, and keeps its annotation up to date", () => {
  const key = "kubectl.kubernetes.io/last-applied-configuration";
  const config = widget({ size: 1, color: "red" });
  const object = { ...config, metadata: { ...config.metadata, annotations: { [key]: JSON.stringify(config) } } } as unknown as KubeObject;
  const live = stored(trackUpdate(undefined, object, context("kubectl-client-side-apply")));
  const taken = apply(live, { size: 2, color: "red" }, "kubectl");
  assert.deepEqual(taken["spec"], { size: 2, color: "red" });
  assert.equal(
    taken.metadata.annotations?.[key],
    '{"apiVersion":"x.dev/v1","kind":"Widget","metadata":{"name":"w"},"spec":{"color":"red","size":2}}\n',
  );
  assert.equal(conflictOf(() => apply(live, { size: 2 }, "other")).code, 409);
  const scaled = update(live, { size: 7, color: "red" }, "scaler");
  assert.match(conflictOf(() => apply(scaled, { size: 2 }, "kubectl")).message, /conflict with "scaler"/);
});

test("more than ten updating managers: the oldest become ancient-changes", () => {
  let live = update(undefined, { size: 0 }, "m00");
  for (let n = 1; n <= 12; n++) {
    const labels = { ...live.metadata.labels, [`l${String(n)}`]: "x" };
    live = trackUpdate(
      live,
      { ...live, metadata: { ...live.metadata, labels } },
      context(`m${String(n).padStart(2, "0")}`, { nowMs: start + n * 1000 }),
    );
  }
  const names = (live.metadata.managedFields ?? []).map((entry) => entry.manager);
  assert.equal(names.length, 10);
  assert.deepEqual(names.slice(0, 2), ["ancient-changes", "m04"]);
  assert.deepEqual(owners(live)["ancient-changes Update"], {
    "f:metadata": { "f:labels": { ".": {}, "f:l1": {}, "f:l2": {}, "f:l3": {} } },
    "f:spec": { ".": {}, "f:size": {} },
  });
});

test("applying the same again changes nothing, not even a time", () => {
  const live = apply(undefined, { size: 1 }, "a");
  assert.deepEqual(apply(live, { size: 1 }, "a", false, { nowMs: start + 60_000 }), live);
});

test("status is not applied through the object, and the rest not through status", () => {
  const both = { ...widget({ size: 1 }), status: { phase: "x" } };
  const main = applyPatch(undefined, both, { ...context("a"), kind: "Widget", force: false });
  assert.deepEqual(owners(main)["a Apply"], { "f:spec": { "f:size": {} } });
  const status = applyPatch(stored(main), both, {
    ...context("c", { subresource: "status" }),
    kind: "Widget",
    force: false,
  });
  assert.deepEqual(owners(status)["c Apply status"], { "f:status": { "f:phase": {} } });
});

test("a configuration that does not fit is refused in the server's words", () => {
  const refusal = (config: JsonObject): string =>
    conflictOf(() => applyPatch(undefined, config, { ...context("a"), kind: "Widget", force: false })).message;
  const typed = (problem: string): string => `failed to create typed patch object (/w; x.dev/v1, Kind=Widget): ${problem}`;
  const spec = (fields: JsonObject): JsonObject => widget(fields);
  assert.equal(refusal(spec({ foo: 1 })), typed(".spec.foo: field not declared in schema"));
  assert.equal(refusal(spec({ size: "x" })), typed(".spec.size: expected numeric (int or float), got string"));
  assert.equal(refusal(spec({ tags: ["a", "a"] })), typed('.spec.tags: duplicate entries for key [="a"]'));
  assert.match(refusal(spec({ size: "x", tags: "no" })), /^failed .*\n {2}\.spec\.tags: expected list/s);
  assert.equal(refusal({ apiVersion: "v1", kind: "Pod" }), "invalid object type: /v1, Kind=Pod");
  assert.equal(refusal({ ...spec({}), metadata: { name: "w", managedFields: [] } }), "metadata.managedFields must be nil");
});

test("a version that is no longer served is forgotten with its managers; one that is keeps them", () => {
  const old = update(undefined, { size: 1, color: "red" }, "old", { apiVersion: "x.dev/v1alpha1" });
  assert.deepEqual(Object.keys(owners(update(old, { size: 2, color: "red" }, "new"))), ["new Update"]);
  const kept = update(old, { size: 2, color: "red" }, "new", { schemaOf: () => schema });
  assert.deepEqual(owners(kept)["old Update"], { "f:spec": { ".": {}, "f:color": {} } });
});

test("a list that became atomic is owned as one", () => {
  const granular = update(undefined, { tags: ["a", "b"] }, "a");
  const spec = types.get("Spec");
  assert.ok(spec);
  const atomic = new Map(types).set("Spec", {
    ...spec,
    fields: spec.fields.map((row) => (row.name === "tags" ? field("tags", { list: text }) : row)),
  });
  const next = trackUpdate(
    granular,
    { ...granular, metadata: { ...granular.metadata, labels: { x: "1" } } },
    context("b", { schema: { types: atomic, type: "Widget" } }),
  );
  assert.deepEqual(owners(next)["a Update"], { "f:spec": { ".": {}, "f:tags": {} } });
});

/** Lists have elements: an empty granular list is owned by nobody, so whoever applies only that leaves no trace (as in the server). */
const anySpec = fc.record(
  {
    size: fc.nat(3),
    color: fc.constantFrom("red", "blue"),
    tags: fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"), { minLength: 1, maxLength: 4 }),
    ports: fc.uniqueArray(fc.record({ port: fc.nat(3), name: fc.constantFrom("x", "y") }, { noNullPrototype: true }), {
      selector: ({ port }) => port,
      minLength: 1,
      maxLength: 4,
    }),
    inner: fc.record({ a: fc.constantFrom("1", "2"), b: fc.constantFrom("1", "2") }, { requiredKeys: [], noNullPrototype: true }),
    args: fc.array(fc.constantFrom("a", "b"), { maxLength: 2 }),
  },
  { requiredKeys: [], noNullPrototype: true },
) as fc.Arbitrary<JsonObject>;

test("after any history: what was applied last is there, its applier owns it, and nobody owns what is not there", () => {
  const step = fc.record({ spec: anySpec, manager: fc.constantFrom("a", "b", "c"), apply: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (history) => {
      let live: KubeObject | undefined;
      for (const { spec, manager, apply: applies } of history) {
        live = applies ? apply(live, spec, manager, true) : update(live, spec, manager);
        const set = fieldSetOf(schema, live);
        if (applies) {
          assert.deepEqual(stored(apply(live, spec, manager, true)), live); // idempotent
          const config = fieldSetOf(schema, widget(spec)).difference(FieldSet.of([["f:apiVersion"], ["f:kind"], ["f:metadata", "f:name"]]));
          const entry = live.metadata.managedFields?.find((e) => e.manager === manager && e.operation === "Apply");
          assert.deepEqual(toFieldsV1(entry ? fromFieldsV1(entry.fieldsV1) : FieldSet.empty), toFieldsV1(config));
          const { added, modified } = compare(
            schema,
            live,
            applyPatch(live, widget(spec), { ...context(manager), kind: "Widget", force: true }),
          );
          assert.ok(added.isEmpty && modified.isEmpty);
        }
        for (const entry of live.metadata.managedFields ?? []) {
          const gone = [...fromFieldsV1(entry.fieldsV1).paths()].filter((path) => !set.has(path) && set.below(path).isEmpty);
          assert.deepEqual(
            gone.filter((path) => !emptyContainers.has(path.join(""))),
            [],
          );
        }
      }
    }),
    { numRuns: 300 },
  );
});
/** Named fields that are maps or lists: empty ones have no fields to show. */
const emptyContainers = new Set(["f:spec", ...["inner", "tags", "ports"].map((name) => `f:specf:${name}`)]);

test("FieldsV1 of any form is read or refused; what was read is written the same", () => {
  const step = fc.oneof(
    fc.constantFrom("f:a", "f:b", ".", 'v:"x"', "v:1", 'k:{"b":1,"a":"x"}', "i:0", "z:?", "x", "v:{"),
    fc.string({ maxLength: 4 }),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ depthSize: "small" }, fc.constant({}), fc.dictionary(step, tie("tree"), { maxKeys: 3, noNullPrototype: true })),
  }));
  fc.assert(
    fc.property(tree, (fields) => {
      let set: FieldSet;
      try {
        set = fromFieldsV1(fields);
      } catch (error) {
        assert.ok(error instanceof SyntaxError);
        return;
      }
      assert.ok(fromFieldsV1(toFieldsV1(set)).equals(set));
      assert.ok(FieldSet.of(set.paths()).equals(set));
    }),
  );
});
