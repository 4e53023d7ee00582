/** Who may do what: roles, refusals, reviews, tokens, acting as others. */
import type { Case, Session } from "../session.ts";

export const accessCases: readonly Case[] = [
  { name: "access/roles", run: roles },
  { name: "access/refusals", run: refusals },
  { name: "access/reviews", run: reviews },
  { name: "access/review-errors", run: reviewErrors },
  { name: "access/impersonation", run: impersonation },
  { name: "access/escalation", run: escalation },
  { name: "access/tokens", run: tokens },
  { name: "access/default-roles", run: defaultRoles },
];

const rbac = "/apis/rbac.authorization.k8s.io/v1";
const alice = { as: "alice" } as const;

async function grant(
  session: Session,
  name: string,
  rules: readonly object[],
  subject: object = { kind: "User", name: "alice" },
): Promise<void> {
  const at = `${rbac}/namespaces/${session.namespace}`;
  await session.post(`${at}/roles`, { metadata: { name }, rules }, { quiet: true });
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name };
  await session.post(`${at}/rolebindings`, { metadata: { name }, roleRef, subjects: [subject] }, { quiet: true });
  await session.until(`alice may what ${name} says`, () => mayAlice(session, rules));
}

/** The real server's authorizer hears of a grant a little later. */
async function mayAlice(session: Session, rules: readonly any[]): Promise<boolean> {
  for (const { apiGroups, resources, verbs, resourceNames = [""] } of rules) {
    const [resource = "", subresource = ""] = String(resources.at(-1)).split("/");
    const resourceAttributes = {
      ...{ namespace: session.namespace, group: apiGroups.at(-1), resource, subresource },
      ...{ verb: verbs.at(-1), name: resourceNames.at(-1) },
    };
    const review = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec: { resourceAttributes } };
    const { body } = await session.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, { ...alice, quiet: true });
    if (body.status?.allowed !== true) return false;
  }
  return true;
}

async function roles(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}`;
  await session.get(`${at}/configmaps`, { ...alice, label: "before" });
  await grant(session, "read", [{ apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list"] }]);
  await session.get(`${at}/configmaps`, { ...alice, label: "list" });
  await session.get(`${at}/configmaps/x`, { ...alice, label: "get" });
  await session.get(`${at}/configmaps?watch=1&timeoutSeconds=1`, { ...alice, label: "watch" });
  await session.post(`${at}/configmaps`, { metadata: { name: "a" } }, { ...alice, label: "create" });
  await session.get("/api/v1/configmaps", { ...alice, label: "list everywhere" });
  await session.get(`${at}/secrets`, { ...alice, label: "another resource" });
  await grant(
    session,
    "named",
    [{ apiGroups: ["apps"], resources: ["deployments", "deployments/scale"], resourceNames: ["one"], verbs: ["*"] }],
    { kind: "Group", name: "devs" },
  );
  await session.get(`/apis/apps/v1/namespaces/${session.namespace}/deployments/one`, { ...alice, label: "by name" });
  await session.get(`/apis/apps/v1/namespaces/${session.namespace}/deployments/two`, { ...alice, label: "by another name" });
  await session.get(`/apis/apps/v1/namespaces/${session.namespace}/deployments/one/scale`, { ...alice, label: "a subresource" });
  await session.get(`/apis/apps/v1/namespaces/${session.namespace}/deployments/one/status`, { ...alice, label: "another subresource" });
  await session.get(`/apis/apps/v1/namespaces/${session.namespace}/deployments?fieldSelector=metadata.name%3Done`, {
    ...alice,
    label: "list of the name",
  });
  await session.patch(
    "apply",
    `${at}/configmaps/new?fieldManager=m`,
    { apiVersion: "v1", kind: "ConfigMap" },
    { ...alice, label: "apply" },
  );
}

async function refusals(session: Session): Promise<void> {
  const at = `/api/v1/namespaces/${await session.stage()}`;
  for (const [method, path] of [
    ["GET", "/api/v1/nodes"],
    ["GET", "/api/v1/nodes/n"],
    ["POST", `${at}/pods`],
    ["PUT", `${at}/pods/p`],
    ["PATCH", `${at}/pods/p/status`],
    ["DELETE", `${at}/pods`],
    ["DELETE", `${at}/pods/p`],
    ["GET", "/apis/apps/v1/deployments"],
    ["GET", "/metrics"],
    ["GET", "/nothing"],
    ["GET", "/apis/nobody.dev/v1/gizmos"],
    ["GET", "/api/v1/namespaces"],
    ["GET", "/api/v1/namespaces/default"],
    ["GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"],
    ["GET", "/api"],
  ] as const)
    await session.ask(method, path, undefined, { ...alice, label: `alice ${method} ${path}` });
  // What they hold is compared elsewhere.
  for (const path of ["/openapi/v3", "/version"])
    session.note(`alice GET ${path}: status`, (await session.get(path, { ...alice, quiet: true })).status);
  for (const path of ["/api/v1/pods", "/healthz", "/apis", "/openapi/v2", "/nothing"])
    await session.get(path, { as: "nobody", label: `nobody ${path}` });
  await session.get("/api/v1/pods", { as: "nobody", label: "a bad token", headers: { authorization: "Bearer x" } });
  await session.get("/api/v1/pods", { as: "nobody", label: "nobody, with a password", headers: { authorization: "Basic eDp5" } });
  await session.get("/api/v1/pods", { as: "nobody", label: "nobody, with an empty token", headers: { authorization: "Bearer " } });
}

async function reviews(session: Session): Promise<void> {
  const namespace = await session.stage();
  await grant(session, "read", [{ apiGroups: [""], resources: ["configmaps"], verbs: ["get"] }]);
  const review = async (kind: string, spec: object, as: "admin" | "alice", label: string): Promise<void> => {
    const plural = `${kind.toLowerCase()}s`;
    const root =
      kind === "LocalSubjectAccessReview" ? `/apis/authorization.k8s.io/v1/namespaces/${namespace}` : "/apis/authorization.k8s.io/v1";
    await session.post(`${root}/${plural}`, { apiVersion: "authorization.k8s.io/v1", kind, spec }, { as, label });
  };
  const read = { resourceAttributes: { namespace, verb: "get", resource: "configmaps" } };
  await review("SelfSubjectAccessReview", read, "alice", "alice may read");
  await review(
    "SelfSubjectAccessReview",
    { resourceAttributes: { namespace, verb: "delete", resource: "configmaps" } },
    "alice",
    "alice may not delete",
  );
  await review("SelfSubjectAccessReview", { nonResourceAttributes: { path: "/openapi/v3", verb: "get" } }, "alice", "a path");
  await review("SelfSubjectAccessReview", { nonResourceAttributes: { path: "/metrics", verb: "get" } }, "alice", "another path");
  await review("SelfSubjectAccessReview", read, "admin", "the administrator");
  await review("SubjectAccessReview", { ...read, user: "alice" }, "admin", "about alice");
  await review("SubjectAccessReview", { ...read, user: "bob", groups: ["devs"], extra: { a: ["b"] }, uid: "u" }, "admin", "about bob");
  await review("SubjectAccessReview", { ...read, user: "alice" }, "alice", "alice may not ask about others");
  await review("LocalSubjectAccessReview", { ...read, user: "alice" }, "admin", "in a namespace");
  await review(
    "LocalSubjectAccessReview",
    { resourceAttributes: { ...read.resourceAttributes, namespace: "other" }, user: "alice" },
    "admin",
    "in another",
  );
  const asked = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectRulesReview", spec: { namespace } };
  const { body } = await session.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", asked, { ...alice, quiet: true });
  session.note("all of alice's rules", { ...body, status: inOrder(body.status) });
  await review(
    "SelfSubjectAccessReview",
    {
      resourceAttributes: {
        namespace,
        verb: "list",
        resource: "pods",
        fieldSelector: { requirements: [{ key: "a", operator: "In", values: ["b"] }] },
      },
    },
    "admin",
    "with a selector",
  );
  const self = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
  await session.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", self, { label: "who am I" });
  await session.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", self, { ...alice, label: "who is alice" });
  await session.post(
    "/apis/authentication.k8s.io/v1/tokenreviews",
    { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token: "x" } },
    { label: "a bad token" },
  );
}

/** Rules come as the real server's maps have them. */
function inOrder(status: Record<string, unknown>): unknown {
  const sorted = (list: unknown): unknown =>
    Array.isArray(list) ? [...list].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : list;
  return Object.fromEntries(Object.entries(status).map(([name, value]) => [name, sorted(value)]));
}

async function reviewErrors(session: Session): Promise<void> {
  const root = "/apis/authorization.k8s.io/v1";
  const namespace = await session.stage();
  for (const [plural, spec] of [
    ["selfsubjectaccessreviews", {}],
    ["selfsubjectaccessreviews", { resourceAttributes: {}, nonResourceAttributes: {} }],
    ["selfsubjectaccessreviews", { resourceAttributes: { fieldSelector: { rawSelector: "a=b", requirements: [{ key: "a" }] } } }],
    ["subjectaccessreviews", { resourceAttributes: { verb: "get" } }],
    ["subjectaccessreviews", {}],
    ["selfsubjectrulesreviews", {}],
  ] as const)
    await session.post(`${root}/${plural}`, { spec }, { label: `${plural} ${JSON.stringify(spec)}` });
  await session.post(
    `${root}/namespaces/${namespace}/localsubjectaccessreviews`,
    { spec: { user: "a", nonResourceAttributes: { path: "/", verb: "get" } } },
    { label: "local, with a path" },
  );
  await session.post(
    `${root}/selfsubjectaccessreviews`,
    { metadata: { name: "x", labels: { a: "b" } }, spec: { resourceAttributes: { verb: "get" } } },
    { label: "with metadata" },
  );
  await session.post("/apis/authentication.k8s.io/v1/tokenreviews", { spec: {} }, { label: "nobody, with an empty token" });
  await session.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}", { label: "by nobody", as: "nobody" });
}

async function impersonation(session: Session): Promise<void> {
  const namespace = await session.stage();
  await grant(session, "read", [{ apiGroups: [""], resources: ["configmaps"], verbs: ["list"] }]);
  const at = `/api/v1/namespaces/${namespace}/configmaps`;
  const self = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
  const whoAmI = (headers: Record<string, string>, label: string, as: "admin" | "alice" = "admin"): Promise<unknown> =>
    session.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", self, { headers, label, as });
  await whoAmI({ "impersonate-user": "bob" }, "as bob");
  await whoAmI({ "impersonate-user": "bob", "impersonate-group": "g" }, "as bob of g");
  await whoAmI({ "impersonate-user": "bob", "impersonate-extra-scope": "x", "impersonate-uid": "u1" }, "with extras");
  await whoAmI({ "impersonate-user": `system:serviceaccount:${namespace}:default` }, "as a service account");
  await whoAmI({ "impersonate-user": "system:anonymous" }, "as nobody");
  await whoAmI({ "impersonate-group": "g" }, "a group and no user");
  await whoAmI({ "impersonate-user": "bob" }, "alice may not", "alice");
  await session.get(at, { headers: { "impersonate-user": "alice" }, label: "what alice may" });
  await session.get(at, { headers: { "impersonate-user": "bob" }, label: "what bob may not" });
  await constrainedImpersonation(session, at);
}

/** Some users, for some requests. */
async function constrainedImpersonation(session: Session, configMaps: string): Promise<void> {
  const { namespace } = session;
  const authentication = ["authentication.k8s.io"];
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: `impersonate-${namespace}` };
  const rules = [
    { apiGroups: authentication, resources: ["users"], resourceNames: ["alice", "carl"], verbs: ["impersonate:user-info"] },
    { apiGroups: authentication, resources: ["groups"], resourceNames: ["g", "system:masters"], verbs: ["impersonate:user-info"] },
    { apiGroups: authentication, resources: ["userextras/x.dev/y"], verbs: ["impersonate:user-info"] },
    { apiGroups: authentication, resources: ["nodes"], resourceNames: ["n"], verbs: ["impersonate:arbitrary-node"] },
    { apiGroups: [""], resources: ["configmaps"], verbs: ["impersonate-on:user-info:list"] },
    {
      apiGroups: authentication,
      resources: ["selfsubjectreviews"],
      verbs: ["impersonate-on:user-info:create", "impersonate-on:arbitrary-node:create", "impersonate-on:serviceaccount:create"],
    },
    { nonResourceURLs: ["/version"], verbs: ["impersonate-on:user-info:get"] },
  ];
  await session.post(`${rbac}/clusterroles`, { metadata: { name: roleRef.name }, rules }, { quiet: true });
  const subjects = [{ kind: "User", name: "alice" }];
  await session.post(`${rbac}/clusterrolebindings`, { metadata: { name: roleRef.name }, roleRef, subjects }, { quiet: true });
  await grant(session, "accounts", [{ apiGroups: authentication, resources: ["serviceaccounts"], verbs: ["impersonate:serviceaccount"] }]);
  const as = (user: string, more: Record<string, string> = {}): object => ({ ...alice, headers: { "impersonate-user": user, ...more } });
  const whoAmI = (label: string, options: object): Promise<unknown> =>
    session.post(
      "/apis/authentication.k8s.io/v1/selfsubjectreviews",
      { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" },
      { ...options, label },
    );
  await session.get(configMaps, { ...as("alice"), label: "list as one" });
  await session.get(`${configMaps}/x`, { ...as("alice"), label: "get as one" });
  await session.get(configMaps, { ...as("bob"), label: "list as another" });
  session.note("a path", (await session.get("/version", { ...as("carl"), quiet: true })).status);
  await session.get("/metrics", { ...as("carl"), label: "another path" });
  await whoAmI("with a group", as("carl", { "impersonate-group": "g" }));
  await whoAmI("with another group", as("carl", { "impersonate-group": "h" }));
  await whoAmI("as a master", as("carl", { "impersonate-group": "system:masters" }));
  await whoAmI("with an extra", as("carl", { "impersonate-extra-x.dev%2fy": "1" }));
  await whoAmI("with a short extra", as("carl", { "impersonate-extra-y": "1" }));
  await whoAmI("with a uid", as("carl", { "impersonate-uid": "1" }));
  await whoAmI("as a node", as("system:node:n"));
  await whoAmI("as another node", as("system:node:m"));
  await whoAmI("as a node of a group", as("system:node:n", { "impersonate-group": "g" }));
  await whoAmI("as an account", as(`system:serviceaccount:${namespace}:default`));
  await whoAmI("as an account elsewhere", as("system:serviceaccount:elsewhere:default"));
  await whoAmI("as no account", as("system:serviceaccount:elsewhere"));
}

async function escalation(session: Session): Promise<void> {
  const namespace = await session.stage();
  await grant(session, "manage", [
    { apiGroups: ["rbac.authorization.k8s.io"], resources: ["roles", "rolebindings"], verbs: ["create", "update", "patch"] },
    { apiGroups: [""], resources: ["configmaps"], verbs: ["get"] },
  ]);
  const at = `${rbac}/namespaces/${namespace}`;
  await session.post(
    `${at}/roles`,
    { metadata: { name: "fair" }, rules: [{ apiGroups: [""], resources: ["configmaps"], verbs: ["get"] }] },
    { ...alice, label: "what she has" },
  );
  await session.post(
    `${at}/roles`,
    { metadata: { name: "more" }, rules: [{ apiGroups: [""], resources: ["secrets"], verbs: ["get", "list"] }] },
    { ...alice, label: "more than she has" },
  );
  const binding = (role: object): object => ({
    metadata: { name: "b" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", ...role },
    subjects: [{ kind: "User", name: "bob" }],
  });
  // Not one that is made of others: beside the real server nobody puts those together.
  await session.post(`${at}/rolebindings`, binding({ kind: "ClusterRole", name: "cluster-admin" }), {
    ...alice,
    label: "binding more than she has",
  });
  await session.post(`${at}/rolebindings`, binding({ kind: "Role", name: "none" }), { ...alice, label: "binding what is not there" });
  await session.post(`${at}/rolebindings`, binding({ kind: "Role", name: "fair" }), { ...alice, label: "binding what she has" });
  await session.patch("merge", `${at}/rolebindings/b`, { roleRef: { name: "other" } }, { label: "the role of a binding stays" });
}

async function tokens(session: Session): Promise<void> {
  const namespace = await session.stage();
  const at = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  const request = (spec: object): object => ({ apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec });
  const { body } = await session.post(`${at}/default/token`, request({ expirationSeconds: 600 }), { quiet: true });
  session.note("answer", {
    kind: [body.kind, body.apiVersion],
    metadata: body.metadata,
    spec: body.spec,
    status: Object.keys(body.status ?? {}).sort(),
  });
  session.note("claims", claims(body.status.token));
  await session.post(`${at}/default/token`, request({ expirationSeconds: 5 }), { label: "too short" });
  await session.post(`${at}/default/token`, request({ expirationSeconds: 1e12 }), { label: "too long" });
  await session.post(`${at}/none/token`, request({}), { label: "of nobody" });
  await session.post(`${at}/default/token`, { ...request({}), metadata: { name: "other" } }, { label: "of another name" });
  await session.post(`${at}/default/token`, { ...request({}), metadata: { uid: "1-2-3" } }, { label: "of another uid" });
  await session.post(`/api/v1/namespaces/${namespace}/secrets`, { metadata: { name: "bound" } }, { quiet: true });
  const secret = { kind: "Secret", apiVersion: "v1", name: "bound", uid: "1-2-3" };
  await session.post(`${at}/default/token`, request({ boundObjectRef: secret }), { label: "bound to another uid" });
  await session.post(`${at}/default/token`, request({ boundObjectRef: { kind: "Gizmo", apiVersion: "v1", name: "x" } }), {
    label: "bound to a gizmo",
  });
  await session.post(`${at}/default/token`, request({ boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "none" } }), {
    label: "bound to a pod that is not there",
  });
  const reviewed = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token: body.status.token } };
  const { body: review } = await session.post("/apis/authentication.k8s.io/v1/tokenreviews", reviewed, { quiet: true });
  session.note("review", review.status);
  const other = await session.post(
    "/apis/authentication.k8s.io/v1/tokenreviews",
    { ...reviewed, spec: { ...reviewed.spec, audiences: ["x.dev"] } },
    { quiet: true },
  );
  session.note("review for another audience", other.body.status);
  const headers = { authorization: `Bearer ${body.status.token}` };
  await session.get(`/api/v1/namespaces/${namespace}/configmaps`, { as: "nobody", headers, label: "what it may not" });
  await session.post(
    "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    { kind: "SelfSubjectReview", apiVersion: "authentication.k8s.io/v1" },
    { as: "nobody", headers, label: "who it is" },
  );
  await session.delete(`${at}/default`, undefined, { quiet: true });
  await session.get(`/api/v1/namespaces/${namespace}/configmaps`, { as: "nobody", headers, label: "after the account is gone" });
}

function claims(token: string): unknown {
  const [, payload = ""] = token.split(".");
  const found = JSON.parse(Buffer.from(payload, "base64url").toString()) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(found).map(([name, value]) => [name, typeof value === "number" ? "<seconds>" : value]));
}

async function defaultRoles(session: Session): Promise<void> {
  for (const name of ["cluster-admin", "admin", "edit", "view", "system:basic-user", "system:discovery", "system:public-info-viewer"])
    await session.get(`${rbac}/clusterroles/${name}`, { label: name });
  for (const name of ["cluster-admin", "system:basic-user", "system:discovery", "system:public-info-viewer"])
    await session.get(`${rbac}/clusterrolebindings/${name}`, { label: `binding ${name}` });
}
