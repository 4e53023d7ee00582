/**
 * The Kubernetes API beside the real one (etcd and kube-apiserver), each on its own durable log: start, writes, lists and watches with many objects,
 * memory.
 *
 *     npm run bench -- kube [--objects 10000] [--seconds 5] [--sides mecha,real]
 *
 * One client program for both, over HTTPS with a client certificate. The two sides are measured one after the other, each alone on the machine.
 * A write is a create of a ConfigMap of 200 bytes. Watch latency is from just before a write is sent until a watcher of the namespace has read its
 * event, so it holds the write itself. CPU is of the server's processes, from /proc.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Client, type Identity, type Served } from "../../tests/oracle/client.ts";
import { makeCertificates, startReal } from "../../tests/oracle/servers.ts";
import { tempDir } from "../../tests/support/files.ts";
import { eventually, startProgram } from "../../tests/support/program.ts";
import { builtKubeApiserver } from "../../tests/tools/kube-apiserver/build.ts";
import { cpuMicros } from "../counter/processes.ts";
import { keep, printMachine } from "../engine/harness.ts";
import { number, readOptions, some } from "../options.ts";

const { objects, seconds, sides } = readOptions("The Kubernetes API of Mecha beside etcd and kube-apiserver.", {
  objects: number(10_000, "there when lists and watches are measured"),
  seconds: number(5, "of each measurement"),
  sides: some(["mecha", "real"], "mecha,real", "systems, in this order"),
});
/** Clients at once while filling, and in the busy round. */
const callers = 16;
/** Watchers of the namespace while latency is measured. */
const watchers = 10;
const root = join(import.meta.dirname, "../..");
const maps = "/api/v1/namespaces/default/configmaps";

interface Side extends AsyncDisposable {
  readonly name: string;
  readonly served: Served;
  readonly identity: Identity;
  /** Of the processes that are the server. */
  readonly pids: readonly number[];
  /** From start to the first answer of /readyz, ms. */
  readonly startMs: number;
}

const results: Record<string, Record<string, number>> = {};
printMachine();
for (const side of sides) {
  await using running = side === "real" ? await real() : await mecha();
  results[running.name] = await measure(running);
}
console.table(results);
const [ours, theirs] = [results["mecha"], results["kube-apiserver + etcd"]];
if (ours && theirs) {
  const ratios = Object.fromEntries(Object.keys(ours).map((name) => [name, Number(((ours[name] ?? 0) / (theirs[name] ?? 0)).toFixed(2))]));
  console.log("Mecha divided by the real one:");
  console.table({ ratio: ratios });
}
keep("kube", results);

async function real(): Promise<Side> {
  const built = await builtKubeApiserver();
  const dir = await tempDir("bench-kube");
  const certificates = await makeCertificates(dir.path);
  const server = await startReal(built, certificates);
  return {
    name: "kube-apiserver + etcd",
    served: server,
    identity: await certificates.caller("admin", ["system:masters"]),
    pids: [server.server.pid, server.etcd.pid],
    startMs: server.startMs,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** As users start it: `mecha up` with a project whose function does nothing. */
async function mecha(): Promise<Side> {
  const dir = await tempDir("bench-kube");
  await dir.write({
    "mecha.yaml":
      "apiVersion: mecha.dev/v1alpha1\nkind: Project\nmetadata: {name: bench}\nspec:\n  functions: [{name: idle, command: [node, idle.mjs]}]\n",
    "idle.mjs": 'import { createServer } from "node:net"; createServer().listen(Number(process.env.PORT), process.env.HOST);',
  });
  const startedMs = performance.now();
  const program = startProgram(
    process.execPath,
    [join(root, "apps/mecha/bin/mecha.cjs"), "up", dir.path, "--port", "0", "--admin-port", "0"],
    {
      env: { NODE_ENV: "production" },
    },
  );
  const { served, identity } = await eventually("the API of mecha answers", async () => {
    const found = readKubeconfig(join(dir.path, ".mecha/kubernetes/kubeconfig"));
    using client = new Client(found.served, found.identity);
    return (await client.ask({ method: "GET", path: "/readyz" })).text === "ok" && found;
  });
  const startMs = performance.now() - startedMs;
  return {
    name: "mecha",
    served,
    identity,
    pids: [program.pid],
    startMs,
    async [Symbol.asyncDispose]() {
      await program[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
}

function readKubeconfig(path: string): { readonly served: Served; readonly identity: Identity } {
  const text = readFileSync(path, "utf8");
  const field = (name: string): string => new RegExp(`${name}: (\\S+)`, "u").exec(text)?.[1] ?? "";
  const decoded = (name: string): string => Buffer.from(field(name), "base64").toString();
  return {
    served: { url: field("server"), authority: decoded("certificate-authority-data") },
    identity: { certificate: decoded("client-certificate-data"), key: decoded("client-key-data") },
  };
}

async function measure(side: Side): Promise<Record<string, number>> {
  using client = new Client(side.served, side.identity, callers);
  let next = 0;
  const create = async (): Promise<void> => {
    const name = `m${String(next++).padStart(6, "0")}`;
    const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels: { app: "bench" } }, data: { text: "x".repeat(200) } };
    const { status, text } = await client.ask({ method: "POST", path: maps, body });
    if (status !== 201) throw new Error(`create: ${status} ${text}`);
  };
  const one = await writing(1, Math.min(seconds, 3), create, side);
  const many = await writing(callers, seconds, create, side);
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (next < objects) await create();
    }),
  );
  const listed = await listing(client);
  const latency = await watching(side, client);
  return {
    "start ms": Math.round(side.startMs),
    "writes/s, 1 client": one.perSecond,
    "p50 ms, 1 client": one.p50,
    "p99 ms, 1 client": one.p99,
    [`writes/s, ${callers} clients`]: many.perSecond,
    [`p99 ms, ${callers} clients`]: many.p99,
    "server CPU µs a write": many.cpuMicros,
    objects: next,
    "list of all, ms": listed,
    "watch p50 ms": latency.p50,
    "watch p99 ms": latency.p99,
    "memory MiB": Math.round(side.pids.reduce((sum, pid) => sum + residentMiB(pid), 0)),
  };
}

interface Writing {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuMicros: number;
}

async function writing(clients: number, forSeconds: number, write: () => Promise<void>, { pids }: Side): Promise<Writing> {
  const took: number[] = [];
  const cpu = (): number => pids.reduce((sum, pid) => sum + cpuMicros(pid), 0);
  const [startMs, cpuBefore] = [performance.now(), cpu()];
  const endMs = startMs + forSeconds * 1_000;
  const caller = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const from = performance.now();
      await write();
      took.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: clients }, caller));
  const perSecond = Math.round(took.length / ((performance.now() - startMs) / 1_000));
  return { perSecond, ...percentiles(took), cpuMicros: Math.round((cpu() - cpuBefore) / took.length) };
}

/** Median of five whole lists. */
async function listing(client: Client): Promise<number> {
  const took: number[] = [];
  for (let i = 0; i < 5; i++) {
    const from = performance.now();
    const { body } = await client.ask({ method: "GET", path: maps });
    took.push(performance.now() - from);
    if (body.items.length < objects) throw new Error(`listed ${body.items.length}`);
  }
  return Math.round(took.toSorted((a, b) => a - b)[2] ?? 0);
}

/** Patches one after the other; each is timed until all watchers have read it. */
async function watching(side: Side, client: Client): Promise<{ readonly p50: number; readonly p99: number }> {
  const { body } = await client.ask({ method: "GET", path: `${maps}?limit=1` });
  const from = body.metadata.resourceVersion as string;
  let seen = (_tag: string): void => undefined;
  const took: number[] = [];
  using reader = new Client(side.served, side.identity, watchers);
  let open = 0;
  let done = false;
  const reading = Array.from({ length: watchers }, () =>
    reader.watch(
      { path: `${maps}?watch=1&resourceVersion=${from}&timeoutSeconds=${Math.ceil(seconds) + 30}` },
      (events) => {
        seen(events.at(-1)?.object.data.tag as string);
        return done;
      },
      () => open++,
    ),
  );
  await eventually("all watches are open", () => open === watchers);
  const endMs = performance.now() + seconds * 1_000;
  for (let i = 0; performance.now() < endMs || !done; i++) {
    if (performance.now() >= endMs) done = true; // the last event ends the watches
    const tag = String(i);
    let left = watchers;
    const told = new Promise<void>((resolve) => {
      seen = (which) => {
        if (which !== tag) return;
        took.push(performance.now() - sentMs);
        if (--left === 0) resolve();
      };
    });
    const sentMs = performance.now();
    const path = `${maps}/m${String(i % 1_000).padStart(6, "0")}`;
    await Promise.all([
      client.ask({ method: "PATCH", path, body: { data: { tag } }, headers: { "content-type": "application/merge-patch+json" } }),
      told,
    ]);
  }
  await Promise.all(reading);
  return percentiles(took);
}

function percentiles(took: readonly number[]): { readonly p50: number; readonly p99: number } {
  const sorted = took.toSorted((a, b) => a - b);
  const at = (share: number): number => Number((sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2));
  return { p50: at(0.5), p99: at(0.99) };
}

function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/u.exec(readFileSync(`/proc/${String(pid)}/status`, "utf8"))?.[1] ?? 0) / 1024;
}
