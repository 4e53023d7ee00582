import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonSchema } from "../crd/schema.ts";
import { checkRules } from "./check-rules.ts";
import { rulesOf } from "./rules.ts";

const check = (schema: JsonSchema, object: unknown, old?: unknown): string[] => {
  const problems = rulesOf(schema)?.(object, old) ?? [];
  return problems.map(({ field, message }) => `${field}: ${message}`);
};
const spec = (rules: JsonSchema["x-kubernetes-validations"], properties: JsonSchema["properties"] = {}): JsonSchema => ({
  type: "object",
  properties: { spec: { type: "object", properties, ...(rules && { "x-kubernetes-validations": rules }) } },
});
const integer: JsonSchema = { type: "integer" };
const string: JsonSchema = { type: "string" };

test("a rule that is false is a problem of its field, with its message or the rule itself", () => {
  const schema = spec([{ rule: "self.min <= self.max", message: "min is above max" }, { rule: "self.min > 0" }], {
    min: integer,
    max: integer,
  });
  assert.deepEqual(check(schema, { spec: { min: 1, max: 2 } }), []);
  assert.deepEqual(check(schema, { spec: { min: 0, max: -1 } }), [
    "spec: Invalid value: min is above max",
    "spec: Invalid value: failed rule: self.min > 0",
  ]);
});

test("reason, fieldPath and messageExpression", () => {
  const schema = spec(
    [
      { rule: "self.a != 1", messageExpression: "'a is ' + string(self.a)", fieldPath: ".a" },
      { rule: "self.a != 1", message: "no", reason: "FieldValueForbidden" },
      { rule: "self.a != 1", message: "needed", reason: "FieldValueRequired", fieldPath: ".b" },
      { rule: "self.a != 1", messageExpression: "self.b", message: "plain" },
    ],
    { a: integer, b: string },
  );
  assert.deepEqual(check(schema, { spec: { a: 1 } }), [
    "spec.a: Invalid value: a is 1",
    "spec: Forbidden: no",
    "spec.b: Required value: needed",
    "spec: Invalid value: plain",
  ]);
  assert.deepEqual(
    check(
      { type: "object", properties: { n: { ...integer, "x-kubernetes-validations": [{ rule: "self > 2", message: "small" }] } } },
      { n: 1 },
    ),
    ["n: Invalid value: 1: small"],
  );
});

test("transition rules run where there is an old value; optionalOldSelf always", () => {
  const schema = spec([{ rule: "self.a == oldSelf.a", message: "immutable" }], { a: integer });
  assert.deepEqual(check(schema, { spec: { a: 1 } }), []);
  assert.deepEqual(check(schema, { spec: { a: 2 } }, { spec: { a: 1 } }), ["spec: Invalid value: immutable"]);
  const optional = spec([{ rule: "!oldSelf.hasValue() || self.a > oldSelf.value().a", message: "must grow", optionalOldSelf: true }], {
    a: integer,
  });
  assert.deepEqual(check(optional, { spec: { a: 1 } }), []);
  assert.deepEqual(check(optional, { spec: { a: 1 } }, { spec: { a: 1 } }), ["spec: Invalid value: must grow"]);
  const list: JsonSchema = {
    type: "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    items: {
      type: "object",
      properties: { name: string, v: integer },
      "x-kubernetes-validations": [{ rule: "self.v >= oldSelf.v", message: "shrank" }],
    },
  };
  const old = {
    l: [
      { name: "a", v: 1 },
      { name: "b", v: 5 },
    ],
  };
  assert.deepEqual(
    check(
      { type: "object", properties: { l: list } },
      {
        l: [
          { name: "b", v: 4 },
          { name: "c", v: 0 },
          { name: "a", v: 1 },
        ],
      },
      old,
    ),
    ["l[0]: Invalid value: shrank"],
  );
});

const cases: [string, unknown, boolean][] = [
  ["self.list.all(x, x.n > 0)", { list: [{ n: 1 }, { n: 2 }] }, true],
  ["self.list == oldSelf.list", { list: [{ n: 1 }] }, true],
  ["self == oldSelf", { list: [{ n: 1 }], labels: { a: "b" }, when: "2026-01-01T00:00:00Z", lasts: "1h" }, true],
  ["self.labels.exists(k, self.labels[k] == 'b') && 'a' in self.labels", { labels: { a: "b" } }, true],
  ["has(self.list) || self.labels.size() == 0", { labels: {} }, true],
  ["self.port == 80 || self.port == 'http'", { port: "http" }, true],
  ["self.port == 80", { port: 80 }, true],
  ["self.__namespace__ == 'x' && self.a__dash__b == 'y' && self.c__dot__d == 'z'", { namespace: "x", "a-b": "y", "c.d": "z" }, true],
  ["self.when < timestamp('2027-01-01T00:00:00Z') && self.lasts > duration('30m')", { when: "2026-01-01T00:00:00Z", lasts: "1h" }, true],
  ["has(self.list[0].n) && !has(self.list[1].n) && has(self.labels.a)", { list: [{ n: 1 }, {}], labels: { a: "b" } }, true],
  ["!format.dns1123Label().validate(self.name).hasValue() && format.named('uuid').value().validate('x').hasValue()", { name: "abc" }, true],
  ["!has(self.n)", { n: null }, true],
  ["self.?n.orValue(3) == 3", {}, true],
  ["self.name.matches(r'''^[a-z]+$''') && !self.name.contains('.matches(') && self.name == ''", { name: "abc" }, false],
  ["self.name.matches(r'''^(?i)[A-Z]+$''')", { name: "abc" }, true],
  ["quantity(self.name).isGreaterThan(quantity('500M')) && quantity('1Gi').compareTo(quantity('1024Mi')) == 0", { name: "1Gi" }, true],
  [
    "isIP(self.name) && ip(self.name).family() == 6 && !isIP('1.2.3') && string(ip('2001:db8:0:0:0:0:0:1')) == '2001:db8::1'",
    { name: "::1" },
    true,
  ],
  ["cidr('10.0.0.0/8').containsIP('10.9.9.9') && !cidr('10.0.0.0/8').containsCIDR('11.0.0.0/16') && isCIDR('::/0')", {}, true],
  [
    "url(self.name).getHostname() == 'h' && url(self.name).getPort() == '8080' && url(self.name).getQuery()['q'] == ['1'] && !isURL('x')",
    { name: "https://u@h:8080/p?q=1" },
    true,
  ],
  ["[1, 2, 3].sum() == 6 && [1, 3, 2].max() == 3 && ['a', 'b'].isSorted() && ['b'].indexOf('x') == -1", {}, true],
  ["sets.contains(['a', 'b'], ['b']) && sets.intersects([1], [1, 2]) && !sets.equivalent([1], [2])", {}, true],
  ["'%s is %d and %.1f'.format(['x', 3, 2.5]) == 'x is 3 and 2.5'", {}, true],
  ["'abcb'.replace('b', 'x', 1) == 'axcb' && 'abc'.charAt(1) == 'b' && 'a1b22'.findAll('[0-9]+') == ['1', '22']", {}, true],
  [
    "self.embedded.metadata.name == 'p' && self.embedded.kind == 'Pod'",
    { embedded: { apiVersion: "v1", kind: "Pod", metadata: { name: "p" } } },
    true,
  ],
];
const everything: JsonSchema["properties"] = {
  n: { ...integer, nullable: true },
  name: string,
  namespace: string,
  "a-b": string,
  "c.d": string,
  list: { type: "array", items: { type: "object", properties: { n: integer } } },
  labels: { type: "object", additionalProperties: string },
  port: { "x-kubernetes-int-or-string": true },
  when: { type: "string", format: "date-time" },
  lasts: { type: "string", format: "duration" },
  embedded: { type: "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true },
};
for (const [rule, value, holds] of cases)
  test(`rule: ${rule}`, () =>
    assert.deepEqual(
      check(spec([{ rule, message: "false" }], everything), { spec: value }, { spec: value }),
      holds ? [] : ["spec: Invalid value: false"],
    ));

const broken: [string, RegExp][] = [
  ["self.foo == 1", /compilation failed: ERROR: <input>:1:5: undefined field .foo/],
  ["self.n + 'x' == 'x'", /compilation failed: .*overload/],
  ["self.n +", /Syntax error/],
  ["has(self.foo)", /foo/],
  ["has(self)", /invalid argument to has\(\) macro/],
  ["self.n", /must evaluate to a bool/],
  ["nobody.n == 1", /nobody/],
];
for (const [rule, detail] of broken)
  test(`a rule that does not compile is told when its CRD comes: ${rule}`, () => {
    const [problem, ...more] = checkRules(spec([{ rule, message: "x" }], everything), "spec.versions[0].schema.openAPIV3Schema", {
      perRule: true,
    });
    assert.equal(problem?.field, "spec.versions[0].schema.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule");
    assert.match(problem?.message ?? "", detail);
    assert.deepEqual(more, []);
  });

test("an error while a rule runs is a problem, not a crash; both sides of || are tried", () => {
  const [message, ...more] = check(spec([{ rule: "self.list[5].n == 1", message: "m" }], everything), { spec: { list: [] } });
  assert.match(message ?? "", /^spec: Invalid value: .*index out of bounds.* evaluating rule: m$/);
  assert.deepEqual(more, []);
  assert.deepEqual(check(spec([{ rule: "self.list[5].n == 1 || self.n == 1" }], everything), { spec: { list: [], n: 1 } }), []);
});

test("work is bounded: loops in loops over long lists are refused, and no pattern backtracks", () => {
  const schema = spec([{ rule: "self.list.all(a, self.list.all(b, self.list.all(c, a.n + b.n + c.n > 0)))", message: "m" }], everything);
  const [message] = check(schema, { spec: { list: Array.from({ length: 1000 }, () => ({ n: 1 })) } });
  assert.match(message ?? "", /actual cost limit exceeded/);
  assert.deepEqual(
    check(spec([{ rule: "self.name.matches('^(a+)+$')", message: "m" }], everything), { spec: { name: `${"a".repeat(20_000)}!` } }),
    ["spec: Invalid value: m"],
  );
});

test("rules of any text compile or are refused", () => {
  const token = fc.constantFrom(
    "self",
    ".n",
    ".name",
    ".list",
    ".all(x, x.n == 1)",
    "==",
    "&&",
    "1",
    "'a'",
    "(",
    ")",
    "[0]",
    "?",
    ":",
    "has(self.n)",
    ".matches('[')",
    "!",
    "in",
    "{",
    "}",
    "\\",
    '"',
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 8 }), (tokens) => {
      const schema = spec([{ rule: tokens.join(" "), message: "m" }], everything);
      checkRules(schema, "p", { perRule: true });
      check(schema, { spec: { n: 1, name: "x", list: [{ n: 1 }] } });
    }),
    { numRuns: 150 },
  );
});
