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
import { openSidecar, type SidecarConfig } from "@mecha/sidecar";
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
async function setUp(scope: Scope, restarts: boolean, ingress: Partial<SidecarConfig["ingress"]> = { strict: "cloudstate-0.2" }) {
  const interceptor = scope.own(await openInterceptor({ host: "127.0.0.1", port: await startModel(scope, restarts), clock }));
  const store = scope.own(openMemoryStore());
  const sidecar = scope.own(
    await openSidecar(
      { ingress: { host: "127.0.0.1", port: 0, ...ingress }, version: "0.0.0-test" },
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
  sidecar.addFunction("model").started({ host: "127.0.0.1", port: interceptor.port });
  while (sidecar.functions[0]?.state.is !== "ready") {
    const { state } = sidecar.functions[0] ?? {};
    if (state?.is === "refused") assert.fail(state.problem);
    await new Promise<void>((resolve) => (changed = resolve));
  }
  const services = sidecar.functions.flatMap(({ discovered }) => discovered?.components.map(({ service }) => service) ?? []);
  return scope.own(
    openProxy({
      proxyHost: "127.0.0.1",
      proxyPort: sidecar.port,
      supportedEntityTypes: referenceEntityTypes,
      services,
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

/** Sidecars that behave otherwise, each caught by the case that is there for it. */
const planted: readonly [what: string, ingress: Partial<SidecarConfig["ingress"]>, caught: string, by: RegExp][] = [
  ["headers sent to entities", { strict: "cloudstate-0.2", passHeadersToEntities: true }, "P11", /ValueEntityStreamIn differs/],
  ["failures as status objects over HTTP", {}, "P10", /boom/],
  ["errors for unknown symbols", {}, "P27", /ServerReflectionResponse differs/],
];
for (const [what, ingress, id, by] of planted) {
  test(`the kit notices ${what} (${id})`, async () => {
    await using scope = new Scope();
    const proxy = await setUp(scope, true, ingress);
    const [first, one] = [proxyCases[0], proxyCases.find((other) => other.id === id)];
    assert.ok(first && one);
    await proxy.run(first);
    await assert.rejects(proxy.run(one), by);
  });
}
