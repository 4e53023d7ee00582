/**
 * Who calls, and what they may: certificates and tokens, acting as others, roles, reviews.
 *
 * S1 every request has a caller before it reaches the server; a token that is not good is refused, never taken for nobody
 * S2 what a caller may is decided from the roles the server holds at that moment
 */
import type { TLSSocket } from "node:tls";
import type { Clock } from "@mecha/kit";
import {
  type AccessRequest,
  type Admit,
  ApiClient,
  type Authorizer,
  type Caller,
  escalationGuard,
  inProcessTransport,
  type KubeServer,
  mastersGroup,
  rbacAuthorizer,
  reviewSpecials,
  serverManager,
  type Specials,
  StatusError,
} from "@mecha/machinery";
import type { TokenIssuer } from "@mecha/pki";
import { callerOf } from "../authenticate.ts";
import { makeDefaultRoles, rbacObjectsOf } from "./access.ts";
import { evict } from "./eviction.ts";
import { impersonated } from "./impersonation.ts";
import { tokenRequest, tokenVerifier } from "./tokens.ts";

/** Who a request is from, and who it counts as. */
export interface Identified {
  readonly caller: Caller;
  /** Another than `caller` when they act as somebody else. */
  readonly as: Caller;
}

export interface Security {
  readonly authorize: Authorizer;
  readonly admit: Admit;
  readonly specials: Specials;
  /** @throws StatusError Unauthorized, Forbidden (acting as somebody they may not act as) */
  identify(request: IncomingRequest): Promise<Identified>;
  /** Makes what every cluster has: default roles. Call when the server is open. */
  start(): Promise<void>;
}

/** What is looked at of a request. */
export interface IncomingRequest {
  readonly socket: unknown;
  readonly method?: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** @param server Asked for late: it is opened with what this gives. */
export function openSecurity(server: () => KubeServer, issuer: TokenIssuer, clock: Clock): Security {
  const objects = rbacObjectsOf(server);
  const rbac = rbacAuthorizer(objects);
  const authorize: Authorizer = (caller, request) => {
    const decision = rbac(caller, request);
    return decision.allowed || !isPublic(request) ? decision : { allowed: true };
  };
  const verify = tokenVerifier(issuer, server);
  return {
    authorize,
    admit: escalationGuard(authorize, objects),
    specials: new Map([
      ...reviewSpecials(authorize, objects, verify),
      ["/serviceaccounts/token", tokenRequest(issuer, server, clock)],
      ["/pods/eviction", evict(server)],
    ]),
    async identify(request) {
      const caller = await identified(request, verify);
      return { caller, as: impersonated(caller, request, authorize) };
    },
    async start() {
      const transport = inProcessTransport(server(), { name: "system:apiserver", groups: [mastersGroup] });
      await makeDefaultRoles(new ApiClient(transport, { fieldManager: serverManager }), server());
    },
  };
}

/** Health and version are for everyone, as system:public-info-viewer has it: also while the roles are not there yet. */
function isPublic(request: AccessRequest): boolean {
  return "path" in request && request.verb === "get" && publicPath.test(request.path);
}

const publicPath = /^\/(healthz|livez|readyz|version)(\/|$)/u;

async function identified(request: IncomingRequest, verify: ReturnType<typeof tokenVerifier>): Promise<Caller> {
  const certified = callerOf(request.socket as TLSSocket);
  if (certified) return certified;
  const header = request.headers["authorization"];
  const bearer = typeof header === "string" ? /^bearer +(\S+)$/iu.exec(header)?.[1] : undefined;
  if (bearer !== undefined) {
    const known = await verify(bearer, []);
    if ("caller" in known) return known.caller;
  } else if (header === undefined && publicPath.test(request.url.split("?", 1)[0] ?? "")) {
    return { name: "system:anonymous", groups: ["system:unauthenticated"] };
  }
  throw new StatusError("Unauthorized", "Unauthorized"); // keeps S1
}
