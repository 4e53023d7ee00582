import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { Fault } from "@mecha/kit";
import { inClusterAccess, readKubeconfig } from "./access.ts";
import { defaultAccess } from "./default-access.ts";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "mecha-kubeconfig-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const base = { cluster: "server: https://127.0.0.1:6443", user: "token: t0k3n", context: "cluster: here\n    user: me" };

function write(folder: string, parts: Partial<typeof base> = {}, current = "ctx"): string {
  const { cluster, user, context } = { ...base, ...parts };
  const path = join(folder, "config");
  writeFileSync(
    path,
    `kind: Config
current-context: "${current}"
clusters:
- name: here
  cluster:
    ${cluster}
users:
- name: me
  user:
    ${user}
contexts:
- name: ctx
  context:
    ${context}
`,
  );
  return path;
}

const nowMs = (): number => 0;

test("a token, the namespace of the context, an authority as data", async (t) => {
  const authority = Buffer.from("PEM").toString("base64");
  const path = write(folderOf(t), {
    cluster: `server: https://127.0.0.1:6443/\n    certificate-authority-data: ${authority}`,
    context: "cluster: here\n    user: me\n    namespace: shop",
  });
  const access = readKubeconfig({ path, nowMs });
  assert.deepEqual([access.server, access.authority, access.namespace], ["https://127.0.0.1:6443", "PEM", "shop"]);
  assert.deepEqual(await access.credentials(false), { authorization: "Bearer t0k3n" });
});

test("files are relative to the kubeconfig, and read again each time", async (t) => {
  const folder = folderOf(t);
  writeFileSync(join(folder, "token"), "one\n");
  const access = readKubeconfig({ path: write(folder, { user: "tokenFile: token" }), nowMs });
  assert.deepEqual(await access.credentials(false), { authorization: "Bearer one" });
  writeFileSync(join(folder, "token"), "two\n");
  assert.deepEqual(await access.credentials(false), { authorization: "Bearer two" });
});

test("a plugin is asked once until its credentials expire, and again when they did not work", async (t) => {
  const folder = folderOf(t);
  const counter = join(folder, "asked");
  writeFileSync(counter, "");
  const answer = `{"kind":"ExecCredential","status":{"token":"p","expirationTimestamp":"1970-01-01T00:01:00Z"}}`;
  writeFileSync(join(folder, "plugin"), `#!/bin/sh\necho x >> ${counter}\necho '${answer}'\n`, { mode: 0o755 });
  let now = 0;
  const user = "exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: ./plugin";
  const access = readKubeconfig({ path: write(folder, { user }), nowMs: () => now });
  const asked = async (fresh: boolean): Promise<number> => {
    assert.deepEqual(await access.credentials(fresh), { authorization: "Bearer p" });
    const { readFileSync } = await import("node:fs");
    return readFileSync(counter, "utf8").length / 2;
  };
  const times = [await asked(false), await asked(false), await asked(true)];
  now = 50_000; // within the margin before it expires
  assert.deepEqual([...times, await asked(false)], [1, 1, 2, 3]);
});

const mistakes: readonly (readonly [what: string, parts: Partial<typeof base>, current: string, message: RegExp])[] = [
  ["no current context", {}, "", /current-context: no context is chosen/],
  ["a context that is not there", {}, "nope", /contexts: there is no context named "nope"/],
  ["a cluster that is not there", { context: "cluster: gone" }, "ctx", /clusters: there is no cluster named "gone"/],
  ["a server without a scheme", { cluster: "server: 127.0.0.1" }, "ctx", /server: expected an https:\/\/ address, got "127.0.0.1"/],
  [
    "a file that is not there",
    { cluster: "server: https://x\n    certificate-authority: gone.pem" },
    "ctx",
    /certificate-authority: cannot read .*gone\.pem/,
  ],
  ["a proxy", { cluster: "server: https://x\n    proxy-url: http://p" }, "ctx", /proxy-url: connections through a proxy are not supported/],
];
for (const [what, parts, current, message] of mistakes) {
  test(`${what}: the error names file and field`, (t) => {
    assert.throws(() => readKubeconfig({ path: write(folderOf(t), parts, current), nowMs }), { name: "Fault", message });
  });
}

test("whatever the file holds, the answer is an access or a Fault", (t) => {
  const folder = folderOf(t);
  const path = join(folder, "config");
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      writeFileSync(path, text);
      try {
        readKubeconfig({ path, nowMs });
      } catch (error) {
        assert.ok(error instanceof Fault, String(error));
      }
    }),
    { numRuns: 200 },
  );
});

test("in a Pod: its account, read each time", async (t) => {
  const folder = folderOf(t);
  for (const [name, text] of Object.entries({ token: "a", "ca.crt": "PEM", namespace: "shop" })) writeFileSync(join(folder, name), text);
  const environment = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
  const access = inClusterAccess(environment, folder);
  assert.ok(access);
  assert.deepEqual([access.server, access.namespace], ["https://[fd00::1]:443", "shop"]);
  writeFileSync(join(folder, "token"), "b");
  assert.deepEqual(await access.credentials(false), { authorization: "Bearer b" });
  assert.equal(inClusterAccess({}, folder), undefined);
});

test("KUBECONFIG: the first file that exists; none of them is an error that names them", (t) => {
  const path = write(folderOf(t));
  assert.equal(defaultAccess({ environment: { KUBECONFIG: `/nowhere:${path}` }, nowMs }).server, "https://127.0.0.1:6443");
  assert.throws(
    () => defaultAccess({ environment: { KUBECONFIG: "/nowhere" }, nowMs }),
    /KUBECONFIG names \/nowhere, which does not exist/,
  );
});
