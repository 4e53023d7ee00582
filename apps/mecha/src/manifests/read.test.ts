import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readText } from "./read.ts";

const names = (text: string, which: "all" | "objects" = "objects"): readonly string[] =>
  readText(text, "f.yaml", which).manifests.map(({ where, object }) => `${where} ${object.kind}/${object.metadata.name}`);
const problems = (text: string, which: "all" | "objects" = "objects"): readonly string[] => readText(text, "f.yaml", which).problems;
const map = (name: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name} }\n`;

test("documents, Lists and JSON are objects, each with its line", () => {
  assert.deepEqual(names(`# a comment\n---\n${map("a")}---\n${map("b")}---\n`), ["f.yaml:3 ConfigMap/a", "f.yaml:7 ConfigMap/b"]);
  assert.deepEqual(names(JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "j" } })), ["f.yaml:1 ConfigMap/j"]);
  const list = `apiVersion: v1\nkind: List\nmetadata: {}\nitems:\n- ${map("a").trim().replaceAll("\n", "\n  ")}\n- ${map("b").trim().replaceAll("\n", "\n  ")}\n`;
  assert.deepEqual(names(list), ["f.yaml:5 ConfigMap/a", "f.yaml:8 ConfigMap/b"]);
});

test("beside a project file other tools' files are passed over; files somebody names are all objects", () => {
  const others = [
    `services: { db: { image: postgres } }`,
    `{ "name": "x", /* apiVersion */ "kind": 1 }`,
    `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nmetadata: { name: x }\n`,
    `apiVersion: mecha.dev/v1alpha1\nkind: Project\nmetadata: { name: x }\n`,
    `# apiVersion kind metadata\n[1, 2]`,
  ];
  for (const text of others) assert.deepEqual(readText(text, "f.yaml", "objects"), { manifests: [], problems: [] }, text);
  assert.deepEqual(problems("kind: ConfigMap\n", "all"), ["f.yaml:1: an object needs apiVersion and kind"]);
  assert.deepEqual(problems(`${map("a")}---\n- 1\n`, "all"), ["f.yaml:5: an object needs apiVersion and kind"]);
});

test("plain words are what kubectl takes them for", () => {
  const [manifest] = readText(`${map("a")}data: { mode: 0644, on: yes, at: 1:20, day: 2026-01-02, e: e5 }\n`, "f.yaml", "all").manifests;
  assert.deepEqual(manifest?.object["data"], { mode: 420, true: true, at: "1:20", day: "2026-01-02", e: "e5" });
});

test("mistakes are named with file and line", () => {
  assert.deepEqual(problems(`\n\napiVersion: v1\nkind: Secret\nmetadata: { labels: {} }\n`), [
    "f.yaml:3: Secret: metadata.name is missing",
  ]);
  assert.deepEqual(problems(map("no")), ["f.yaml:1: ConfigMap: metadata.name is read as false and must be a text: put it in quotes"]);
  assert.match(problems(`${map("a")}data: [\n`)[0] ?? "", /^f\.yaml:\d+: not readable as YAML: /u);
  assert.match(problems(`${map("a")}metadata: { name: b }\n`)[0] ?? "", /^f\.yaml:4: not readable as YAML: .*unique/u);
  assert.deepEqual(problems(`${map("a")}data: ${"[".repeat(20_000)}`).length, 1);
});

test("fuzz: whatever the text, the answer is objects or places in the file", () => {
  const pieces = fc.constantFrom(
    "apiVersion: v1\n",
    "kind: A\n",
    "metadata: {name: a}\n",
    "---\n",
    "- ",
    "items:\n",
    "kind: List\n",
    "&a ",
    "*a",
    "{",
    "]",
    "\t",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(pieces, { maxLength: 12 }).map((all) => all.join("")),
      ),
      (text) => {
        for (const which of ["all", "objects"] as const) {
          const { manifests, problems: found } = readText(text, "f.yaml", which);
          for (const { object } of manifests) assert.equal(typeof object.metadata.name, "string");
          for (const problem of found) assert.match(problem, /^f\.yaml/u);
        }
      },
    ),
  );
});
