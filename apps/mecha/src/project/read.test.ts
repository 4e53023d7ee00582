import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "@mecha/kit";
import { stringify } from "yaml";
import { projectFileMaxBytes, projectOf, readProject } from "./read.ts";

const head = "apiVersion: mecha.dev/v1alpha1\nkind: Project\nmetadata: { name: shop }\n";
const cart = `${head}spec:\n  functions:\n    - name: cart\n      command: node main.ts\n`;

/** `line:column path: text` of each mistake. */
function mistakes(source: string): string[] {
  const reading = readProject(source);
  return "problems" in reading ? reading.problems.map((p) => `${p.line}:${p.column} ${p.path}: ${p.text}`) : [];
}

test("a small project gets its defaults", () => {
  assert.deepEqual(projectOf(readProject(cart), "mecha.yaml"), {
    apiVersion: "mecha.dev/v1alpha1",
    kind: "Project",
    metadata: { name: "shop" },
    spec: {
      functions: [{ name: "cart", directory: ".", command: "node main.ts", env: [], protocol: "auto", port: undefined }],
      store: { kind: "sqlite", directory: ".mecha", durability: "full" },
      ingress: { host: "127.0.0.1", port: 9000, tls: undefined, hosts: [], allowedOrigins: [], topics: [], bodyMaxBytes: undefined },
      admin: { port: 9001 },
      kubernetes: { enabled: true, port: undefined },
      metrics: { port: undefined },
      topics: { maxAgeSeconds: undefined, maxBytes: undefined },
      cluster: { node: undefined, members: [], listen: undefined, tls: undefined },
      try: [],
    },
  });
});

test("every field can be given", () => {
  const source = `${head}spec:
  functions:
    - { name: a, directory: ../a, command: [go, run, .], env: [{ name: X, value: "1" }, { name: EMPTY }], protocol: any, port: 8080 }
  store: { kind: memory, directory: /var/x, durability: relaxed }
  ingress: { host: 0.0.0.0, port: 80, tls: { certificate: c, key: k, clientAuthorities: ca }, hosts: [shop.example], allowedOrigins: ["https://shop.example"], bodyMaxBytes: 2048 }
  admin: { port: 81 }
  metrics: { port: 82 }
  topics: { maxAgeSeconds: 3600, maxBytes: 1048576 }
  cluster: { node: a, members: [{ name: a, address: "10.0.0.1:9003" }], listen: "[::]:9003", tls: { certificate: c, key: k, authorities: ca } }
  try: [{ title: look, command: "curl $INGRESS/" }]
`;
  const { spec } = projectOf(readProject(source), "mecha.yaml");
  assert.deepEqual(spec.functions[0], {
    name: "a",
    directory: "../a",
    command: ["go", "run", "."],
    env: [
      { name: "X", value: "1" },
      { name: "EMPTY", value: "" },
    ],
    protocol: "any",
    port: 8080,
  });
  assert.deepEqual(spec.store, { kind: "memory", directory: "/var/x", durability: "relaxed" });
  assert.deepEqual(
    [spec.ingress.hosts, spec.ingress.allowedOrigins, spec.ingress.bodyMaxBytes],
    [["shop.example"], ["https://shop.example"], 2048],
  );
  assert.deepEqual(spec.ingress.tls, { certificate: "c", key: "k", clientAuthorities: "ca" });
  assert.equal(spec.metrics.port, 82);
  assert.deepEqual(spec.topics, { maxAgeSeconds: 3_600, maxBytes: 1_048_576 });
  assert.deepEqual(spec.cluster, {
    node: "a",
    members: [{ name: "a", address: "10.0.0.1:9003" }],
    listen: "[::]:9003",
    tls: { certificate: "c", key: "k", authorities: "ca" },
  });
  assert.deepEqual(spec.try, [{ title: "look", command: "curl $INGRESS/" }]);
});

const cases: readonly (readonly [name: string, source: string, expected: readonly string[]])[] = [
  ["an empty file", "", ["1:1 : expected a map with `apiVersion`, `kind`, `metadata`, `spec`, got nothing"]],
  ["a list", "- a", ["1:1 : expected a map with `apiVersion`, `kind`, `metadata`, `spec`, got a list"]],
  [
    "a misspelt field",
    cart.replace("command:", "comand:"),
    [
      "6:7 spec.functions[0].command: is missing: expected a shell line, or a list; each entry text",
      '7:7 spec.functions[0]: unknown field "comand"; did you mean "command"?',
    ],
  ],
  [
    "a foreign field",
    `${cart}  replicas: 3\n`,
    ['8:3 spec: unknown field "replicas"; fields here: functions, store, ingress, admin, kubernetes, metrics, topics, cluster, try'],
  ],
  ["a wrong version", cart.replace("v1alpha1", "v1"), ['1:13 apiVersion: expected "mecha.dev/v1alpha1", got "mecha.dev/v1"']],
  [
    "a wrong word",
    `${cart}  store: { kind: sqllite }\n`,
    ['8:18 spec.store.kind: expected one of "sqlite", "memory", got "sqllite"; did you mean "sqlite"?'],
  ],
  ["a port out of range", `${cart}      port: 70000\n`, ["8:13 spec.functions[0].port: expected a port from 1 to 65535, got number 70000"]],
  [
    "a quoted port",
    `${cart}      port: "80"\n`,
    ['8:13 spec.functions[0].port: expected a port from 1 to 65535, got "80"; remove the quotes'],
  ],
  [
    "a number where text belongs",
    `${cart}      env: [{ name: A, value: 08 }]\n`,
    ['8:31 spec.functions[0].env[0].value: expected text, got number 08; put it in quotes: "08"'],
  ],
  [
    "a map of variables",
    `${cart}      env: { A: b }\n`,
    ['8:12 spec.functions[0].env: expected a list; each entry a map with `name`, `value`, got a map; begin each entry with "- "'],
  ],
  [
    "a field without value",
    `${cart}      port:\n`,
    ["8:7 spec.functions[0].port: has no value: expected a port from 1 to 65535, or leave the field out"],
  ],
  ["a field twice", `${cart}      name: other\n`, ['8:7 spec.functions[0]: the field "name" is given twice; remove one']],
  [
    "two functions of one name",
    `${cart}    - name: cart\n      command: x\n`,
    ['8:13 spec.functions[1].name: "cart" is already the name of spec.functions[0]; choose another'],
  ],
  [
    "one port twice",
    `${cart}      port: 9000\n`,
    ["8:13 spec.functions[0].port: port 9000 is already that of spec.ingress.port; choose another"],
  ],
  [
    "a variable of Mecha's",
    `${cart}      env: [{ name: PORT, value: "1" }]\n`,
    ["8:21 spec.functions[0].env[0].name: PORT is set by Mecha; use the field `port` of the function"],
  ],
  [
    "a name that is none",
    cart.replace("name: cart", "name: My Cart"),
    [
      '6:13 spec.functions[0].name: expected a name of lower-case letters, digits and -, at most 63, that begins and ends with a letter or digit, got "My Cart"',
    ],
  ],
  ["a tab", `${head}spec:\n\tfunctions: []`, ["5:1 : not readable as YAML: Tabs are not allowed as indentation"]],
  [
    "an alias to nothing",
    `${head}spec: *nowhere`,
    [
      "4:7 spec: expected a map with `functions`, `store`, `ingress`, `admin`, `kubernetes`, `metrics`, `topics`, `cluster`, `try`, got the alias *nowhere, which has no anchor before it",
    ],
  ],
  [
    "a key that is a map",
    `${cart}? { a: b }\n: c\n`,
    ["8:3 : expected a field name, got a map; fields here: apiVersion, kind, metadata, spec"],
  ],
];

for (const [name, source, expected] of cases)
  test(`${name} is explained with its place and the fix`, () => assert.deepEqual(mistakes(source), expected));

test("all mistakes are reported together, in the order of the file", () => {
  const source = "apiVersion: 1\nkind: Projekt\nspec:\n  functions:\n    - name: A\n      command: []\n  ingress: 9000\n";
  assert.deepEqual(
    mistakes(source).map((m) => m.split(": ")[0]),
    ["1:1 metadata", "1:13 apiVersion", "2:7 kind", "5:13 spec.functions[0].name", "6:16 spec.functions[0].command", "7:12 spec.ingress"],
  );
});

test("the error shown lists file, line, column and path", () => {
  assert.throws(
    () => projectOf(readProject(`${cart}  ingres: {}\n`), "shop/mecha.yaml"),
    (error: unknown) =>
      error instanceof Fault &&
      error.code === "invalid" &&
      error.message === 'shop/mecha.yaml has a mistake:\n  shop/mecha.yaml:8:3: spec: unknown field "ingres"; did you mean "ingress"?',
  );
});

test("aliases work, and a billion laughs are refused", () => {
  const shared = `${head}spec:\n  functions:\n    - &base { name: a, command: x, env: &e [{ name: A, value: b }] }\n    - { name: b, command: x, env: *e }\n`;
  assert.deepEqual(projectOf(readProject(shared), "f").spec.functions[1]?.env, [{ name: "A", value: "b" }]);

  const lists = ["a: &a0 [x]"];
  for (let i = 1; i < 30; i++)
    lists.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(", ")}]`,
    );
  const started = performance.now();
  assert.notDeepEqual(mistakes(`${lists.join("\n")}\n${head}spec: *a29`), []);
  const wide = `${head}x: &e [${"{name: A, value: b},".repeat(999)}]\nspec:\n  functions:\n${Array.from({ length: 99 }, (_, i) => `    - { name: f${i}, command: x, env: *e }\n`).join("")}`;
  assert.match(mistakes(wide).join("\n"), /more than 20000 values/u);
  assert.ok(performance.now() - started < 5_000, "bounded work");
});

test("a file that is too large or nested too deeply is refused", () => {
  assert.match(mistakes(" ".repeat(projectFileMaxBytes + 1)).join(), /larger than 262144 bytes/u);
  assert.match(mistakes("[".repeat(100_000)).join(), /nested too deeply|not readable/u);
  assert.match(mistakes("a: ".repeat(50_000)).join(), /nested too deeply|not readable/u);
});

test("fuzz: whatever the text, the answer is a project or places inside the file, in bounded time", () => {
  const words = [
    ...["{", "}", "[", "]", ":", ",", "-", "&", "*", "!", "|", ">", "'", '"', "#", "%", "@", "`", "\n", "\t", " ", "?"],
    "name",
    "spec",
    "functions",
    "command",
    "env",
    "*a",
    "&a ",
    "<<",
    "null",
    "~",
    "0x",
    "1e9",
    "---\n",
    "\u0000",
    "\ufeff",
    "é",
  ];
  const soup = fc.array(fc.constantFrom(...words), { maxLength: 200 }).map((parts) => parts.join(""));
  const mutated = fc
    .record({ at: fc.nat(cart.length), cut: fc.nat(20), put: soup })
    .map(({ at, cut, put }) => cart.slice(0, at) + put + cart.slice(at + cut));
  const structured = fc
    .jsonValue()
    .map((value) => stringify({ apiVersion: "mecha.dev/v1alpha1", kind: "Project", metadata: { name: "x" }, spec: value }));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), soup, mutated, structured), (source) => {
      const reading = readProject(source);
      if ("project" in reading) return;
      assert.ok(reading.problems.length > 0 && reading.problems.length <= 50);
      const lineCount = source.split(/\r\n|\n|\r/u).length;
      for (const p of reading.problems) {
        assert.ok(p.line >= 1 && p.line <= lineCount + 1, `${p.line} of ${lineCount}`);
        assert.ok(p.column >= 1 && p.text !== "");
      }
    }),
    { numRuns: 2_000 },
  );
});
