import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { KubeObject } from "@mecha/kinds";
import type { AccessRequest, Caller } from "../server/access.ts";
import { defaultRbacObjects } from "./default-roles.ts";
import { escalations, rbacAuthorizer, type RbacObjects, serviceAccountUser } from "./rbac.ts";
import { covers, coversRule, type PolicyRule } from "./rules.ts";

function objectsOf(all: readonly KubeObject[]): RbacObjects {
  return {
    role: (namespace, name) =>
      all.find(
        ({ kind, metadata }) =>
          kind === (namespace === "" ? "ClusterRole" : "Role") && (metadata.namespace ?? "") === namespace && metadata.name === name,
      ),
    bindings: (namespace) =>
      all.filter(
        ({ kind, metadata }) =>
          kind === (namespace === "" ? "ClusterRoleBinding" : "RoleBinding") && (metadata.namespace ?? "") === namespace,
      ),
  };
}

const apiVersion = "rbac.authorization.k8s.io/v1";
const role = (name: string, rules: readonly PolicyRule[], namespace?: string): KubeObject => ({
  apiVersion,
  kind: namespace === undefined ? "ClusterRole" : "Role",
  metadata: { name, ...(namespace !== undefined && { namespace }) },
  rules,
});
const binding = (roleKind: string, roleName: string, subject: object, namespace?: string): KubeObject => ({
  apiVersion,
  kind: namespace === undefined ? "ClusterRoleBinding" : "RoleBinding",
  metadata: { name: `${roleName}-b`, ...(namespace !== undefined && { namespace }) },
  roleRef: { kind: roleKind, name: roleName },
  subjects: [subject],
});
const user = (name: string, ...groups: string[]): Caller => ({ name, groups });
const wants = (
  verb: string,
  resource: string,
  more: Partial<{ group: string; namespace: string; name: string; subresource: string }> = {},
): AccessRequest => ({
  verb,
  resource,
  group: "",
  version: "v1",
  namespace: "shop",
  name: "",
  ...more,
});
const read: PolicyRule = { apiGroups: [""], resources: ["pods"], verbs: ["get", "list"] };

const table: readonly (readonly [string, readonly KubeObject[], Caller, AccessRequest, boolean])[] = [
  ["nobody may do anything without a binding", [role("r", [read])], user("ada"), wants("get", "pods"), false],
  [
    "a ClusterRoleBinding holds in every namespace",
    [role("r", [read]), binding("ClusterRole", "r", { kind: "User", name: "ada" })],
    user("ada"),
    wants("get", "pods"),
    true,
  ],
  [
    "a RoleBinding holds in its own",
    [role("r", [read], "shop"), binding("Role", "r", { kind: "Group", name: "dev" }, "shop")],
    user("ada", "dev"),
    wants("list", "pods"),
    true,
  ],
  [
    "and in no other",
    [role("r", [read], "shop"), binding("Role", "r", { kind: "Group", name: "dev" }, "shop")],
    user("ada", "dev"),
    wants("list", "pods", { namespace: "bank" }),
    false,
  ],
  [
    "a RoleBinding may bind a ClusterRole",
    [role("r", [read]), binding("ClusterRole", "r", { kind: "User", name: "ada" }, "shop")],
    user("ada"),
    wants("get", "pods"),
    true,
  ],
  [
    "a service account is a user by its full name; its namespace is the binding's where none is given",
    [role("r", [read], "shop"), binding("Role", "r", { kind: "ServiceAccount", name: "bot" }, "shop")],
    user(serviceAccountUser("shop", "bot")),
    wants("get", "pods"),
    true,
  ],
  [
    "a resource does not stand for its subresources",
    [role("r", [read]), binding("ClusterRole", "r", { kind: "User", name: "ada" })],
    user("ada"),
    wants("get", "pods", { subresource: "log" }),
    false,
  ],
  [
    "*/scale stands for that subresource of all",
    [role("r", [{ apiGroups: ["*"], resources: ["*/scale"], verbs: ["*"] }]), binding("ClusterRole", "r", { kind: "User", name: "ada" })],
    user("ada"),
    wants("update", "deployments", { group: "apps", subresource: "scale", name: "web" }),
    true,
  ],
  [
    "names bind requests to objects",
    [role("r", [{ ...read, resourceNames: ["a"] }]), binding("ClusterRole", "r", { kind: "User", name: "ada" })],
    user("ada"),
    wants("get", "pods", { name: "b" }),
    false,
  ],
  ["masters may do everything, without any role", [], user("root", "system:masters"), wants("delete", "nodes", { namespace: "" }), true],
];
for (const [name, objects, caller, request, allowed] of table) {
  test(name, () => assert.equal(rbacAuthorizer(objectsOf(objects))(caller, request).allowed, allowed));
}

test("a binding to a role that is not there says so", () => {
  const objects = objectsOf([binding("Role", "gone", { kind: "User", name: "ada" }, "shop")]);
  assert.deepEqual(rbacAuthorizer(objects)(user("ada"), wants("get", "pods")), {
    allowed: false,
    reason: 'RBAC: role.rbac.authorization.k8s.io "gone" not found',
  });
});

test("default roles: view reads but no secrets, edit writes but no roles, admin writes roles; whoever is known may ask what they may", () => {
  const bind = (name: string): KubeObject => binding("ClusterRole", name, { kind: "User", name }, "shop");
  const may = rbacAuthorizer(objectsOf([...defaultRbacObjects(), ...["view", "edit", "admin"].map(bind)]));
  const answers = (["view", "edit", "admin"] as const).map((name) =>
    [
      wants("get", "pods"),
      wants("get", "secrets"),
      wants("create", "deployments", { group: "apps" }),
      wants("create", "rolebindings", { group: "rbac.authorization.k8s.io" }),
    ].map((request) => may(user(name), request).allowed),
  );
  assert.deepEqual(answers, [
    [true, false, false, false],
    [true, true, true, false],
    [true, true, true, true],
  ]);
  const known = user("ada", "system:authenticated");
  assert.ok(may(known, wants("create", "selfsubjectaccessreviews", { group: "authorization.k8s.io", namespace: "" })).allowed);
  assert.ok(may(known, { path: "/openapi/v3", verb: "get" }).allowed);
  assert.ok(!may(user("system:anonymous", "system:unauthenticated"), { path: "/openapi/v3", verb: "get" }).allowed);
});

test("nobody hands on what they have not: each combination is looked at", () => {
  const objects = objectsOf([...defaultRbacObjects(), binding("ClusterRole", "edit", { kind: "User", name: "ada" }, "shop")]);
  const nodes: PolicyRule = { apiGroups: [""], resources: ["nodes"], verbs: ["get"] };
  assert.deepEqual(escalations(objects, user("ada"), "shop", [read, nodes]), [nodes]);
  assert.deepEqual(escalations(objects, user("root", "system:masters"), "shop", [nodes]), []);
});

test("a rule covers what a rule that covers it covers", () => {
  const some = (...values: string[]): fc.Arbitrary<string[]> => fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 2 });
  const rule = fc.record({
    apiGroups: some("", "apps", "*"),
    resources: some("pods", "pods/log", "*/log", "*"),
    verbs: some("get", "list", "*"),
    resourceNames: fc.oneof(fc.constant([]), some("a", "b")),
  });
  const request = fc.record({
    verb: fc.constantFrom("get", "list"),
    resource: fc.constantFrom("pods", "nodes"),
    group: fc.constantFrom("", "apps"),
    version: fc.constant("v1"),
    namespace: fc.constant("n"),
    name: fc.constantFrom("a", "b", "c"),
    subresource: fc.constantFrom(undefined, "log"),
  });
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 3 }), rule, request, (owned, wanted, { subresource, ...rest }) => {
      const asked = { ...rest, ...(subresource !== undefined && { subresource }) };
      if (coversRule(owned, wanted) && covers(wanted, asked)) assert.ok(owned.some((one) => covers(one, asked)));
    }),
    { numRuns: 2_000 },
  );
});
