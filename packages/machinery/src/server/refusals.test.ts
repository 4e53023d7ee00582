import assert from "node:assert/strict";
import { test } from "node:test";
import { allKinds } from "@mecha/kinds";
import { testDefinitions } from "../testing.ts";
import { configMap, testServer } from "./testing.ts";

const maps = "/api/v1/namespaces/default/configmaps";

/** Query of a list, code, message. */
const lists: readonly (readonly [query: string, code: number, message: RegExp])[] = [
  ["limit=x", 400, /^strconv\.ParseInt: parsing "x": invalid syntax$/u],
  ["limit=99999999999999999999", 400, /: value out of range$/u],
  ["timeoutSeconds=x", 400, /^strconv\.ParseInt: parsing "x": invalid syntax$/u],
  ["sendInitialEvents=true", 422, /is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list$/u],
  [
    "resourceVersion=x",
    400,
    /^invalid resource version: resourceVersion: Invalid value: "x": strconv\.ParseUint: parsing "x": invalid syntax$/u,
  ],
  ["continue=x", 400, /^invalid continue token: continue key is not valid: illegal base64 data at input byte 0$/u],
  ["continue=ab%25d", 400, /illegal base64 data at input byte 2$/u],
  ["continue=e30", 400, /server does not recognize this encoded version $/u],
  ["labelSelector=a%3D%3D%3Db", 400, /^unable to parse requirement: found '=', expected: identifier$/u],
  ["labelSelector=a%3Ex", 400, /^unable to parse requirement: values\[0\]: Invalid value: "x": for 'Gt', 'Lt'/u],
  ["labelSelector=%C3%A4", 400, /^unable to parse requirement: <nil>: Invalid value: "ä": name part must consist of/u],
  ["labelSelector=a%2C", 400, /^found '', expected: identifier after ','$/u],
  ["labelSelector=%2C", 400, /^found ',', expected: !, identifier, or 'end of string'$/u],
  ["labelSelector=a%3Db+c", 400, /^found 'c', expected: ',' or 'end of string'$/u],
  ["labelSelector=!", 400, /^unable to parse requirement: found '', expected: identifier$/u],
  ["labelSelector=a+in+(b%2C", 400, /^unable to parse requirement: found '', expected: ',', or identifier$/u],
  ["labelSelector=a+in+(b+c)", 400, /^unable to parse requirement: found 'c', expected: ',' or '\)'$/u],
  ["watch=1&continue=x", 422, /resourceVersionMatch is forbidden when continue is provided$/u],
  [
    "watch=1&sendInitialEvents=true&resourceVersionMatch=Exact",
    422,
    /resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"\]$/u,
  ],
  ["watch=1&resourceVersion=x", 500, /^resourceVersion: Invalid value: "x": strconv\.ParseUint: parsing "x": invalid syntax$/u],
];
test("queries of lists and watches are refused in the server's words", async () => {
  const { ask } = await testServer();
  for (const [query, code, message] of lists) {
    const { status, body } = await ask("GET", `${maps}?${query}`);
    assert.deepEqual([status, message.test(body.message)], [code, true], `${query}: ${body.message}`);
  }
});

test("a negative limit is none, version 0 takes all at once, and a selector of nothing chooses all", async () => {
  const { ask } = await testServer();
  for (const name of ["a", "b", "c"]) await ask("POST", maps, configMap(name));
  for (const query of ["limit=-1", "limit=1&resourceVersion=0", "fieldSelector=%3D"]) {
    const { body } = await ask("GET", `${maps}?${query}`);
    assert.equal(body.items.length, 3, query);
    assert.equal(body.metadata.continue, undefined, query);
  }
});

/** Metadata of a new object, field and words of the refusal. */
const metadata: readonly (readonly [metadata: object, field: string, message: RegExp])[] = [
  [{ generation: -1 }, "metadata.generation", /^Invalid value: -1: must be greater than or equal to 0$/u],
  [{ finalizers: ["plain"] }, "metadata.finalizers[0]", /name is neither a standard finalizer name nor is it fully qualified$/u],
  [
    { ownerReferences: [{ apiVersion: "a/b/c", kind: "Pod", name: "p", uid: "u" }] },
    "metadata.ownerReferences.apiVersion",
    /^Invalid value: "a\/b\/c": version must not be empty$/u,
  ],
  [{ name: "a".repeat(254) }, "metadata.name", /: must be no more than 253 characters$/u],
];
test("metadata of new objects is refused field by field", async () => {
  const { ask } = await testServer();
  for (const [more, field, message] of metadata) {
    const { status, body } = await ask("POST", maps, configMap("a", {}, more as Record<string, unknown>));
    const [cause] = body.details.causes;
    assert.deepEqual([status, cause.field, message.test(cause.message)], [422, field, true], JSON.stringify(body));
  }
  for (const finalizers of [["kubernetes"], ["orphan"], ["x.dev/y"]])
    assert.equal((await ask("POST", `${maps}?dryRun=All`, configMap("a", {}, { finalizers }))).status, 201);
});

test("an owner named twice is kept once, with a warning", async () => {
  const { ask } = await testServer();
  const owner = { apiVersion: "v1", kind: "Pod", name: "p", uid: "u" };
  const { body, headers } = await ask(
    "POST",
    maps,
    configMap("a", {}, { ownerReferences: [owner, { ...owner }, { ...owner, name: "q" }] }),
  );
  assert.deepEqual(
    body.metadata.ownerReferences.map(({ name }: any) => name),
    ["p", "q"],
  );
  assert.match(String(headers.warning), /duplicate UID\(s\) observed: u/u);
});

test("unknown and repeated fields are told in the body's order", async () => {
  const { ask } = await testServer();
  const text = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","labells":{}},"dataa":{},"data":{"x":"1","x":"2"}}';
  const { body } = await ask("POST", `${maps}?fieldValidation=Strict`, text);
  assert.match(
    body.message,
    /strict decoding error: unknown field "metadata\.labells", unknown field "dataa", duplicate field "data\.x"$/u,
  );
});

test("a patch that names another uid is refused as a change of it, an update as one of another object", async () => {
  const { ask } = await testServer();
  await ask("POST", maps, configMap("a"));
  const type = { "content-type": "application/merge-patch+json" };
  const patched = await ask("PATCH", `${maps}/a`, { metadata: { uid: "x" } }, type);
  assert.deepEqual([patched.status, patched.body.details.causes.length], [422, 2]);
  assert.match(patched.body.message, /^ConfigMap "a" is invalid: metadata\.uid: Invalid value: "x": field is immutable$/u);
  assert.equal((await ask("PUT", `${maps}/a`, configMap("a", {}, { uid: "x" }))).status, 409);
});

test("namespaces of the cluster stay, and one that ends takes nothing new", async () => {
  const { ask } = await testServer();
  for (const name of ["default", "kube-system", "kube-public"]) {
    const { status, body } = await ask("DELETE", `/api/v1/namespaces/${name}`);
    assert.deepEqual([status, body.message], [403, `namespaces "${name}" is forbidden: this namespace may not be deleted`]);
  }
  await ask("POST", "/api/v1/namespaces", { metadata: { name: "going" }, spec: { finalizers: ["kubernetes"] } });
  await ask("DELETE", "/api/v1/namespaces/going");
  const { status, body } = await ask("POST", "/api/v1/namespaces/going/configmaps", configMap("b"));
  assert.deepEqual([status, body.details.name], [403, "b"]);
});

test("deletes name the kind in a conflict, take less than nothing as the least, and keep a name until the end", async () => {
  const { ask } = await testServer();
  await ask("POST", maps, configMap("a", {}, { finalizers: ["x.dev/y"] }));
  const { status, body } = await ask("DELETE", `${maps}/a`, { preconditions: { uid: "x" } });
  assert.deepEqual([status, body.details], [409, { name: "a", kind: "ConfigMap" }]);
  assert.equal((await ask("DELETE", `${maps}/a?gracePeriodSeconds=-1`)).status, 200);
  const again = await ask("POST", maps, configMap("a"));
  assert.equal(again.body.message, 'object is being deleted: configmaps "a" already exists');
});

test("one object is got, not watched", async () => {
  const { ask } = await testServer();
  await ask("POST", maps, configMap("a"));
  assert.equal((await ask("GET", `${maps}/a?watch=1`)).body.metadata.name, "a");
  assert.equal((await ask("GET", `${maps}/none?watch=1`)).status, 404);
});

/** Body of a create, message of the refusal. */
const bodies: readonly (readonly [body: string, message: RegExp])[] = [
  [
    "{",
    /^the object provided is unrecognized \(must be of type ConfigMap\): couldn't get version\/kind; json parse error: unexpected end of JSON input \(\{\)$/u,
  ],
  ["hello", /: invalid character 'h' looking for beginning of value \(68656c6c6f\)$/u],
  ["[]", /: json: cannot unmarshal array into Go value of type struct \{.*\} \(5b5d\)$/u],
  [
    '{"apiVersion":"v1","kind":"ConfigMap"}{}',
    /: invalid character '\{' after top-level value \(\{"apiVersion":"v1","kind":"Con \.\.\.\)$/u,
  ],
  ['{"metadata":"x"}', /cannot unmarshal string into Go struct field ConfigMap\.metadata of type/u],
  ['{"apiVersion":"a/b/c","metadata":{"name":"a"}}', /: unexpected GroupVersion string: a\/b\/c \(/u],
  [
    '{"kind":"Gizmo","metadata":{"name":"a"}}',
    /^Gizmo in version "v1" cannot be handled as a ConfigMap: no kind "Gizmo" is registered for version "v1" in scheme/u,
  ],
];
test("bodies that cannot be read are refused with what was found", async () => {
  const { ask } = await testServer();
  for (const [body, message] of bodies) {
    const answer = await ask("POST", maps, body);
    assert.deepEqual([answer.status, message.test(answer.body.message)], [400, true], `${body}: ${answer.body.message}`);
  }
  assert.equal((await ask("POST", maps, "null")).status, 422);
  await ask("POST", maps, configMap("a"));
  assert.equal((await ask("DELETE", `${maps}/a`, { kind: "Pod", apiVersion: "v1" })).status, 400);
  const patched = await ask("PATCH", `${maps}/a`, {}, { "content-type": "text/plain" });
  assert.deepEqual([patched.status, patched.body.message], [415, "415: Unsupported Media Type"]);
});

test("failures are YAML for who asks for YAML", async () => {
  const { ask } = await testServer();
  const { status, headers, text } = await ask("GET", `${maps}/none`, undefined, { accept: "application/yaml" });
  assert.deepEqual([status, headers["content-type"]], [404, "application/yaml"]);
  assert.match(text, /^apiVersion: v1\ncode: 404\ndetails:\n {2}kind: configmaps\n/u);
});

const definitions = [...allKinds(), ...testDefinitions.filter(({ group }) => group === "example.dev")];
const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "a" }, data: { a: "aGk=" } };
const someWidget = (more: object): object => ({ apiVersion: "example.dev/v1", kind: "Widget", metadata: { name: "w" }, ...more });
const widgets = "/apis/example.dev/v1/namespaces/default/widgets";

/** Path, body, code, message. */
const foreign: readonly (readonly [path: string, body: unknown, code: number, message: RegExp])[] = [
  [
    maps,
    secret,
    400,
    /^Secret in version "v1" cannot be handled as a ConfigMap: converting \(v1\.Secret\) to \(core\.ConfigMap\): unknown conversion$/u,
  ],
  [maps, { ...secret, data: { a: "1" } }, 400, /^Secret in version "v1" .*: illegal base64 data at input byte 0$/u],
  [maps, { kind: "SecretList" }, 400, /converting \(v1\.SecretList\) to \(core\.ConfigMap\): unknown conversion$/u],
  ...["Status", "DeleteOptions", "List", "Binding", "PodExecOptions"].map(
    (kind) => [maps, { kind }, 400, new RegExp(String.raw`converting \(v1\.${kind}\) to \(core\.ConfigMap\)`, "u")] as const,
  ),
  [
    maps,
    { apiVersion: "any.group/v9", kind: "Status" },
    400,
    /^Status in version "v9" .*: converting \(v1\.Status\) to \(core\.ConfigMap\)/u,
  ],
  ...["PodSpec", "ObjectMeta", "Table"].map((kind) => [maps, { kind }, 400, new RegExp(`no kind "${kind}" is registered`, "u")] as const),
  [maps, someWidget({}), 400, /^Widget in version "v1" .*: no kind "Widget" is registered for version "example\.dev\/v1" in scheme/u],
  [
    maps,
    { kind: 5 },
    400,
    /\(must be of type ConfigMap\): couldn't get version\/kind; .*number into Go struct field \.kind of type string \(\{"kind":5\}\)$/u,
  ],
  [
    widgets,
    { metadata: { name: "w" } },
    400,
    /^the object provided is unrecognized \(must be of type Widget\): Object 'Kind' is missing in '\{"metadata"/u,
  ],
  [
    widgets,
    { kind: "Widget", metadata: { name: "w" } },
    400,
    /^the API version in the data \(\) does not match the expected API version \(example\.dev\/v1\)$/u,
  ],
  [widgets, someWidget({ kind: "Other" }), 422, /^Other\.example\.dev "w" is invalid: kind: Invalid value: "Other": must be Widget$/u],
];
test("a body of another kind, or of none, is refused as what it says it is", async () => {
  const { ask } = await testServer({ definitions });
  for (const [path, body, code, message] of foreign) {
    const answer = await ask("POST", path, body);
    assert.deepEqual([answer.status, message.test(answer.body.message)], [code, true], answer.body.message);
  }
});

const [merge, json, strategic] = ["merge-patch", "json-patch", "strategic-merge-patch"].map((type) => ({
  "content-type": `application/${type}+json`,
}));

/** Type, patch, how the object it made is shown, why. */
const shown: readonly (readonly [headers: typeof merge, patch: unknown, object: string, why: RegExp])[] = [
  [
    merge,
    { kind: "Secret" },
    String.raw`{"apiVersion":"v1","data":{"a":"\u003c","b":"1"},"kind":"Secret","metadata":{"name":"cart",`,
    /illegal base64 data/u,
  ],
  [
    merge,
    { data: { c: 1 } },
    String.raw`{"apiVersion":"v1","data":{"a":"\u003c","b":"1","c":1},"kind":"ConfigMap","metadata":{"name":"cart",`,
    /into Go struct field/u,
  ],
  [merge, { apiVersion: "v2" }, `{"apiVersion":"v2",`, /: no kind "ConfigMap" is registered for version "v2"/u],
  [
    json,
    [{ op: "add", path: "/metadata/name", value: 1 }],
    String.raw`{"apiVersion":"v1","data":{"a":"\u003c","b":"1"},"kind":"ConfigMap","metadata":{"creationTimestamp":`,
    /into Go struct field/u,
  ],
];
test("what a patch made is shown in the order of the kind's fields, and what the patch went through by name", async () => {
  const { ask } = await testServer({ definitions });
  await ask("POST", maps, configMap("cart", { data: { b: "1", a: "<" } }));
  for (const [headers, patch, object, why] of shown) {
    const { status, body } = await ask("PATCH", `${maps}/cart`, patch, headers);
    assert.equal(status, 422);
    const [, text = ""] = /^ "" is invalid: patch: Invalid value: ("(?:[^"\\]|\\.)*"): /u.exec(body.message) ?? [];
    assert.equal((JSON.parse(text) as string).slice(0, object.length), object);
    assert.match(body.message, why);
  }
  const { body } = await ask("PATCH", `${maps}/cart`, { kind: "Secret", apiVersion: "v2" }, strategic);
  assert.equal(body.kind, "ConfigMap", "a strategic patch is one of this kind, whatever it says");
});

test("a patch cannot make another kind of an object of a CRD", async () => {
  const { ask } = await testServer({ definitions });
  await ask("POST", widgets, someWidget({}));
  const { status, body } = await ask("PATCH", `${widgets}/w`, { kind: "Secret", apiVersion: "v1" }, merge);
  assert.equal(status, 422);
  assert.equal(
    body.message,
    'Secret "w" is invalid: [kind: Invalid value: "Secret": must be Widget, apiVersion: Invalid value: "v1": must be example.dev/v1]',
  );
});

test("a body nested too deep is refused however it comes", async () => {
  const { ask } = await testServer({ definitions: allKinds() });
  await ask("POST", maps, configMap("a"));
  const deep = (levels: number): string => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
  const reasons: string[] = [];
  for (const levels of [1_001, 9_000, 100_000]) {
    const changes = [
      ["merge-patch+json", `{"data":${deep(levels)}}`],
      ["strategic-merge-patch+json", `{"data":${deep(levels)}}`],
      ["json-patch+json", `[{"op":"add","path":"/data","value":${deep(levels)}}]`],
      ["apply-patch+yaml", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":${deep(levels)}}`],
    ] as const;
    const answers = [
      await ask("POST", maps, `{"metadata":{"name":"b"},"data":${deep(levels)}}`),
      ...(await Promise.all(
        changes.map(([media, body]) => ask("PATCH", `${maps}/a?fieldManager=m`, body, { "content-type": `application/${media}` })),
      )),
    ];
    reasons.push(...answers.map(({ status, body }) => `${status} ${/exceeded max depth/u.exec(body.message)?.[0]}`));
  }
  assert.deepEqual([...new Set(reasons)], ["400 exceeded max depth"]);
});

test("of very many mistakes the first are told, and how many there are more", async () => {
  const { ask } = await testServer({ definitions: allKinds() });
  const body = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: Array.from({ length: 2_000 }, () => ({})) } };
  const { status, body: answer } = await ask("POST", "/api/v1/namespaces/default/pods", body);
  assert.deepEqual([status, answer.details.causes.length], [422, 1_001]);
  assert.match(answer.details.causes.at(-1).message, /^Too many: \d+ problems of the object are not told$/u);
});
