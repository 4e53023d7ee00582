/** The systems under comparison: each starts, says where its counters are and which processes to measure. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type Measured, start, stop, until } from "./processes.ts";

/** A running system. */
export interface Peer {
  readonly name: string;
  readonly url: string;
  /** Path of one counter's add; `%d` is the key. */
  readonly pathPattern: string;
  readonly processes: readonly Measured[];
  /** Current value of a counter, for checking that the work was done. */
  add(key: number, amount: number): Promise<number>;
  stop(): Promise<void>;
}

/** How systems are called on the command line. */
export const peerNames = ["mecha", "restate1", "restate"] as const;
export type PeerName = (typeof peerNames)[number];

/** `restate1`: with one partition, its best on one machine; `restate`: with its default. */
export function startPeer(name: PeerName): Promise<Peer> {
  return name === "mecha" ? startMecha() : startRestate(name === "restate1" ? 1 : undefined);
}

const here = import.meta.dirname;

async function post(url: string, body: unknown): Promise<unknown> {
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`POST ${url}: ${String(response.status)} ${await response.text()}`);
  return response.json();
}

/** The server itself, not its npm launcher: the launcher is a process of its own and would be the one measured. */
function restateBinary(): string {
  const platform = `@restatedev/restate-server-${process.platform}-${process.arch}`;
  return createRequire(import.meta.url).resolve(`${platform}/bin/restate-server`);
}

/** Restate with its TypeScript SDK, fsync on. `partitions` undefined = its default. */
async function startRestate(partitions: number | undefined): Promise<Peer> {
  const dir = mkdtempSync(join(tmpdir(), "bench-restate-"));
  const [ingress, admin, node, service] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const sdk = start(process.execPath, [join(here, "restate/main.mjs")], { env: { PORT: String(service), NODE_ENV: "production" } });
  const server = start(restateBinary(), ["--base-dir", dir, "--node-name", "bench"], {
    env: {
      RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${String(ingress)}`,
      RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${String(admin)}`,
      RESTATE_BIND_ADDRESS: `127.0.0.1:${String(node)}`,
      RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${String(node)}`,
      RESTATE_LOG_FILTER: "error",
      DO_NOT_TRACK: "1",
      ...(partitions === undefined ? {} : { RESTATE_DEFAULT_NUM_PARTITIONS: String(partitions) }),
    },
  });
  const url = `http://127.0.0.1:${String(ingress)}`;
  await until("restate registers the counter", async () => {
    await post(`http://127.0.0.1:${String(admin)}/deployments`, { uri: `http://127.0.0.1:${String(service)}` });
    return true;
  });
  const add = async (key: number, amount: number): Promise<number> =>
    ((await post(`${url}/counter/${String(key)}/add`, { amount })) as { value: number }).value;
  await until("restate answers", async () => (await add(0, 0)) === 0);
  return {
    name: partitions === undefined ? "restate (default partitions)" : `restate (${String(partitions)} partition)`,
    url,
    pathPattern: "/counter/%d/add",
    processes: [
      { role: "server", pid: server.pid ?? 0 },
      { role: "function", pid: sdk.pid ?? 0 },
    ],
    add,
    stop: async () => {
      await Promise.all([stop(server), stop(sdk)]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Mecha with its TypeScript SDK, SQLite with full durability. */
async function startMecha(): Promise<Peer> {
  const dir = mkdtempSync(join(tmpdir(), "bench-mecha-"));
  const [ingress, admin] = await Promise.all([freePort(), freePort()]);
  const main = join(here, "../../apps/mecha/bin/mecha.cjs"); // as users start it: with its flags
  const args = ["up", join(here, "mecha"), "--port", String(ingress), "--admin-port", String(admin), "--state", dir];
  const server = start(process.execPath, [main, ...args], { env: { NODE_ENV: "production" } });
  const url = `http://127.0.0.1:${String(ingress)}`;
  const add = async (key: number, amount: number): Promise<number> =>
    ((await post(`${url}/counter/${String(key)}/add`, { amount })) as { value: number }).value;
  await until("mecha answers", async () => (await add(0, 0)) === 0);
  const token = readFileSync(join(dir, "admin.token"), "utf8").trim();
  const response = await fetch(`http://127.0.0.1:${String(admin)}/v1/functions`, { headers: { authorization: `Bearer ${token}` } });
  const { functions } = (await response.json()) as { functions: { pid: number }[] };
  return {
    name: "mecha",
    url,
    pathPattern: "/counter/%d/add",
    processes: [
      { role: "server", pid: server.pid ?? 0 },
      { role: "function", pid: functions[0]?.pid ?? 0 },
    ],
    add,
    stop: async () => {
      await stop(server);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
