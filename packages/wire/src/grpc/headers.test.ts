import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "@mecha/kit";
import { Metadata, type MetadataValue } from "../metadata.ts";
import { type HeaderFields, isGrpcContentType, metadataOf, putMetadata, putStatus, statusIn } from "./headers.ts";
import { decodeStatusMessage, encodeStatusMessage, parseStatusCode, statusOfHttp, statusOfReset } from "./status.ts";
import { formatTimeout, parseTimeout } from "./timeout.ts";

const raw = (fields: HeaderFields): string[] =>
  Object.entries(fields).flatMap(([name, value]) => (Array.isArray(value) ? value.flatMap((one) => [name, one]) : [name, value]));

test("metadata survives the wire, bytes included", () => {
  const key = fc.stringMatching(/^x-[a-z0-9_.-]{0,8}$/).filter((name) => !name.endsWith("-bin"));
  const text = fc.tuple(key, fc.stringMatching(/^[!-~]([ -~]{0,10}[!-~])?$/));
  const bin = fc.tuple(key.map((name) => `${name}-bin`), fc.uint8Array({ maxLength: 20 })); // prettier-ignore
  const byName = (entries: readonly (readonly [string, unknown])[]): unknown[] =>
    [...Map.groupBy(entries, ([name]) => name)].sort().map(([name, values]) => [name, values.map(([, value]) => value)]);
  fc.assert(
    fc.property(fc.array(fc.oneof(text, bin), { maxLength: 10 }), (entries) => {
      assert.deepEqual(byName(metadataOf(raw(putMetadata({}, new Metadata(entries)))).entries), byName(entries));
    }),
  );
});

test("-bin values are read with and without padding, joined by commas, in either alphabet", () => {
  const values = (text: string): unknown[] => metadataOf(["k-bin", text]).entries.map(([, value]) => [...(value as Uint8Array)]);
  assert.deepEqual(values("AQ=="), [[1]]);
  assert.deepEqual(values("AQ"), [[1]]);
  assert.deepEqual(values("AQ==,Ag, AwQ="), [[1], [2], [3, 4]]);
  assert.deepEqual(values("-_8"), [[0xfb, 0xff]]);
});

test("protocol headers are neither taken from metadata nor shown as metadata", () => {
  const names = [":path", "grpc-timeout", "grpc-status", "content-type", "te", "connection", "host", "transfer-encoding"];
  const entries = [...names, "user-agent", "kept"].map((name) => [name, "v"] as const);
  assert.deepEqual(putMetadata({}, new Metadata(entries)), { kept: "v" });
  assert.deepEqual(metadataOf(entries.flat()).entries, [["user-agent", "v"], ["kept", "v"]]); // prettier-ignore
});

test("metadata that cannot be sent is a Fault that names the key", () => {
  const bad: [string, MetadataValue][] = [["Upper", "v"], ["sp ace", "v"], ["k", "li\nne"], ["k", "ü"], ["k", new Uint8Array(1)]]; // prettier-ignore
  for (const entry of bad) {
    assert.throws(
      () => putMetadata({}, new Metadata([entry])),
      (error) => error instanceof Fault && error.message.includes(entry[0]),
    );
  }
});

test("a status survives the wire", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 16 }),
      fc.string({ unit: "binary" }),
      fc.option(fc.uint8Array(), { nil: undefined }),
      (code, message, details) => {
        const status = { code, message, ...(details && { details }) };
        assert.deepEqual(statusIn(putStatus({}, status)), status);
      },
    ),
  );
  assert.equal(statusIn({}), undefined);
});

test("grpc-message is percent-encoded UTF-8; bad encodings pass as they are", () => {
  assert.equal(encodeStatusMessage("ä 100%\n"), "%C3%A4 100%25%0A");
  assert.equal(decodeStatusMessage("%C3%A4 100%25%0A"), "ä 100%\n");
  assert.equal(decodeStatusMessage("50% of %zz"), "50% of %zz");
  assert.equal(decodeStatusMessage("%c3%a4"), "ä");
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => typeof decodeStatusMessage(text) === "string"));
});

test("a grpc-status that is no number is unknown", () => {
  for (const text of ["", "x", "-1", "1.5", "99999999999"]) assert.equal(parseStatusCode(text), 2);
  assert.equal(parseStatusCode("16"), 16);
});

test("HTTP answers and resets map as gRPC says", () => {
  const http = { 400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14, 500: 2, 302: 2 };
  for (const [status, code] of Object.entries(http)) assert.equal(statusOfHttp(Number(status)), code, status);
  const resets = { 0: 13, 1: 13, 2: 13, 3: 13, 7: 14, 8: 1, 11: 8, 12: 7 };
  for (const [reset, code] of Object.entries(resets)) assert.equal(statusOfReset(Number(reset)).code, code, reset);
  assert.equal(statusOfReset(7).unreached, true);
});

test("timeouts are read as gRPC writes them", () => {
  const good = { "1H": 3_600_000, "2M": 120_000, "3S": 3_000, "4m": 4, "5u": 0.005, "10n": 0.00001, "99999999S": 99_999_999_000 };
  for (const [text, ms] of Object.entries(good)) assert.ok(Math.abs((parseTimeout(text) ?? NaN) - ms) < 1e-9, text);
  for (const bad of ["", "1", "m", "1x", "-1m", "1.5S", "123456789m", " 1m", "1 m"]) assert.equal(parseTimeout(bad), undefined, bad);
});

test("a written timeout is legal, never shorter, and at most one unit longer", () => {
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 1e15, noNaN: true }), (ms) => {
      const text = formatTimeout(ms);
      const back = parseTimeout(text) as number;
      assert.match(text, /^\d{1,8}[HMSmun]$/);
      assert.ok(back >= Math.min(ms, 99_999_999 * 3_600_000) * (1 - 1e-12));
      assert.ok(back - ms <= (parseTimeout(`1${text.at(-1)}`) as number));
    }),
  );
  assert.equal(formatTimeout(0), "1n");
  assert.equal(formatTimeout(-5), "1n");
});

test("only gRPC over HTTP/2 content types are gRPC", () => {
  for (const yes of ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"]) assert.ok(isGrpcContentType(yes));
  for (const no of [undefined, "", "application/json", "application/grpc-web", "application/grpc-web+proto", "application/grpcx"]) {
    assert.equal(isGrpcContentType(no), false);
  }
});
