/**
 * Whether a certificate and a private key can serve TLS together, as far as that shows without calculating with curves: PEM blocks are there and in their
 * places, both are read as DER, and the public key is the same. Certificates are not verified (RFC 5280, RFC 5958, RFC 8017, RFC 5915).
 */
interface Block {
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** @returns What Go's TLS says of the pair; `undefined` when nothing is wrong with it. */
export function tlsPairProblem(certificate: string, key: string): string | undefined {
  const certificates = pemBlocks(certificate);
  const first = certificates.find(({ type }) => type === "CERTIFICATE");
  if (!first) return noCertificate(certificates.map(({ type }) => type));
  const keys = pemBlocks(key);
  const at = keys.findIndex(({ type }) => isPrivateKey(type));
  const found = keys[at];
  if (!found) return noKey(keys.map(({ type }) => type));
  const publicKey = publicKeyOf(first.bytes);
  if (publicKey === undefined) return "x509: malformed certificate";
  const privateKey = privateKeyOf(found.bytes);
  if (privateKey === undefined) return "tls: failed to parse private key";
  if (privateKey.kind !== publicKey.kind) return "tls: private key type does not match public key type";
  const known = privateKey.identity !== "" && publicKey.identity !== "";
  return known && privateKey.identity !== publicKey.identity ? "tls: private key does not match public key" : undefined;
}

const isPrivateKey = (type: string): boolean => type === "PRIVATE KEY" || type.endsWith(" PRIVATE KEY");

function noCertificate(types: readonly string[]): string {
  const [only] = types;
  if (only === undefined) return "tls: failed to find any PEM data in certificate input";
  if (types.length === 1 && only.endsWith("PRIVATE KEY"))
    return "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched";
  return `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [${types.join(" ")}]`;
}

function noKey(types: readonly string[]): string {
  const [only] = types;
  if (only === undefined) return "tls: failed to find any PEM data in key input";
  if (types.length === 1 && only === "CERTIFICATE") return "tls: found a certificate rather than a key in the PEM for the private key";
  return `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: [${types.join(" ")}]`;
}

const begin = /^-----BEGIN (.+)-----\s*$/u;
const end = /^-----END (.+)-----\s*$/u;

/** RFC 7468, with headers before the data. What has no end, or is no base64, is passed over. */
function pemBlocks(text: string): Block[] {
  const blocks: Block[] = [];
  let type: string | undefined;
  let lines: string[] = [];
  for (const line of text.split("\n")) {
    const [, started] = begin.exec(line) ?? [];
    const [, ended] = end.exec(line) ?? [];
    if (started !== undefined) {
      type = started;
      lines = [];
    } else if (ended !== undefined && ended === type) {
      const bytes = fromBase64(lines.filter((each) => !each.includes(":")).join(""));
      if (bytes) blocks.push({ type, bytes });
      type = undefined;
    } else if (type !== undefined) lines.push(line);
  }
  return blocks;
}

/** The bytes as letters of one byte each. */
function binaryText(base64: string): string | undefined {
  try {
    return atob(base64.replaceAll(/\s/gu, ""));
  } catch {
    return undefined;
  }
}

function fromBase64(text: string): Uint8Array | undefined {
  const letters = binaryText(text);
  return letters === undefined ? undefined : Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
}

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

const sequence = 0x30;
const integer = 0x02;
const bitString = 0x03;
const octetString = 0x04;

/** Elements of DER one after the other; `undefined` when the bytes are none. */
function elements(bytes: Uint8Array): Element[] | undefined {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const [tag = 0, short = 0] = [bytes[at], bytes[at + 1]];
    const extra = short < 0x80 ? 0 : short & 0x7f;
    // 0x80: no length but an end mark, which BER has and DER has not.
    if (at + 2 + extra > bytes.length || short === 0x80 || extra > 4) return undefined;
    const length = extra === 0 ? short : bytes.subarray(at + 2, at + 2 + extra).reduce((sum, byte) => sum * 256 + byte, 0);
    const from = at + 2 + extra;
    if (from + length > bytes.length) return undefined;
    found.push({ tag, content: bytes.subarray(from, from + length) });
    at = from + length;
  }
  return found;
}

/** What a sequence holds, when the element is one. */
const inside = (element: Element | undefined): Element[] | undefined => (element?.tag === sequence ? elements(element.content) : undefined);

/** What tells one key from another; empty when that takes calculating. */
interface Key {
  readonly kind: string;
  readonly identity: string;
}

const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const oids: Readonly<Record<string, string>> = { "2a864886f70d010101": "RSA", "2a8648ce3d0201": "EC", "2b6570": "Ed25519" };

function algorithmOf(element: Element | undefined): string {
  const [oid] = inside(element) ?? [];
  return oid ? (oids[hex(oid.content)] ?? hex(oid.content)) : "";
}

function publicKeyOf(certificate: Uint8Array): Key | undefined {
  const [outer] = elements(certificate) ?? [];
  const [signed] = inside(outer) ?? [];
  const fields = inside(signed);
  if (!fields) return undefined;
  const explicitVersion = fields[0]?.tag === 0xa0;
  const [algorithm, key] = inside(fields[explicitVersion ? 6 : 5]) ?? [];
  if (key?.tag !== bitString) return undefined;
  const kind = algorithmOf(algorithm);
  const bits = key.content.subarray(1); // unused bits come first
  return { kind, identity: kind === "RSA" ? modulus(elements(bits)?.[0], 0) : kind === "EC" ? hex(bits) : "" };
}

/** The modulus of an RSA key: which integer of the sequence. */
function modulus(element: Element | undefined, index: number): string {
  const number = inside(element)?.[index];
  return number?.tag === integer ? hex(number.content) : "";
}

function privateKeyOf(bytes: Uint8Array): Key | undefined {
  const [outer, ...rest] = elements(bytes) ?? [];
  const fields = rest.length === 0 ? inside(outer) : undefined;
  const [version, second, third] = fields ?? [];
  if (version?.tag !== integer || !second) return undefined;
  if (second.tag === integer) return { kind: "RSA", identity: modulus(outer, 1) };
  if (second.tag === octetString) return { kind: "EC", identity: pointOf(fields ?? []) };
  if (second.tag !== sequence || third?.tag !== octetString) return undefined;
  const kind = algorithmOf(second);
  const [inner] = elements(third.content) ?? [];
  if (kind === "RSA") return { kind, identity: modulus(inner, 1) };
  return { kind, identity: kind === "EC" ? pointOf(inside(inner) ?? []) : "" };
}

/** The public key an EC key brings along, where it does. */
function pointOf(fields: readonly Element[]): string {
  const tagged = fields.find(({ tag }) => tag === 0xa1);
  const [bits] = tagged ? (elements(tagged.content) ?? []) : [];
  return bits?.tag === bitString ? hex(bits.content.subarray(1)) : "";
}

/** Text behind base64, byte by byte; empty for what is none. */
export const secretText = (base64: string | undefined): string => binaryText(base64 ?? "") ?? "";
