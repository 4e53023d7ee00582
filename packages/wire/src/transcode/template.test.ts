import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import { parseTemplate, templateShape } from "./template.ts";

const literal = (text: string): object => ({ is: "literal", text });
const one = { is: "one" };
const rest = { is: "rest" };

for (const [text, segments, variables, verb] of [
  ["/", [], [], undefined],
  ["/v1/shelves", [literal("v1"), literal("shelves")], [], undefined],
  ["/v1/shelves/{shelf}", [literal("v1"), literal("shelves"), one], [["shelf", 2, 3]], undefined],
  ["/v1/{name=shelves/*}", [literal("v1"), literal("shelves"), one], [["name", 1, 3]], undefined],
  ["/v1/{name=shelves/*/books/*}", [literal("v1"), literal("shelves"), one, literal("books"), one], [["name", 1, 5]], undefined],
  ["/v1/{name=files/**}", [literal("v1"), literal("files"), rest], [["name", 1, undefined]], undefined],
  ["/v1/**", [literal("v1"), rest], [], undefined],
  ["/v1/*/x", [literal("v1"), one, literal("x")], [], undefined],
  [
    "/v1/{a}/{b_c}",
    [literal("v1"), one, one],
    [
      ["a", 1, 2],
      ["b_c", 2, 3],
    ],
    undefined,
  ],
  ["/v1/{cart.id}:clear", [literal("v1"), one], [["cart.id", 1, 2]], "clear"],
  ["/v1/carts:list", [literal("v1"), literal("carts")], [], "list"],
  ["/v1/{name=**}:cancel", [literal("v1"), rest], [["name", 1, undefined]], "cancel"],
  ["/a%20b/c.d-e~f", [literal("a b"), literal("c.d-e~f")], [], undefined],
] as const) {
  test(`${text} parses`, () => {
    const template = parseTemplate(text);
    assert.deepEqual(template.segments, segments);
    assert.deepEqual(
      template.variables.map(({ fieldPath, from, to }) => [fieldPath.join("."), from, to]),
      variables,
    );
    assert.equal(template.verb, verb);
  });
}

for (const [text, problem] of [
  ["", /must begin with \/ \(character 1\)/],
  ["v1/carts", /must begin with \//],
  ["/v1//carts", /needs a segment \(character 5\)/],
  ["/v1/", /needs a segment/],
  ["/v1/{cart", /variable cart that is not closed by \}/],
  ["/v1/{}", /needs a field name/],
  ["/v1/{1a}", /needs a field name/],
  ["/v1/{a.}", /needs a field name/],
  ["/v1/{a=}", /needs a segment/],
  ["/v1/{a={b}}", /variable inside a variable/],
  ["/v1/{a}/{a}", /variable a twice/],
  ["/v1/**/x", /behind \*\*/],
  ["/v1/{a=**}/x", /behind \*\*/],
  ["/v1/carts:", /needs a verb/],
  ["/v1/carts:a/b", /has "\/" where it should end/],
  ["/v1/a b", /has " " where it should end/],
  ["/v1/a?b=c", /has "\?" where it should end/],
  ["/v1/{a}b", /has "b" where it should end/],
  ["/v1/a}b", /has "\}" where it should end/],
  ["/v1/%zz", /begins no percent-encoding/],
  [`/${"a/".repeat(200)}a`, /more than 100 segments/],
] as const) {
  test(`${text.slice(0, 40)} is refused`, () => {
    assert.throws(
      () => parseTemplate(text),
      (fault) => fault instanceof Fault && fault.code === "invalid" && problem.test(fault.message),
    );
  });
}

test("any text is a template or a Fault", () => {
  const pieces = fc.array(fc.constantFrom("/", "*", "**", "{", "}", "=", ":", ".", "a", "b_1", "%20", "%", " ", "é"), { maxLength: 12 });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        pieces.map((list) => `/${list.join("")}`),
      ),
      (text) => {
        try {
          const template = parseTemplate(text);
          assert.equal(templateShape(parseTemplate(templateShape(template))), templateShape(template));
        } catch (problem) {
          assert.ok(problem instanceof Fault, String(problem));
        }
      },
    ),
    { numRuns: 5000 },
  );
});
