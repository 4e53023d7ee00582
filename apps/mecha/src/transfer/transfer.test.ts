/** Export and import over a memory store: round trips of random stores, repetition, refusals by line. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createRegistry } from "@bufbuild/protobuf";
import { hostClock, hostRandom } from "@mecha/host";
import { explain, Fault, noLog, noMetrics } from "@mecha/kit";
import {
  type EntityAddress,
  type EntityRecord,
  openEngine,
  type Payload,
  type Step,
  type StoredKind,
  type TimerChange,
} from "@mecha/state";
import { openMemoryStore } from "@mecha/store-memory";
import { packJson, packPrimitive } from "@mecha/wire";
import type { EntitySource } from "../admin/entities.ts";
import { exportLines } from "./export.ts";
import { importLines } from "./import.ts";
import { anyRecord } from "./testing.ts";
import type { FileLine } from "./line.ts";

type ReplicaRow = Exclude<EntityRecord["replicas"], "deleted" | undefined>[number];

const descriptors: EntitySource["descriptors"] = () => ({ registry: createRegistry() }) as never;

function source(): EntitySource & AsyncDisposable & { readonly woken: number } {
  const store = openMemoryStore();
  const engine = openEngine({ store, clock: hostClock, random: hostRandom, log: noLog, metrics: noMetrics });
  let woken = 0;
  engine.timersImported = () => {
    woken++;
  };
  return {
    store,
    engine,
    descriptors,
    get woken() {
      return woken;
    },
    async [Symbol.asyncDispose]() {
      await engine[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

async function exported(from: EntitySource, base64 = false): Promise<readonly FileLine[]> {
  const lines: FileLine[] = [];
  for await (const line of exportLines(from, { base64 }, { project: "p", time: "2026-11-20T12:00:00.000Z" })) lines.push(line);
  return lines;
}
/** `""` is an empty line. */
const text = (lines: readonly unknown[]): string => lines.map((line) => (line === "" ? "" : JSON.stringify(line))).join("\n");
const into = (to: EntitySource, lines: readonly unknown[], first = 1): ReturnType<typeof importLines> =>
  importLines(to, text(lines), first, 5_000);

// ---- a random store -----------------------------------------------------------------------------------------------------------------

const bytes = fc.uint8Array({ maxLength: 12 });
const payload: fc.Arbitrary<Payload> = fc.oneof(
  fc.tuple(fc.string(), fc.jsonValue()).map(([type, json]) => packJson(type, json)),
  fc.string().map((value) => packPrimitive({ type: "string", value })),
  fc.record({ typeUrl: fc.constantFrom("type.googleapis.com/shop.Unknown", "no url", "json.cloudstate.io/bad"), value: bytes }),
);
const timer: fc.Arbitrary<TimerChange> = fc.record({
  do: fc.constant("set" as const),
  name: fc.constantFrom("a", "b", "c"),
  dueMs: fc.nat(1e12),
  schedule: fc.constantFrom("x ", 'y {"every":60000}', 'z {"cron":"0 8 * * *","zone":"UTC","catchUp":"skip"}'),
  command: fc.constant("Ring"),
  payload,
});
interface Entity {
  readonly id: string;
  readonly kind: StoredKind;
  readonly events: readonly { readonly payload: Payload; readonly snapshot: boolean; readonly timers: readonly TimerChange[] }[];
}
const entity: fc.Arbitrary<Entity> = fc.record({
  id: fc.string({ minLength: 1, maxLength: 3, unit: "grapheme" }).filter((one) => !one.includes("\0") && one.isWellFormed()),
  kind: fc.constantFrom("eventSourced", "value"),
  events: fc.array(fc.record({ payload, snapshot: fc.boolean(), timers: fc.array(timer, { maxLength: 2 }) }), { maxLength: 5 }),
});

const addressOf = ({ id, kind }: Pick<Entity, "id" | "kind">): EntityAddress => ({
  namespace: "default",
  service: `demo.${kind}`,
  persistenceId: "p",
  entityId: id,
});

async function fill({ store }: EntitySource, entities: readonly Entity[]): Promise<void> {
  for (const one of entities) {
    const { handle, sequence } = await store.open(addressOf(one), one.kind);
    for (const [at, { payload: event, snapshot, timers }] of one.events.entries()) {
      const step = {
        entity: handle,
        expectedSequence: sequence + at,
        events: [],
        cause: `c${at}`,
        timeMs: at * 1000,
        timers,
      } satisfies Step;
      const changed = one.kind === "value" ? { value: { do: "update" as const, value: event } } : { events: [event], ...(snapshot && { snapshot: event }) }; // prettier-ignore
      const [verdict] = await store.commit([{ ...step, ...changed, ...(at % 2 === 1 && { commandId: `id${at}`, trace: "t" }) }]);
      assert.equal(verdict?.is, "committed");
    }
    store.release(handle);
  }
}

/** Versions of values begin anew in another store. */
const comparable = (lines: readonly FileLine[]): unknown[] => lines.map((line) => (line.record === "value" ? { ...line, version: 1 } : line)); // prettier-ignore
const isRecord = (line: FileLine): boolean => line.record !== "export" && line.record !== "end";

test("any store comes out of a copy as it went in; the same again changes nothing, in pieces of any size", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(entity, { maxLength: 5 }), fc.boolean(), fc.integer({ min: 1, max: 4 }), async (entities, base64, piece) => {
      await using from = source();
      await using to = source();
      await fill(from, entities);
      const lines = await exported(from, base64);
      const records = lines.filter(isRecord).length;
      assert.deepEqual(lines.at(-1), { record: "end", records });
      let imported = 0;
      for (let at = 0; at < lines.length; at += piece) imported += (await into(to, lines.slice(at, at + piece), at + 1)).imported;
      assert.equal(imported, records);
      assert.deepEqual(comparable(await exported(to, base64)), comparable(lines));
      assert.deepEqual(await into(to, lines), { imported: 0, unchanged: records });
      assert.deepEqual(comparable(await exported(to, base64)), comparable(lines));
    }),
    { numRuns: 40 },
  );
});

test("any lines are imported or refused with a number, and never change what is there", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(entity, { maxLength: 3 }), fc.array(fc.oneof(anyRecord, fc.jsonValue()), { maxLength: 4 }), async (entities, wild) => {
      await using to = source();
      await fill(to, entities);
      const before = await exported(to);
      try {
        await into(to, wild);
      } catch (problem) {
        assert.ok(problem instanceof Fault, String(problem));
        assert.match(problem.message, /^line \d+: /u);
      }
      const after = new Set((await exported(to)).map((line) => JSON.stringify(line)));
      for (const line of before.filter(isRecord)) assert.ok(after.has(JSON.stringify(line)), JSON.stringify(line));
    }),
    { numRuns: 60 },
  ); // prettier-ignore
});

// ---- cases --------------------------------------------------------------------------------------------------------------------------

const file = { service: "demo.eventSourced", persistenceId: "p", id: "a" };
const string = (value: string): object => ({ type: "p.cloudstate.io/string", json: value });
const event = (sequence: number, value = `v${sequence}`, more: object = {}): object => ({
  record: "event",
  ...file,
  sequence,
  time: "2026-11-20T12:00:00.000Z",
  cause: "Add",
  payload: string(value),
  ...more,
});
const value = (name: string): object => ({ record: "value", ...file, service: "demo.value", version: 1, payload: string(name) });
const bell = { name: "bell", due: "2026-11-20T12:00:00.000Z", schedule: "x ", command: "Ring", payload: string("now") };

async function refused(to: EntitySource, lines: readonly unknown[], says: RegExp): Promise<void> {
  await assert.rejects(into(to, lines), (problem) => problem instanceof Fault && says.test(explain(problem)));
}

test("an event goes in only as the next one", async () => {
  await using to = source();
  await refused(to, [event(2)], /^line 1: demo\.eventSourced "a" has events up to 0, and this is 2/u);
  assert.deepEqual(await into(to, [event(1), event(2)]), { imported: 2, unchanged: 0 });
  await refused(to, [event(1), "", event(2, "other")], /^line 3: .*has another event 2 already; an import writes over nothing/u);
  await refused(to, [event(1, "v1", { cause: "Other" })], /has another event 1 already/u);
  await refused(to, [event(3), event(3, "other")], /^line 2: .*has another event 3 already/u);
  assert.deepEqual(await into(to, [event(3), event(4), event(4)]), { imported: 1, unchanged: 2 });
});

test("lines of several entities may be mixed", async () => {
  await using to = source();
  const of = (id: string, sequence: number): object => ({ ...event(sequence), id });
  const lines = [of("a", 1), of("b", 1), of("a", 2), of("b", 2), of("a", 3)];
  assert.deepEqual(await into(to, lines), { imported: 5, unchanged: 0 });
  assert.deepEqual(await into(to, lines), { imported: 0, unchanged: 5 });
});

test("a value goes in only where none is, also where one was deleted", async () => {
  await using to = source();
  assert.deepEqual(await into(to, [value("Ada"), value("Ada")]), { imported: 1, unchanged: 1 });
  await refused(to, [value("Grace")], /has another value already \(version 1\)/u);
  const { handle } = await to.store.open({ namespace: "default", ...file, service: "demo.value", entityId: "a" }, "value");
  await to.store.commit([{ entity: handle, expectedSequence: 1, events: [], value: { do: "delete" }, cause: "Delete", timeMs: 0 }]);
  to.store.release(handle);
  await refused(to, [value("Ada")], /has been deleted already \(version 2\)/u);
});

test("timers go in with their record and only then, and the engine hears of it", async () => {
  await using to = source();
  await into(to, [event(1, "v1", { timers: [bell] })]);
  assert.equal((await to.store.timers({ limit: 10 })).length, 1);
  assert.equal(to.woken, 1);
  const { handle } = await to.store.open({ namespace: "default", ...file, entityId: "a" }, "eventSourced");
  const fired = { do: "fired", name: "bell", dueMs: Date.parse(bell.due) } as const;
  await to.store.commit([{ entity: handle, expectedSequence: 1, events: [], timers: [fired], cause: "Ring", timeMs: 0 }]);
  to.store.release(handle);
  assert.deepEqual(await into(to, [event(1, "v1", { timers: [bell] })]), { imported: 0, unchanged: 1 });
  assert.deepEqual(await to.store.timers({ limit: 10 }), [], "a timer that fired is not set again");
  await refused(to, [event(2, "v2", { timers: [{ ...bell, schedule: "?" }] })], /timer "bell": its schedule is none that this version reads/u); // prettier-ignore
  await refused(to, [event(2, "v2", { timers: [{ ...bell, name: "" }] })], /timer "": it has no name/u);
  await refused(to, [event(2, "v2", { timers: [{ ...bell, schedule: 'x {"every":0}' }] })], /timer "bell": every/u);
});

test("a timer that was given up comes out as it went in, and does not fire", async () => {
  await using to = source();
  const lines = [event(1, "v1", { timers: [{ ...bell, parked: "no such command" }] })];
  await into(to, lines);
  assert.deepEqual(await to.store.timersDue(Number.MAX_SAFE_INTEGER, 10), []);
  assert.deepEqual((await exported(to)).filter(isRecord), lines);
});

test("a payload whose type nobody knows is named with what to do; as bytes it goes in", async () => {
  await using to = source();
  const unknown = { type: "type.googleapis.com/shop.Gone", json: { a: 1 } };
  await refused(to, [event(1, "", { payload: unknown })], /^line 1: no descriptor of "type.googleapis.com\/shop.Gone": no function/u);
  await refused(to, [event(1, "", { payload: { type: "p.cloudstate.io/int32", json: "x" } })], /^line 1: the JSON is no "p.cloudstate.io\/int32"/u); // prettier-ignore
  await into(to, [event(1, "", { payload: { type: unknown.type, base64: "CAE=" } })]);
  const [, line] = await exported(to);
  assert.deepEqual((line as { payload: unknown }).payload, { type: unknown.type, base64: "CAE=" });
});

test("another kind, another persistence id than the function's, another kind than what is stored", async () => {
  await using to = source();
  to.engine.component = (service) => (service === "demo.value" ? ({ kind: "value", persistenceId: "people" } as never) : undefined);
  await refused(to, [value("x")], /`persistenceId` is "p", and demo\.value keeps its records under "people"/u);
  await refused(to, [{ ...event(1), service: "demo.value" }], /the record is of kind eventSourced, and demo\.value is served as value/u);
  to.engine.component = () => undefined;
  await into(to, [event(1)]);
  await refused(to, [{ ...value("x"), service: file.service }], /^line 1: /u);
});

test("an active entity is left alone, unless nothing changes", async () => {
  await using to = source();
  await into(to, [event(1)]);
  to.engine.active = () => [{ service: file.service, entityId: "a", sequence: 1, queued: 0, phase: "ready" }];
  assert.deepEqual(await into(to, [event(1)]), { imported: 0, unchanged: 1 });
  await refused(to, [event(2)], /demo\.eventSourced "a" is active; import before calls reach it/u);
});

test("somebody else's write in between is seen", async () => {
  await using to = source();
  const commit = to.store.commit.bind(to.store);
  to.store.commit = async (steps) => steps.map(() => ({ is: "conflict", actualSequence: 9 }));
  await refused(to, [event(1)], /^line 1: demo\.eventSourced "a" changed meanwhile \(conflict\); import again/u);
  to.store.commit = commit;
});

// ---- CRDTs --------------------------------------------------------------------------------------------------------------------------

/** A GCounter of `up` on one replica: version 1, one name, type 0, one slot. */
const counter = (replica: string, up: number): Uint8Array => Uint8Array.of(1, 1, replica.length, ...Buffer.from(replica), 0, 1, 0, up);
const flagOn = Uint8Array.of(1, 0, 5, 1);
const crdt = (state: Uint8Array): object => ({
  record: "crdt",
  ...file,
  service: "demo.crdt",
  state: Buffer.from(state).toString("base64"),
});

async function write({ store }: EntitySource, change: NonNullable<Step["replicas"]>): Promise<void> {
  const { handle, sequence } = await store.open(addressOf({ id: "a", kind: "crdt" }), "crdt");
  await store.commit([{ entity: handle, expectedSequence: sequence, events: [], replicas: change, cause: "c", timeMs: 0 }]);
  store.release(handle);
}
const row = (incarnation: string, state: Uint8Array): ReplicaRow => ({ replica: { node: "local", incarnation }, state });

test("a CRDT goes out as one state, and is joined with what is there", async () => {
  await using from = source();
  await write(from, { do: "write", rows: [row("x", counter("a", 3)), row("y", counter("b", 4))], gone: [] });
  const lines = await exported(from);
  assert.equal(lines.length, 3);
  await using to = source();
  await write(to, { do: "write", rows: [row("z", counter("c", 5))], gone: [] });
  assert.deepEqual(await into(to, lines), { imported: 1, unchanged: 0 });
  assert.deepEqual(await into(to, lines), { imported: 0, unchanged: 1 });
  assert.deepEqual(await into(to, [crdt(counter("a", 2))]), { imported: 0, unchanged: 1 }, "an older state is known");
  assert.deepEqual(await into(to, [crdt(counter("a", 9))]), { imported: 1, unchanged: 0 });
  const { replicas, handle } = await to.store.open(addressOf({ id: "a", kind: "crdt" }), "crdt");
  to.store.release(handle);
  assert.deepEqual(
    (replicas as ReplicaRow[]).map(({ replica }) => replica.node).sort(),
    ["import", "local"],
    "the local replica's row is its own",
  );
});

test("a CRDT that was deleted, another type, bytes that are none", async () => {
  await using to = source();
  await refused(to, [crdt(Uint8Array.of(9))], /^line 1: the state is no CRDT that this version of Mecha reads/u);
  await into(to, [crdt(counter("a", 1))]);
  await refused(to, [crdt(flagOn)], /it is stored as a gcounter, and this is a flag/u);
  await refused(to, [crdt(counter("b", 1)), crdt(counter("b", 2))], /^line 2: .*stands in the file twice/u);
  await write(to, { do: "delete" });
  await refused(to, [crdt(counter("a", 1))], /was deleted here, and the deletion of a CRDT is for ever/u);
});
