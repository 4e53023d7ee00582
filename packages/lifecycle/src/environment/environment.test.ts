import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { JsonObject, KubeObject } from "@mecha/kinds";
import { environmentOf, type EnvironmentReading, expand, needs } from "./index.ts";

const base64 = (text: string): string => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
const object: KubeObject = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "cart", namespace: "shop", uid: "u-1", labels: { tier: "web" }, annotations: { "a.b/c": "note" } },
};
const stored: Readonly<Record<string, KubeObject>> = {
  "ConfigMap/colours": { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "colours" }, data: { RED: "1", "is=bad": "x" } },
  "Secret/other": { apiVersion: "v1", kind: "Secret", metadata: { name: "other" }, data: { PASSWORD: base64("sésame"), RED: base64("2") } },
  "Secret/door": {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "door" },
    data: { PASSWORD: base64("sésame"), RED: base64("2"), NUL: base64("\0") },
  },
};
const read = (container: JsonObject): EnvironmentReading =>
  environmentOf(container, { object, config: ({ kind, name }) => stored[`${kind}/${name}`] });
const keyRef = (name: string, from: string, ref: JsonObject): JsonObject => ({ name, valueFrom: { [from]: ref } });

test("values come from where the container says; the last of a name counts, and env comes after envFrom", () => {
  const container = {
    env: [
      { name: "A", value: "plain" },
      { name: "A", value: "later" },
      { name: "EMPTY" },
      keyRef("COLOUR", "configMapKeyRef", { name: "colours", key: "RED" }),
      keyRef("WORD", "secretKeyRef", { name: "door", key: "PASSWORD" }),
      keyRef("NONE", "secretKeyRef", { name: "no", key: "x", optional: true }),
      keyRef("NO_KEY", "configMapKeyRef", { name: "colours", key: "BLUE", optional: true }),
      { name: "BOTH", value: "$(A) and $(COLOUR), $$(A), $(UNKNOWN)" },
      keyRef("ME", "fieldRef", { fieldPath: "metadata.name" }),
      keyRef("TIER", "fieldRef", { fieldPath: "metadata.labels['tier']" }),
      keyRef("NOTE", "fieldRef", { fieldPath: "metadata.annotations['a.b/c']" }),
      keyRef("NO_NOTE", "fieldRef", { fieldPath: "metadata.annotations['none']" }),
      keyRef("NO_LABEL", "fieldRef", { fieldPath: "metadata.labels['toString']" }),
    ],
    envFrom: [
      { configMapRef: { name: "colours" }, prefix: "P_" },
      { configMapRef: { name: "none", optional: true } },
      { secretRef: { name: "other" } },
    ],
  };
  assert.deepEqual(read(container), {
    env: {
      P_RED: "1",
      PASSWORD: "sésame",
      RED: "2",
      A: "later",
      EMPTY: "",
      COLOUR: "1",
      WORD: "sésame",
      BOTH: "later and 1, $(A), $(UNKNOWN)",
      ME: "cart",
      TIER: "web",
      NOTE: "note",
      NO_NOTE: "",
      NO_LABEL: "",
    },
  });
  assert.deepEqual(
    needs(container).map(({ kind, name }) => `${kind}/${name}`),
    ["ConfigMap/colours", "ConfigMap/none", "Secret/other", "Secret/door", "Secret/no"],
  );
});

test("what is missing is named, and where it is asked for", () => {
  for (const [container, problem] of [
    [{ env: [keyRef("A", "configMapKeyRef", { name: "no", key: "x" })] }, "env A: there is no ConfigMap no"],
    [{ env: [keyRef("A", "secretKeyRef", { name: "door", key: "x" })] }, "env A: Secret door has no key x"],
    [{ env: [keyRef("A", "secretKeyRef", { name: "door", key: "NUL" })] }, "env A: its value holds a NUL character"],
    [{ envFrom: [{ secretRef: { name: "no" } }] }, "envFrom: there is no Secret no"],
    [{ env: [keyRef("A", "configMapKeyRef", { name: "colours", key: "constructor" })] }, "env A: ConfigMap colours has no key constructor"],
  ] as const)
    assert.deepEqual(read(container), { problem });
  const resource = read({ env: [keyRef("A", "resourceFieldRef", { resource: "limits.cpu" })] });
  assert.match("problem" in resource ? resource.problem : "", /^env A: valueFrom\.resourceFieldRef is not there for a process/u);
  const field = read({ env: [keyRef("A", "fieldRef", { fieldPath: "spec.nodeName" })] });
  assert.match("problem" in field ? field.problem : "", /^env A: the field spec\.nodeName is not there/u);
});

test("a text without `$` stays as it is, and none makes it fail", () => {
  fc.assert(fc.property(fc.string(), (text) => text.includes("$") || expand(text, new Map()) === text));
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("$", "(", ")", "A") }), (text) => {
      assert.doesNotMatch(expand(text.replaceAll("$$", ""), new Map([["A", "-"]])), /\$\(A\)/u);
    }),
  );
});
