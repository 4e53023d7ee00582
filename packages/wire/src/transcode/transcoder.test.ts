import { fromBinary, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import { type DescriptorSet, loadDescriptors } from "../descriptors/index.ts";
import { compileProto } from "../testing/proto.ts";
import { RouteTable } from "./routes.ts";
import { type HttpRoute, Transcoder } from "./transcoder.ts";
import type { Strictness } from "./problem.ts";

const shop = loadDescriptors(
  compileProto({
    "shop/shop.proto": `
syntax = "proto3";
package shop;
import "google/api/annotations.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";

enum Order { ORDER_UNSPECIFIED = 0; NEWEST = 1; }
message Filter { string state = 1; repeated int32 years = 2; Filter inner = 3; google.protobuf.Timestamp since = 4; }
message List {
  string shop_id = 1; int32 page_size = 2; Filter filter = 3; repeated string tag = 4; Order order = 5; bool all = 6; bytes token = 7;
  google.protobuf.Int32Value limit = 8; google.protobuf.BoolValue exact = 9; double score = 10; uint64 big = 11;
  google.protobuf.FieldMask mask = 12; map<string, string> labels = 13; repeated Order orders = 14; optional int32 maybe = 15;
}
message Item { string name = 1; int32 quantity = 2; }
message Add { string cart_id = 1; Item item = 2; string note = 3; int64 version = 4; bool flag = 5; Filter nested = 6; }
message Cart { string id = 1; repeated Item items = 2; Item best = 3; map<string, Item> by_name = 4; }

service Shop {
  rpc Find(List) returns (Cart) { option (google.api.http) = { get: "/shops/{shop_id}/carts" }; }
  rpc AddItem(Add) returns (Cart) {
    option (google.api.http) = {
      post: "/carts/{cart_id}/items" body: "item"
      additional_bindings { put: "/carts/{cart_id}" body: "*" response_body: "items" }
      additional_bindings { put: "/carts/{cart_id}/best" body: "*" response_body: "best" }
      additional_bindings { put: "/carts/{cart_id}/named" body: "*" response_body: "by_name" }
      additional_bindings { get: "/versions/{version}/{flag}" }
      additional_bindings { get: "/nested/{nested.state}" }
      additional_bindings { get: "/files/{note=**}" }
      additional_bindings { get: "/books/{note=shelves/*/books/*}" }
    };
  }
  rpc Plain(Item) returns (Item);
}
`,
  }),
);

/** The routes of a service as a table. */
function routesOf(set: DescriptorSet, service: string, strict?: Strictness): RouteTable<HttpRoute> {
  const routes = new Transcoder(set.registry, { strict }).routes(set.service(service)!.methods);
  return new RouteTable(
    routes.map((route) => ({ httpMethod: route.binding.httpMethod, template: route.binding.template, value: route })),
    { strict: strict !== undefined },
  );
}
const table = routesOf(shop, "shop.Shop");

/** The request message as JSON, without defaults. */
function ask(line: string, body = "", routes = table): JsonValue {
  const [method, target] = line.split(" ") as [string, string];
  const [path, query = ""] = target.split("?") as [string, string?];
  const match = routes.match(method, path);
  assert.equal(match.is, "found", line);
  if (match.is !== "found") throw new Error();
  const bytes = match.value.request(match.segments, query, new TextEncoder().encode(body));
  const { input } = match.value.binding.method;
  // Bytes are those of a serializer, except that parts of a message or of a packed list are left for the receiver to join.
  if (!/[?&](filter\.|nested\.|orders=)/.test(line))
    assert.deepEqual(Buffer.from(bytes), Buffer.from(toBinary(input, fromBinary(input, bytes))));
  return toJson(input, fromBinary(input, bytes), { registry: shop.registry });
}
const refuses = (line: string, body: string, message: RegExp): void => {
  assert.throws(
    () => ask(line, body),
    (fault) => fault instanceof Fault && fault.code === "invalid" && message.test(fault.message),
    `${line} ${message}`,
  );
};

for (const [line, body, expected] of [
  ["GET /shops/7/carts", "", { shopId: "7" }],
  ["GET /shops/a%20b%2Fc/carts", "", { shopId: "a b/c" }],
  ["GET /shops/a:b/carts", "", { shopId: "a:b" }],
  ["GET /shops/ä€/carts", "", { shopId: "ä€" }],
  ["GET /shops/7/carts?page_size=10&tag=a&tag=b+c&tag=%26", "", { shopId: "7", pageSize: 10, tag: ["a", "b c", "&"] }],
  ["GET /shops/7/carts?pageSize=10&order=NEWEST&all=true", "", { shopId: "7", pageSize: 10, order: "NEWEST", all: true }],
  ["GET /shops/7/carts?order=1&orders=NEWEST&orders=0", "", { shopId: "7", order: "NEWEST", orders: ["NEWEST", "ORDER_UNSPECIFIED"] }],
  ["GET /shops/7/carts?filter.state=OPEN&filter.years=1&filter.years=2", "", { shopId: "7", filter: { state: "OPEN", years: [1, 2] } }],
  ["GET /shops/7/carts?filter.inner.inner.state=x", "", { shopId: "7", filter: { inner: { inner: { state: "x" } } } }],
  ["GET /shops/7/carts?filter.since=2026-01-02T03:04:05Z", "", { shopId: "7", filter: { since: "2026-01-02T03:04:05Z" } }],
  ["GET /shops/7/carts?token=_-8", "", { shopId: "7", token: "/+8=" }],
  ["GET /shops/7/carts?limit=0&exact=false&score=-1.5e3", "", { shopId: "7", limit: 0, exact: false, score: -1500 }],
  ["GET /shops/7/carts?big=18446744073709551615&mask=a,bC", "", { shopId: "7", big: "18446744073709551615", mask: "a,bC" }],
  ["GET /shops/7/carts?maybe=0&&", "", { shopId: "7", maybe: 0 }],
  ["POST /carts/c1/items", '{"name":"tea","quantity":2}', { cartId: "c1", item: { name: "tea", quantity: 2 } }],
  [
    "POST /carts/c1/items?note=hi&nested.state=s",
    '{"name":"tea"}',
    { cartId: "c1", item: { name: "tea" }, note: "hi", nested: { state: "s" } },
  ],
  ["PUT /carts/c1", '{"cartId":"other","item":{"name":"x"},"note":"n"}', { cartId: "c1", item: { name: "x" }, note: "n" }],
  ["PUT /carts/c1", "", { cartId: "c1" }],
  ["GET /versions/0/false", "", {}],
  ["GET /versions/-9/true", "", { version: "-9", flag: true }],
  ["GET /nested/open", "", { nested: { state: "open" } }],
  ["GET /files/a/b%2Fc/d%20e", "", { note: "a/b%2Fc/d e" }],
  ["GET /books/shelves/1/books/2", "", { note: "shelves/1/books/2" }],
  ["POST /shop.Shop/Plain", '{"name":"x"}', { name: "x" }],
  ["POST /shop.Shop/AddItem", '{"cart_id":"c"}', { cartId: "c" }],
] as const) {
  test(`${line} ${body}`, () => {
    assert.deepEqual(ask(line, body), expected);
  });
}

for (const [line, body, message] of [
  ["GET /shops/7/carts?nonsense=1", "", /query parameter "nonsense" is no field of shop\.List; its fields are shop_id, page_size/],
  ["GET /shops/7/carts?filter.nonsense=1", "", /query parameter "filter\.nonsense" is no field/],
  ["GET /shops/7/carts?page_size.x=1", "", /no field of shop\.List/],
  ["GET /shops/7/carts?page_size=ten", "", /query parameter "page_size": expected a whole number, got "ten"/],
  ["GET /shops/7/carts?page_size=1&page_size=2", "", /"page_size" is given twice/],
  ["GET /shops/7/carts?all=yes", "", /"all": expected true or false/],
  ["GET /shops/7/carts?order=OLDEST", "", /"order": "OLDEST" is no value of shop\.Order/],
  ["GET /shops/7/carts?filter=x", "", /"filter" is a message; name its fields, as filter\.state/],
  ["GET /shops/7/carts?labels=x", "", /"labels" is a map/],
  ["GET /shops/7/carts?shop_id=8", "", /"shop_id" is already given by the path or the body/],
  ["GET /shops/7/carts?tag=%zz", "", /the value of "tag" that is not percent-encoded/],
  ["GET /shops/%ff/carts", "", /path variable shop_id is not percent-encoded UTF-8/],
  ["GET /shops/7/carts", "{}", /takes no body here/],
  ["POST /carts/c1/items?item.name=x", "{}", /"item\.name" is already given/],
  ["POST /carts/c1/items", '{"nme":"x"}', /field nme: is no field of shop\.Item/],
  ["POST /carts/c1/items", '{"name":', /not JSON: it ends too early/],
  ["PUT /carts/c1?note=x", "{}", /query parameter "note" is unknown: AddItem takes its fields from the body/],
  ["GET /versions/x/true", "", /field version|path variable version: expected a whole number/],
  ["GET /versions/1/1", "", /path variable flag: expected true or false/],
] as const) {
  test(`refused: ${line} ${body}`, () => {
    refuses(line, body, message);
  });
}

test("answers: the whole message, or the field of response_body", () => {
  const bytes = new Transcoder(shop.registry).routes(shop.service("shop.Shop")!.methods);
  const answer = (template: string, message: Uint8Array): string =>
    bytes.find((route) => route.binding.template.text === template)!.response(message);
  const empty = new Uint8Array(0);
  const full = Uint8Array.of(0x0a, 1, 0x63, 0x12, 3, 0x0a, 1, 0x61, 0x12, 2, 0x10, 5, 0x1a, 2, 0x10, 1, 0x1a, 3, 0x0a, 1, 0x7a);
  assert.equal(
    answer("/carts/{cart_id}/items", full),
    '{"id":"c","items":[{"name":"a","quantity":0},{"name":"","quantity":5}],"best":{"name":"z","quantity":1},"byName":{}}',
  );
  assert.equal(answer("/carts/{cart_id}", full), '[{"name":"a","quantity":0},{"name":"","quantity":5}]');
  assert.equal(answer("/carts/{cart_id}", empty), "[]");
  assert.equal(answer("/carts/{cart_id}/best", full), '{"name":"z","quantity":1}'); // two parts on the wire, merged
  assert.equal(answer("/carts/{cart_id}/best", empty), "{}");
  assert.equal(answer("/carts/{cart_id}/named", Uint8Array.of(0x22, 5, 0x0a, 1, 0x61, 0x12, 0)), '{"a":{"name":"","quantity":0}}');
  assert.throws(() => answer("/carts/{cart_id}/items", Uint8Array.of(0x0a, 9)), Fault);
});

test("strict: annotated methods have no default path, and colons match no variable", () => {
  const strict = routesOf(shop, "shop.Shop", "cloudstate-0.2");
  assert.equal(strict.match("POST", "/shop.Shop/AddItem").is, "none");
  assert.equal(strict.match("POST", "/shop.Shop/Plain").is, "found");
  assert.equal(strict.match("GET", "/shops/a:b/carts").is, "none");
});

const illegal = [
  ['body: "*"', /has no pattern/],
  ['selector: "t.S.Other" get: "/x"', /selector "t\.S\.Other" names another method; leave it out or write t\.S\d+\.M/],
  ['get: "x"', /must begin with \//],
  ['get: "/{many}"', /path variable many is a repeated field/],
  ['get: "/{map}"', /path variable map is a repeated field/],
  ['get: "/{id}/{id}"', /variable id twice/],
  ['get: "/{nonsense}"', /path variable nonsense is no field of t\.In/],
  ['get: "/{sub.nonsense}"', /path variable sub\.nonsense is no field/],
  ['get: "/{subs.x}"', /path variable subs\.x is a repeated field/],
  ['get: "/{sub}"', /path variable sub is a message/],
  ['get: "/{e}"', /path variable e is an enum/],
  ['custom { kind: "HEAD" path: "/x" }', /custom kind "HEAD" is not supported/],
  ['post: "/x" body: "nonsense"', /body "nonsense" is no field of t\.In/],
  ['post: "/x" body: "many"', /body many is a repeated field/],
  ['post: "/{id}" body: "id"', /field id is filled by the path and by the body/],
  ['get: "/x" response_body: "nonsense"', /response_body "nonsense" is no field of t\.Out/],
  ['get: "/x" additional_bindings { get: "/y" additional_bindings { get: "/z" } }', /must not hold additional_bindings/],
  ['get: "/x" additional_bindings { body: "*" }', /has no pattern/],
] as const;
const legal = 'selector: "t.Legal.M" custom { kind: "*" path: "/x/{sub.x}" }';

/** One service for each rule: S0, S1, … and Legal. */
const rules = loadDescriptors(
  compileProto({
    "t.proto": `syntax = "proto3"; package t; import "google/api/annotations.proto";
      enum E { ZERO = 0; }
      message Sub { string x = 1; repeated Sub subs = 2; }
      message In { string id = 1; repeated string many = 2; Sub sub = 3; E e = 4; map<string, string> map = 5; repeated Sub subs = 6; }
      message Out { string id = 1; }
      ${[...illegal.map(([rule], i) => [`S${i}`, rule]), ["Legal", legal]]
        .map(([name, rule]) => `service ${name} { rpc M(In) returns (Out) { option (google.api.http) = { ${rule} }; } }`)
        .join("\n")}`,
  }),
);
const load = (service: string): HttpRoute[] => new Transcoder(rules.registry).routes(rules.service(`t.${service}`)!.methods);

illegal.forEach(([rule, problem], i) => {
  test(`illegal rule: ${rule}`, () => {
    assert.throws(
      () => load(`S${i}`),
      (fault) =>
        fault instanceof Fault &&
        fault.code === "invalid" &&
        problem.test(fault.message) &&
        fault.message.startsWith(`google.api.http of t.S${i}.M: `),
    );
  });
});

test("legal rules: the method's own selector, custom kind *, nested path variables", () => {
  assert.equal(load("Legal").length, 2);
});

test("any path, query and body give a message or a Fault", () => {
  const piece = fc.oneof(
    fc.constantFrom("carts", "shops", "x", "7", "items", "best", "%2F", "%", "ä", ":", ""),
    fc.string({ maxLength: 5 }),
  );
  const query = fc.oneof(
    fc.string({ maxLength: 30 }),
    fc
      .array(
        fc.tuple(
          fc.constantFrom("page_size", "tag", "filter.state", "filter.years", "limit", "mask", "token", "__proto__", "filter."),
          fc.string({ maxLength: 5 }),
        ),
      )
      .map((pairs) => pairs.map((pair) => pair.join("=")).join("&")),
  );
  const body = fc.oneof(fc.string({ maxLength: 20 }), fc.json({ maxDepth: 2 }), fc.constant(""));
  fc.assert(
    fc.property(
      fc.constantFrom("GET", "POST", "PUT"),
      fc.array(piece, { maxLength: 4 }),
      query,
      body,
      (method, pieces, queryText, text) => {
        const match = table.match(method, `/${pieces.join("/").replaceAll("?", "")}`);
        if (match.is !== "found") return;
        try {
          const bytes = match.value.request(match.segments, queryText, new TextEncoder().encode(text));
          fromBinary(match.value.binding.method.input, bytes);
        } catch (problem) {
          assert.ok(problem instanceof Fault, String(problem));
        }
      },
    ),
    { numRuns: 5000 },
  );
});
