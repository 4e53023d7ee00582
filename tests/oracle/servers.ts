/**
 * The two servers under comparison: the real kube-apiserver on etcd, and ours. Both without controllers, so that only answers to requests are compared;
 * both with the same certificates, so that the same clients reach them.
 */
import { createPublicKey } from "node:crypto";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { openApiServer } from "@mecha/apiserver";
import { hostClock, hostRandom, privateFolder, readTextFile, writePrivateFile } from "@mecha/host";
import { noLog } from "@mecha/kit";
import { allKinds } from "@mecha/kinds";
import type { ObjectLog } from "@mecha/machinery";
import { type Authority, type KeyFiles, openAuthority, openTokenIssuer } from "@mecha/pki";
import { openMemoryObjectLog } from "@mecha/store-memory";
import { eventually, freePort, type Program, startProgram } from "../support/program.ts";
import type { BuiltProgram } from "../support/go-program.ts";
import { anEtcd } from "../tools/etcd/build.ts";
import { pluginsLeftOut } from "./plugins.ts";
import { Client, type Identity, type Served } from "./client.ts";

/** Keys and certificates both servers and all callers use. */
export interface Certificates {
  readonly folder: string;
  readonly authority: Authority;
  /** A client certificate. */
  caller(name: string, groups: readonly string[]): Promise<Identity>;
}

const pemMaxBytes = 65_536;

export async function makeCertificates(folder: string): Promise<Certificates> {
  await privateFolder(folder);
  const files: KeyFiles = {
    read: (name) => readTextFile(join(folder, name), pemMaxBytes),
    write: (name, content) => writePrivateFile(join(folder, name), content),
  };
  const authority = await openAuthority(files, { clock: hostClock, random: hostRandom });
  await authority.leaf("server", { for: "server", name: "mecha-apiserver", hosts: ["localhost", "127.0.0.1", "::1"] });
  await openTokenIssuer(files, { clock: hostClock });
  // The real server reads public keys apart from private ones.
  const key = createPublicKey((await files.read("tokens.key")) ?? "");
  await files.write("tokens.pub", key.export({ type: "spki", format: "pem" }));
  return {
    folder,
    authority,
    async caller(name, groups) {
      const { key, certificate } = await authority.leaf(`caller-${name}`, { for: "client", name, groups });
      return { key, certificate };
    },
  };
}

export interface RealServer extends Served, AsyncDisposable {
  readonly server: Program;
  readonly etcd: Program;
  /** From starting kube-apiserver to ready, ms. */
  readonly startMs: number;
}

/** kube-apiserver on two busy cores needs 10 to 60 s. */
const startMaxMs = 300_000;

/** Revisions each server under comparison has behind it, and has forgotten: what began there is too old for both. */
const forgottenRevisions = 50;

export interface RealOptions {
  /** Start with revisions that are forgotten. Default: false. */
  readonly past?: boolean;
  /** Flags beside those that every run needs. */
  readonly flags?: readonly string[];
}

/** @throws Error when there is no etcd and none can be built */
export async function startReal(
  { path }: BuiltProgram,
  { folder, authority, caller }: Certificates,
  { flags = [], past = false }: RealOptions = {},
): Promise<RealServer> {
  const [client, peer, port] = [await freePort(), await freePort(), await freePort()];
  const etcdUrl = `http://127.0.0.1:${client}`;
  const peerUrl = `http://127.0.0.1:${peer}`;
  const etcd = startProgram((await anEtcd()).path, [
    ...["--data-dir", join(folder, "etcd"), "--name", "oracle", "--log-level", "error"],
    ...["--listen-client-urls", etcdUrl, "--advertise-client-urls", etcdUrl],
    ...["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl, "--initial-cluster", `oracle=${peerUrl}`],
  ]);
  if (past) await forgetRevisions(etcdUrl);
  const startedMs = performance.now();
  const server = startProgram(path, [
    ...["--etcd-servers", etcdUrl, "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--secure-port", String(port)],
    ...["--tls-cert-file", join(folder, "server.crt"), "--tls-private-key-file", join(folder, "server.key")],
    ...["--client-ca-file", join(folder, "ca.crt"), "--cert-dir", join(folder, "kube-apiserver")],
    ...[
      "--service-account-issuer",
      "https://kubernetes.default.svc.cluster.local",
      "--api-audiences",
      "https://kubernetes.default.svc.cluster.local",
    ],
    ...["--service-account-key-file", join(folder, "tokens.pub"), "--service-account-signing-key-file", join(folder, "tokens.key")],
    ...["--service-cluster-ip-range", "10.96.0.0/12", "--authorization-mode", "RBAC", "--allow-privileged=true"],
    ...["--endpoint-reconciler-type", "none", "--profiling=false", "--disable-admission-plugins", pluginsLeftOut.join(","), ...flags],
  ]);
  const admin = new Client(
    { url: `https://127.0.0.1:${port}`, authority: authority.certificate },
    await caller("admin", ["system:masters"]),
  );
  try {
    const ready = eventually(
      "the real kube-apiserver is ready",
      async () => (await admin.ask({ method: "GET", path: "/readyz" })).text === "ok",
      startMaxMs,
    );
    ready.catch(() => undefined); // told below, unless the process ended first
    await Promise.race([ready, ended(server), ended(etcd)]);
  } catch (error) {
    const said = `${server.output.slice(-4_000)}\n${etcd.output.slice(-2_000)}`;
    await Promise.all([server[Symbol.asyncDispose](), etcd[Symbol.asyncDispose]()]);
    throw new Error(`the real kube-apiserver did not start:\n${said}`, { cause: error });
  } finally {
    admin[Symbol.dispose]();
  }
  return {
    url: `https://127.0.0.1:${port}`,
    authority: authority.certificate,
    server,
    etcd,
    startMs: performance.now() - startedMs,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await etcd[Symbol.asyncDispose]();
    },
  };
}

/** Through etcd's JSON gateway. */
async function forgetRevisions(url: string): Promise<void> {
  const ask = async (path: string, body: object): Promise<boolean> =>
    (await fetch(`${url}/v3/kv/${path}`, { method: "POST", body: JSON.stringify(body) })).ok;
  const put = { key: Buffer.from("/past").toString("base64"), value: "" };
  await eventually("etcd answers", () => ask("put", put));
  for (let i = 1; i < forgottenRevisions; i++) await ask("put", put);
  await eventually("etcd has compacted", () => ask("compaction", { revision: String(forgottenRevisions) }));
}

async function logWithPast(): Promise<ObjectLog> {
  const log = openMemoryObjectLog();
  const key = "//configmaps/past/past";
  const value = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "past", namespace: "past" } });
  for (let i = 1; i < forgottenRevisions; i++) await log.write({ key, expected: i - 1, value });
  await log.write({ key, expected: forgottenRevisions - 1, value: undefined });
  await log.compact(forgottenRevisions);
  return log;
}

/** A server that ends does not become ready. */
async function ended({ exit }: Program): Promise<never> {
  const { code } = await exit;
  throw new Error(`it ended with ${String(code)}`);
}

/** Ours in this process, its objects in memory, nothing running on them. */
export async function startOurs({ folder, authority }: Certificates): Promise<Served & AsyncDisposable> {
  const server = await openApiServer(
    { host: "127.0.0.1", port: 0, folder, hosts: [], name: "oracle", controllers: false },
    { clock: hostClock, random: hostRandom, log: noLog, objects: await logWithPast(), definitions: allKinds() },
  );
  return { url: server.url, authority: authority.certificate, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Whether a program is on this machine's PATH. */
export async function onPath(program: string): Promise<boolean> {
  for (const folder of (process.env.PATH ?? "").split(":"))
    if (
      await access(join(folder, program)).then(
        () => true,
        () => false,
      )
    )
      return true;
  return false;
}
