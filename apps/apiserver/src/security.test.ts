/** Who may do what, over real TLS: certificates, tokens, acting as others, roles, reviews, audit. */
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { hostClock, hostRandom } from "@mecha/host";
import { noLog } from "@mecha/kit";
import { allKinds, type JsonObject, type KubeObject } from "@mecha/kinds";
import { type ClusterAccess, openHttpsTransport, readKubeconfig } from "@mecha/kube";
import {
  ApiClient,
  type ApiRequest,
  type ApiTransport,
  isReason,
  type ResourceRef,
  resourceRef,
  type StatusError,
  statusErrorOf,
} from "@mecha/machinery";
import { openMemoryObjectLog } from "@mecha/store-memory";
import { type ApiServer, openApiServer } from "./index.ts";

const configMaps = resourceRef("v1", "ConfigMap");
const secrets = resourceRef("v1", "Secret");
const accounts = resourceRef("v1", "ServiceAccount");
const roles = resourceRef("rbac.authorization.k8s.io/v1", "Role");
const roleBindings = resourceRef("rbac.authorization.k8s.io/v1", "RoleBinding");

let folder: string;
let server: ApiServer;
let access: ClusterAccess;
let admin: ApiClient;
const transports: (ApiTransport & Disposable)[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "mecha-security-"));
  const ports = { clock: hostClock, random: hostRandom, log: noLog, objects: openMemoryObjectLog(), definitions: allKinds() };
  server = await openApiServer({ host: "127.0.0.1", port: 0, folder, hosts: [], name: "test", auditLog: join(folder, "audit.log") }, ports);
  access = readKubeconfig({ path: server.kubeconfig, nowMs: Date.now });
  admin = new ApiClient(transportOf(access), { fieldManager: "test" });
  await admin.create(accounts, { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "bot", namespace: "default" } });
});
after(async () => {
  for (const transport of transports) transport[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

function transportOf(to: ClusterAccess): ApiTransport & Disposable {
  const transport = openHttpsTransport({ access: to, userAgent: "test/1" });
  transports.push(transport);
  return transport;
}

/** The same server, with a token instead of a certificate (`undefined`: with nothing). */
function withToken(token: string | undefined): ApiTransport {
  const credentials = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return transportOf({ ...access, credentials: () => Promise.resolve(credentials) });
}

async function ask(
  transport: ApiTransport,
  method: ApiRequest["method"],
  path: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<JsonObject> {
  const bytes = body && new TextEncoder().encode(JSON.stringify(body));
  const all = { accept: "application/json", "content-type": "application/json", ...headers };
  const query = method === "PATCH" ? "fieldManager=test" : "";
  const answer = await transport.send({ method, path, query, headers: all, ...(bytes && { body: bytes }) });
  if (answer.status >= 300) throw statusErrorOf(answer);
  return JSON.parse(new TextDecoder().decode(answer.body)) as JsonObject;
}

async function tokenFor(name: string, spec: object = {}): Promise<string> {
  const answer = await ask(transportOf(access), "POST", `/api/v1/namespaces/default/serviceaccounts/${name}/token`, { spec });
  return (answer["status"] as { readonly token: string }).token;
}

async function bind(name: string, rules: readonly object[], subject: object): Promise<void> {
  await admin.create(roles, { apiVersion: roles.apiVersion, kind: "Role", metadata: { name, namespace: "default" }, rules });
  await admin.create(roleBindings, bindingOf(name, subject));
}

function bindingOf(role: string, subject: object): KubeObject {
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: role };
  return {
    apiVersion: roleBindings.apiVersion,
    kind: "RoleBinding",
    metadata: { name: role, namespace: "default" },
    roleRef,
    subjects: [subject],
  };
}

const list = (client: ApiClient, resource: ResourceRef): Promise<unknown> => client.list(resource, { namespace: "default" });

test("without a certificate or token: health and version, nothing else", async () => {
  const nobody = withToken(undefined);
  assert.equal((await ask(nobody, "GET", "/version"))["major"], "1");
  await assert.rejects(ask(nobody, "GET", "/api/v1/namespaces"), (error) => isReason(error, "Unauthorized"));
  await assert.rejects(ask(withToken("no.such.token"), "GET", "/version"), (error) => isReason(error, "Unauthorized"));
});

test("a service account may what its roles say, in its namespace; the refusal names user, verb and resource", async () => {
  await bind("reader", [{ apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list"] }], {
    kind: "ServiceAccount",
    name: "bot",
    namespace: "default",
  });
  const bot = new ApiClient(withToken(await tokenFor("bot")), { fieldManager: "bot" });
  await list(bot, configMaps);
  await assert.rejects(list(bot, secrets), (error: StatusError) => {
    assert.equal(
      error.message,
      'secrets is forbidden: User "system:serviceaccount:default:bot" cannot list resource "secrets" in API group "" in the namespace "default"',
    );
    return error.code === 403;
  });
  await assert.rejects(bot.list(configMaps, { namespace: "kube-system" }), (error) => isReason(error, "Forbidden"));
});

test("a token ends with its account, and with the object it is bound to", async () => {
  await admin.create(accounts, { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "short", namespace: "default" } });
  await admin.create(secrets, { apiVersion: "v1", kind: "Secret", metadata: { name: "tied", namespace: "default" } });
  const bound = withToken(await tokenFor("short", { boundObjectRef: { kind: "Secret", name: "tied", apiVersion: "v1" } }));
  const free = withToken(await tokenFor("short"));
  const whoami = (transport: ApiTransport): Promise<JsonObject> =>
    ask(transport, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review("SelfSubjectReview"));
  await whoami(bound);
  await admin.delete(secrets, { namespace: "default", name: "tied" });
  await assert.rejects(whoami(bound), (error) => isReason(error, "Unauthorized"));
  const { status } = await whoami(free);
  assert.equal((status as { userInfo: { username: string } }).userInfo.username, "system:serviceaccount:default:short");
  await admin.delete(accounts, { namespace: "default", name: "short" });
  await admin.create(accounts, { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "short", namespace: "default" } });
  await assert.rejects(whoami(free), (error) => isReason(error, "Unauthorized"), "a new account of the same name is another");
  await assert.rejects(tokenFor("short", { expirationSeconds: 5 }), /may not specify a duration less than 10 minutes/);
  await assert.rejects(tokenFor("short", { expirationSeconds: 1e12 }), /may not specify a duration larger than 2\^32 seconds/);
  const toString = { kind: "toString", apiVersion: "nobody.dev/v1", name: "x" };
  await assert.rejects(tokenFor("short", { boundObjectRef: toString }), /to object of type nobody.dev\/v1, Kind=toString/);
});

test("a TokenReview tells whose token it is, and for whom", async () => {
  const token = await tokenFor("bot", { audiences: ["vault"] });
  const path = "/apis/authentication.k8s.io/v1/tokenreviews";
  const ofVault = await ask(transportOf(access), "POST", path, review("TokenReview", { token, audiences: ["vault", "other"] }));
  assert.deepEqual(((status) => [status.authenticated, status.user?.username, status.audiences])(ofVault["status"] as TokenStatus), [
    true,
    "system:serviceaccount:default:bot",
    ["vault"],
  ]);
  const ofServer = await ask(transportOf(access), "POST", path, review("TokenReview", { token }));
  assert.deepEqual(
    ofServer["status"],
    {
      user: {},
      error:
        '[invalid bearer token, token audiences ["vault"] is invalid for the target audiences ["https://kubernetes.default.svc.cluster.local"]]',
    },
    "a token for another audience is none for this server",
  );
  await assert.rejects(ask(withToken(token), "GET", "/api"), (error) => isReason(error, "Unauthorized"));
});

test("acting as another: with that one's rights, if one may", async () => {
  await bind("writer", [{ apiGroups: [""], resources: ["configmaps"], verbs: ["create"] }], {
    kind: "User",
    name: "ada",
    apiGroup: "rbac.authorization.k8s.io",
  });
  const maps = "/api/v1/namespaces/default/configmaps";
  const map = (name: string): object => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name } });
  const asAda = { "impersonate-user": "ada", "impersonate-group": "dev" };
  await ask(transportOf(access), "POST", maps, map("of-ada"), asAda);
  await assert.rejects(ask(transportOf(access), "GET", maps, undefined, asAda), /User "ada" cannot list resource "configmaps"/);
  const bot = withToken(await tokenFor("bot"));
  await assert.rejects(ask(bot, "GET", maps, undefined, asAda), /cannot impersonate-on:user-info:list resource "configmaps"/);
  await assert.rejects(ask(transportOf(access), "GET", maps, undefined, { "impersonate-group": "dev" }), (error) =>
    isReason(error, "BadRequest"),
  );
});

test("may I, may they: reviews say what a request would be told", async () => {
  const attributes = { namespace: "default", verb: "list", group: "", resource: "configmaps" };
  const bot = withToken(await tokenFor("bot"));
  const allowed = async (transport: ApiTransport, kind: string, path: string, spec: object): Promise<boolean> =>
    ((await ask(transport, "POST", path, review(kind, spec)))["status"] as { readonly allowed: boolean }).allowed;
  const self = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
  assert.equal(await allowed(bot, "SelfSubjectAccessReview", self, { resourceAttributes: attributes }), true);
  assert.equal(await allowed(bot, "SelfSubjectAccessReview", self, { resourceAttributes: { ...attributes, resource: "secrets" } }), false);
  const other = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
  const ofBot = { user: "system:serviceaccount:default:bot", resourceAttributes: attributes };
  assert.equal(await allowed(transportOf(access), "SubjectAccessReview", other, ofBot), true);
  await assert.rejects(allowed(bot, "SubjectAccessReview", other, ofBot), (error) => isReason(error, "Forbidden"));
  await assert.rejects(allowed(bot, "SelfSubjectAccessReview", self, {}), (error) => isReason(error, "Invalid"));
  const path = await ask(bot, "POST", self, review("SelfSubjectAccessReview", { resourceAttributes: attributes }));
  const because = 'RBAC: allowed by RoleBinding "reader/default" of Role "reader" to ServiceAccount "bot/default"';
  assert.deepEqual(path["status"], { allowed: true, reason: because });
  const rules = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
  await assert.rejects(ask(bot, "POST", rules, review("SelfSubjectRulesReview")), /no namespace on request/);
});

test("a rule for one name allows to list and to watch the object of that name", async () => {
  const rules = [{ apiGroups: [""], resources: ["configmaps"], resourceNames: ["one"], verbs: ["list"] }];
  await bind("lister", rules, { kind: "User", name: "lis", apiGroup: "rbac.authorization.k8s.io" });
  const named = (selector: string): Promise<unknown> =>
    transportOf(access).send({
      method: "GET",
      path: "/api/v1/namespaces/default/configmaps",
      query: `fieldSelector=${encodeURIComponent(selector)}`,
      headers: { accept: "application/json", "impersonate-user": "lis" },
    });
  const status = async (selector: string): Promise<number> => ((await named(selector)) as { readonly status: number }).status;
  assert.deepEqual(
    [await status("metadata.name=one"), await status("metadata.name=two"), await status("metadata.name!=one"), await status("")],
    [200, 403, 403, 403],
  );
});

test("nobody grants what they have not", async () => {
  await bind(
    "role-writer",
    [{ apiGroups: ["rbac.authorization.k8s.io"], resources: ["roles", "rolebindings"], verbs: ["create", "update", "get"] }],
    { kind: "ServiceAccount", name: "bot", namespace: "default" },
  );
  const bot = new ApiClient(withToken(await tokenFor("bot")), { fieldManager: "bot" });
  const role = (name: string, verbs: readonly string[]): KubeObject => ({
    apiVersion: roles.apiVersion,
    kind: "Role",
    metadata: { name, namespace: "default" },
    rules: [{ apiGroups: [""], resources: ["configmaps"], verbs }],
  });
  await bot.create(roles, role("fine", ["get"]));
  await assert.rejects(bot.create(roles, role("more", ["delete"])), (error: StatusError) => {
    assert.match(
      error.message,
      /attempting to grant RBAC permissions not currently held:\n\{APIGroups:\[""\], Resources:\["configmaps"\], Verbs:\["delete"\]\}/,
    );
    return error.code === 403;
  });
  const missing = bindingOf("missing", { kind: "User", name: "ada", apiGroup: "rbac.authorization.k8s.io" });
  await assert.rejects(bot.create(roleBindings, missing), /"missing" not found/);
  await admin.create(roles, role("strong", ["delete"]));
  await assert.rejects(
    bot.create(roleBindings, bindingOf("strong", { kind: "ServiceAccount", name: "bot", namespace: "default" })),
    (error) => isReason(error, "Forbidden"),
  );
});

test("an apply that would create needs the right to create as well", async () => {
  const rules = [{ apiGroups: [""], resources: ["configmaps"], verbs: ["patch", "get"] }];
  await bind("patcher", rules, { kind: "User", name: "pat", apiGroup: "rbac.authorization.k8s.io" });
  const map = (name: string): object => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { x: "1" } });
  const apply = (name: string): Promise<JsonObject> =>
    ask(transportOf(access), "PATCH", `/api/v1/namespaces/default/configmaps/${name}`, map(name), {
      "impersonate-user": "pat",
      "content-type": "application/apply-patch+yaml",
    });
  await assert.rejects(apply("new"), /User "pat" cannot create resource "configmaps"/);
  await admin.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "there", namespace: "default" } });
  await apply("there");
});

test("the audit log has a line for each request: who, as whom, what and how it ended; readable by its owner only", async () => {
  const path = join(folder, "audit.log");
  await ask(transportOf(access), "GET", "/api/v1/namespaces", undefined, { "impersonate-user": "eve" }).catch(() => undefined);
  const lines = (): Record<string, any>[] =>
    readFileSync(path, "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, any>);
  let found: Record<string, any> | undefined;
  for (let tries = 0; !found && tries < 200; tries++) {
    found = lines().find(({ impersonatedUser }) => (impersonatedUser as { username?: string } | undefined)?.username === "eve");
    if (!found) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.deepEqual(
    [found?.["verb"], found?.["requestURI"], found?.["user"]?.username, found?.["responseStatus"]?.code, found?.["userAgent"]],
    ["get", "/api/v1/namespaces", "mecha-admin", 403, "test/1"],
  );
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("every namespace has its account and the server's authority", async () => {
  const ready = async (): Promise<boolean> => {
    const map = await admin.find(configMaps, { namespace: "default", name: "kube-root-ca.crt" });
    return map !== undefined && (await admin.find(accounts, { namespace: "default", name: "default" })) !== undefined;
  };
  for (let tries = 0; !(await ready()); tries++) {
    assert.ok(tries < 500);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const map = await admin.get<KubeObject & { data: Record<string, string> }>(configMaps, {
    namespace: "default",
    name: "kube-root-ca.crt",
  });
  assert.equal(map.data["ca.crt"], access.authority);
});

interface TokenStatus {
  readonly authenticated: boolean;
  readonly user?: { readonly username: string };
  readonly audiences?: readonly string[];
}

function review(kind: string, spec: object = {}): object {
  const group = kind === "TokenReview" || kind === "SelfSubjectReview" ? "authentication.k8s.io" : "authorization.k8s.io";
  return { apiVersion: `${group}/v1`, kind, ...(kind !== "SelfSubjectReview" && { spec }) };
}

test("a token or an eviction asked for in values of other types is refused as such", async () => {
  const transport = transportOf(access);
  const codes = (path: string, bodies: readonly object[]): Promise<number[]> =>
    Promise.all(
      bodies.map((body) =>
        ask(transport, "POST", `/api/v1/namespaces/default/${path}`, body).then(
          () => 201,
          (error: unknown) => (error as StatusError).code,
        ),
      ),
    );
  const tokens = [{ metadata: null }, { metadata: 5 }, { spec: { audiences: 5 } }, { spec: { boundObjectRef: 5 } }];
  assert.deepEqual(await codes("serviceaccounts/bot/token", tokens), [201, 400, 400, 400]);
  const spec = { containers: [{ name: "a", image: "a" }] };
  await admin.create(resourceRef("v1", "Pod"), { apiVersion: "v1", kind: "Pod", metadata: { name: "kept", namespace: "default" }, spec });
  const evictions = [{ dryRun: 5 }, { dryRun: [5] }, 5].map((deleteOptions) => ({ deleteOptions }));
  assert.deepEqual(await codes("pods/kept/eviction", evictions), [400, 400, 400]);
});
