import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { type RouteMatch, RouteTable } from "./routes.ts";
import { parseTemplate, type PathTemplate } from "./template.ts";

/** "GET /a/{x}" … as a table whose values are the lines themselves. */
function table(lines: readonly string[], strict = false): RouteTable<string> {
  const entries = lines.map((line) => {
    const [httpMethod, text] = line.split(" ") as [string, string];
    return { httpMethod, template: parseTemplate(text), value: line };
  });
  return new RouteTable(entries, { strict });
}
const shown = (match: RouteMatch<string>): string =>
  match.is === "found" ? match.value : match.is === "none" ? "none" : `405 ${match.allow.join(",")}`;

const shop = [
  "POST /carts/{id}/items",
  "GET /carts/{id}",
  "DELETE /carts/{id}",
  "GET /carts/special",
  "POST /carts/{id}:checkout",
  "GET /files/{name=**}",
  "GET /files/readme",
  "GET /{a}/b",
  "* /any/{x}",
  "GET /any/{x}",
  "GET /deep/{name=x/*/y}",
  "GET /",
  "GET /sp%20ace",
];
for (const [request, expected] of [
  ["POST /carts/7/items", "POST /carts/{id}/items"],
  ["GET /carts/7", "GET /carts/{id}"],
  ["DELETE /carts/7", "DELETE /carts/{id}"],
  ["PUT /carts/7", "405 DELETE,GET"],
  ["GET /carts/7/items", "405 POST"],
  ["GET /carts/special", "GET /carts/special"],
  ["DELETE /carts/special", "DELETE /carts/{id}"],
  ["POST /carts/7:checkout", "POST /carts/{id}:checkout"],
  ["POST /carts/a:b:checkout", "POST /carts/{id}:checkout"],
  ["GET /carts/a:b", "GET /carts/{id}"],
  ["GET /carts/7:checkout", "GET /carts/{id}"],
  ["POST /carts/7%3Acheckout", "405 DELETE,GET"],
  ["GET /carts/", "none"],
  ["GET /carts", "none"],
  ["GET /carts/7/", "none"],
  ["GET /files/a/b/c", "GET /files/{name=**}"],
  ["GET /files", "GET /files/{name=**}"],
  ["GET /files/readme", "GET /files/readme"],
  ["GET /x/b", "GET /{a}/b"],
  ["GET /carts/b", "GET /carts/{id}"],
  ["PUT /any/1", "* /any/{x}"],
  ["GET /any/1", "GET /any/{x}"],
  ["GET /deep/x/1/y", "GET /deep/{name=x/*/y}"],
  ["GET /deep/x/1/z", "none"],
  ["GET /", "GET /"],
  ["GET /sp%20ace", "GET /sp%20ace"],
  ["GET /%zz", "none"],
  ["GET nonsense", "none"],
  [`GET ${"/a".repeat(300)}`, "none"],
] as const) {
  test(`${request.slice(0, 40)} → ${expected}`, () => {
    const [method, path] = request.split(" ") as [string, string];
    assert.equal(shown(table(shop).match(method, path)), expected);
  });
}

test("of two templates of one shape the later wins", () => {
  assert.equal(shown(table(["GET /a/{x}", "GET /a/{y}"]).match("GET", "/a/1")), "GET /a/{y}");
});

test("strict: a segment never holds a colon, and whatever was declared last wins", () => {
  const strict = table(["GET /a/literal", "GET /a/{x}", "POST /a/{x}:go", "* /a/{y}:go"], true);
  assert.equal(shown(strict.match("GET", "/a/literal")), "GET /a/{x}");
  assert.equal(shown(strict.match("GET", "/a/b:c")), "none");
  assert.equal(shown(strict.match("POST", "/a/b:go")), "* /a/{y}:go");
});

test("segments come as sent, without the verb", () => {
  const match = table(["GET /files/{name=**}:raw"]).match("GET", "/files/a%2Fb/c:raw");
  assert.deepEqual(match.is === "found" && match.segments, ["files", "a%2Fb", "c"]);
});

/** The rules M1 to M3 said as a scan over all routes: slow and plain. */
function scan(templates: readonly { httpMethod: string; template: PathTemplate; value: string }[], method: string, path: string): string {
  const rank = (template: PathTemplate, segments: readonly string[], verb: string | undefined): string | undefined => {
    if (template.verb !== verb) return undefined;
    let ranks = "";
    for (let at = 0; at <= segments.length; at++) {
      const want = template.segments[at];
      if (want?.is === "rest") return `${ranks}2`;
      if (at === segments.length) return want ? undefined : `${ranks}0`;
      if (!want || (want.is === "literal" && want.text !== segments[at]) || (want.is === "one" && segments[at] === "")) return undefined;
      ranks += want.is === "literal" ? "0" : "1";
    }
    return undefined;
  };
  const segments = path === "/" ? [] : path.slice(1).split("/");
  const last = segments.at(-1) ?? "";
  const colon = last.lastIndexOf(":");
  const readings: [string[], string | undefined][] = [[segments, undefined]];
  if (colon >= 0) readings.unshift([[...segments.slice(0, -1), last.slice(0, colon)], last.slice(colon + 1)]);
  for (const [parts, verb] of readings) {
    let best: { rank: string; exact: boolean; value: string } | undefined;
    for (const { httpMethod, template, value } of templates) {
      const found = rank(template, parts, verb);
      if (found === undefined || (httpMethod !== method && httpMethod !== "*")) continue;
      const exact = httpMethod === method;
      if (!best || found < best.rank || (found === best.rank && (exact || !best.exact))) best = { rank: found, exact, value };
    }
    if (best) return best.value;
  }
  return "none";
}

test("the tree finds what a scan over all routes finds", () => {
  const segment = fc.constantFrom("a", "b", "*", "**");
  const template = fc
    .tuple(fc.array(segment, { maxLength: 4 }), fc.constantFrom("", "", ":v", ":w"))
    .map(
      ([segments, verb]) => `/${segments.slice(0, segments.indexOf("**") < 0 ? undefined : segments.indexOf("**") + 1).join("/")}${verb}`,
    );
  const method = fc.constantFrom("GET", "POST");
  const line = fc.tuple(fc.oneof(method, fc.constant("*")), template);
  const path = fc
    .array(fc.constantFrom("a", "b", "c", "", "a:v", "c:w", ":v"), { maxLength: 5 })
    .map((segments) => `/${segments.join("/")}`);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), method, path, (lines, asked, askedPath) => {
      const entries = lines.map(([httpMethod, text], index) => ({ httpMethod, template: parseTemplate(text), value: `${index}` }));
      const match = new RouteTable(entries).match(asked, askedPath);
      assert.equal(match.is === "found" ? match.value : "none", scan(entries, asked, askedPath));
    }),
    { numRuns: 5000 },
  );
});
