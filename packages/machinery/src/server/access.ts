/** Who asks, and for what: what authentication tells the server and what authorization is asked. */

/** An authenticated caller (authentication/v1 UserInfo). */
export interface Caller {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** Of certificates the server's own CA signed for administrators; may do everything. */
export const mastersGroup = "system:masters";

/** What a request wants, as authorization sees it. */
export type AccessRequest =
  | {
      readonly resource: string;
      readonly group: string;
      readonly version: string;
      readonly subresource?: string;
      /** get, list, watch, create, update, patch, delete, deletecollection */
      readonly verb: string;
      readonly namespace: string;
      /** Empty for collections. */
      readonly name: string;
    }
  /** A path that is no resource: `/version`, `/healthz`. `verb` is the method in lower case. */
  | { readonly path: string; readonly verb: string };

/** `reason`: by what it is allowed, or why it is not; absent or empty: there is none to tell. */
export type AccessDecision = { readonly allowed: true; readonly reason?: string } | { readonly allowed: false; readonly reason: string };

/** Decides for each request. Cheap: it is asked for all of them. */
export type Authorizer = (caller: Caller, request: AccessRequest) => AccessDecision;

/** Members of system:masters may do everything, others nothing. */
export const mastersOnly: Authorizer = (caller) =>
  caller.groups.includes(mastersGroup) ? { allowed: true } : { allowed: false, reason: "" };
