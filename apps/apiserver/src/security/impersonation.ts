/**
 * Acting as somebody else (`kubectl --as`), as Kubernetes 1.36 has it: a caller who may not act as another in every way (verb `impersonate`) may be allowed
 * to for some requests only (`impersonate:user-info` and, for the request, `impersonate-on:user-info:list`).
 *
 * I1 each way is asked for in turn, the narrowest first; the first that is allowed counts
 * I2 when none is, the caller is told why not in the first that fits the user
 * I3 in the narrow ways nobody becomes a member of system:masters, and nodes and service accounts have the groups they always have
 */
import { dns1123Label, dns1123Subdomain } from "@mecha/kinds";
import {
  accessRequestOf,
  type AccessRequest,
  type Authorizer,
  type Caller,
  forbiddenAccess,
  mastersGroup,
  StatusError,
} from "@mecha/machinery";

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

interface Request {
  readonly method?: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: Headers;
}

/** Who is asked for. */
interface Wanted {
  readonly user: string;
  readonly groups: readonly string[];
  readonly uid: string | undefined;
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** Part of verbs: `impersonate:user-info`, `impersonate-on:user-info:get`. `undefined`: the wide way, verb `impersonate`. */
type Mode = "associated-node" | "arbitrary-node" | "serviceaccount" | "user-info" | undefined;

const userHeader = "impersonate-user";
const groupHeader = "impersonate-group";
const uidHeader = "impersonate-uid";
const extraPrefix = "impersonate-extra-";
const accountPrefix = "system:serviceaccount:";
const nodePrefix = "system:node:";
/** In extra of a service account whose pod runs on a node. */
const nodeNameKey = "authentication.kubernetes.io/node-name";
const authentication = "authentication.k8s.io";

/** Who the request is to count as. @throws StatusError Forbidden, BadRequest */
export function impersonated(caller: Caller, request: Request, authorize: Authorizer): Caller {
  const wanted = wantedOf(request.headers);
  if (!wanted) return caller;
  let first: StatusError | undefined;
  for (const mode of modesFor(wanted, caller)) {
    // keeps I1
    try {
      return new Impersonation(caller, wanted, mode, authorize).check(request);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      first ??= error; // keeps I2
    }
  }
  throw first ?? new StatusError("InternalError", "all impersonation modes failed");
}

/** @throws StatusError BadRequest for somebody without a name */
function wantedOf(headers: Headers): Wanted | undefined {
  const user = one(headers[userHeader]) || undefined;
  const groups = all(headers[groupHeader]);
  const uid = one(headers[uidHeader]) || undefined;
  const extra = extraOf(headers);
  if (user !== undefined) return { user, groups, uid, extra };
  if (groups.length === 0 && uid === undefined && Object.keys(extra).length === 0) return undefined;
  throw new StatusError("BadRequest", `requested ${shownCaller(groups, uid, extra)} without impersonating a user name`);
}

function modesFor({ user, groups, uid, extra }: Wanted, caller: Caller): readonly Mode[] {
  const onlyName = groups.length === 0 && uid === undefined && Object.keys(extra).length === 0;
  const node = nodeOf(user);
  if (node === undefined) {
    const account = accountOf(user);
    return account ? (onlyName ? ["serviceaccount", undefined] : [undefined]) : ["user-info", undefined];
  }
  const ownNode = caller.extra?.[nodeNameKey];
  const isOwn = accountOf(caller.name) !== undefined && ownNode?.length === 1 && ownNode[0] === node;
  if (!onlyName) return [undefined];
  return isOwn ? ["associated-node", "arbitrary-node", undefined] : ["arbitrary-node", undefined];
}

/** One way of acting as somebody. */
class Impersonation {
  readonly #caller: Caller;
  readonly #wanted: Wanted;
  readonly #mode: Mode;
  readonly #authorize: Authorizer;

  constructor(caller: Caller, wanted: Wanted, mode: Mode, authorize: Authorizer) {
    this.#caller = caller;
    this.#wanted = wanted;
    this.#mode = mode;
    this.#authorize = authorize;
  }

  /** @returns Who the caller counts as. @throws StatusError Forbidden */
  check({ method = "GET", url }: Request): Caller {
    if (this.#mode !== undefined) {
      const [path = "", query] = url.split("?", 2);
      const asked = accessRequestOf(method as "GET", path, new URLSearchParams(query));
      this.#mustMay({ ...asked, verb: `impersonate-on:${this.#mode}:${asked.verb}` });
    }
    const { user, groups, uid, extra } = this.#wanted;
    this.#mayBe(user);
    if (uid !== undefined) this.#mustMay(this.#access("uids", uid, authentication));
    this.#mayBeOf(groups);
    this.#mayHave(extra);
    return {
      name: user,
      groups: this.#groups(),
      ...(uid !== undefined && { uid }),
      ...(Object.keys(extra).length > 0 && { extra }),
    };
  }

  #mayBe(user: string): void {
    const node = this.#mode === undefined ? undefined : nodeOf(user);
    const account = accountOf(user);
    // Which node it is does not matter to who runs on it.
    if (node !== undefined) this.#mustMay(this.#access("nodes", this.#mode === "associated-node" ? "*" : node));
    else if (account) this.#mustMay({ ...this.#access("serviceaccounts", account.name), namespace: account.namespace });
    else this.#mustMay(this.#access("users", user));
  }

  #mayBeOf(groups: readonly string[]): void {
    // keeps I3
    if (this.#mode !== undefined && groups.includes(mastersGroup))
      throw forbiddenAccess(this.#caller, this.#access("groups", mastersGroup), `impersonating the ${mastersGroup} group is not allowed`);
    for (const group of groups) this.#mustMay(this.#access("groups", group));
  }

  #mayHave(extra: Wanted["extra"]): void {
    const access = (key: string | undefined, value: string): AccessRequest => ({
      ...this.#access("userextras", value, authentication),
      ...(key !== undefined && { subresource: key }),
    });
    const wrong = this.#mode === undefined ? undefined : extraProblem(extra);
    if (wrong !== undefined) throw forbiddenAccess(this.#caller, access(undefined, ""), wrong);
    for (const [key, values] of Object.entries(extra)) for (const value of values) this.#mustMay(access(key, value));
  }

  /** Users and groups are of authentication.k8s.io in the narrow ways, of the core group in the wide one. */
  #access(
    resource: string,
    name: string,
    group = this.#mode === undefined ? "" : authentication,
  ): AccessRequest & { readonly resource: string } {
    const verb = this.#mode === undefined ? "impersonate" : `impersonate:${this.#mode}`;
    return { verb, version: "v1", resource, group, namespace: "", name };
  }

  #mustMay(access: AccessRequest): void {
    const decision = this.#authorize(this.#caller, access);
    if (!decision.allowed) throw forbiddenAccess(this.#caller, access, decision.reason);
  }

  /** Those named, those nodes and accounts always have, and that of everybody who is known. */
  #groups(): readonly string[] {
    const { user, groups } = this.#wanted;
    const account = accountOf(user);
    const own =
      this.#mode !== undefined && nodeOf(user) !== undefined
        ? ["system:nodes"]
        : account && groups.length === 0
          ? ["system:serviceaccounts", `system:serviceaccounts:${account.namespace}`]
          : groups;
    const unknown = "system:unauthenticated";
    if (user === "system:anonymous") return [...new Set([...own, unknown])];
    return own.includes(unknown) ? own : [...new Set([...own, "system:authenticated"])];
  }
}

function nodeOf(user: string): string | undefined {
  const name = user.startsWith(nodePrefix) ? user.slice(nodePrefix.length) : "";
  return name !== "" && dns1123Subdomain(name).length === 0 ? name : undefined;
}

function accountOf(user: string): { readonly namespace: string; readonly name: string } | undefined {
  if (!user.startsWith(accountPrefix)) return undefined;
  const [namespace = "", name = "", ...more] = user.slice(accountPrefix.length).split(":");
  const fits = more.length === 0 && dns1123Label(namespace).length === 0 && dns1123Subdomain(name).length === 0;
  return fits ? { namespace, name } : undefined;
}

/** Why extra values cannot be had in a narrow way. */
function extraProblem(extra: Wanted["extra"]): string | undefined {
  for (const [key, values] of Object.entries(extra)) {
    const [domain = "", ...path] = key.split("/");
    if (key === "") return "impersonating the empty string key in extra is not allowed";
    if (path.join("/") === "" || dns1123Subdomain(domain).length > 0)
      return `impersonating an invalid key in extra is not allowed: extra.key: Invalid value: ${JSON.stringify(key)}: must be a domain-prefixed path (such as "acme.io/foo")`;
    if (values.length === 0) return "impersonating empty values in extra is not allowed";
  }
  return undefined;
}

/** Somebody without a name, as the server shows them. */
function shownCaller(groups: readonly string[], uid: string | undefined, extra: Readonly<Record<string, readonly string[]>>): string {
  const list = (texts: readonly string[]): string =>
    texts.length === 0 ? "[]string(nil)" : `[]string{${texts.map((text) => JSON.stringify(text)).join(", ")}}`;
  const entries = Object.entries(extra).map(([key, values]) => `${JSON.stringify(key)}:${list(values)}`);
  const more = entries.length === 0 ? "map[string][]string(nil)" : `map[string][]string{${entries.join(", ")}}`;
  return `&user.DefaultInfo{Name:"", UID:${JSON.stringify(uid ?? "")}, Groups:${list(groups)}, Extra:${more}}`;
}

const one = (value: Headers[string]): string | undefined => (typeof value === "string" ? value : value?.[0]);
/** node joins a header that is sent twice with `, `: group names hold no comma. */
const all = (value: Headers[string]): readonly string[] =>
  [value ?? []]
    .flat()
    .flatMap((text) => text.split(","))
    .map((text) => text.trim())
    .filter((text) => text !== "");

function extraOf(headers: Headers): Record<string, readonly string[]> {
  const found = Object.entries(headers).filter(([name]) => name.startsWith(extraPrefix));
  return Object.fromEntries(found.map(([name, value]) => [decodeKey(name.slice(extraPrefix.length)), all(value)]));
}

/** Keys are percent-encoded, as header names cannot hold everything. */
function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
