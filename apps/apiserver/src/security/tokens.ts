/** Tokens of service accounts: given on request, and taken in place of a certificate. */
import type { Clock } from "@mecha/kit";
import type { FieldProblem, JsonObject } from "@mecha/kinds";
import {
  type Caller,
  conflict,
  invalid,
  type KubeServer,
  serviceAccountUser,
  type SpecialCall,
  StatusError,
  type VerifyToken,
} from "@mecha/machinery";
import { issuerName, type TokenClaims, type TokenIssuer } from "@mecha/pki";

/** authentication/v1 TokenRequestSpec. */
interface TokenRequestSpec {
  readonly audiences?: readonly string[];
  readonly expirationSeconds?: number;
  readonly boundObjectRef?: { readonly apiVersion?: string; readonly kind?: string; readonly name?: string; readonly uid?: string };
}

/** Seconds: what is given when nothing is asked, and the limits, as on a cluster. */
const lifetime = { usual: 3_600, min: 600, max: 2 ** 32 };

/** Answers `serviceaccounts/NAME/token`. */
export function tokenRequest(issuer: TokenIssuer, server: () => KubeServer, clock: Clock): (call: SpecialCall) => Promise<JsonObject> {
  return async ({ namespace, of, body, managed }) => {
    const spec = (body["spec"] ?? {}) as TokenRequestSpec;
    const seconds = spec.expirationSeconds ?? lifetime.usual;
    const { name = "", uid = "" } = of?.metadata ?? {};
    const asked = ((body["metadata"] ?? {}) as { readonly uid?: unknown }).uid;
    if (typeof asked === "string" && asked !== "" && asked !== uid)
      throw conflict(
        "TokenRequest",
        "authentication.k8s.io",
        name,
        `the UID in the token request (${asked}) does not match the UID of the service account (${uid})`,
      );
    const misplaced = placeProblems(body, name, namespace);
    if (misplaced.length > 0) throw refused(name, misplaced);
    if (!Number.isSafeInteger(seconds) || seconds < lifetime.min || seconds > lifetime.max) throw refused("", [lifetimeProblem(seconds)]);
    const audiences = spec.audiences && spec.audiences.length > 0 ? spec.audiences : [issuerName];
    const expiresAt = Math.floor(clock.wall() / 1000) + seconds;
    const boundTo = boundObject(server(), namespace, spec);
    const token = await issuer.issue({ namespace, name, uid, audiences, expiresAt, ...(boundTo && { boundTo }) });
    const expirationTimestamp = new Date(expiresAt * 1000).toISOString().replace(/\.\d{3}Z$/u, "Z");
    return {
      kind: "TokenRequest",
      apiVersion: "authentication.k8s.io/v1",
      metadata: {
        name,
        namespace,
        uid,
        creationTimestamp: new Date(clock.wall()).toISOString().replace(/\.\d{3}Z$/u, "Z"),
        managedFields: managed({ ...body, spec: { ...spec, expirationSeconds: seconds } }),
      },
      spec: { audiences, expirationSeconds: seconds, boundObjectRef: spec.boundObjectRef ?? null },
      status: { token, expirationTimestamp },
    };
  };
}

const refused = (name: string, problems: readonly FieldProblem[]): StatusError =>
  invalid("TokenRequest", "authentication.k8s.io", name, problems);

const wrong = (field: string, value: unknown, why: string): FieldProblem => ({
  type: "FieldValueInvalid",
  field,
  message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
});

function lifetimeProblem(seconds: number): FieldProblem {
  const limit = seconds > lifetime.max ? "larger than 2^32 seconds" : "less than 10 minutes";
  return wrong("spec.expirationSeconds", seconds, `may not specify a duration ${limit}`);
}

/** A request may say which account it is for, but no other than that of the path. */
function placeProblems({ metadata }: JsonObject, name: string, namespace: string): FieldProblem[] {
  const said = (metadata ?? {}) as { readonly name?: unknown; readonly namespace?: unknown };
  const problems: FieldProblem[] = [];
  if (said.name && said.name !== name) problems.push(wrong("metadata.name", said.name, "must match the service account name if specified"));
  if (said.namespace && said.namespace !== namespace)
    problems.push(wrong("metadata.namespace", said.namespace, "must match the service account namespace if specified"));
  return problems;
}

const boundKinds: Readonly<Record<string, string>> = { Pod: "/pods", Secret: "/secrets" };

/** @throws StatusError NotFound, Conflict when the object is not the one that is meant. */
function boundObject(server: KubeServer, namespace: string, { boundObjectRef }: TokenRequestSpec): TokenClaims["boundTo"] {
  if (!boundObjectRef?.kind) return undefined;
  const { apiVersion = "", kind, name = "", uid } = boundObjectRef;
  const resource = Object.hasOwn(boundKinds, kind) ? boundKinds[kind] : undefined;
  if (resource === undefined) {
    const [version = "", group = ""] = apiVersion.split("/").reverse();
    throw new StatusError("BadRequest", `cannot bind token to object of type ${group}/${version}, Kind=${kind}`);
  }
  const found = server.object(resource, namespace, name);
  if (!found)
    throw new StatusError("NotFound", `${resource.slice(1)} ${JSON.stringify(name)} not found`, { name, kind: resource.slice(1) });
  const own = found.metadata.uid ?? "";
  if (uid !== undefined && uid !== own)
    throw conflict(
      kind,
      "",
      name,
      `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  return { kind, name, uid: own };
}

/** A token is good while its account, and the object it is bound to, are the same ones it was issued for. */
export function tokenVerifier(issuer: TokenIssuer, server: () => KubeServer): VerifyToken {
  return async (token, wanted) => {
    const audiences = wanted.length > 0 ? wanted : [issuerName];
    const claims = await issuer.verify(token, audiences);
    if (!claims || !isStillGood(server(), claims)) return { refused: await whyRefused(issuer, token, audiences) };
    return { caller: callerOfAccount(claims), audiences: audiences.filter((one) => claims.audiences.includes(one)) };
  };
}

const badToken = "invalid bearer token";

/** In the words of the server: a token that is for others is told from one that is none. */
async function whyRefused(issuer: TokenIssuer, token: string, wanted: readonly string[]): Promise<string> {
  const claims = await issuer.verify(token, "any");
  if (!claims || claims.audiences.some((one) => wanted.includes(one))) return badToken;
  return `[${badToken}, token audiences ${quoted(claims.audiences)} is invalid for the target audiences ${quoted(wanted)}]`;
}

const quoted = (texts: readonly string[]): string => `[${texts.map((text) => JSON.stringify(text)).join(" ")}]`;

function isStillGood(server: KubeServer, { namespace, name, uid, boundTo }: TokenClaims): boolean {
  const account = server.object("/serviceaccounts", namespace, name);
  if (account?.metadata.uid !== uid) return false;
  return !boundTo || server.object(boundKinds[boundTo.kind] ?? "", namespace, boundTo.name)?.metadata.uid === boundTo.uid;
}

function callerOfAccount({ namespace, name, uid, id, boundTo }: TokenClaims): Caller {
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"];
  const pod = boundTo?.kind === "Pod" ? boundTo : undefined;
  const extra = {
    ...(id !== undefined && { [`${extraPrefix}credential-id`]: [`JTI=${id}`] }),
    ...(pod && { [`${extraPrefix}pod-name`]: [pod.name], [`${extraPrefix}pod-uid`]: [pod.uid] }),
  };
  return { name: serviceAccountUser(namespace, name), groups, uid, ...(Object.keys(extra).length > 0 && { extra }) };
}

/** Of what the server tells of a caller beside user and groups. */
const extraPrefix = "authentication.kubernetes.io/";
