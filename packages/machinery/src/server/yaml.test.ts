/** YAML as the API server reads and writes it: what each plain word stands for was asked of a real kube-apiserver 1.36.4. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { answerOf } from "./answer.ts";
import { parseYaml } from "./yaml.ts";

const words: readonly (readonly [word: string, value: unknown])[] = [
  ["12:30:45", "12:30:45"],
  ["1:20", "1:20"],
  ["8080:80", "8080:80"],
  ["2001-12-14", "2001-12-14"],
  ["2001-12-14T21:59:43Z", "2001-12-14T21:59:43Z"],
  [".", "."],
  ["e5", "e5"],
  ["1e400", "1e400"],
  ["0o8", "0o8"],
  ["08", 8],
  ["017", 15],
  ["0o17", 15],
  ["-017", -15],
  ["0x1F", 31],
  ["0b101", 5],
  ["1_000", 1000],
  ["+5", 5],
  ["-0", 0],
  ["5.", 5],
  [".5", 0.5],
  ["1e3", 1000],
  ["1.5e-7", 1.5e-7],
  ["yes", true],
  ["No", false],
  ["on", true],
  ["y", true],
  ["~", null],
  ["Null", null],
  ['"2001"', "2001"],
  ["!!str 5", "5"],
  ["!!binary aGk=", "hi"],
  ["<<", "<<"],
];

test("a plain word is what the server's reader takes it for", () => {
  for (const [word, value] of words) assert.deepEqual(parseYaml(`v: ${word}\n`).value, { v: value }, word);
  assert.deepEqual(parseYaml("f:labels:\n  .: {}\n  f:1:20: {}\n  8080: x\n").value, {
    "f:labels": { ".": {}, "f:1:20": {}, "8080": "x" },
  });
  assert.deepEqual(parseYaml("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n").value, { a: { b: 1 }, c: { b: 1, d: 2 } });
});

test("numbers JSON has no form for are refused, and binary that is none", () => {
  for (const [word, name] of [
    [".inf", "+Inf"],
    ["-.INF", "-Inf"],
    [".nan", "NaN"],
  ])
    assert.throws(() => parseYaml(`v: ${word}`), { message: `json: unsupported value: ${name}` });
  assert.throws(() => parseYaml("v: !!binary '?'"), /!!binary value contains invalid base64 data/u);
});

const breaks = ["\u0085", "a\u2028b", "\u2029 ", "\uFEFF", "\u00A0"];
const text = fc.oneof(
  fc.string(),
  fc.constantFrom(...breaks),
  fc.constantFrom(...words.map(([word]) => word)),
  fc.stringMatching(/^[-+.0-9a-fxoby_:eE]{1,8}$/u),
);
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    text,
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    tie("list"),
    tie("map"),
  ),
  list: fc.array(tie("value"), { maxLength: 3 }),
  map: fc.dictionary(
    text.filter((key) => key !== "__proto__"),
    tie("value"),
    { maxKeys: 3 },
  ),
})).value;

test("signs that may be taken for line ends are written by number", () => {
  const { body } = answerOf(200, { value: breaks }, { media: "yaml", shape: { as: "object" }, pretty: false });
  assert.equal(
    new TextDecoder().decode(body),
    String.raw`value:
- "\u0085"
- "a\u2028b"
- "\u2029 "
- "\ufeff"
- ${"\u00A0"}
`,
  );
});

test("what is written as YAML is read back as it was, whatever its texts look like", () => {
  fc.assert(
    fc.property(json, (value) => {
      const answer = answerOf(200, { value }, { media: "yaml", shape: { as: "object" }, pretty: false });
      const { value: read } = parseYaml(new TextDecoder().decode(answer.body));
      assert.deepEqual(JSON.parse(JSON.stringify(read)), JSON.parse(JSON.stringify({ value })));
    }),
    { numRuns: 300 },
  );
});
