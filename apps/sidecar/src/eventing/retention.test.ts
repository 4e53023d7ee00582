import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricsRegistry } from "@mecha/kit";
import { FakeClock, MemoryLog, SeededRandom } from "@mecha/kit/testing";
import type { TopicLog, TopicMessage } from "@mecha/binding";
import { openMemoryStore, openMemoryTopics } from "@mecha/store-memory";
import type { CloudEvent } from "@mecha/wire/cloudevents";
import { component, ScriptedEngine } from "../ingress/testing/fixture.ts";
import { Eventing } from "./eventing.ts";
import { Retention } from "./retention.ts";

const group = "g/topic/orders";
const minute = 60_000;

async function begin({ maxAgeMs = 10 * minute, maxBytes = 1 << 20 } = {}) {
  const clock = new FakeClock();
  const log = new MemoryLog();
  const topics = openMemoryTopics({ maxAgeMs, maxBytes });
  const seen: { used: number[]; lost: number[] } = { used: [], lost: [] };
  const retention = new Retention({ topics, clock, log });
  const meters = { used: (part: number) => seen.used.push(part), lost: (events: number) => seen.lost.push(events) };
  retention.watch(group, meters, () => 0);
  await clock.advance(0);
  let ids = 0;
  const append = (count: number, bytes = 10): Promise<unknown> =>
    topics.append(Array.from({ length: count }, (): TopicMessage => {
      const id = String(++ids);
      return { topic: "orders", source: "s", id, attributes: [], payload: { typeUrl: "t", value: new Uint8Array(bytes) }, timeMs: clock.wall() };
    })); // prettier-ignore
  const lines = (): string[] => log.lines.splice(0).map(({ level, message }) => `${level} ${message}`);
  return { clock, log, topics, retention, seen, append, lines };
}
const warning = "warn a consumer group is about to lose messages of a topic: the oldest it has not had is removed soon";
const loss = "error messages of a topic were removed before a consumer group had them";

test("a group that is late is warned about once, then hears what it lost; figures say both", async () => {
  const { clock, topics, retention, seen, append, lines, log } = await begin();
  await append(3);
  await clock.advance(7.5 * minute);
  assert.deepEqual(lines(), []);
  assert.deepEqual(retention.of(group), { used: 0.75, soon: false, lost: 0, lostMs: undefined });
  await clock.advance(minute);
  assert.match(JSON.stringify(log.lines[0]), /"subscriber":"g\/topic\/orders","used":0\.8,.*MECHA_TOPIC_AGE/u);
  assert.deepEqual(lines(), [warning]);
  await clock.advance(2 * minute);
  assert.match(JSON.stringify(log.lines[0]), /"lost":3,"everLost":3/u);
  assert.deepEqual(lines(), [loss]);
  assert.deepEqual([retention.of(group)?.lost, retention.of(group)?.used], [3, 0]);
  assert.deepEqual(seen.lost, [3]);
  assert.ok(seen.used.includes(1) && seen.used.at(-1) === 0);
  await append(1); // a group that is late again is warned about again
  await clock.advance(9 * minute);
  assert.deepEqual(lines(), [warning]);
  await topics.advance(group, { position: 4, ahead: [] }, []);
  await clock.advance(5 * minute);
  assert.deepEqual(lines(), []);
  assert.deepEqual(seen.lost, [3]);
});

test("a log that is full by bytes warns too; many sweeps make one line", async () => {
  const { clock, append, seen, lines } = await begin({ maxBytes: 10_000 });
  await append(850);
  await clock.advance(0.5 * minute);
  assert.deepEqual(lines(), [warning]);
  for (let round = 0; round < 4; round++) await append(1_000);
  await clock.advance(minute);
  assert.deepEqual(lines(), [loss]);
  assert.deepEqual(seen.lost, [3_850]);
});

test("what a former process's group lost is shown, and not said again", async () => {
  const { clock, topics, log } = await begin();
  await topics.append([{ topic: "orders", source: "s", id: "x", attributes: [], payload: { typeUrl: "t", value: new Uint8Array(1) }, timeMs: clock.wall() }]); // prettier-ignore
  await clock.advance(11 * minute);
  const lost: number[] = [];
  const again = new Retention({ topics, clock, log });
  log.lines.splice(0);
  again.watch(group, { used: () => undefined, lost: (events) => lost.push(events) }, () => 0);
  await clock.advance(2 * minute);
  assert.deepEqual([again.of(group)?.lost, lost, log.lines], [1, [], []]);
  again.stop();
  again.unwatch(group);
  assert.equal(again.of(group), undefined);
});

test("more groups than the log answers for at once are all looked at", async () => {
  const { clock, topics, retention, append, lines } = await begin();
  const names = Array.from({ length: 1_001 }, (_, at) => `g${at}/topic/orders`);
  for (const name of names) retention.watch(name, { used: () => undefined, lost: () => undefined }, () => 0);
  for (const name of names) await topics.advance(name, { position: 0, ahead: [] }, []);
  await append(1);
  await clock.advance(9 * minute);
  assert.deepEqual(
    lines(),
    Array.from({ length: 1_002 }, () => warning),
  );
  assert.ok(names.every((name) => retention.of(name)?.soon === true));
  retention.stop();
});

test("a log that fails is said, and tried again", async () => {
  const { clock, topics, log, retention } = await begin();
  const sweep = topics.sweep.bind(topics);
  let fails = true;
  (topics as { sweep: TopicLog["sweep"] }).sweep = (...args) => (fails ? Promise.reject(new Error("disk")) : sweep(...args));
  await clock.advance(minute);
  assert.ok(log.lines.every(({ message }) => message === "old messages of topics could not be removed") && log.lines.length === 2);
  fails = false;
  log.lines.splice(0);
  await clock.advance(minute);
  assert.deepEqual(log.lines, []);
  retention.stop();
});

test("a group whose function is away is shown to be about to lose messages, then to have lost them; when it is back it goes on with the oldest there is", async () => {
  const clock = new FakeClock();
  const log = new MemoryLog();
  const metrics = new MetricsRegistry();
  const topics = openMemoryTopics({ maxAgeMs: 10 * minute, maxBytes: 1 << 20 });
  const store = openMemoryStore();
  const engine = new ScriptedEngine();
  let isThere = false;
  const eventing = new Eventing({
    ...{ clock, random: new SeededRandom(1), log, metrics, engine, feed: store.feed, topics },
    reachable: () => isThere,
    descriptors: () => undefined,
  });
  const takes = component("shop.Cart", "eventSourced");
  const [[name, method] = assert.fail()] = takes.methods;
  const consumes = { from: "topic", name: "orders", group: "g" } as const;
  eventing.update([{ ...takes, methods: new Map([[name, { ...method, consumes }]]) }]);
  const event = (id: string): CloudEvent => ({
    ...{ id, source: "s", type: "shop.Add", dataContentType: "application/protobuf", extensions: {}, data: new Uint8Array(9) },
  });
  const publish = (...ids: readonly string[]): Promise<number> => eventing.publish("orders", ids.map(event));
  const seen = () => {
    const [group] = eventing.groups();
    const labels = ["g", "topic:orders"] as const;
    const figures = [metrics.value("mecha_events_retention_used", ...labels), metrics.value("mecha_events_lost_total", ...labels)];
    return { soon: group?.retention?.soon, lost: group?.retention?.lost, connected: group?.connected, figures };
  };
  await publish("old");
  await clock.advance(8 * minute);
  assert.deepEqual(seen(), { soon: true, lost: 0, connected: false, figures: [0.8, 0] });
  for (let round = 0; round < 3; round++) await publish(...Array.from({ length: 500 }, (_, at) => `${round}.${at}`));
  await clock.advance(3 * minute);
  // The old one was read before it was removed, so it is in hand; so are those up to the bound of what is read ahead.
  assert.deepEqual(seen(), { soon: false, lost: 0, connected: false, figures: [0.3, 0] });
  await clock.advance(8 * minute);
  assert.deepEqual(seen(), { soon: false, lost: 500, connected: false, figures: [0, 500] });
  assert.deepEqual(log.lines.map(({ message }) => message), [warning, warning, loss].map((line) => line.replace(/^\w+ /u, ""))); // prettier-ignore
  isThere = true;
  eventing.wake();
  await publish("last");
  await clock.advance(1_000);
  const ids = engine.calls.map(({ command }) => command.metadata?.find(([key]) => key === "ce-id")?.[1]);
  assert.deepEqual([ids.length, ids[0], new Set(ids).has("last")], [1_002, "old", true]);
  assert.equal((await topics.standings([group]))[0]?.lost, 500);
  await topics.cursor(group); // whoever begins now lost nothing by it: what was in hand is stored as done
  assert.equal((await topics.standings([group]))[0]?.lost, 500);
  await eventing.stop();
});
