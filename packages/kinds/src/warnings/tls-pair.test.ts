import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { tlsPairProblem } from "./tls-pair.ts";

const der = (tag: number, ...content: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(content);
  const length = body.length < 0x80 ? Buffer.of(body.length) : Buffer.of(0x82, body.length >> 8, body.length & 0xff);
  return Buffer.concat([Buffer.of(tag), length, body]);
};
const pem = (type: string, bytes: Buffer): string =>
  `-----BEGIN ${type}-----\n${(bytes.toString("base64").match(/.{1,64}/gu) ?? []).join("\n")}\n-----END ${type}-----\n`;

/** As much of a certificate as is looked at: nobody signed it. */
function certificateOf(key: KeyObject): string {
  const empty = der(0x30);
  const version = der(0xa0, der(0x02, Buffer.of(2)));
  const signed = der(0x30, version, der(0x02, Buffer.of(1)), empty, empty, empty, empty, key.export({ type: "spki", format: "der" }));
  return pem("CERTIFICATE", der(0x30, signed, empty, der(0x03, Buffer.of(0))));
}

const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
const rsa = generateKeyPairSync("rsa", { modulusLength: 1024 });
const otherRsa = generateKeyPairSync("rsa", { modulusLength: 1024 });
const ed = generateKeyPairSync("ed25519");
const certificate = certificateOf(ec.publicKey);
const rsaCertificate = certificateOf(rsa.publicKey);
const text = (key: KeyObject, type: "pkcs8" | "pkcs1" | "sec1" = "pkcs8"): string => key.export({ type: type as "pkcs8", format: "pem" });

const pairs: readonly (readonly [what: string, certificate: string, key: string, problem?: string])[] = [
  ["EC", certificate, text(ec.privateKey)],
  ["EC, its older form", certificate, text(ec.privateKey, "sec1")],
  ["RSA", rsaCertificate, text(rsa.privateKey)],
  ["RSA, its older form", rsaCertificate, text(rsa.privateKey, "pkcs1")],
  ["Ed25519", certificateOf(ed.publicKey), text(ed.privateKey)],
  ["a chain, and Windows lines", (certificate + rsaCertificate).replaceAll("\n", "\r\n"), text(ec.privateKey)],
  ["another EC key", certificate, text(other.privateKey), "tls: private key does not match public key"],
  ["another RSA key", rsaCertificate, text(otherRsa.privateKey, "pkcs1"), "tls: private key does not match public key"],
  ["RSA for EC", certificate, text(rsa.privateKey), "tls: private key type does not match public key type"],
  ["nothing", "", "", "tls: failed to find any PEM data in certificate input"],
  ["no end", certificate.slice(0, -20), text(ec.privateKey), "tls: failed to find any PEM data in certificate input"],
  ["no base64", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "", "tls: failed to find any PEM data in certificate input"],
  ["no key", certificate, "x", "tls: failed to find any PEM data in key input"],
  ["no key in it", certificate, pem("PRIVATE KEY", Buffer.of(1, 2, 3)), "tls: failed to parse private key"],
  ["no certificate in it", pem("CERTIFICATE", Buffer.of(0x30, 0x82)), text(ec.privateKey), "x509: malformed certificate"],
];

for (const [what, one, key, problem] of pairs)
  test(`${what}: ${problem ?? "a pair"}`, () => assert.equal(tlsPairProblem(one, key), problem));

test("whatever bytes come, something is said of them, in time", () => {
  const bytes = fc.uint8Array({ maxLength: 60 }).map((each) => Buffer.from(each));
  const cut = fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => {
    const changed = Buffer.from(certificate.split("\n").slice(1, -2).join(""), "base64");
    changed[at % changed.length] = byte;
    return changed;
  });
  fc.assert(
    fc.property(fc.oneof(bytes, cut), bytes, (one, key) => {
      tlsPairProblem(pem("CERTIFICATE", one), pem("PRIVATE KEY", key));
    }),
    { numRuns: 300 },
  );
  tlsPairProblem("-----BEGIN A-----\n".repeat(50_000), "");
});

test("an element without a length, which BER has and DER has not, is no certificate", () => {
  const whole = Buffer.from(certificate.split("\n").slice(1, -2).join(""), "base64");
  const content = whole.subarray(2); // 0x80 read as a length is 128: as much as is here
  const endless = Buffer.concat([Buffer.of(0x30, 0x80), content, der(0x04, Buffer.alloc(0x80 - content.length - 2))]);
  assert.equal(tlsPairProblem(pem("CERTIFICATE", endless), text(ec.privateKey)), "x509: malformed certificate");
});
