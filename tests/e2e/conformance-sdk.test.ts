/** The kit's proxy cases with a function written with our SDK: SDK and sidecar together do what the TCK demands of any pair. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openInterceptor, openProxy, proxyCases, referenceEntityTypes } from "@mecha/conformance";
import { hostClock, hostRandom } from "@mecha/host";
import { noLog, noMetrics, Scope } from "@mecha/kit";
import { openSidecar } from "@mecha/sidecar";
import { openMemoryStore } from "@mecha/store-memory";
import { serve } from "mecha-sdk";
import { model } from "../sdk/model.ts";

/** SDK ← interceptor ← sidecar. */
async function setUp(scope: Scope) {
  const server = scope.own(await serve(model, { port: 0, host: "127.0.0.1", handleSignals: false, log: noLog }));
  const interceptor = scope.own(await openInterceptor({ host: "127.0.0.1", port: server.port, clock: hostClock }));
  const store = scope.own(openMemoryStore());
  let changed = (): void => undefined;
  const sidecar = scope.own(
    await openSidecar(
      { ingress: { host: "127.0.0.1", port: 0, strict: "cloudstate-0.2" }, version: "0.0.0-test" },
      {
        clock: hostClock,
        random: hostRandom,
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
  sidecar.addFunction("model").started({ host: "127.0.0.1", port: interceptor.port });
  while (sidecar.functions[0]?.state.is !== "ready") {
    const { state } = sidecar.functions[0] ?? {};
    if (state?.is === "refused") assert.fail(state.problem);
    await new Promise<void>((resolve) => (changed = resolve));
  }
  return scope.own(
    openProxy({
      proxyHost: "127.0.0.1",
      proxyPort: sidecar.port,
      supportedEntityTypes: referenceEntityTypes,
      services: sidecar.functions.flatMap(({ discovered }) => discovered?.components.map(({ service }) => service) ?? []),
      interceptor,
      clock: hostClock,
      random: hostRandom,
    }),
  );
}

describe("with a function on our SDK", () => {
  const scope = new Scope();
  const proxy = setUp(scope);
  test.after(() => scope[Symbol.asyncDispose]());
  for (const one of proxyCases) test(`${one.id} ${one.group}: ${one.name}`, async () => (await proxy).run(one));
});
