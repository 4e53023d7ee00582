/**
 * The role "API server": the Kubernetes API over TLS on this machine.
 *
 * What belongs where: requests and their meaning are @mecha/machinery (server/), kinds are @mecha/kinds, where objects are kept is an adapter's
 * ObjectLog, certificates are @mecha/pki. Here: listener.ts (TLS, HTTP/1.1 and HTTP/2), authenticate.ts (who calls), kubeconfig.ts, and this file,
 * which puts them together.
 */
import { isIP } from "node:net";
import { join } from "node:path";
import { privateFolder, readTextFile, writePrivateFile } from "@mecha/host";
import { type Clock, explain, kib, type Log, type Random, Scope } from "@mecha/kit";
import type { ResourceDefinition } from "@mecha/kinds";
import {
  type ApiTransport,
  decodeProtobuf,
  inProcessTransport,
  KubeServer,
  mastersGroup,
  type ObjectLog,
  openApiPaths,
} from "@mecha/machinery";
import { type KeyFiles, openAuthority, openTokenIssuer } from "@mecha/pki";
import { runControllers } from "./controllers.ts";
import { kubeconfig } from "./kubeconfig.ts";
import { openMetrics } from "./metrics.ts";
import { type Listener, listenTls } from "./listener.ts";
import { ensureOwnKinds } from "./own-kinds.ts";
import { openAudit } from "./security/audit.ts";
import { openSecurity } from "./security/index.ts";

export interface ApiServerConfig {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** Keys, certificates and the kubeconfig go here, all 0600. */
  readonly folder: string;
  /** Names the server may be called by beside its loopback names. */
  readonly hosts: readonly string[];
  /** File for the audit log, a line of JSON a request. Absent: none is kept. */
  readonly auditLog?: string;
  /** Of cluster and user in the kubeconfig. */
  readonly name: string;
  /** Default true. False: somebody else runs garbage collection, the end of namespaces and what every namespace has. */
  readonly controllers?: boolean;
}

export interface ApiServerPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly objects: ObjectLog;
  readonly definitions: readonly ResourceDefinition[];
  /** The object log failed: nothing can be written any more, and the process has to end. */
  readonly fatal?: (error: unknown) => void;
}

export interface ApiServer extends AsyncDisposable {
  /** `https://127.0.0.1:6443` */
  readonly url: string;
  readonly port: number;
  /** Path of the kubeconfig. */
  readonly kubeconfig: string;
  readonly server: KubeServer;
  /** In this process, as a member of system:masters. */
  transport(user: string): ApiTransport;
  drain(graceMs: number): Promise<void>;
}

const loopbackNames = ["localhost", "127.0.0.1", "[::1]"];
const keyFileMaxBytes = 64 * kib;

/** @throws Fault("alreadyExists") when the port is taken. */
export async function openApiServer(config: ApiServerConfig, ports: ApiServerPorts): Promise<ApiServer> {
  const { clock, random, log, objects, definitions, fatal } = ports;
  await privateFolder(config.folder);
  const issuer = await openTokenIssuer(keyFiles(config.folder), { clock });
  const security = openSecurity(() => server, issuer, clock);
  const { authorize, admit, specials } = security;
  const metrics = openMetrics(() => server);
  const openApi = openApiPaths();
  const [server, identity] = await Promise.all([
    KubeServer.open({
      log: objects,
      clock,
      random,
      definitions,
      authorize,
      admit,
      specials,
      ...(fatal && { fatal }),
      protobuf: decodeProtobuf,
      paths: (request, registry) => metrics.paths(request, registry) ?? openApi(request, registry),
    }),
    openIdentity(config, ports),
  ]);
  await security.start();
  const scope = new Scope();
  try {
    const audit = config.auditLog === undefined ? undefined : scope.own(openAudit(config.auditLog, log));
    const transport = (user: string): ApiTransport => inProcessTransport(server, { name: user, groups: [mastersGroup] });
    await ensureOwnKinds(transport("mecha"));
    const { host, port } = config;
    const hosts = isLoopback(host) || config.hosts.length > 0 ? [...loopbackNames, ...config.hosts] : "any";
    const listener: Listener = scope.own(
      await listenTls(server, { host, port, ...identity, hosts, log, random, clock, security, metrics, ...(audit && { audit }) }),
    );
    const address = reachable(host).replace(/^\[|\]$/gu, "");
    const place = { serviceAddress: server.serviceAddress, address: isIP(address) ? address : "127.0.0.1", port: listener.port };
    if (config.controllers ?? true) {
      const controlling = runControllers(
        { transport: transport("system:kube-controller-manager"), clock, random, log, authority: identity.authority, place },
        scope.signal,
      );
      // It ends with the scope; a failure before that ends nothing else, but must be seen.
      scope.defer(() => controlling.catch(() => undefined));
      controlling.catch((error: unknown) => log.error("controllers ended", { cause: explain(error) }));
    }
    const url = `https://${reachable(host)}:${listener.port}`;
    const path = join(config.folder, "kubeconfig");
    await writePrivateFile(path, kubeconfig({ server: url, authority: identity.authority, client: identity.admin, name: config.name }));
    return {
      url,
      port: listener.port,
      kubeconfig: path,
      server,
      transport,
      drain: (graceMs) => listener.drain(graceMs),
      [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
    };
  } catch (error) {
    await scope[Symbol.asyncDispose]();
    throw error;
  }
}

interface Identity {
  readonly authority: string;
  readonly pair: { readonly key: string; readonly certificate: string };
  readonly admin: { readonly key: string; readonly certificate: string };
}

function keyFiles(folder: string): KeyFiles {
  return {
    read: (name) => readTextFile(join(folder, name), keyFileMaxBytes),
    write: (name, content) => writePrivateFile(join(folder, name), content),
  };
}

async function openIdentity({ folder, host, hosts }: ApiServerConfig, { clock, random }: ApiServerPorts): Promise<Identity> {
  const authority = await openAuthority(keyFiles(folder), { clock, random });
  const names = [
    ...new Set(["localhost", "127.0.0.1", "::1", ...(isAny(host) ? [] : [host]), ...hosts.map((name) => name.replace(/^\[|\]$/gu, ""))]),
  ];
  return {
    authority: authority.certificate,
    pair: await authority.leaf("server", { for: "server", name: "mecha-apiserver", hosts: names }),
    admin: await authority.leaf("admin", { for: "client", name: "mecha-admin", groups: [mastersGroup] }),
  };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/u.test(host);
}

/** Addresses that mean "all of them": nothing to connect to. */
function isAny(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function reachable(host: string): string {
  if (isAny(host)) return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
