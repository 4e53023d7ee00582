/** A server in memory for tests: requests as text, answers as values. */
import { FakeClock, SeededRandom } from "@mecha/kit/testing";
import type { KubeObject } from "@mecha/kinds";
import { openMemoryObjectLog } from "@mecha/store-memory";
import type { ApiRequest } from "../client.ts";
import type { ObjectLog } from "../object-log.ts";
import { testDefinitions } from "../testing.ts";
import { mastersGroup } from "./access.ts";
import { KubeServer, type KubeServerOptions } from "./server.ts";
import type { Watching } from "./watch.ts";

export const admin = { name: "admin", groups: [mastersGroup] };

export interface Asked {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** The body as JSON, when it is. */
  readonly body: any;
}

export interface TestServer {
  readonly server: KubeServer;
  readonly log: ObjectLog;
  readonly clock: FakeClock;
  /** `ask("POST", "/api/v1/…?dryRun=All", object)` */
  ask(method: ApiRequest["method"], path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Asked>;
  /** @throws Error when the answer is no watch. */
  watch(path: string, headers?: Readonly<Record<string, string>>): Promise<Watching>;
}

export async function testServer(options: Partial<KubeServerOptions> = {}): Promise<TestServer> {
  const clock = new FakeClock();
  const log = options.log ?? openMemoryObjectLog();
  const server = await KubeServer.open({
    log,
    clock,
    random: new SeededRandom(7),
    definitions: testDefinitions,
    ...options,
  });
  return {
    server,
    log,
    clock,
    async ask(method, path, body, headers = {}) {
      const served = await server.serve(requestOf(method, path, body, headers), admin);
      if (served.is === "watch") throw new Error(`${path} is a watch`);
      const text = new TextDecoder().decode(served.answer.body);
      return { ...served.answer, text, body: parsed(text) };
    },
    async watch(path, headers = {}) {
      const served = await server.serve(requestOf("GET", path, undefined, headers), admin);
      if (served.is === "answer") throw new Error(`${path} is no watch: ${new TextDecoder().decode(served.answer.body)}`);
      return served.watching;
    },
  };
}

export function configMap(name: string, more: Partial<KubeObject> = {}, metadata: Record<string, unknown> = {}): KubeObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...metadata }, ...more };
}

export function widget(name: string, spec: Record<string, unknown> = {}, metadata: Record<string, unknown> = {}): KubeObject {
  return { apiVersion: "example.dev/v1", kind: "Widget", metadata: { name, ...metadata }, spec };
}

function requestOf(method: ApiRequest["method"], target: string, body: unknown, headers: Readonly<Record<string, string>>): ApiRequest {
  const [path = "", query = ""] = target.split("?");
  const bytes = body === undefined ? undefined : new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
  return { method, path, query, headers: { "user-agent": "test/1", ...headers }, ...(bytes && { body: bytes }) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // YAML or plain text
  }
}
