/**
 * Who to talk to and as whom: a kubeconfig's context (Kubernetes, "kubeconfig (v1)"), or the account mounted into a Pod. Files a kubeconfig names are read
 * when they are needed, so that a rotated token or certificate is seen.
 */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { explain, Fault } from "@mecha/kit";
import { parse } from "yaml";

/** What a request carries to say who it is from. */
export interface Credentials {
  /** PEM. */
  readonly certificate?: string;
  /** PEM. */
  readonly key?: string;
  /** `Bearer …` or `Basic …`. */
  readonly authorization?: string;
}

/** A server and an account. */
export interface ClusterAccess {
  /** `https://host:port`, with a path prefix perhaps. */
  readonly server: string;
  /** PEM; absent: the system's. */
  readonly authority?: string;
  /** The server's certificate is not checked. */
  readonly insecure: boolean;
  /** Name to expect in the certificate, where it is not the host's. */
  readonly serverName?: string;
  /** Of requests that name none. */
  readonly namespace: string;
  /** Asked before each connection and after a 401. `fresh`: what was cached did not work. */
  credentials(fresh: boolean): Promise<Credentials>;
}

export interface ReadKubeconfigOptions {
  readonly path: string;
  /** Default: the file's current one. */
  readonly context?: string;
  /** Milliseconds since 1970; for the expiry of what credential plugins answer. */
  readonly nowMs: () => number;
}

type Fields = Readonly<Record<string, unknown>>;

/** @throws Fault("invalid") that names file, field and fix; Fault("notFound") when the file is not there. */
export function readKubeconfig({ path, context, nowMs }: ReadKubeconfigOptions): ClusterAccess {
  const config = parseConfig(path);
  const contextName = context ?? textOf(config, "current-context", path);
  if (contextName === undefined || contextName === "")
    throw new Fault("invalid", `${path}: current-context: no context is chosen; set one with kubectl config use-context, or name one`);
  const chosen = named(config, "contexts", "context", contextName, path);
  const cluster = named(config, "clusters", "cluster", required(chosen, "cluster", path), path);
  const userName = textOf(chosen, "user", path);
  const user = userName === undefined || userName === "" ? {} : named(config, "users", "user", userName, path);
  const folder = dirname(resolve(path));
  const server = required(cluster, "server", path);
  if (!/^https?:\/\//.test(server)) throw new Fault("invalid", `${path}: server: expected an https:// address, got "${server}"`);
  if (textOf(cluster, "proxy-url", path) !== undefined)
    throw new Fault("unimplemented", `${path}: proxy-url: connections through a proxy are not supported; reach the server directly`);
  const authority = pem(cluster, "certificate-authority", folder, path);
  const serverName = textOf(cluster, "tls-server-name", path);
  return {
    server: server.replace(/\/+$/, ""),
    ...(authority !== undefined && { authority }),
    insecure: cluster["insecure-skip-tls-verify"] === true,
    ...(serverName !== undefined && { serverName }),
    namespace: textOf(chosen, "namespace", path) ?? "default",
    credentials: credentialsOf(user, folder, path, nowMs),
  };
}

/** Where a Pod finds its account. */
const accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The Pod's own account; `undefined` outside a Pod. @param environment KUBERNETES_SERVICE_HOST and _PORT. */
export function inClusterAccess(
  environment: Readonly<Record<string, string | undefined>>,
  folder = accountFolder,
): ClusterAccess | undefined {
  const host = environment["KUBERNETES_SERVICE_HOST"];
  const port = environment["KUBERNETES_SERVICE_PORT"];
  if (!host || !port || !existsSync(join(folder, "token"))) return undefined;
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    authority: readFileSync(join(folder, "ca.crt"), "utf8"),
    insecure: false,
    namespace: readFileSync(join(folder, "namespace"), "utf8").trim() || "default",
    // Read each time: the kubelet replaces it before it expires.
    credentials: () => Promise.resolve({ authorization: `Bearer ${readFileSync(join(folder, "token"), "utf8").trim()}` }),
  };
}

function parseConfig(path: string): Fields {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new Fault("notFound", `read kubeconfig ${path}`, { cause });
  }
  let config: unknown;
  try {
    config = parse(text);
  } catch (cause) {
    throw new Fault("invalid", `${path}: not YAML`, { cause });
  }
  if (!isFields(config)) throw new Fault("invalid", `${path}: expected a kubeconfig (kind: Config)`);
  return config;
}

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value);

function textOf(fields: Fields, name: string, path: string): string | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw new Fault("invalid", `${path}: ${name}: expected a text`);
  return value;
}

function required(fields: Fields, name: string, path: string): string {
  const value = textOf(fields, name, path);
  if (value === undefined || value === "") throw new Fault("invalid", `${path}: ${name}: missing`);
  return value;
}

function named(config: Fields, list: string, part: string, name: string, path: string): Fields {
  const entries: readonly unknown[] = Array.isArray(config[list]) ? config[list] : [];
  const value = entries.filter(isFields).find((entry) => entry["name"] === name)?.[part];
  if (!isFields(value)) throw new Fault("invalid", `${path}: ${list}: there is no ${part} named "${name}"`);
  return value;
}

/** `name-data` (base64) or the file `name` points to, relative to the kubeconfig. */
function pem(fields: Fields, name: string, folder: string, path: string): string | undefined {
  const data = textOf(fields, `${name}-data`, path);
  if (data !== undefined && data !== "") return Buffer.from(data, "base64").toString("utf8");
  const file = textOf(fields, name, path);
  return file === undefined || file === "" ? undefined : readNamed(resolve(folder, file), name, path);
}

function readNamed(file: string, name: string, path: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new Fault("invalid", `${path}: ${name}: cannot read ${file}`, { cause });
  }
}

function credentialsOf(user: Fields, folder: string, path: string, nowMs: () => number): ClusterAccess["credentials"] {
  if (isFields(user["exec"])) return execCredentials(user["exec"], folder, path, nowMs);
  if (user["auth-provider"] !== undefined)
    throw new Fault("unimplemented", `${path}: auth-provider: was removed from Kubernetes 1.26; use an exec plugin`);
  return () => {
    const certificate = pem(user, "client-certificate", folder, path);
    const key = pem(user, "client-key", folder, path);
    const authorization = authorizationOf(user, folder, path);
    return Promise.resolve({
      ...(certificate !== undefined && { certificate }),
      ...(key !== undefined && { key }),
      ...(authorization !== undefined && { authorization }),
    });
  };
}

function authorizationOf(user: Fields, folder: string, path: string): string | undefined {
  const tokenFile = textOf(user, "tokenFile", path);
  if (tokenFile !== undefined) return `Bearer ${readNamed(resolve(folder, tokenFile), "tokenFile", path).trim()}`;
  const token = textOf(user, "token", path);
  if (token !== undefined) return `Bearer ${token}`;
  const name = textOf(user, "username", path);
  if (name === undefined) return undefined;
  return `Basic ${Buffer.from(`${name}:${textOf(user, "password", path) ?? ""}`).toString("base64")}`;
}

const run = promisify(execFile);
/** A plugin may have to ask somebody over the network. */
const pluginTimeoutMs = 60_000;
/** A new one is asked for this long before the old one expires, so that no request carries one that expires on its way. */
const expiryMarginMs = 10_000;

/** Credentials a program prints (client.authentication.k8s.io/v1 ExecCredential); kept until they expire. */
function execCredentials(exec: Fields, folder: string, path: string, nowMs: () => number): ClusterAccess["credentials"] {
  const command = required(exec, "command", path);
  const apiVersion = textOf(exec, "apiVersion", path) ?? "client.authentication.k8s.io/v1";
  const args = Array.isArray(exec["args"]) ? exec["args"].map(String) : [];
  const env = Array.isArray(exec["env"]) ? (exec["env"] as readonly { readonly name: string; readonly value: string }[]) : [];
  let cached: { readonly credentials: Credentials; readonly untilMs: number } | undefined;
  return async (fresh) => {
    if (cached && !fresh && nowMs() < cached.untilMs) return cached.credentials;
    const info = { apiVersion, kind: "ExecCredential", spec: { interactive: false } };
    let status: Fields;
    try {
      const { stdout } = await run(command.includes("/") ? resolve(folder, command) : command, args, {
        timeout: pluginTimeoutMs,
        env: {
          ...process.env,
          ...Object.fromEntries(env.map(({ name, value }) => [name, value])),
          KUBERNETES_EXEC_INFO: JSON.stringify(info),
        },
      });
      status = ((JSON.parse(stdout) as Fields)["status"] ?? {}) as Fields;
    } catch (cause) {
      throw new Fault("unauthenticated", `${path}: exec: ${command} gave no credentials: ${explain(cause)}`, { cause });
    }
    const token = textOf(status, "token", path);
    const certificate = textOf(status, "clientCertificateData", path);
    const key = textOf(status, "clientKeyData", path);
    const expires = textOf(status, "expirationTimestamp", path);
    const credentials = {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(certificate !== undefined && { certificate }),
      ...(key !== undefined && { key }),
    };
    cached = { credentials, untilMs: expires === undefined ? Infinity : Date.parse(expires) - expiryMarginMs };
    return credentials;
  };
}
