/** Acting as somebody else (`kubectl --as`): allowed to who may `impersonate` that user, each of the groups, and each extra value. */
import { type Authorizer, type Caller, StatusError } from "@mecha/machinery";

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

const userHeader = "impersonate-user";
const groupHeader = "impersonate-group";
const uidHeader = "impersonate-uid";
const extraPrefix = "impersonate-extra-";
const accountPrefix = "system:serviceaccount:";

/** Who the request is to count as. @throws StatusError Forbidden, BadRequest */
export function impersonated(caller: Caller, headers: Headers, authorize: Authorizer): Caller {
  const user = one(headers[userHeader]);
  const groups = all(headers[groupHeader]);
  const uid = one(headers[uidHeader]);
  const extra = extraOf(headers);
  const asked = user !== undefined || groups.length > 0 || uid !== undefined || Object.keys(extra).length > 0;
  if (!asked) return caller;
  if (user === undefined)
    throw new StatusError("BadRequest", `requested ${shownCaller(groups, uid, extra)} without impersonating a user name`);
  const may = (resource: string, name: string, more: { group?: string; namespace?: string; subresource?: string } = {}): void => {
    const { group = "", namespace = "", subresource } = more;
    const decision = authorize(caller, {
      verb: "impersonate",
      version: "v1",
      resource,
      group,
      namespace,
      name,
      ...(subresource && { subresource }),
    });
    if (decision.allowed) return;
    const what = subresource === undefined ? resource : `${resource}/${subresource}`;
    throw new StatusError(
      "Forbidden",
      `${resource} ${JSON.stringify(name)} is forbidden: User ${JSON.stringify(caller.name)} cannot impersonate resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)} at the cluster scope`,
      { name, kind: resource },
    );
  };
  const authentication = { group: "authentication.k8s.io" };
  const [namespace, account] = user.startsWith(accountPrefix) ? user.slice(accountPrefix.length).split(":") : [];
  if (namespace !== undefined && account !== undefined) may("serviceaccounts", account, { namespace });
  else may("users", user);
  for (const group of groups) may("groups", group);
  if (uid !== undefined) may("uids", uid, authentication);
  for (const [key, values] of Object.entries(extra))
    for (const value of values) may("userextras", value, { ...authentication, subresource: key });
  return {
    name: user,
    groups: groupsOf(user, groups, namespace),
    ...(uid !== undefined && { uid }),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}

/** Somebody without a name, as the server shows them. */
function shownCaller(groups: readonly string[], uid: string | undefined, extra: Readonly<Record<string, readonly string[]>>): string {
  const list = (texts: readonly string[]): string =>
    texts.length === 0 ? "[]string(nil)" : `[]string{${texts.map((text) => JSON.stringify(text)).join(", ")}}`;
  const entries = Object.entries(extra).map(([key, values]) => `${JSON.stringify(key)}:${list(values)}`);
  const more = entries.length === 0 ? "map[string][]string(nil)" : `map[string][]string{${entries.join(", ")}}`;
  return `&user.DefaultInfo{Name:"", UID:${JSON.stringify(uid ?? "")}, Groups:${list(groups)}, Extra:${more}}`;
}

/** Those named, those an account always has, and that of everybody who is known. */
function groupsOf(user: string, named: readonly string[], namespace: string | undefined): readonly string[] {
  const accounts = namespace !== undefined && named.length === 0 ? ["system:serviceaccounts", `system:serviceaccounts:${namespace}`] : [];
  const known = user === "system:anonymous" ? "system:unauthenticated" : "system:authenticated";
  return [...new Set([...named, ...accounts, known])];
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
