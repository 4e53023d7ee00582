/**
 * How long the first command of an entity takes that has a past: load, replay to the function, then the command itself, durable.
 *
 *     npm run bench -- activation [--events 1000,100000] [--entities 5]
 *
 * Each entity is asked twice; the second answer is what a command costs once the entity is active. Medians.
 */
import { number, numbers, readOptions } from "../options.ts";
import { Plain, Snapshotted } from "./components.ts";
import { add, Filler, keep, median, printMachine, startEngine, tempState } from "./harness.ts";

const { events: sizes, entities } = readOptions("First command of an entity with many events, with and without snapshots.", {
  events: numbers("1,1000,100000", "events of an entity"),
  entities: number(5, "of each size; the median counts"),
});
const ids = (events: number): string[] => Array.from({ length: entities }, (_, n) => `e${String(events)}-${String(n)}`);
const state = tempState();
try {
  printMachine();
  {
    await using filler = await Filler.open(state.dir);
    for (const component of [Plain, Snapshotted]) for (const events of sizes) await filler.fill(component, ids(events), events);
  }
  const engine = await startEngine(state.dir);
  const results: object[] = [];
  try {
    for (let warm = 0; warm < 200; warm++) await add(engine.url, Plain.service, `warm${String(warm)}`);
    for (const component of [Plain, Snapshotted]) {
      for (const events of sizes) {
        const firsts: number[] = [];
        const seconds: number[] = [];
        const before = engine.cpu();
        for (const id of ids(events)) {
          const start = performance.now();
          const value = await add(engine.url, component.service, id);
          const loaded = performance.now();
          await add(engine.url, component.service, id);
          firsts.push(loaded - start);
          seconds.push(performance.now() - loaded);
          if (value !== events + 1) throw new Error(`${id} has ${String(value)} instead of ${String(events + 1)}: the replay is wrong`);
        }
        const after = engine.cpu();
        const perEntity = (used: number): number => Number((used / 1000 / firsts.length).toFixed(1));
        results.push({
          events,
          snapshots: component === Snapshotted ? "every 100" : "none",
          "first command ms": Number(median(firsts).toFixed(1)),
          "second ms": Number(median(seconds).toFixed(1)),
          "server CPU ms": perEntity(after.server - before.server),
          "function CPU ms": perEntity(after.function - before.function),
        });
      }
    }
  } finally {
    await engine.stop();
  }
  console.table(results);
  keep("activation", results);
} finally {
  state.remove();
}
