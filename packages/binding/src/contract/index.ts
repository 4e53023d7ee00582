/** The contract suite of TopicLog: the definition every adapter must meet. Uses node:test; for test files only. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cursorsContract } from "@mecha/state/contract";
import type { BoundEvent } from "../event.ts";
import { appendMax, idsKeptMs, type Retention, type Standing, type TopicLog, type TopicMessage } from "../topics/log.ts";

/** Where a log lives. Disposed after the test, when its logs are closed. */
export interface TopicLogPlace extends AsyncDisposable {
  open(retention: Retention): Promise<TopicLog>;
}

const timeMs = Date.UTC(2026, 0, 2, 3, 4, 5);
const hour = 3_600_000;
const roomy: Retention = { maxAgeMs: 24 * hour, maxBytes: 1 << 30 };
const utf8 = new TextEncoder();

function message(id: string, more: Partial<TopicMessage> = {}): TopicMessage {
  return {
    ...{ topic: "orders", source: "/till", id, timeMs },
    attributes: [
      ["ce-id", id],
      ["ce-raw-bin", Uint8Array.of(0, 255)],
    ],
    payload: { typeUrl: "json.cloudstate.io/order", value: utf8.encode(`order ${id}`) },
    ...more,
  };
}

/** Every message of a topic, page by page. */
async function all(log: TopicLog, topic = "orders", limit = 3): Promise<BoundEvent[]> {
  const found: BoundEvent[] = [];
  for (let after = 0; ;) {
    const { events, readTo, head } = await log.read(topic, after, limit);
    assert.ok(readTo >= after && readTo <= head);
    found.push(...events);
    if (readTo === head) return found;
    assert.ok(readTo > after, "a page that goes nowhere");
    after = readTo;
  }
}
const ids = async (log: TopicLog, topic?: string): Promise<string[]> => (await all(log, topic)).map(({ id }) => id);

/** Registers the suite. `place` is called once for each test. */
export function topicLogContract(name: string, capabilities: { readonly persistent: boolean }, place: () => Promise<TopicLogPlace>): void {
  const inLog = (what: string, run: (log: TopicLog) => Promise<void>, retention = roomy): void => {
    test(`${name}: ${what}`, async () => {
      await using at = await place();
      await using log = await at.open(retention);
      await run(log);
    });
  };

  inLog("messages come back as they were, in order, each topic its own", async (log) => {
    const full = message("1", { key: "k", trace: "00-aa-bb-01" });
    assert.deepEqual(await log.append([full, message("2"), message("1", { topic: "returns" })]), [true, true, true]);
    for (let at = 3; at < 10; at++) await log.append([message(`${at}`)]);
    const events = await all(log);
    assert.deepEqual(
      events.map(({ id }) => id),
      ["1", "2", "3", "4", "5", "6", "7", "8", "9"],
    );
    const { position, shard, offset, ...rest } = events[0] as BoundEvent;
    assert.deepEqual(rest, { id: "1", source: "/till", attributes: full.attributes, payload: full.payload, trace: "00-aa-bb-01" });
    assert.ok(position > 0 && shard >= 0 && shard < 256 && offset >= 0);
    assert.deepEqual(await ids(log, "returns"), ["1"]);
    assert.deepEqual(await ids(log, "none"), []);
  });

  inLog("positions and offsets ascend; one key has one shard", async (log) => {
    for (let round = 0; round < 5; round++) await log.append(["a", "b", "c"].map((key) => message(`${key}${round}`, { key })));
    const events = await all(log);
    for (const key of ["a", "b", "c"]) {
      const mine = events.filter(({ id }) => id.startsWith(key));
      assert.equal(new Set(mine.map(({ shard }) => shard)).size, 1);
      assert.ok(
        mine.every((one, at) => at === 0 || (one.offset > (mine[at - 1]?.offset ?? 0) && one.position > (mine[at - 1]?.position ?? 0))),
      );
    }
  });

  inLog("a message that was appended before is not appended again, within a call and across calls", async (log) => {
    assert.deepEqual(await log.append([message("1"), message("1")]), [true, false]);
    const again = [message("1"), message("1", { source: "/other" }), message("1", { topic: "returns" }), message("2")];
    assert.deepEqual(await log.append(again), [false, true, true, true]);
    assert.equal((await all(log)).length, 3);
  });

  inLog(
    "sweep removes what is too old, but remembers ids for a day",
    async (log) => {
      await log.append([message("old"), message("newer", { timeMs: timeMs + hour })]);
      assert.equal(await log.sweep(timeMs + 2 * hour - 1, 10), 0);
      assert.equal(await log.sweep(timeMs + 2 * hour + 1, 10), 1);
      assert.deepEqual(await ids(log), ["newer"]);
      assert.deepEqual(await log.append([message("old", { timeMs: timeMs + 2 * hour })]), [false]);
      await log.sweep(timeMs + 3 * hour + idsKeptMs, 10);
      assert.deepEqual(await log.append([message("old", { timeMs: timeMs + 3 * hour + idsKeptMs })]), [true]);
    },
    { maxAgeMs: 2 * hour, maxBytes: 1 << 20 },
  );

  inLog(
    "sweep removes the oldest when there is too much, a bounded number at a time; positions go on",
    async (log) => {
      await log.append(Array.from({ length: 10 }, (_, at) => message(`${at}`, { payload: { typeUrl: "t", value: new Uint8Array(100) } })));
      const [last] = (await all(log)).slice(-1);
      assert.equal(await log.sweep(timeMs, 3), 3);
      assert.equal(await log.sweep(timeMs, 100), 4);
      assert.deepEqual(await ids(log), ["7", "8", "9"]);
      await log.sweep(timeMs + 48 * hour, 100);
      assert.deepEqual(await ids(log), []);
      await log.append([message("next")]);
      assert.ok(((await all(log))[0]?.position ?? 0) > (last?.position ?? 0), "a position is not given twice");
    },
    { maxAgeMs: 24 * hour, maxBytes: 350 },
  );

  inLog(
    "what is swept before a group had it is counted for that group, and for no other",
    async (log) => {
      const [mine, ahead, done, fresh, other] = ["mine", "ahead", "done", "fresh"]
        .map((group) => `${group}/topic/orders`)
        .concat("mine/topic/returns") as [string, string, string, string, string];
      await log.append(Array.from({ length: 10 }, (_, at) => message(`${at}`, { key: at % 2 === 0 ? "even" : "odd" })));
      await log.append([message("kept", { timeMs: timeMs + 4 * hour })]);
      const events = await all(log);
      const at = (index: number): BoundEvent => events[index] as BoundEvent;
      await log.advance(mine, { position: at(2).position, ahead: [] }, []);
      await log.advance(ahead, { position: at(2).position, ahead: [[at(3).shard, at(7).offset + 1]] }, []);
      await log.advance(done, { position: at(9).position, ahead: [] }, []);
      await log.advance("mine/log/orders", { position: 0, ahead: [] }, []);
      const lost = async (): Promise<(readonly [number, number | undefined])[]> =>
        (await log.standings([mine, ahead, done, fresh, other])).map((one) => [one.lost, one.lostMs]);
      assert.deepEqual(
        await lost(),
        Array.from({ length: 5 }, () => [0, undefined]),
      );
      const groups = [{ subscriber: fresh, readTo: 0 }];
      assert.equal(await log.sweep(timeMs + 3 * hour, 4, groups), 4);
      assert.deepEqual(await lost(), [[1, timeMs + 3 * hour], [0, undefined], [0, undefined], [4, timeMs + 3 * hour], [0, undefined]]); // prettier-ignore
      assert.equal(await log.sweep(timeMs + 4 * hour, 100, groups), 6);
      assert.equal(await log.sweep(timeMs + 5 * hour, 100, groups), 0);
      const last = timeMs + 4 * hour;
      assert.deepEqual(await lost(), [[7, last], [4, last], [0, undefined], [10, last], [0, undefined]]); // prettier-ignore
    },
    { maxAgeMs: 2 * hour, maxBytes: 1 << 20 },
  );

  inLog(
    "what a group has in hand when it is swept is lost only when the group begins anew before it has stored that it is done",
    async (log) => {
      const [stays, ends] = ["stays/topic/orders", "ends/topic/orders"] as const;
      await log.append(Array.from({ length: 6 }, (_, at) => message(`${at}`)));
      const positions = (await all(log)).map(({ position }) => position);
      const [readTo = 0] = positions.slice(2);
      const groups = [stays, ends].map((subscriber) => ({ subscriber, readTo }));
      assert.equal(await log.sweep(timeMs + 3 * hour, 100, groups), 6); // three in hand, three never seen
      const lost = async (): Promise<number[]> => (await log.standings([stays, ends])).map((one) => one.lost);
      assert.deepEqual(await lost(), [3, 3]);
      await log.advance(ends, { position: positions[1] ?? 0, ahead: [] }, []); // the third is still in hand
      await log.advance(stays, { position: readTo, ahead: [] }, []);
      for (const subscriber of [stays, ends, ends]) await log.cursor(subscriber);
      assert.deepEqual(await lost(), [3, 6]); // all it had in hand: which of them it was is not known
    },
    { maxAgeMs: 2 * hour, maxBytes: 1 << 20 },
  );

  inLog("a group stands where its oldest message is that it has not had", async (log) => {
    const [mine, other] = ["mine/topic/orders", "mine/topic/returns"] as const;
    assert.deepEqual(await log.standings([mine, "mine/log/orders"]), [{ subscriber: mine, lost: 0 }, { subscriber: "mine/log/orders", lost: 0 }]); // prettier-ignore
    await log.append(Array.from({ length: 3_000 }, (_, at) => message(`${at}`, { timeMs: timeMs + at })).slice(0, appendMax));
    for (let from = appendMax; from < 3_000; from += appendMax)
      await log.append(Array.from({ length: appendMax }, (_, at) => message(`${from + at}`, { timeMs: timeMs + from + at })));
    const bytes = (await log.topics())[0]?.bytes ?? 0;
    const { oldest } = (await log.standings([mine]))[0] as Standing;
    assert.deepEqual(oldest, { timeMs, bytesFrom: bytes });
    const { events } = await log.read("orders", 0, 1_000);
    const { position, shard } = events.at(-1) as BoundEvent;
    await log.advance(mine, { position: position - 1, ahead: [[shard, position + 1]] }, []);
    const [stands, returns] = (await log.standings([mine, other])) as [Standing, Standing];
    assert.equal(stands.oldest?.timeMs, timeMs + 1_000);
    const exact = bytes - 1_000 * "order 123".length + 110; // ids up to 9 and 99 are shorter
    const bytesFrom = stands.oldest?.bytesFrom ?? 0;
    assert.ok(bytesFrom >= exact && bytesFrom <= exact + 1_024 * 10, `${bytesFrom} is not ${exact}, or a little more`);
    assert.equal(returns.oldest, undefined);
    assert.deepEqual(log.retention, roomy);
  });

  inLog("topics are listed with how much they hold", async (log) => {
    assert.deepEqual(await log.topics(), []);
    await log.append([message("1"), message("2", { timeMs: timeMs + 5 }), message("1", { topic: "a" })]);
    assert.deepEqual(await log.topics(), [
      { topic: "a", messages: 1, bytes: 7, oldestMs: timeMs, newestMs: timeMs },
      { topic: "orders", messages: 2, bytes: 14, oldestMs: timeMs, newestMs: timeMs + 5 },
    ]);
    assert.equal(await log.sweep(timeMs + 24 * hour + 3, 10), 1);
    assert.deepEqual(
      (await log.topics()).map(({ topic, messages, bytes }) => [topic, messages, bytes]),
      [["a", 1, 7], ["orders", 1, 7]], // prettier-ignore
    );
  });

  test(`${name}: a closed log refuses`, async () => {
    await using at = await place();
    const log = await at.open(roomy);
    await log[Symbol.asyncDispose]();
    await assert.rejects(log.append([message("1")]), { code: "unavailable" });
    await assert.rejects(log.read("orders", 0, 1), { code: "unavailable" });
  });

  if (capabilities.persistent)
    test(`${name}: messages, and what was appended before, survive closing and opening`, async () => {
      await using at = await place();
      for (let round = 0; round < 3; round++) {
        await using log = await at.open(round === 2 ? { ...roomy, maxBytes: 15 } : roomy);
        assert.equal((await all(log)).length, round);
        assert.deepEqual(await log.append([message("0"), message(`${round}`)]), [round === 0, round > 0]);
        if (round === 1) await log.advance("g/topic/orders", { position: 0, ahead: [] }, []);
        if (round === 2) assert.equal(await log.sweep(timeMs, 10), 1); // what was there before it was opened counts towards the bytes
      }
      await using log = await at.open(roomy);
      const { lost, oldest } = (await log.standings(["g/topic/orders"]))[0] as Standing;
      assert.deepEqual([lost, oldest?.bytesFrom], [1, 14]);
    });

  cursorsContract(name, capabilities, async () => {
    const at = await place();
    return {
      async open() {
        const log = await at.open(roomy);
        return { cursors: log, [Symbol.asyncDispose]: () => log[Symbol.asyncDispose]() };
      },
      [Symbol.asyncDispose]: () => at[Symbol.asyncDispose](),
    };
  });
}
