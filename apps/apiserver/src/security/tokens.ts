/** Tokens of service accounts: given on request, and taken in place of a certificate. */
import type { Clock } from "@mecha/kit";
import type { JsonObject } from "@mecha/kinds";
import { type Caller, type KubeServer, serviceAccountUser, type SpecialCall, StatusError, type VerifyToken } from "@mecha/machinery";
import { issuerName, type TokenClaims, type TokenIssuer } from "@mecha/pki";

/** authentication/v1 TokenRequestSpec. */
interface TokenRequestSpec {
  readonly audiences?: readonly string[];
  readonly expirationSeconds?: number;
  readonly boundObjectRef?: { readonly kind?: string; readonly name?: string; readonly uid?: string };
}

/** Seconds: what is given when nothing is asked, and the limits, as on a cluster. */
const lifetime = { usual: 3_600, min: 600, max: 2 ** 32 };

/** Answers `serviceaccounts/NAME/token`. */
export function tokenRequest(issuer: TokenIssuer, server: () => KubeServer, clock: Clock): (call: SpecialCall) => Promise<JsonObject> {
  return async ({ namespace, of, body }) => {
    const spec = (body["spec"] ?? {}) as TokenRequestSpec;
    const seconds = spec.expirationSeconds ?? lifetime.usual;
    if (!Number.isSafeInteger(seconds) || seconds < lifetime.min || seconds > lifetime.max)
      throw new StatusError(
        "Invalid",
        `TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: ${String(seconds)}: may not specify a duration less than 10 minutes`,
        { group: "authentication.k8s.io", kind: "TokenRequest" },
      );
    const audiences = spec.audiences && spec.audiences.length > 0 ? spec.audiences : [issuerName];
    const expiresAt = Math.floor(clock.wall() / 1000) + seconds;
    const boundTo = boundObject(server(), namespace, spec);
    const { name = "", uid = "" } = of?.metadata ?? {};
    const token = await issuer.issue({ namespace, name, uid, audiences, expiresAt, ...(boundTo && { boundTo }) });
    const expirationTimestamp = new Date(expiresAt * 1000).toISOString().replace(/\.\d{3}Z$/u, "Z");
    return {
      kind: "TokenRequest",
      apiVersion: "authentication.k8s.io/v1",
      metadata: { name, namespace, creationTimestamp: null },
      spec: { audiences, expirationSeconds: seconds, boundObjectRef: spec.boundObjectRef ?? null },
      status: { token, expirationTimestamp },
    };
  };
}

const boundKinds: Readonly<Record<string, string>> = { Pod: "/pods", Secret: "/secrets" };

/** @throws StatusError NotFound, Conflict when the object is not the one that is meant. */
function boundObject(server: KubeServer, namespace: string, { boundObjectRef }: TokenRequestSpec): TokenClaims["boundTo"] {
  if (!boundObjectRef?.kind) return undefined;
  const { kind, name = "", uid } = boundObjectRef;
  const resource = boundKinds[kind];
  if (resource === undefined)
    throw new StatusError("BadRequest", `cannot bind token to an object of kind ${kind}: only Pod and Secret can be`);
  const found = server.object(resource, namespace, name);
  if (!found)
    throw new StatusError("NotFound", `${resource.slice(1)} ${JSON.stringify(name)} not found`, { name, kind: resource.slice(1) });
  const own = found.metadata.uid ?? "";
  if (uid !== undefined && uid !== own)
    throw new StatusError("Conflict", `the UID in the bound object reference (${uid}) does not match the UID in record (${own})`);
  return { kind, name, uid: own };
}

/** A token is good while its account, and the object it is bound to, are the same ones it was issued for. */
export function tokenVerifier(issuer: TokenIssuer, server: () => KubeServer): VerifyToken {
  return async (token, wanted) => {
    const audiences = wanted.length > 0 ? wanted : [issuerName];
    const claims = await issuer.verify(token, audiences);
    if (!claims || !isStillGood(server(), claims)) return undefined;
    return { caller: callerOfAccount(claims), audiences: audiences.filter((one) => claims.audiences.includes(one)) };
  };
}

function isStillGood(server: KubeServer, { namespace, name, uid, boundTo }: TokenClaims): boolean {
  const account = server.object("/serviceaccounts", namespace, name);
  if (account?.metadata.uid !== uid) return false;
  return !boundTo || server.object(boundKinds[boundTo.kind] ?? "", namespace, boundTo.name)?.metadata.uid === boundTo.uid;
}

function callerOfAccount({ namespace, name, uid }: TokenClaims): Caller {
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"];
  return { name: serviceAccountUser(namespace, name), groups, uid };
}
