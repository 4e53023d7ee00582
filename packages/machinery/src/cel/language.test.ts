/**
 * The language and its libraries, by what the real server answers: values, errors while running, and what is told of expressions that are none, with its
 * place. The answers come from tests/tools/crd-oracle; how to renew them stands there.
 */
import fc from "fast-check";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { kubernetesEnvironment } from "./environment.ts";
import { CostExceeded, Meter, unbounded } from "./language/cost.ts";
import { compileExpression } from "./language/expression.ts";
import { CelError } from "./language/values.ts";
import { formatText } from "./library/format-text.ts";

interface Answer {
  readonly expression: string;
  readonly issues?: string;
  readonly error?: string;
  readonly value?: string;
  readonly max?: number;
}

const expressions = JSON.parse(readFileSync(new URL("gen/expressions.json", import.meta.url), "utf8")) as readonly Answer[];

/** Cost limit of one evaluation, the server's. */
const limit = 1_000_000;

function answer(expression: string): Omit<Answer, "expression"> {
  const compiled = compileExpression(expression, kubernetesEnvironment);
  if ("issues" in compiled) return { issues: compiled.issues };
  const max = compiled.expression.cost(() => undefined).max;
  try {
    return { max, value: shown(compiled.expression.run(new Map(), new Meter(limit))) };
  } catch (error) {
    assert.ok(error instanceof CelError, String(error));
    return { max, error: error.message };
  }
}

/** `undefined` for values without a text. */
function shown(value: unknown): string {
  try {
    return formatText("%s", [value]).trim();
  } catch {
    return "";
  }
}

const groups = Map.groupBy(expressions, ({ issues, error }) =>
  issues === undefined ? (error === undefined ? "values" : "errors") : "issues",
);

for (const [group, rows] of groups)
  test(`${group} of ${String(rows.length)} expressions are the server's`, () => {
    for (const { expression, ...wanted } of rows) {
      const has = answer(expression);
      assert.equal(has.issues, wanted.issues, expression);
      assert.equal(has.error, wanted.error, expression);
      if (has.value !== "") assert.equal(has.value, wanted.value, expression);
      if (wanted.max !== undefined && wanted.max < unbounded / 100) assert.equal(has.max, wanted.max, `cost of ${expression}`);
    }
  });

test("what runs too long ends, whatever it does", () => {
  const heavy = [
    "lists.range(100000).all(x, lists.range(100000).all(y, x + y >= 0))",
    "lists.range(1000000000)",
    "lists.range(1000).map(x, lists.range(1000)).map(l, l.map(x, string(x)).join(',')).join('').matches('(a*)*b')",
    "['aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'].map(a, a.replace('a', a)).map(a, a.replace('a', a)).map(a, a.replace('a', a)).map(a, a.replace('a', a)).size() > 0",
    "lists.range(1000).all(x, lists.range(1000) + lists.range(1000) == lists.range(1000) + lists.range(1000))",
    "lists.range(5000).distinct().size() > 0 && lists.range(100000).sort().size() > 0",
  ];
  for (const expression of heavy) {
    const compiled = compileExpression(expression, kubernetesEnvironment);
    assert.ok("expression" in compiled, expression);
    assert.throws(() => compiled.expression.run(new Map(), new Meter(limit)), CostExceeded, expression);
  }
});

test("nesting has a limit, and chains of operators too", () => {
  const deep = (text: string, count: number): string => text.repeat(count);
  const sources = [
    `${deep("(", 300)}1${deep(")", 300)}`,
    `${deep("[", 300)}${deep("]", 300)}`,
    `${deep("!", 300)}true`,
    `1${deep(" + 1", 300)}`,
    `a${deep(".b", 300)}`,
    `a${deep("[0]", 300)}`,
    `${deep("[1].map(x, ", 300)}1${deep(")", 300)}`,
    `${deep("true ? 1 : ", 300)}2`,
    `1${deep(" + 1", 200)}${deep(" * (1", 200)}${deep(")", 200)}`,
  ];
  for (const source of sources) {
    const compiled = compileExpression(source, kubernetesEnvironment);
    if ("expression" in compiled) compiled.expression.run(new Map(), new Meter(limit));
    else assert.match(compiled.issues, /recursion|undeclared/);
  }
  const many = compileExpression(Array.from({ length: 5000 }, () => "true").join(" && "), kubernetesEnvironment);
  assert.ok("expression" in many);
  assert.equal(many.expression.run(new Map(), new Meter(limit)), true);
  assert.match(answer("1".repeat(100_001)).issues ?? "", /expression code point size exceeds limit: size: 100001, limit 100000/);
});

const words = [
  ..."self x y 1 -1 1.5 2u 'a' b'a' true null + - * / % == != < >= && || ! ? : . , ( ) [ ] { } in".split(" "),
  ...".all(x,|.map(x,|.filter(x,|.exists(x, y,|.size()|has(x.a)|.?a|[?0]|optional.of(1)|.orValue(1)|duration('1h')|'%s'.format([1])|.matches('a')".split(
    "|",
  ),
  ..."[1,2]|{'a':1}|type(1)|lists.range(3)|.sort()|.join(',')|ip('::1')|quantity('1')|\\|'|\"|`|#|ä|\n".split("|"),
];

test("any text compiles or is refused, and what compiles ends", () => {
  const text = fc.array(fc.constantFrom(...words), { maxLength: 12 }).map((parts) => parts.join(" "));
  fc.assert(
    fc.property(fc.oneof(text, fc.string({ maxLength: 30, unit: "binary" })), (source) => {
      answer(source);
    }),
    { numRuns: 250 },
  );
});
