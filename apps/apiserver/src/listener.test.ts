/** The listener itself: who gets in, how much may come in, how watches travel, how it ends. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { connect, type ClientHttp2Session } from "node:http2";
import { type Agent, request as httpsRequest } from "node:https";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { hostClock, hostRandom } from "@mecha/host";
import { noLog } from "@mecha/kit";
import { allKinds } from "@mecha/kinds";
import { openMemoryObjectLog } from "@mecha/store-memory";
import { type ApiServer, openApiServer } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "mecha-listener-"));
const maps = "/api/v1/namespaces/default/configmaps";
let api: ApiServer;
let credentials: { ca: string; cert: string; key: string };

before(async () => {
  api = await open(0);
  const [ca = "", cert = "", key = ""] = await Promise.all(
    ["ca.crt", "admin.crt", "admin.key"].map((name) => readFile(join(folder, name), "utf8")),
  );
  credentials = { ca, cert, key };
});

after(async () => {
  await api[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

async function open(port: number): Promise<ApiServer> {
  return openApiServer(
    { host: "127.0.0.1", port, folder, hosts: [], name: "test" },
    { clock: hostClock, random: hostRandom, log: noLog, objects: openMemoryObjectLog(), definitions: allKinds() },
  );
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** One request over HTTP/1.1. */
function ask(
  path: string,
  options: { method?: string; body?: string; headers?: Record<string, string>; anonymous?: boolean; agent?: Agent } = {},
): Promise<Answer> {
  const { method = "GET", body, headers = {}, anonymous = false } = options;
  const who = anonymous ? { ca: credentials.ca } : credentials;
  return new Promise((resolve, reject) => {
    const request = httpsRequest(`${api.url}${path}`, { method, headers, ...who, agent: false, servername: "localhost" }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    request.on("error", reject).end(body);
  });
}

test("without a certificate of the authority there is health and nothing else", async () => {
  assert.deepEqual([(await ask("/readyz", { anonymous: true })).body, (await ask("/version", { anonymous: true })).status], ["ok", 200]);
  const refused = await ask(maps, { anonymous: true });
  assert.ok(refused.status === 401 || refused.status === 403, String(refused.status));
  assert.equal(JSON.parse(refused.body).kind, "Status");
  // The server's own certificate is of the same authority, and no pass.
  const server = { cert: await readFile(join(folder, "server.crt"), "utf8"), key: await readFile(join(folder, "server.key"), "utf8") };
  const kept = credentials;
  credentials = { ...kept, ...server };
  try {
    assert.notEqual((await ask(maps)).status, 200);
  } finally {
    credentials = kept;
  }
});

test("answers carry what the API server's carry", async () => {
  const { status, headers } = await ask(maps);
  assert.equal(status, 200);
  assert.equal(headers["cache-control"], "no-cache, private");
  assert.equal(headers["content-type"], "application/json");
  assert.match(String(headers["audit-id"]), /^[0-9a-f-]{36}$/u);
});

test("metrics count requests and objects, for those who may see them", async () => {
  const { headers, body } = await ask("/metrics");
  assert.match(String(headers["content-type"]), /^text\/plain; version=0\.0\.4/u);
  assert.match(body, /^apiserver_request_total\{method="GET",code="200"\} [1-9]/mu);
  assert.match(body, /^apiserver_storage_objects\{resource="namespaces"\} 4$/mu);
  assert.notEqual((await ask("/metrics", { anonymous: true })).status, 200);
});

test("another Host is refused: a web page that rebinds a name gets nothing", async () => {
  const { status, body } = await ask(maps, { headers: { host: "evil.example" } });
  assert.equal(status, 403);
  assert.match(JSON.parse(body).message, /Host "evil\.example" is not a name of this server/u);
});

test("a body of more than 3 MiB is refused before it is read", async () => {
  const { status, body } = await ask(maps, { method: "POST", headers: { "content-length": String(4 << 20), expect: "100-continue" } });
  assert.equal(status, 413);
  assert.equal(JSON.parse(body).reason, "RequestEntityTooLarge");
});

test("a watch's head comes at once over HTTP/1.1, events as they happen, and it ends with the connection", async () => {
  const watching = await new Promise<{ lines: string[]; end: () => void; next: (count: number) => Promise<void> }>((resolve, reject) => {
    const request = httpsRequest(`${api.url}${maps}?watch=1&labelSelector=w%3D1`, { ...credentials, agent: false }, (response) => {
      const lines: string[] = [];
      let look = (): void => undefined;
      response.setEncoding("utf8").on("data", (chunk: string) => {
        lines.push(...chunk.split("\n").filter((line) => line !== ""));
        look();
      });
      const next = (count: number): Promise<void> =>
        new Promise((done) =>
          (look = () => {
            if (lines.length >= count) done();
          })(),
        );
      resolve({ lines, end: () => response.destroy(), next });
    });
    request.on("error", reject).end();
  });
  const object = { metadata: { name: "w", labels: { w: "1" } } };
  await ask(maps, { method: "POST", body: JSON.stringify(object), headers: { "content-type": "application/json" } });
  await watching.next(1);
  assert.equal(JSON.parse(watching.lines[0] ?? "").type, "ADDED");
  watching.end();
});

test("over HTTP/2 watch and requests share one connection", async () => {
  const session: ClientHttp2Session = connect(api.url, credentials);
  try {
    const watch = session.request({ ":path": `${maps}?watch=1&fieldSelector=metadata.name%3Dtwo` });
    const head = await new Promise<Record<string, unknown>>((resolve) => watch.once("response", (headers) => resolve(headers)));
    assert.equal(head[":status"], 200);
    const event = new Promise<string>((resolve) => watch.setEncoding("utf8").once("data", resolve));
    const post = session.request({ ":path": maps, ":method": "POST", "content-type": "application/json" });
    post.end(JSON.stringify({ metadata: { name: "two" } }));
    assert.equal(JSON.parse(await event).object.metadata.name, "two");
    watch.close();
  } finally {
    session.destroy();
  }
});

test("draining ends watches and takes no new connection; a second server on the port is told so", async () => {
  await assert.rejects(open(api.port), { code: "alreadyExists" });
  const other = await open(0);
  const session = connect(other.url, credentials);
  session.on("error", () => undefined);
  const watch = session.request({ ":path": `${maps}?watch=1` });
  await new Promise((resolve) => watch.once("response", resolve));
  const ended = new Promise((resolve) => watch.once("end", resolve));
  watch.resume();
  await other.drain(5_000);
  await ended;
  session.destroy();
  await other[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
});
