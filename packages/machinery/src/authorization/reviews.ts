/** Answers to who am I and may I: the reviews of authentication.k8s.io and authorization.k8s.io. Nothing of them is stored. */
import type { JsonObject } from "@mecha/kinds";
import type { AccessRequest, Authorizer, Caller } from "../server/access.ts";
import { timeText } from "../server/metadata.ts";
import { badRequest } from "../server/options.ts";
import type { Special, SpecialCall, Specials } from "../server/specials.ts";
import { type RbacObjects, rulesFor } from "./rbac.ts";

/** authorization/v1 ResourceAttributes. */
interface ResourceAttributes {
  readonly namespace?: string;
  readonly verb?: string;
  readonly group?: string;
  readonly version?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly name?: string;
}

interface AccessSpec {
  readonly resourceAttributes?: ResourceAttributes;
  readonly nonResourceAttributes?: { readonly path?: string; readonly verb?: string };
  readonly user?: string;
  readonly groups?: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** Whose token it is, or why it is not taken. */
export type VerifiedToken = { readonly caller: Caller; readonly audiences: readonly string[] } | { readonly refused: string };

/** Verifies a bearer token for one of `audiences` (none: the server itself). */
export type VerifyToken = (token: string, audiences: readonly string[]) => Promise<VerifiedToken>;

export function reviewSpecials(authorize: Authorizer, objects: RbacObjects, verify: VerifyToken): Specials {
  const access = (call: SpecialCall, caller: Caller): JsonObject => {
    const decision = authorize(caller, requestOf(specOf(call)));
    return answered(call, { allowed: decision.allowed, ...(decision.reason && { reason: decision.reason }) });
  };
  const other = (call: SpecialCall): JsonObject => access(call, subjectOf(specOf(call)));
  return new Map<string, Special>([
    ["authorization.k8s.io/subjectaccessreviews", other],
    ["authorization.k8s.io/localsubjectaccessreviews", other],
    ["authorization.k8s.io/selfsubjectaccessreviews", (call) => access(call, call.caller)],
    [
      "authorization.k8s.io/selfsubjectrulesreviews",
      (call) => ({ ...call.body, metadata: {}, spec: {}, status: rulesStatus(objects, call) }),
    ],
    ["authentication.k8s.io/selfsubjectreviews", selfReview],
    ["authentication.k8s.io/tokenreviews", async (call) => answered(call, await tokenStatus(verify, call))],
  ]);
}

/** Who am I: made now, as the server says of everything it makes. */
function selfReview({ body, caller, nowMs }: SpecialCall): JsonObject {
  const metadata = { ...(body["metadata"] as JsonObject), creationTimestamp: timeText(nowMs) };
  return { ...body, metadata, status: { userInfo: userInfo(caller) } };
}

const answered = ({ body }: SpecialCall, status: JsonObject): JsonObject => ({ ...body, status });
const specOf = ({ body }: SpecialCall): AccessSpec => body["spec"] ?? {};

function requestOf({ resourceAttributes, nonResourceAttributes }: AccessSpec): AccessRequest {
  if (!resourceAttributes) return { path: nonResourceAttributes?.path ?? "", verb: nonResourceAttributes?.verb ?? "" };
  const { namespace = "", verb = "", group = "", version = "", resource = "", subresource, name = "" } = resourceAttributes;
  return { namespace, verb, group, version, resource, name, ...(subresource && { subresource }) };
}

function subjectOf({ user = "", groups = [], uid, extra }: AccessSpec): Caller {
  return { name: user, groups, ...(uid !== undefined && { uid }), ...(extra && { extra }) };
}

/** authentication/v1 UserInfo. */
function userInfo({ name, groups, uid, extra }: Caller): JsonObject {
  return { username: name, groups: [...groups], ...(uid !== undefined && { uid }), ...(extra && { extra }) };
}

function rulesStatus(objects: RbacObjects, { caller, body }: SpecialCall): JsonObject {
  const { namespace = "" } = (body["spec"] ?? {}) as { readonly namespace?: string };
  if (namespace === "") throw badRequest("no namespace on request");
  const rules = caller.groups.includes("system:masters")
    ? [
        { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
        { verbs: ["*"], nonResourceURLs: ["*"] },
      ]
    : [...rulesFor(objects, caller, namespace)];
  return {
    resourceRules: rules.filter(({ resources }) => resources),
    nonResourceRules: rules.filter(({ nonResourceURLs }) => nonResourceURLs),
    incomplete: false,
  };
}

async function tokenStatus(verify: VerifyToken, { body }: SpecialCall): Promise<JsonObject> {
  const { token = "", audiences = [] } = (body["spec"] ?? {}) as { readonly token?: string; readonly audiences?: readonly string[] };
  if (token === "") throw badRequest("token is required for TokenReview in authentication");
  const known = await verify(token, audiences);
  if ("refused" in known) return { user: {}, error: known.refused };
  return { authenticated: true, user: userInfo(known.caller), audiences: [...known.audiences] };
}
