/**
 * Tests in which real kubectls of several versions do the same against one API server: a server for the file, a namespace for each session, all versions of
 * a session at once.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ApiServer, openApiServer } from "@mecha/apiserver";
import { hostClock, hostRandom } from "@mecha/host";
import { noLog } from "@mecha/kit";
import { allKinds } from "@mecha/kinds";
import { openMemoryObjectLog } from "@mecha/store-memory";
import { type TempDir, tempDir } from "./files.ts";
import { type Kubectl, type KubectlResult, openKubectl, spreadKubectls } from "./kubectl.ts";

/** What one version has in a session. */
export interface Place {
  readonly kubectl: Kubectl;
  readonly namespace: string;
  readonly api: ApiServer;
  /** Folder of the session. */
  readonly home: string;
  /** Runs in the namespace. @throws Error when it fails. @returns stdout */
  at(args: readonly string[], stdin?: unknown): Promise<string>;
  /** Runs in the namespace, whatever comes. */
  attempt(args: readonly string[], stdin?: unknown): Promise<KubectlResult>;
  /** Runs in the namespace what has to fail. @returns Everything it said */
  wrong(args: readonly string[], stdin?: unknown): Promise<string>;
}

/** Defines a session; `name` is the test's. `newest`: by the newest version only, for what depends on the server alone. */
export type DefineSession = (name: string, steps: (place: Place) => Promise<void>, by?: "all" | "newest") => void;

/** Objects go in as JSON. */
const textOf = (stdin: unknown): string | undefined => (stdin === undefined || typeof stdin === "string" ? stdin : JSON.stringify(stdin));

/** @param versions How many versions, from the oldest to the newest on this machine. Fewer are a failure. */
export function kubectlSessions(name: string, versions: number): DefineSession {
  const binaries = spreadKubectls(versions);
  let dir: TempDir;
  let api: ApiServer;
  before(async () => {
    dir = await tempDir(name);
    api = await openApiServer(
      { host: "127.0.0.1", port: 0, folder: `${dir.path}/kubernetes`, hosts: [], name: "test" },
      { clock: hostClock, random: hostRandom, log: noLog, objects: openMemoryObjectLog(), definitions: allKinds() },
    );
  });
  after(async () => {
    await api[Symbol.asyncDispose]();
    await dir[Symbol.asyncDispose]();
  });
  test(`kubectls of ${versions} versions are on this machine`, () => assert.equal(binaries.length, versions, JSON.stringify(binaries)));
  let sessions = 0;
  return (title, steps, by = "all") => {
    const number = ++sessions;
    test(title, { concurrency: true }, async (t) => {
      await Promise.all(
        (by === "all" ? binaries : binaries.slice(-1)).map((binary) =>
          t.test(`kubectl 1.${binary.minor}`, async () => {
            const namespace = `s${number}-${binary.minor}`;
            const home = `${dir.path}/home-${binary.minor}`;
            const kubectl = openKubectl(binary, api.kubeconfig, home);
            await kubectl.run(["create", "namespace", namespace]);
            await steps(placeOf(kubectl, api, namespace, home));
          }),
        ),
      );
    });
  };
}

function placeOf(kubectl: Kubectl, api: ApiServer, namespace: string, home: string): Place {
  const here = ["-n", namespace];
  const attempt: Place["attempt"] = (args, stdin) => kubectl.try([...here, ...args], textOf(stdin));
  return {
    kubectl,
    namespace,
    api,
    home,
    at: (args, stdin) => kubectl.run([...here, ...args], textOf(stdin)),
    attempt,
    async wrong(args, stdin) {
      const { code, output } = await attempt(args, stdin);
      assert.notEqual(code, 0, `kubectl ${args.join(" ")} should fail: ${output}`);
      return output;
    },
  };
}
