/** CloudEvents in and out: the forms of HTTP, refusals, data as Any; no bytes crash the parser. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "@mecha/kit";
import { packJson, packPrimitive, unpackJson, unpackPrimitive } from "../any/index.ts";
import { attributesOf, type CloudEvent, contentOfPayload, payloadOfEvent, readHttpEvents } from "./index.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const head = { "ce-id": "1", "ce-source": "/till", "ce-type": "order", "ce-specversion": "1.0" };
const json = { specversion: "1.0", id: "1", source: "/till", type: "order" };

test("binary mode: attributes are headers, the body is the data", () => {
  const more = { "ce-subject": "Z%C3%BCrich", "ce-time": "2026-01-02T03:04:05Z", "ce-tenant": "blue", "x-other": "no" };
  const [event, ...rest] = readHttpEvents({ ...head, ...more, "content-type": "application/json" }, bytes('{"n":1}'));
  assert.deepEqual(rest, []);
  assert.deepEqual(event && { ...event, data: text(event.data) }, {
    ...{ id: "1", source: "/till", type: "order", subject: "Zürich", time: "2026-01-02T03:04:05Z" },
    ...{ dataContentType: "application/json", extensions: { tenant: "blue" }, data: '{"n":1}' },
  });
});

const structured: [what: string, body: object, contentType: string | undefined, data: string][] = [
  ["JSON data, which is the default", { data: { n: 1 } }, "application/json", '{"n":1}'],
  ["JSON that is a text", { data: "x", datacontenttype: "application/json" }, "application/json", '"x"'],
  ["text", { data: "x", datacontenttype: "text/plain" }, "text/plain", "x"],
  ["bytes", { data_base64: "AAH/", datacontenttype: "image/x" }, "image/x", text(Uint8Array.of(0, 1, 255))],
  ["none", {}, undefined, ""],
  ["an extension that is a number", { data: null, retries: 3 }, "application/json", "null"],
];
for (const [what, body, contentType, data] of structured) {
  test(`structured mode: ${what}`, () => {
    const headers = { "content-type": "application/cloudevents+json; charset=utf-8" };
    const [event] = readHttpEvents(headers, bytes(JSON.stringify({ ...json, ...body })));
    assert.deepEqual([event?.dataContentType, text(event?.data ?? bytes("-"))], [contentType, data]);
  });
}

test("a batch is a list, and may be empty", () => {
  const headers = { "content-type": "application/cloudevents-batch+json" };
  const ids = readHttpEvents(headers, bytes(JSON.stringify([json, { ...json, id: "2" }]))).map(({ id }) => id);
  assert.deepEqual(ids, ["1", "2"]);
  assert.deepEqual(readHttpEvents(headers, bytes("[]")), []);
});

const refused: [what: string, headers: Record<string, string>, body: string, why: RegExp][] = [
  ["no event at all", { "content-type": "application/json" }, "{}", /has no ce- headers/],
  ["no id", { ...head, "ce-id": "" }, "", /has no id/],
  ["another version", { ...head, "ce-specversion": "0.3" }, "", /specversion "0\.3", not 1\.0/],
  ["a name with a dash", { ...head, "ce-my-own": "x" }, "", /attribute "my-own"; names are/],
  ["a time that is none", { ...head, "ce-time": "tomorrow" }, "", /no RFC 3339 time/],
  ["an attribute that is too long", { ...head, "ce-big": "x".repeat(5_000) }, "", /5000 characters in big/],
  ["XML", { "content-type": "application/cloudevents+xml" }, "", /JSON is the only format/],
  ["broken JSON", { "content-type": "application/cloudevents+json" }, "{", /is no JSON/],
  ["a list that is no batch", { "content-type": "application/cloudevents+json" }, "[]", /is no JSON object/],
  ["a batch that is no list", { "content-type": "application/cloudevents-batch+json" }, "{}", /is a JSON list/],
  ["an object as attribute", { "content-type": "application/cloudevents+json" }, '{"id":{}}', /an object or a list as attribute "id"/],
  ["both kinds of data", { "content-type": "application/cloudevents+json" }, '{"data":1,"data_base64":""}', /both data and data_base64/],
  ["bad Base64", { "content-type": "application/cloudevents+json" }, '{"data_base64":"%"}', /no Base64/],
];
for (const [what, headers, body, why] of refused) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => readHttpEvents(headers, bytes(body)),
      (error) => error instanceof Fault && error.code === "invalid" && why.test(error.message),
    );
  });
}

const event = (dataContentType: string | undefined, data: Uint8Array): CloudEvent => ({
  ...{ id: "1", source: "s", type: "shop.Order", extensions: {}, data },
  ...(dataContentType !== undefined && { dataContentType }),
});

test("the content type decides what the payload is", () => {
  const payload = (contentType: string | undefined, data: string) => payloadOfEvent(event(contentType, bytes(data)));
  assert.deepEqual(payload("application/protobuf", "x"), { typeUrl: "type.googleapis.com/shop.Order", value: bytes("x") });
  assert.deepEqual(unpackJson(payload("application/vnd.shop+json", '{"a":1}')), { type: "shop.Order", value: { a: 1 } });
  assert.deepEqual(unpackPrimitive(payload("text/plain; charset=utf-8", "hello")), { type: "string", value: "hello" });
  assert.deepEqual(unpackPrimitive(payload(undefined, "raw")), { type: "bytes", value: bytes("raw") });
  assert.throws(() => payload("application/json", "{"), /not the JSON its content type says/);
  assert.throws(() => payloadOfEvent(event("text/plain", Uint8Array.of(255))), /not UTF-8/);
});

test("a payload that goes out as an event comes in again the same", () => {
  const payloads = [
    packJson("cart-created", { sku: "tea" }),
    packPrimitive({ type: "string", value: "grün" }),
    packPrimitive({ type: "bytes", value: Uint8Array.of(0, 255) }),
    packPrimitive({ type: "int64", value: 7n }),
    { typeUrl: "type.googleapis.com/shop.Order", value: Uint8Array.of(10, 1, 65) },
  ];
  for (const payload of payloads) {
    const { type, dataContentType, data } = contentOfPayload(payload);
    const again = payloadOfEvent({ id: "1", source: "s", type, dataContentType, extensions: {}, data });
    assert.deepEqual({ ...again, value: Uint8Array.from(again.value) }, { ...payload, value: Uint8Array.from(payload.value) });
  }
});

test("whatever arrives is an event or a Fault, and what is accepted is valid", () => {
  const name = fc.oneof(fc.constantFrom("ce-id", "ce-source", "ce-type", "ce-time", "ce-specversion", "ce-x", "content-type"), fc.string());
  const value = fc.oneof(
    fc.constantFrom("1.0", "application/json", "application/cloudevents+json", "application/cloudevents-batch+json", "text/plain"),
    fc.string({ unit: "binary" }),
  );
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.json().map(bytes),
    fc
      .array(
        fc.record({
          id: fc.jsonValue(),
          source: fc.jsonValue(),
          data: fc.jsonValue(),
          specversion: fc.constant("1.0"),
          type: fc.jsonValue(),
        }),
      )
      .map((list) => bytes(JSON.stringify(list))),
  );
  fc.assert(
    fc.property(fc.dictionary(name, value), body, (headers, data) => {
      try {
        for (const one of readHttpEvents(headers, data)) {
          assert.ok(one.id && one.source && one.type);
          assert.ok(attributesOf(one).every(([key]) => key === "Content-Type" || /^ce-[a-z0-9]{1,20}$/.test(key)));
          payloadOfEvent(one);
        }
      } catch (error) {
        assert.ok(error instanceof Fault && error.code === "invalid", String(error));
      }
    }),
  );
});
