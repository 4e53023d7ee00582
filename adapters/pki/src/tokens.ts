/**
 * Tokens of service accounts: JSON Web Tokens (RFC 7519) signed with a key of our own, ES256. The claims are those of Kubernetes' projected tokens, so that
 * client libraries and their users find in them what they look for.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto";
import { type Clock, Fault } from "@mecha/kit";
import type { KeyFiles } from "./index.ts";

/** Whom a token is for. */
export interface TokenClaims {
  readonly namespace: string;
  readonly name: string;
  /** The account's uid: a token of a deleted account is none of a new one of its name. */
  readonly uid: string;
  /** Who may take it. */
  readonly audiences: readonly string[];
  /** Seconds since 1970. */
  readonly expiresAt: number;
  /** Of this one token, given when it is issued; tokens of older releases have none. */
  readonly id?: string;
  /** The Pod or Secret it goes away with. */
  readonly boundTo?: { readonly kind: string; readonly name: string; readonly uid: string };
}

export interface TokenIssuer {
  issue(claims: TokenClaims): Promise<string>;
  /**
   * @param audiences "any": whoever it is for, where that is only told and nothing is allowed by it.
   * @returns `undefined` for a token that is not ours, damaged, expired, or for nobody of `audiences`.
   */
  verify(token: string, audiences: readonly string[] | "any"): Promise<TokenClaims | undefined>;
}

/** In `iss`: where such tokens come from. The audience of the server itself. */
export const issuerName = "https://kubernetes.default.svc.cluster.local";
/** Clocks of one machine agree; a token issued this second is good this second. */
const skewSeconds = 5;
/** No token of ours is longer. */
const tokenMaxBytes = 8 * 1024;

/** The key is kept as `tokens.key`, made at the first start. @throws Fault("precondition") when the file is damaged. */
export async function openTokenIssuer(files: KeyFiles, { clock }: { readonly clock: Clock }): Promise<TokenIssuer> {
  const privateKey = await openKey(files);
  const publicKey = createPublicKey(privateKey);
  return {
    async issue(claims) {
      const { SignJWT } = await import("jose");
      const nowSeconds = Math.floor(clock.wall() / 1000);
      const { namespace, name, uid, boundTo } = claims;
      const bound = boundTo && { [boundTo.kind.toLowerCase()]: { name: boundTo.name, uid: boundTo.uid } };
      return await new SignJWT({ "kubernetes.io": { namespace, serviceaccount: { name, uid }, ...bound } })
        .setProtectedHeader({ alg: "ES256" })
        .setIssuer(issuerName)
        .setSubject(`system:serviceaccount:${namespace}:${name}`)
        .setAudience([...claims.audiences])
        .setJti(randomUUID())
        .setIssuedAt(nowSeconds)
        .setNotBefore(nowSeconds)
        .setExpirationTime(claims.expiresAt)
        .sign(privateKey);
    },
    async verify(token, audiences) {
      if (token.length > tokenMaxBytes) return undefined;
      const { jwtVerify, errors } = await import("jose");
      const options = {
        issuer: issuerName,
        ...(audiences !== "any" && { audience: [...audiences] }),
        algorithms: ["ES256"], // never what the token itself says
        currentDate: new Date(clock.wall()),
        clockTolerance: skewSeconds,
      };
      try {
        const { payload } = await jwtVerify(token, publicKey, options);
        return claimsOf(payload);
      } catch (error) {
        if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined; // not a token of ours: who sent it is told 401
        throw error;
      }
    },
  };
}

async function openKey(files: KeyFiles): Promise<KeyObject> {
  const kept = await files.read("tokens.key");
  if (kept === undefined) {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    await files.write("tokens.key", privateKey.export({ type: "pkcs8", format: "pem" }));
    return privateKey;
  }
  try {
    return createPrivateKey(kept);
  } catch (cause) {
    throw new Fault("precondition", "tokens.key is damaged; delete it and start again: tokens issued so far are no longer good then", {
      cause,
    });
  }
}

interface Payload {
  readonly aud?: string | string[];
  readonly exp?: number;
  readonly jti?: string;
  readonly [claim: string]: unknown;
}

/** @returns `undefined` when the claims are not those we issue. */
function claimsOf(payload: Payload): TokenClaims | undefined {
  const own = payload["kubernetes.io"] as
    | {
        readonly namespace?: string;
        readonly serviceaccount?: { readonly name?: string; readonly uid?: string };
        readonly pod?: Named;
        readonly secret?: Named;
      }
    | undefined;
  const { namespace, serviceaccount } = own ?? {};
  if (!namespace || !serviceaccount?.name || !serviceaccount.uid || payload.exp === undefined) return undefined;
  const bound = own?.pod ? { kind: "Pod", ...own.pod } : own?.secret ? { kind: "Secret", ...own.secret } : undefined;
  return {
    namespace,
    name: serviceaccount.name,
    uid: serviceaccount.uid,
    audiences: [payload.aud ?? []].flat(),
    expiresAt: payload.exp,
    ...(payload.jti !== undefined && { id: payload.jti }),
    ...(bound && { boundTo: bound }),
  };
}

interface Named {
  readonly name: string;
  readonly uid: string;
}
