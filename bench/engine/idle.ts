/**
 * What an entity costs that is active and has nothing to do: memory of sidecar and function for each, one stream included.
 *
 *     npm run bench -- idle [--entities 100000]
 *
 * Garbage is collected by time: memory is read when it no longer falls. 100,000 streams need two connections (ENGINE E15) and no more than the
 * usual 1,024 files.
 */
import { number, readOptions } from "../options.ts";
import { add, keep, printMachine, startEngine, tempState } from "./harness.ts";
import { Plain } from "./components.ts";

const { entities } = readOptions("Memory of active entities that have nothing to do, in the server and in the function.", {
  entities: number(100_000, "how many"),
});
const callers = 64;
const state = tempState();
try {
  printMachine();
  const engine = await startEngine(state.dir, { activeEntitiesMax: entities + 10_000, passivationMs: 3_600_000 });
  try {
    await activate(0, 1_000); // code compiled, buffers made
    const before = await settled();
    const start = performance.now();
    const cpuBefore = engine.cpu();
    await activate(1_000, entities + 1_000);
    const seconds = (performance.now() - start) / 1000;
    const cpuAfter = engine.cpu();
    const after = await settled();
    const idleCpu = await idleCpuShare();
    const perEntity = (bytes: number): number => Number((bytes / 1024 / entities).toFixed(2));
    const results = {
      entities,
      "activations/s": Math.round(entities / seconds),
      "server CPU µs an activation": Math.round((cpuAfter.server - cpuBefore.server) / entities),
      "function CPU µs an activation": Math.round((cpuAfter.function - cpuBefore.function) / entities),
      "server KB an entity": perEntity(after.server - before.server),
      "function KB an entity": perEntity(after.function - before.function),
      "server MB in all": Math.round(after.server / 2 ** 20),
      "function MB in all": Math.round(after.function / 2 ** 20),
      "idle CPU % of a core, server": idleCpu.server,
      "idle CPU % of a core, function": idleCpu.function,
    };
    console.table(results);
    keep("idle", results);

    async function activate(from: number, to: number): Promise<void> {
      let next = from;
      const caller = async (): Promise<void> => {
        while (next < to) await add(engine.url, Plain.service, `i${String(next++)}`);
      };
      await Promise.all(Array.from({ length: callers }, caller));
    }

    /** Memory once two readings a second apart differ by less than 1 %. */
    async function settled(): Promise<ReturnType<typeof engine.memory>> {
      let last = engine.memory();
      for (let tries = 0; tries < 30; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        const now = engine.memory();
        if (Math.abs(now.server - last.server) < now.server / 100 && Math.abs(now.function - last.function) < now.function / 100)
          return now;
        last = now;
      }
      return last;
    }

    async function idleCpuShare(): Promise<{ server: number; function: number }> {
      const from = engine.cpu();
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      const to = engine.cpu();
      const share = (micros: number): number => Number(((micros / 5e6) * 100).toFixed(1));
      return { server: share(to.server - from.server), function: share(to.function - from.function) };
    }
  } finally {
    await engine.stop();
  }
} finally {
  state.remove();
}
