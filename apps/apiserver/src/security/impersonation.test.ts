import assert from "node:assert/strict";
import { test } from "node:test";
import { type AccessRequest, type Authorizer, type Caller, StatusError } from "@mecha/machinery";
import { impersonated } from "./impersonation.ts";

const url = "/api/v1/namespaces/default/configmaps?limit=5";
const account: Caller = {
  name: "system:serviceaccount:kube:agent",
  groups: [],
  extra: { "authentication.kubernetes.io/node-name": ["n"] },
};
const alice: Caller = { name: "alice", groups: [] };

const shown = (access: AccessRequest): string =>
  "path" in access
    ? `${access.verb} ${access.path}`
    : `${access.verb} ${access.resource}${access.subresource === undefined ? "" : `/${access.subresource}`}.${access.group} ${access.namespace}/${access.name}`;

/** Allows what the list says, and notes what it is asked. */
function authorizer(allowed: readonly string[]): { readonly authorize: Authorizer; readonly asked: string[] } {
  const asked: string[] = [];
  const authorize: Authorizer = (_caller, access) => {
    asked.push(shown(access));
    return allowed.includes(shown(access)) ? { allowed: true } : { allowed: false, reason: "" };
  };
  return { authorize, asked };
}

const all: Authorizer = () => ({ allowed: true });
const as = (caller: Caller, headers: Record<string, string>, authorize: Authorizer): Caller =>
  impersonated(caller, { method: "GET", url, headers }, authorize);

test("nobody is asked anything for a request as oneself", () => {
  const { authorize, asked } = authorizer([]);
  assert.equal(as(alice, {}, authorize), alice);
  assert.deepEqual(asked, []);
});

test("each way is tried, the narrowest first; the first refusal is told", () => {
  const list = "configmaps. default/";
  for (const [user, caller, ways] of [
    ["bob", alice, [`impersonate-on:user-info:list ${list}`, "impersonate users. /bob"]],
    ["system:serviceaccount:a:b", alice, [`impersonate-on:serviceaccount:list ${list}`, "impersonate serviceaccounts. a/b"]],
    ["system:node:n", alice, [`impersonate-on:arbitrary-node:list ${list}`, "impersonate users. /system:node:n"]],
    [
      "system:node:n",
      account,
      [`impersonate-on:associated-node:list ${list}`, `impersonate-on:arbitrary-node:list ${list}`, "impersonate users. /system:node:n"],
    ],
    ["system:node:other", account, [`impersonate-on:arbitrary-node:list ${list}`, "impersonate users. /system:node:other"]],
  ] as const) {
    const { authorize, asked } = authorizer([]);
    assert.throws(
      () => as(caller, { "impersonate-user": user }, authorize),
      (error) => error instanceof StatusError && error.reason === "Forbidden" && error.message.includes(ways[0].split(" ")[0] ?? ""),
    );
    assert.deepEqual(asked, ways);
  }
});

test("who may act as another for this request needs both: the request and the user, with all that is named", () => {
  const needed = [
    "impersonate-on:user-info:list configmaps. default/",
    "impersonate:user-info users.authentication.k8s.io /bob",
    "impersonate:user-info uids.authentication.k8s.io /u",
    "impersonate:user-info groups.authentication.k8s.io /g",
    "impersonate:user-info userextras/x.dev/k.authentication.k8s.io /v",
  ];
  const headers = { "impersonate-user": "bob", "impersonate-uid": "u", "impersonate-group": "g", "impersonate-extra-x.dev%2fk": "v" };
  const { authorize, asked } = authorizer(needed);
  assert.deepEqual(as(alice, headers, authorize), {
    name: "bob",
    uid: "u",
    groups: ["g", "system:authenticated"],
    extra: { "x.dev/k": ["v"] },
  });
  assert.deepEqual(asked, needed);
  for (const missing of needed)
    assert.throws(() => as(alice, headers, authorizer(needed.filter((one) => one !== missing)).authorize), /Forbidden|is forbidden/u);
});

test("groups are those the user always has; the narrow ways make nobody a master, nor give odd extras", () => {
  const groups = (headers: Record<string, string>, authorize = all): readonly string[] => as(alice, headers, authorize).groups;
  assert.deepEqual(groups({ "impersonate-user": "system:node:n" }), ["system:nodes", "system:authenticated"]);
  assert.deepEqual(groups({ "impersonate-user": "system:serviceaccount:a:b" }), [
    "system:serviceaccounts",
    "system:serviceaccounts:a",
    "system:authenticated",
  ]);
  assert.deepEqual(groups({ "impersonate-user": "system:anonymous" }), ["system:unauthenticated"]);
  const narrow: Authorizer = (_caller, { verb }) => (verb === "impersonate" ? { allowed: false, reason: "" } : { allowed: true });
  assert.throws(
    () => groups({ "impersonate-user": "bob", "impersonate-group": "system:masters" }, narrow),
    /impersonating the system:masters group is not allowed/u,
  );
  assert.throws(() => groups({ "impersonate-user": "bob", "impersonate-extra-k": "v" }, narrow), /must be a domain-prefixed path/u);
  assert.deepEqual(groups({ "impersonate-user": "bob", "impersonate-group": "system:masters" }), [
    "system:masters",
    "system:authenticated",
  ]);
  assert.throws(() => groups({ "impersonate-uid": "u" }), /without impersonating a user name/u);
});
