/** The comparison behind `npm run oracle:kube`: what it masks, what it finds, what it lets pass. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "./client.ts";
import { compareEntries, judge, unused } from "./diff.ts";
import { Masks } from "./masks.ts";
import { type CaseResult, junit } from "./report.ts";
import { Session } from "./session.ts";

const differences = (real: unknown, ours: unknown): unknown[] =>
  compareEntries("c", [{ what: "GET /x", seen: real }], [{ what: "GET /x", seen: ours }]).map(({ where, real: one, ours: other }) => [
    where.replace("c › 1 GET /x › ", ""),
    one,
    other,
  ]);

test("order of fields does not count, order of lists does", () => {
  assert.deepEqual(differences({ a: 1, b: 2 }, { b: 2, a: 1 }), []);
  assert.deepEqual(differences({ l: [1, 2] }, { l: [2, 1] }), [
    ["l[0]", 1, 2],
    ["l[1]", 2, 1],
  ]);
});

test("a difference is named by its place; items of lists by their names", () => {
  assert.deepEqual(differences({ a: { b: 1, c: 2 } }, { a: { b: 1, d: 3 } }), [
    ["a.c", 2, undefined],
    ["a.d", undefined, 3],
  ]);
  const item = (name: string, x: number): object => ({ name, x });
  assert.deepEqual(differences({ l: [item("a", 1), item("b", 2)] }, { l: [item("b", 3), item("c", 4)] }), [
    ["l[a]", item("a", 1), undefined],
    ["l[b].x", 2, 3],
    ["l[c]", undefined, item("c", 4)],
  ]);
  assert.deepEqual(differences({ l: [item("a", 1), item("b", 1)] }, { l: [item("b", 1), item("a", 1)] }), [
    ["l(order)", ["a", "b"], ["b", "a"]],
  ]);
  assert.deepEqual(differences({ l: [1, 2, 3] }, { l: [1, 3] }), [["l[1]", 2, undefined]]);
  assert.deepEqual(differences([1], { a: 1 }), [["", [1], { a: 1 }]]);
});

test("a case that went another way on one server differs where it parted", () => {
  const found = compareEntries(
    "c",
    [{ what: "a", seen: 1 }],
    [
      { what: "b", seen: 1 },
      { what: "c", seen: 2 },
    ],
  );
  assert.deepEqual(found, [{ where: "c › 1 a › went another way", real: "a", ours: "b" }]);
});

test("the table lets pass what it lists, and names what it lists for nothing", () => {
  const found = compareEntries("c", [{ what: "a", seen: { x: 1, y: 1 } }], [{ what: "a", seen: { x: 2, y: 2 } }]);
  const table = [
    { where: /› x$/u, what: /^1 → 2$/u, reason: "x" },
    { where: /› y$/u, what: /^3 → 4$/u, reason: "y" },
  ];
  const { open, known } = judge(found, table);
  assert.deepEqual(
    [open.map(({ where }) => where), known.length, unused(table, known).map(({ reason }) => reason)],
    [["c › 1 a › y"], 1, ["y"]],
  );
});

test("ids, times, revisions and random names are masked, and nothing else", async () => {
  const uid = "0b0e3f6c-93c8-4f5c-8a3e-7d1c5f0e2a11";
  const now = new Date().toISOString().replace(/\.\d+/u, "");
  const body = {
    metadata: { name: "a-x2z4z", generateName: "a-", uid, resourceVersion: "17", continue: "abc" },
    at: now,
    micro: now.replace("Z", ".123456Z"),
    wished: "2030-01-01T00:00:00Z",
    text: `a-x2z4z "12" ${uid} 00000000-0000-4000-8000-000000000000 11111111-0000-4000-8000-000000000000`,
    message: "Too large resource version: 99, current: 12",
    resourceVersionMatch: "17",
    serverAddress: "127.0.0.1:6443",
  };
  const ask = async (): Promise<unknown> => ({ status: 200, headers: { date: "now" }, text: "", body });
  const client = { ask } as unknown as Client;
  const session = new Session({ admin: client, alice: client, nobody: client }, "n");
  await session.get("/x?resourceVersion=99&uid=00000000-0000-4000-8000-000000000000", { label: "x" });
  assert.deepEqual(session.entries, [
    {
      what: "x",
      seen: {
        status: 200,
        headers: {},
        body: {
          metadata: { name: "a-<5>", generateName: "a-", uid: "<uid of a-<5>>", resourceVersion: "<rv>", continue: "<continue>" },
          at: "<time>",
          micro: "<microtime>",
          wished: "2030-01-01T00:00:00Z",
          text: 'a-<5> "12" <uid of a-<5>> 00000000-0000-4000-8000-000000000000 <uuid>',
          message: "Too large resource version: 99, current: <rv>",
          resourceVersionMatch: "17",
          serverAddress: "127.0.0.1:<port>",
        },
      },
    },
  ]);
});

test("an object made anew has another id, a change another revision", () => {
  const masks = new Masks();
  const seen = (uid: number, resourceVersion: number): unknown => {
    const answer = { metadata: { name: "a", uid: `0b0e3f6c-93c8-4f5c-8a3e-7d1c5f0e2a1${uid}`, resourceVersion: String(resourceVersion) } };
    masks.learn(answer);
    const { metadata } = masks.masked(answer) as typeof answer;
    return [metadata.uid, metadata.resourceVersion];
  };
  assert.deepEqual(
    [seen(1, 5), seen(1, 5), seen(1, 9), seen(1, 5), seen(2, 12)],
    [
      ["<uid of a>", "<rv>"],
      ["<uid of a>", "<rv +0>"],
      ["<uid of a>", "<rv +1>"],
      ["<uid of a>", "<rv -1>"],
      ["<uid 2 of a>", "<rv>"],
    ],
  );
});

test("of a table only ages are masked, by their columns", () => {
  const columnDefinitions = [{ name: "Name" }, { name: "Age" }];
  const table = (cells: unknown[], more: object = { columnDefinitions }): object => ({ kind: "Table", ...more, rows: [{ cells }] });
  const masks = new Masks();
  assert.deepEqual(masks.masked(table(["5s", "5s"])), table(["5s", "<age>"]));
  assert.deepEqual(masks.masked(table(["5s", "2m3s"], { columnDefinitions: null })), table(["5s", "<age>"], { columnDefinitions: null }));
  assert.deepEqual(masks.masked(table(["5s", "5d"])), table(["5s", "5d"]));
  assert.deepEqual(masks.masked(table(["5s", "<unknown>"])), table(["5s", "<unknown>"]));
});

test("managers are put in order only where they keep the real server's", () => {
  const entry = (manager: string, second: number): object => ({ manager, operation: "Update", time: `2030-01-01T00:00:0${second}Z` });
  const names = (...list: object[]): unknown =>
    (new Masks().masked({ managedFields: list }) as any).managedFields.map(({ manager }: any) => manager);
  assert.deepEqual(names(entry("b", 1), entry("a", 2)), ["a", "b"]);
  assert.deepEqual(names(entry("b", 2), entry("a", 1)), ["b", "a"]);
});

test("causes about one map are put in order, those about different fields are not", () => {
  const refusal = (...fields: string[]): object => ({
    message: `X "x" is invalid: [${fields.map((field) => `${field}: no`).join(", ")}]`,
    details: { causes: fields.map((field) => ({ field, message: "no" })) },
  });
  const masked = (...fields: string[]): unknown => new Masks().masked(refusal(...fields));
  assert.deepEqual(masked("data[b]", "data[a]", "z", "a"), refusal("data[a]", "data[b]", "z", "a"));
  assert.deepEqual(masked("ports[1]", "ports[0]"), refusal("ports[1]", "ports[0]"));
});

test("addresses and ports a server chose are masked, those a request named are not", () => {
  const masks = new Masks();
  const service = (name: string, clusterIP: string, nodePort: number): object => ({
    kind: "Service",
    metadata: { name },
    spec: { clusterIP, clusterIPs: [clusterIP], ports: [{ port: 80, nodePort }] },
  });
  masks.asked("/x", service("wished", "10.96.3.4", 30_080));
  masks.learn(service("wished", "10.96.3.4", 30_080));
  masks.learn({ items: [service("given", "10.96.3.5", 31_234)] });
  masks.asked("/x", service("given", "10.96.3.5", 31_234)); // sent back as it came
  masks.learn(service("dry", "10.96.0.0", 30_000));
  assert.deepEqual(masks.masked(["10.96.3.4 10.96.3.5 10.96.3.51 10.96.0.0/12 31234 312345", { nodePort: 31_234 }, { nodePort: 30_080 }]), [
    "10.96.3.4 <cluster address> 10.96.3.51 10.96.0.0/12 <node port> 312345",
    { nodePort: "<node port>" },
    { nodePort: 30_080 },
  ]);
});

test("JUnit has a failure for each case that differs and each stale line", () => {
  const good: CaseResult = { name: "good", compared: 1, open: [], known: 2, tookMs: 5 };
  const bad: CaseResult = { ...good, name: "<bad>", open: [{ where: "<bad> › 1 a › x", real: 1, ours: "\u0000" }] };
  const text = junit({ version: "v1", cases: [good, bad], unused: [{ where: /z/u, reason: "gone" }] });
  assert.match(text, /tests="3" failures="2"/u);
  assert.match(text, /name="&lt;bad&gt;"[^]*&quot;\\u0000&quot;/u);
  assert.match(text, /name="\/z\/u"><failure message="no more there">gone/u);
});
