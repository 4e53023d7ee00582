/**
 * Certificates: an authority of our own, kept with the state, and what it signs. Keys are ECDSA P-256.
 *
 * P1 what is on file and still good is used again, so that a restart makes no key and clients' copies of the authority stay true
 * P2 a leaf that ends soon, or names too little, is made anew; the authority only when it has ended
 */
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { type Clock, day, Fault, type Random } from "@mecha/kit";

/** Where keys and certificates are kept, by file name. Private: readable by this user only. */
export interface KeyFiles {
  /** `undefined` when there is none. */
  read(name: string): Promise<string | undefined>;
  /** Whole or not at all. */
  write(name: string, content: string): Promise<void>;
}

/** Both PEM. The key is PKCS #8. */
export interface KeyPair {
  readonly key: string;
  readonly certificate: string;
}

/** What a certificate is for. */
export type LeafRequest =
  /** Names and addresses the server is reached by. */
  | { readonly for: "server"; readonly name: string; readonly hosts: readonly string[] }
  /** Who the client is: user name and groups (O), as Kubernetes reads client certificates. */
  | { readonly for: "client"; readonly name: string; readonly groups: readonly string[] };

export interface Authority {
  /** PEM; what clients trust. */
  readonly certificate: string;
  /** The pair kept under `file`, made when there is none that will do (P2). */
  leaf(file: string, request: LeafRequest): Promise<KeyPair>;
}

const authorityYears = 10;
const leafDays = 365;
/** A leaf that ends within this time is replaced at the next start. */
const renewBeforeMs = 60 * day;

/** @throws Fault("precondition") when a file is there and cannot be read. */
export async function openAuthority(
  files: KeyFiles,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<Authority> {
  const nowMs = clock.wall();
  const kept = await readPair(files, "ca");
  const own = kept && usable(kept, nowMs, 0) ? kept : await makeAuthority(files, nowMs, random);
  return {
    certificate: own.certificate,
    async leaf(file, request) {
      const known = await readPair(files, file);
      if (known && usable(known, nowMs, renewBeforeMs) && signedBy(known, own) && covers(known, request)) return known;
      const { signLeaf } = await import("./sign.ts");
      const made = await signLeaf(own, request, { nowMs, lifeMs: leafDays * day, random });
      await writePair(files, file, made);
      return made;
    },
  };
}

async function makeAuthority(files: KeyFiles, nowMs: number, random: Random): Promise<KeyPair> {
  // Loaded only when something is to be signed: it takes a tenth of a second, and a second start needs none of it.
  const { signAuthority } = await import("./sign.ts");
  const made = await signAuthority("mecha", { nowMs, lifeMs: authorityYears * 365 * day, random });
  await writePair(files, "ca", made);
  return made;
}

async function readPair(files: KeyFiles, name: string): Promise<KeyPair | undefined> {
  const [key, certificate] = await Promise.all([files.read(`${name}.key`), files.read(`${name}.crt`)]);
  if (key === undefined || certificate === undefined) return undefined;
  try {
    const matches = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
    // A crash between the two files leaves a pair that does not match: made anew.
    return matches ? { key, certificate } : undefined;
  } catch (cause) {
    throw new Fault("precondition", `${name}.key or ${name}.crt is damaged; delete both and start again`, { cause });
  }
}

/** The key first: a certificate without its key is never taken for a pair. */
async function writePair(files: KeyFiles, name: string, { key, certificate }: KeyPair): Promise<void> {
  await files.write(`${name}.key`, key);
  await files.write(`${name}.crt`, certificate);
}

function usable({ certificate }: KeyPair, nowMs: number, spareMs: number): boolean {
  const { validFromDate, validToDate } = new X509Certificate(certificate);
  return validFromDate.getTime() <= nowMs && nowMs + spareMs < validToDate.getTime();
}

function signedBy({ certificate }: KeyPair, authority: KeyPair): boolean {
  return new X509Certificate(certificate).verify(createPublicKey(authority.certificate));
}

function covers({ certificate }: KeyPair, request: LeafRequest): boolean {
  const leaf = new X509Certificate(certificate);
  const { name, groups } = subjectOf(leaf);
  if (name !== request.name) return false;
  if (request.for === "client") return request.groups.every((group) => groups.includes(group));
  return request.hosts.every((host) => (isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host)) !== undefined);
}

/** Common name and organizations: the user and groups of a client certificate. */
export function subjectOf({ subject }: Pick<X509Certificate, "subject">): { readonly name: string; readonly groups: readonly string[] } {
  const parts = subject.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const);
  return {
    name: parts.find(([field]) => field === "CN")?.[1] ?? "",
    groups: parts.flatMap(([field, value]) => (field === "O" ? [value] : [])),
  };
}

export { issuerName, openTokenIssuer, type TokenClaims, type TokenIssuer } from "./tokens.ts";
