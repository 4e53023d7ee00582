/**
 * The sidecar's process: what `mecha up` runs, without command line and admin listener, so that the engine's limits can be set.
 * argv: state folder, the function's port, engine options as JSON.
 */
import { hostClock, hostRandom } from "@mecha/host";
import { noLog, noMetrics } from "@mecha/kit";
import { openSidecar } from "@mecha/sidecar";
import type { EngineOptions } from "@mecha/state";
import { openSqliteStore } from "@mecha/store-sqlite";

const [dir = "", port = "", engine = "{}"] = process.argv.slice(2);
const ports = { clock: hostClock, random: hostRandom, log: noLog };
const store = await openSqliteStore({ dir, ...ports });
const fatal = (error: Error): void => {
  throw error;
};
const sidecar = await openSidecar(
  {
    ingress: { host: "127.0.0.1", port: 0 },
    version: "0",
    engine: JSON.parse(engine) as Partial<EngineOptions>,
  },
  { ...ports, metrics: noMetrics, store, fatal, changed: () => tell() },
);
let told = false;
function tell(): void {
  if (told || sidecar.functions[0]?.discovered === undefined) return;
  told = true;
  process.send?.(sidecar.port);
}
sidecar.addFunction("bench").started({ host: "127.0.0.1", port: Number(port) });
process.on("disconnect", () => process.exit(0));
process.on("message", () => {
  void (async () => {
    await sidecar.drain(10_000);
    await sidecar[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
    process.exit(0);
  })();
});
