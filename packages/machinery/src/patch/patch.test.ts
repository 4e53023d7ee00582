import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { FieldRow, JsonObject, TypeTable } from "@mecha/kinds";
import { StatusError } from "../status.ts";
import { jsonPatch, maxOperations } from "./json-patch.ts";
import { mergePatch, mergePatchBetween } from "./merge-patch.ts";
import { strategicMergePatch } from "./strategic-patch.ts";

const refused = (code: number, text: RegExp) => (error: unknown) =>
  error instanceof StatusError && error.code === code && text.test(error.message);
const unfit = refused(422, /^the server rejected our request due to an error in our request$/);

/** The example table of RFC 6902 appendix A, and what the server adds to it. */
const applied: [string, JsonObject, unknown[], JsonObject][] = [
  ["A.1 add a member", { foo: "bar" }, [{ op: "add", path: "/baz", value: "qux" }], { foo: "bar", baz: "qux" }],
  ["A.2 add an element", { foo: ["bar", "baz"] }, [{ op: "add", path: "/foo/1", value: "qux" }], { foo: ["bar", "qux", "baz"] }],
  ["A.3 remove a member", { baz: "qux", foo: "bar" }, [{ op: "remove", path: "/baz" }], { foo: "bar" }],
  ["A.4 remove an element", { foo: ["bar", "qux", "baz"] }, [{ op: "remove", path: "/foo/1" }], { foo: ["bar", "baz"] }],
  ["A.5 replace", { baz: "qux" }, [{ op: "replace", path: "/baz", value: "boo" }], { baz: "boo" }],
  [
    "A.6 move",
    { foo: { bar: "baz", waldo: 1 }, qux: {} },
    [{ op: "move", from: "/foo/waldo", path: "/qux/thud" }],
    { foo: { bar: "baz" }, qux: { thud: 1 } },
  ],
  [
    "A.7 move an element",
    { foo: ["all", "grass", "cows", "eat"] },
    [{ op: "move", from: "/foo/1", path: "/foo/3" }],
    { foo: ["all", "cows", "eat", "grass"] },
  ],
  ["A.8 test", { baz: "qux", foo: ["a", 2, "c"] }, [{ op: "test", path: "/foo/1", value: 2 }], { baz: "qux", foo: ["a", 2, "c"] }],
  [
    "A.10 add a nested object",
    { foo: "bar" },
    [{ op: "add", path: "/child", value: { grandchild: {} } }],
    { foo: "bar", child: { grandchild: {} } },
  ],
  ["A.11 unknown members are ignored", { foo: "bar" }, [{ op: "add", path: "/baz", value: 1, xyz: 2 }], { foo: "bar", baz: 1 }],
  ["A.14 escapes", { "/": 9, "~1": 10 }, [{ op: "test", path: "/~01", value: 10 }], { "/": 9, "~1": 10 }],
  ["A.16 add to the end", { foo: ["bar"] }, [{ op: "add", path: "/foo/-", value: ["abc"] }], { foo: ["bar", ["abc"]] }],
  [
    "copy",
    { a: { b: [1] } },
    [
      { op: "copy", from: "/a", path: "/c" },
      { op: "add", path: "/c/b/0", value: 0 },
    ],
    { a: { b: [1] }, c: { b: [0, 1] } },
  ],
  ["null is a value", { a: 1 }, [{ op: "replace", path: "/a", value: null }], { a: null }],
  ["a missing field tests as null", { a: 1 }, [{ op: "test", path: "/b", value: null }], { a: 1 }],
  ["copying a missing field gives null", { a: 1 }, [{ op: "copy", from: "/b", path: "/c" }], { a: 1, c: null }],
  ["replacing a missing field adds it", { a: 1 }, [{ op: "replace", path: "/b", value: 2 }], { a: 1, b: 2 }],
  ["a missing value is null", { a: 1 }, [{ op: "add", path: "/b" }], { a: 1, b: null }],
  ["a negative index counts from the end", { a: [1, 2, 3] }, [{ op: "remove", path: "/a/-1" }], { a: [1, 2] }],
  ["the whole document", { a: 1 }, [{ op: "replace", path: "", value: { b: 2 } }], { b: 2 }],
];
for (const [name, before, patch, after] of applied)
  test(`json patch: ${name}`, () => {
    const kept = structuredClone(before);
    assert.deepEqual(jsonPatch(before, patch), after);
    assert.deepEqual(before, kept);
  });

const failing: [string, unknown[]][] = [
  ["A.9 a test that fails", [{ op: "test", path: "/foo", value: "baz" }]],
  ["A.12 adding to a parent that is not there", [{ op: "add", path: "/a/b", value: 1 }]],
  ["removing what is not there", [{ op: "remove", path: "/a" }]],
  ["replacing an element that is not there", [{ op: "replace", path: "/list/2", value: 1 }]],
  ["an index past the end", [{ op: "add", path: "/list/3", value: 1 }]],
  ["an index with a leading zero", [{ op: "remove", path: "/list/01" }]],
  ["moving a value into itself", [{ op: "move", from: "/list", path: "/list/0" }]],
  ["an unknown operation", [{ op: "merge", path: "/foo" }]],
  ["adding the whole document", [{ op: "add", path: "", value: {} }]],
  ["a path that is no pointer", [{ op: "remove", path: "foo" }]],
  ["a document that is no object", [{ op: "replace", path: "", value: 1 }]],
  ["an inherited field", [{ op: "test", path: "/constructor/name", value: "Object" }]],
];
for (const [name, patch] of failing)
  test(`json patch refuses: ${name}`, () => assert.throws(() => jsonPatch({ foo: "bar", list: [1, 2] }, patch), unfit));

test("json patch: the number of operations and what copies add up to are bounded", () => {
  const many = Array.from({ length: maxOperations + 1 }, () => ({ op: "test", path: "/a", value: 1 }));
  assert.throws(() => jsonPatch({ a: 1 }, many), refused(413, /allowed maximum operations in a JSON patch is 10000, got 10001/));
  const doubling = Array.from({ length: 40 }, () => ({ op: "copy", from: "/a", path: "/a/-" }));
  assert.throws(() => jsonPatch({ a: ["x".repeat(1000)] }, doubling), unfit);
  assert.throws(
    () => jsonPatch({}, { op: "add" }),
    refused(400, /^error decoding patch: json: cannot unmarshal object into Go value of type \[\]handlers.jsonPatchOp$/),
  );
  assert.deepEqual(jsonPatch({ a: 1 }, null), { a: 1 });
});

test("merge patch: the test cases of RFC 7386", () => {
  const cases: [JsonObject, JsonObject, JsonObject][] = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    // As the server: a list that is new, or takes the place of one, loses nulls of its objects; one in an object's place keeps them.
    [{}, { a: [{ b: null, c: 1 }, null] }, { a: [{ c: 1 }, null] }],
    [{ a: [{ b: "c" }] }, { a: [{ b: null }] }, { a: [{}] }],
    [{ a: { b: "c" } }, { a: [{ b: null }] }, { a: [{ b: null }] }],
  ];
  for (const [object, patch, after] of cases) assert.deepEqual(mergePatch(object, patch), after);
  assert.throws(() => mergePatch({}, ["c"]), refused(400, /^error decoding patch: json: cannot unmarshal array into/));
  assert.throws(() => mergePatch({}, null), refused(400, /Invalid JSON Patch/));
});

const name = fc.constantFrom("a", "b", "c", "__proto__", "constructor", "$patch");
const { value: anyJson } = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: "small" }, fc.integer(), fc.string({ maxLength: 3 }), fc.boolean(), tie("list"), tie("object")),
  list: fc.array(tie("value"), { maxLength: 3 }),
  object: fc.dictionary(name, tie("value"), { maxKeys: 4, noNullPrototype: true }),
}));
const anyObject = fc.dictionary(name, anyJson, { maxKeys: 4, noNullPrototype: true }) as fc.Arbitrary<JsonObject>;

test("merge patch: the difference between two objects turns one into the other", () => {
  fc.assert(
    fc.property(anyObject, anyObject, (from, to) => {
      const text = [JSON.stringify(from), JSON.stringify(to)];
      assert.deepEqual(mergePatch(from, mergePatchBetween(from, to) ?? {}), to);
      assert.deepEqual([JSON.stringify(from), JSON.stringify(to)], text);
    }),
  );
});

test("patches of any shape are applied or refused, and leave the object and the language's prototypes alone", () => {
  const token = fc
    .array(fc.oneof(name, fc.constantFrom("0", "-", "~0", "-1")), { maxLength: 3 })
    .map((tokens) => tokens.map((t) => `/${t}`).join(""));
  const operation = fc.record({
    op: fc.constantFrom("add", "remove", "replace", "move", "copy", "test"),
    path: token,
    from: token,
    value: anyJson,
  });
  fc.assert(
    fc.property(anyObject, fc.array(operation, { maxLength: 5 }), anyObject, (object, operations, patch) => {
      const before = JSON.stringify(object);
      for (const attempt of [
        () => jsonPatch(object, operations),
        () => mergePatch(object, patch),
        () => strategicMergePatch(object, patch, types, "Thing"),
      ])
        try {
          attempt();
        } catch (error) {
          if (!(error instanceof StatusError)) throw error;
        }
      assert.equal(JSON.stringify(object), before);
      assert.equal(({} as JsonObject)["a"], undefined);
    }),
    { numRuns: 400 },
  );
});

const text = { scalar: "string" } as const;
const field = (fieldName: string, ref: FieldRow["ref"], more: Partial<FieldRow> = {}): FieldRow => ({ name: fieldName, ref, ...more });
const byName = { patchStrategy: "merge", patchMergeKey: "name" };
const types: TypeTable = new Map(
  [
    {
      name: "Thing",
      fields: [
        field("metadata", { type: "Meta" }),
        field("containers", { list: { type: "Container" } }, byName),
        field("volumes", { list: { type: "Volume" } }, { patchStrategy: "merge,retainKeys", patchMergeKey: "name" }),
        field("args", { list: text }),
        field("strategy", { type: "Strategy" }, { patchStrategy: "retainKeys" }),
        field("whole", { map: text }, { patchStrategy: "replace" }),
        field("a", { list: text }, { patchStrategy: "merge" }),
        field("b", { list: { type: "Container" } }, byName),
      ],
    },
    { name: "Meta", fields: [field("labels", { map: text }), field("finalizers", { list: text }, { patchStrategy: "merge" })] },
    { name: "Common", fields: [field("env", { list: { type: "Env" } }, byName)] },
    { name: "Container", fields: [field("name", text), field("image", text), field("", { type: "Common" }, { inline: true })] },
    { name: "Env", fields: [field("name", text), field("value", text)] },
    { name: "Volume", fields: [field("name", text), field("emptyDir", { map: text }), field("configMap", { map: text })] },
    { name: "Strategy", fields: [field("type", text), field("rollingUpdate", { map: text })] },
  ].map((row) => [row.name, row]),
);

const strategic: [string, JsonObject, JsonObject, JsonObject][] = [
  [
    "maps merge, null removes",
    { metadata: { labels: { a: "1", b: "2" } } },
    { metadata: { labels: { a: null, c: "3" } } },
    { metadata: { labels: { b: "2", c: "3" } } },
  ],
  ["a list without a strategy is replaced", { args: ["a", "b"] }, { args: ["c"] }, { args: ["c"] }],
  [
    "a set is united: new elements come as early as the patch's order has them",
    { metadata: { finalizers: ["a", "b"] } },
    { metadata: { finalizers: ["c", "b"] } },
    { metadata: { finalizers: ["c", "a", "b"] } },
  ],
  [
    "elements merge by key, new ones come where the patch puts them",
    {
      containers: [
        { name: "x", image: "1" },
        { name: "y", image: "1" },
      ],
    },
    {
      containers: [
        { name: "y", image: "2" },
        { name: "z", image: "1" },
      ],
    },
    {
      containers: [
        { name: "x", image: "1" },
        { name: "y", image: "2" },
        { name: "z", image: "1" },
      ],
    },
  ],
  [
    "fields of an embedded type have their own strategy",
    {
      containers: [
        {
          name: "x",
          env: [
            { name: "A", value: "1" },
            { name: "B", value: "2" },
          ],
        },
      ],
    },
    { containers: [{ name: "x", env: [{ name: "A", value: "9" }] }] },
    {
      containers: [
        {
          name: "x",
          env: [
            { name: "A", value: "9" },
            { name: "B", value: "2" },
          ],
        },
      ],
    },
  ],
  [
    "$patch: delete takes an element away",
    { containers: [{ name: "x" }, { name: "y" }] },
    { containers: [{ name: "x", $patch: "delete" }] },
    { containers: [{ name: "y" }] },
  ],
  [
    "$patch: replace in a list keeps only what the patch has",
    { containers: [{ name: "x" }, { name: "y" }] },
    { containers: [{ name: "z", image: "1" }, { $patch: "replace" }] },
    { containers: [{ name: "z", image: "1" }] },
  ],
  [
    "$patch: replace in a map",
    { strategy: { type: "a", rollingUpdate: { x: "1" } } },
    { strategy: { $patch: "replace", type: "b" } },
    { strategy: { type: "b" } },
  ],
  ["$patch: delete of a map leaves it empty", { strategy: { type: "a" } }, { strategy: { $patch: "delete" } }, { strategy: {} }],
  ["$patch: delete of what is not there adds nothing", {}, { strategy: { $patch: "delete" } }, {}],
  [
    "$retainKeys drops the other fields",
    { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "1" } } },
    { strategy: { $retainKeys: ["type"], type: "Recreate" } },
    { strategy: { type: "Recreate" } },
  ],
  [
    "$retainKeys in an element",
    { volumes: [{ name: "v", emptyDir: {} }] },
    { volumes: [{ $retainKeys: ["name", "configMap"], name: "v", configMap: { name: "c" } }] },
    { volumes: [{ name: "v", configMap: { name: "c" } }] },
  ],
  [
    "$deleteFromPrimitiveList",
    { metadata: { finalizers: ["a", "b", "c"] } },
    { metadata: { "$deleteFromPrimitiveList/finalizers": ["a", "c"], finalizers: ["d"] } },
    { metadata: { finalizers: ["d", "b"] } },
  ],
  [
    "$setElementOrder alone orders",
    { containers: [{ name: "x" }, { name: "y" }, { name: "z" }] },
    { "$setElementOrder/containers": [{ name: "z" }, { name: "x" }] },
    { containers: [{ name: "y" }, { name: "z" }, { name: "x" }] },
  ],
  [
    "$setElementOrder with changes, as kubectl apply sends it",
    {
      containers: [
        { name: "a", image: "1" },
        { name: "b", image: "1" },
      ],
    },
    {
      "$setElementOrder/containers": [{ name: "b" }, { name: "c" }],
      containers: [
        { name: "a", $patch: "delete" },
        { name: "c", image: "1" },
      ],
    },
    {
      containers: [
        { name: "b", image: "1" },
        { name: "c", image: "1" },
      ],
    },
  ],
  [
    "nulls and directives do not get into what is added",
    {},
    { strategy: { type: null, rollingUpdate: { $retainKeys: ["x"], x: "1" } } },
    { strategy: { rollingUpdate: { x: "1" } } },
  ],
  ["a map whose strategy is replace", { whole: { a: "1" } }, { whole: { b: "2" } }, { whole: { b: "2" } }],
];
for (const [what, before, patch, after] of strategic)
  test(`strategic merge patch: ${what}`, () => {
    const kept = structuredClone([before, patch]);
    assert.deepEqual(strategicMergePatch(before, patch, types, "Thing"), after);
    assert.deepEqual([before, patch], kept);
  });

const wrong: [JsonObject, number, RegExp][] = [
  [{ containers: [{ image: "2" }] }, 500, /^map: map\[image:2\] does not contain declared merge key: name$/],
  [{ strategy: { $patch: "burn" } }, 500, /unknown patch type: burn/],
  [{ strategy: { $retainKeys: ["x"], type: "b" } }, 400, /invalid patch format of retainKeys/],
  [{ metadata: { "$deleteFromPrimitiveList/finalizers": "a" } }, 400, /invalid patch format of primitive list/],
  [
    { "$setElementOrder/containers": [{ name: "b" }, { name: "a" }], containers: [{ name: "a" }, { name: "b" }] },
    500,
    /doesn't match \$setElementOrder list/,
  ],
  [{ metadata: { finalizers: [["x"]] } }, 500, /lists of lists are not supported/],
];
for (const [patch, code, message] of wrong)
  test(`strategic merge patch refuses ${JSON.stringify(patch)}`, () => {
    const object = { containers: [{ name: "a" }], strategy: { type: "a" }, metadata: { finalizers: ["f"] } };
    assert.throws(() => strategicMergePatch(object, patch, types, "Thing"), refused(code, message));
  });
