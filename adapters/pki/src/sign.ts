/** Makes keys and signs certificates, with @peculiar/x509. Loaded only when there is something to make. */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { isIP } from "node:net";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { Random } from "@mecha/kit";
import type { KeyPair, LeafRequest } from "./index.ts";

interface Life {
  readonly nowMs: number;
  readonly lifeMs: number;
  readonly random: Random;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
/** Clocks differ: a certificate is good from a little before it was made. */
const skewMs = 5 * 60_000;

cryptoProvider.set("mecha", webcrypto);

/** A self-signed authority. */
export async function signAuthority(name: string, life: Life): Promise<KeyPair> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(life.random),
    name: [{ CN: [name] }],
    ...dates(life),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return pair(keys, certificate);
}

/** A certificate of the authority's. */
export async function signLeaf(authority: KeyPair, request: LeafRequest, life: Life): Promise<KeyPair> {
  const issuer = new X509Certificate(authority.certificate);
  const keys = await newKeys();
  const server = request.for === "server";
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial(life.random),
    issuer: issuer.subjectName,
    subject: [...(server ? [] : request.groups.map((group) => ({ O: [group] }))), { CN: [request.name] }],
    ...dates(life),
    publicKey: keys.publicKey,
    signingKey: await signingKey(authority.key),
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([server ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth]),
      await AuthorityKeyIdentifierExtension.create(issuer),
      ...(server ? [new SubjectAlternativeNameExtension(request.hosts.map(alternativeName))] : []),
    ],
  });
  return pair(keys, certificate);
}

function alternativeName(host: string): { readonly type: "ip" | "dns"; readonly value: string } {
  return { type: isIP(host) === 0 ? "dns" : "ip", value: host };
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

async function signingKey(pem: string): Promise<webcrypto.CryptoKey> {
  const [raw] = PemConverter.decode(pem);
  return webcrypto.subtle.importKey("pkcs8", raw ?? new ArrayBuffer(0), algorithm, false, ["sign"]);
}

async function pair({ privateKey }: webcrypto.CryptoKeyPair, certificate: X509Certificate): Promise<KeyPair> {
  const raw = await webcrypto.subtle.exportKey("pkcs8", privateKey);
  return { key: `${PemConverter.encode(raw, "PRIVATE KEY")}\n`, certificate: `${certificate.toString("pem")}\n` };
}

function dates({ nowMs, lifeMs }: Life): { readonly notBefore: Date; readonly notAfter: Date } {
  return { notBefore: new Date(nowMs - skewMs), notAfter: new Date(nowMs + lifeMs) };
}

/** 126 random bits with the top bit clear and the next set: positive and of full length (RFC 5280 §4.1.2.2). */
function serial(random: Random): string {
  const bytes = random.bytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}
