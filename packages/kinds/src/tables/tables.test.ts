import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldsOf, type TypeRef, typeOf } from "../type-table.ts";
import { kubernetesTypes } from "./index.ts";

const types = kubernetesTypes();
const core = (name: string): string => `io.k8s.api.core.v1.${name}`;

test("a container's ports say how they are merged, numbered and defaulted", () => {
  const ports = fieldsOf(types, types.get(core("Container"))!).get("ports")!;
  assert.equal(ports.number, 6);
  assert.equal(ports.patchStrategy, "merge");
  assert.equal(ports.patchMergeKey, "containerPort");
  assert.deepEqual(ports.ref, { list: { type: core("ContainerPort") }, listType: "map", mapKeys: ["containerPort", "protocol"] });
  assert.equal(fieldsOf(types, types.get(core("ContainerPort"))!).get("protocol")!.default, "TCP");
});

test("a type embedded in place lends its fields, and keeps its number for the Protobuf form", () => {
  const volume = types.get(core("Volume"))!;
  assert.deepEqual(
    volume.fields.filter((field) => field.inline).map((field) => [field.number, typeOf(types, field.ref).name]),
    [[2, core("VolumeSource")]],
  );
  assert.ok(fieldsOf(types, volume).has("configMap"));
});

test("named slices are messages of their own in the Protobuf form", () => {
  const extra = fieldsOf(types, types.get("io.k8s.api.authentication.v1.UserInfo")!).get("extra")!;
  assert.deepEqual(extra.ref, { map: { list: { scalar: "string" }, message: true } });
});

test("every type that is named is there, and every map list has its keys", () => {
  const check = (ref: TypeRef, where: string): void => {
    if ("type" in ref) assert.ok(types.has(ref.type), `${where}: ${ref.type}`);
    if ("list" in ref) {
      if (ref.listType === "map") assert.ok((ref.mapKeys ?? []).length > 0, where);
      check(ref.list, where);
    }
    if ("map" in ref) check(ref.map, where);
  };
  for (const row of types.values()) for (const field of row.fields) check(field.ref, `${row.name}.${field.name}`);
});

test("numbers of a type are used once", () => {
  for (const row of types.values()) {
    const numbers = row.fields.flatMap((field) => field.number ?? []);
    assert.equal(new Set(numbers).size, numbers.length, row.name);
  }
});
