/** Mecha's sidecar passes the Cloudstate TCK's proxy cases, with the model as a process of its own and the interceptor between the two. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, test } from "node:test";
import { openInterceptor, openProxy, proxyCases, referenceEntityTypes } from "@mecha/conformance";
import { hostClock, hostRandom } from "@mecha/host";
import { noLog, noMetrics, Scope } from "@mecha/kit";
import { openSidecar } from "@mecha/sidecar";
import { openMemoryStore } from "@mecha/store-memory";

const clock = hostClock;
const random = hostRandom;
const modelMain = fileURLToPath(import.meta.resolve("../../conformance/src/model/main.ts"));

/** The model function as a child process; ends when its stdin does. */
async function startModel(scope: Scope, restarts: boolean): Promise<number> {
  const child: ChildProcess = spawn(process.execPath, [modelMain], {
    env: { ...process.env, PORT: "0", MODEL_RESTART: restarts ? "yes" : "no" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  scope.defer(async () => {
    const gone = once(child, "exit");
    child.stdin?.end();
    if (child.exitCode === null) await gone;
  });
  assert.ok(child.stdout);
  for await (const line of createInterface({ input: child.stdout })) {
    const port = /^listening on (\d+)$/.exec(line)?.[1];
    if (port !== undefined) return Number(port);
  }
  return assert.fail("the model ended before it listened");
}

/** Model ← interceptor ← sidecar. */
async function setUp(scope: Scope, restarts: boolean) {
  const interceptor = scope.own(await openInterceptor({ host: "127.0.0.1", port: await startModel(scope, restarts), clock }));
  const store = scope.own(openMemoryStore());
  const sidecar = scope.own(
    await openSidecar(
      { functions: ["model"], ingress: { host: "127.0.0.1", port: 0, strict: "cloudstate-0.2" }, version: "0.0.0-test" },
      {
        clock,
        random,
        log: noLog,
        metrics: noMetrics,
        store,
        fatal: (fault) => {
          throw fault;
        },
        changed: () => changed(),
      },
    ),
  );
  let changed = (): void => undefined;
  sidecar.functionStarted("model", { host: "127.0.0.1", port: interceptor.port });
  while (sidecar.functions[0]?.state.is !== "ready") {
    const { state } = sidecar.functions[0] ?? {};
    if (state?.is === "refused") assert.fail(state.problem);
    await new Promise<void>((resolve) => (changed = resolve));
  }
  return scope.own(
    openProxy({
      proxyHost: "127.0.0.1",
      proxyPort: sidecar.port,
      // CRDTs are not served yet.
      supportedEntityTypes: referenceEntityTypes.filter((type) => !type.startsWith("cloudstate.crdt")),
      interceptor,
      clock,
      random,
    }),
  );
}

for (const restarts of [true, false]) {
  describe(`with a function that ${restarts ? "asks" : "does not ask"} for a restart after failing with events`, async () => {
    const scope = new Scope();
    const proxy = setUp(scope, restarts);
    test.after(() => scope[Symbol.asyncDispose]());
    for (const one of proxyCases) test(`${one.id} ${one.group}: ${one.name}`, async () => (await proxy).run(one));
  });
}
