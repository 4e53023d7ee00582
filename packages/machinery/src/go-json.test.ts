import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jsonProblem } from "./go-json.ts";

const problems: readonly (readonly [text: string, problem: string])[] = [
  ["", "unexpected end of JSON input"],
  ["{", "unexpected end of JSON input"],
  ["[1,", "unexpected end of JSON input"],
  ['{"a":"b', "unexpected end of JSON input"],
  ["tr", "unexpected end of JSON input"],
  ["hello", "invalid character 'h' looking for beginning of value"],
  ["'x'", String.raw`invalid character '\'' looking for beginning of value`],
  ["{}{}", "invalid character '{' after top-level value"],
  ["{a:1}", "invalid character 'a' looking for beginning of object key string"],
  ['{"a" 1}', "invalid character '1' after object key"],
  ['{"a":1 "b":2}', `invalid character '"' after object key:value pair`],
  ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
  ["[1 2]", "invalid character '2' after array element"],
  ["[1,]", "invalid character ']' looking for beginning of value"],
  ["trve", "invalid character 'v' in literal true (expecting 'u')"],
  ["-x", "invalid character 'x' in numeric literal"],
  ['"\n"', String.raw`invalid character '\n' in string literal`],
  [String.raw`"\x"`, "invalid character 'x' in string escape code"],
  [String.raw`"\u12g4"`, String.raw`invalid character 'g' in \u hexadecimal character escape`],
];
test("what is no JSON is told in Go's words", () => {
  for (const [text, problem] of problems) assert.equal(jsonProblem(text), problem, text);
});

test("every text that is no JSON has a problem", () => {
  const sign = fc.constantFrom(...Array.from('{}[]:,"\\ue-+.019tfnx \n'), "ä", "😀", "\ud800");
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(sign, { maxLength: 30 }).map((signs) => signs.join("")),
      ),
      (text) => {
        try {
          JSON.parse(text);
        } catch {
          assert.match(jsonProblem(text), /^(unexpected end of JSON input$|invalid character ')/u);
        }
      },
    ),
  );
});
