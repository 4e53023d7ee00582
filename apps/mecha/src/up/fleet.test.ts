import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { hostClock, hostRandom } from "@mecha/host";
import { freePort, releasePort } from "@mecha/runtime-process";
import type { FunctionAddress, HostedFunction, LinkState, Sidecar } from "@mecha/sidecar";
import { Fleet, type FleetFunction } from "./fleet.ts";

/** A place in a sidecar that does nothing by itself. */
class Place implements HostedFunction {
  serves = false;
  removed = false;
  /** Resolves when its calls have ended. */
  calls: Promise<void> = Promise.resolve();
  address: FunctionAddress | undefined;
  state: LinkState = { is: "idle" };

  get status(): HostedFunction["status"] {
    return { name: "f", state: this.state, address: this.address, discovered: undefined };
  }
  started(address: FunctionAddress): void {
    this.address = address;
  }
  ended(): void {
    this.state = { is: "idle" };
  }
  remove(): Promise<void> {
    this.removed = true;
    return this.calls;
  }
}

interface Bench {
  readonly fleet: Fleet;
  readonly spec: FleetFunction;
  /** One for each version, in the order they were started. */
  readonly places: Place[];
  pid(): number | undefined;
}

async function open(t: TestContext): Promise<Bench> {
  const directory = await mkdtemp(join(tmpdir(), "fleet-"));
  const places: Place[] = [];
  const addFunction = (): HostedFunction => {
    const place = new Place();
    places.push(place);
    return place;
  };
  const fleet: Fleet = new Fleet({
    clock: hostClock,
    random: hostRandom,
    environment: { PATH: process.env["PATH"] },
    runFolder: join(directory, "run"),
    sidecar: { addFunction } as unknown as Sidecar,
    graceMs: 1_000,
    output: () => undefined,
    say: () => undefined,
    changed: () => fleet.changed(),
  });
  t.after(async () => {
    await fleet.stop();
    await rm(directory, { recursive: true });
  });
  const spec = { name: "f", command: ["sleep", "600"], directory, env: {}, protocol: "auto", port: undefined, order: 0 } as const;
  return { fleet, spec, places, pid: () => fleet.status("f")?.pid };
}

const isAlive = (pid: number | undefined): boolean => {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** Looks again and again; the test's own time is the limit. */
async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test("a function is started once; a changed one runs beside the old, which ends when the new one serves", async (t) => {
  const { fleet, spec, places, pid } = await open(t);
  await fleet.set(spec);
  await fleet.set({ ...spec, env: {} });
  const first = pid();
  assert.deepEqual([places.length, isAlive(first)], [1, true]);
  places[0]!.serves = true;
  await fleet.set({ ...spec, env: { A: "1" } });
  const second = pid();
  assert.notEqual(second, first);
  assert.deepEqual([isAlive(first), isAlive(second), fleet.status("f")?.replacing], [true, true, true]);
  [places[0]!.serves, places[1]!.serves] = [false, true];
  fleet.changed();
  await eventually(() => !isAlive(first));
  assert.deepEqual([places[0]!.removed, pid(), isAlive(second), fleet.status("f")?.replacing], [true, second, true, false]);
});

test("a change taken back before it served leaves what runs alone; one that cannot start does too", async (t) => {
  const { fleet, spec, places, pid } = await open(t);
  await fleet.set(spec);
  places[0]!.serves = true;
  const first = pid();
  await fleet.set({ ...spec, env: { A: "1" } });
  const second = pid();
  await fleet.set(spec);
  assert.deepEqual([pid(), isAlive(first), isAlive(second)], [first, true, false]);
  await assert.rejects(fleet.set({ ...spec, directory: "/nowhere" }), { code: "precondition" });
  assert.deepEqual([pid(), isAlive(first), places[2]!.removed], [first, true, true]);
});

test("where both versions need one port the old one ends first, and can be asked back", async (t) => {
  const { fleet, spec, places, pid } = await open(t);
  const port = await freePort("127.0.0.1");
  releasePort(port);
  await fleet.set({ ...spec, port });
  places[0]!.serves = true;
  const first = pid();
  await assert.rejects(fleet.set({ ...spec, port, command: ["no-such-program"] }), { code: "precondition" });
  assert.equal(isAlive(first), false);
  await fleet.set({ ...spec, port });
  assert.ok(isAlive(pid()));
});

test("what is removed is withdrawn, then ended; after stop nothing starts", async (t) => {
  const { fleet, spec, places, pid } = await open(t);
  await fleet.set(spec);
  const first = pid();
  await fleet.remove("f", 1_000);
  assert.deepEqual([places[0]!.removed, isAlive(first), fleet.has("f"), fleet.status("f")], [true, false, false, undefined]);
  await fleet.remove("f", 0);
  await fleet.stop();
  await assert.rejects(fleet.set(spec), { code: "cancelled" });
});

test("the end of all, and the kill, reach what is being removed or was replaced, and waits for its calls", async (t) => {
  const { fleet, spec, places, pid } = await open(t);
  await fleet.set(spec);
  await fleet.set({ ...spec, name: "other" });
  const [first, removed] = [pid(), fleet.status("other")?.pid];
  await fleet.set({ ...spec, env: { A: "1" } });
  const calls = Promise.withResolvers<void>();
  for (const place of places) place.calls = calls.promise;
  places[2]!.serves = true;
  fleet.changed();
  const removing = fleet.remove("other", 60_000);
  assert.deepEqual([places[0]!.removed, places[1]!.removed], [true, true]);
  assert.deepEqual([isAlive(first), isAlive(removed)], [true, true]);
  fleet.kill();
  await eventually(() => ![first, removed, pid()].some(isAlive));
  const stopped = fleet.stop();
  calls.resolve();
  await Promise.all([stopped, removing]);
});

test("stop ends a function whose removal waits for calls", async (t) => {
  const { fleet, spec, places, pid } = await open(t);
  await fleet.set(spec);
  const first = pid();
  const calls = Promise.withResolvers<void>();
  places[0]!.calls = calls.promise;
  const removing = fleet.remove("f", 60_000);
  await fleet.stop();
  assert.equal(isAlive(first), false);
  calls.resolve();
  await removing;
});
