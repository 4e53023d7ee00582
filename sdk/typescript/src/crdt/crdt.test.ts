/** CRDT entities through the test kit: the types' methods, failures, overlapping commands, streams, replicas. What travels: tests/sdk/model-cases.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  command,
  crdt,
  type CrdtStream,
  flag,
  gcounter,
  gset,
  lwwRegister,
  message,
  Mistake,
  ormap,
  orset,
  pncounter,
  t,
  vote,
} from "../index.ts";
import { testCrdt } from "../testing/index.ts";

const id = { id: t.string };
const number = { n: t.int64.asNumber };

const Likes = crdt({
  service: "test.Likes",
  key: "id",
  state: gcounter(),
  commands: { like: command({ ...id, by: t.int32 }).replies(number), get: command(id).replies(number) },
  handle: {
    like: ({ by }, ctx) => ({ n: ctx.state.increment(by).value }),
    get: (_, ctx) => ({ n: ctx.state.value }),
  },
});

const Person = message("Person", { name: t.string, age: t.int32 });
const People = crdt({
  service: "test.People",
  key: "id",
  state: orset(Person),
  writeConsistency: "majority",
  commands: {
    join: command({ ...id, person: Person }).replies({ size: t.int32 }),
    leave: command({ ...id, person: Person }).replies({ left: t.bool }),
    swap: command({ ...id, out: Person, in: Person }),
    fail: command({ ...id, person: Person }),
    drop: command(id),
    break: command(id),
  },
  handle: {
    join: ({ person }, ctx) => ({ size: ctx.state.add(person).size }),
    leave({ person }, ctx) {
      ctx.writeConsistency("all");
      return { left: ctx.state.delete(person) };
    },
    swap(given, ctx) {
      ctx.state.delete(given.out);
      ctx.state.add(given.in);
    },
    fail({ person }, ctx) {
      ctx.state.add(person);
      ctx.effect(Likes.commands.like, { id: "x", by: 1 });
      ctx.fail("full", { code: "precondition" });
    },
    drop: (_, ctx) => ctx.delete(),
    break(_, ctx) {
      for (const person of ctx.state) person.age++;
    },
  },
});
const ada = { name: "Ada", age: 36 };
const grace = { name: "Grace", age: 85 };

test("a counter grows; bad amounts are mistakes, of the handler", async () => {
  const likes = testCrdt(Likes, "a");
  assert.deepEqual((await likes.send("like", { id: "a", by: 2 })).reply, { n: 2 });
  assert.equal((await likes.send("like", { id: "a", by: 0 })).changed, false);
  assert.equal(likes.state.value, 2);
  await assert.rejects(likes.send("like", { id: "a", by: -1 }), /only grows; declare the state as pncounter/);
  assert.equal(likes.state.value, 2);
  assert.throws(() => likes.state.increment(), /looked at from outside a command/);
});

test("a set of messages compares what is in them", async () => {
  const people = testCrdt(People, "a");
  assert.deepEqual(await people.send("join", { id: "a", person: ada }), {
    reply: { size: 1 },
    effects: [],
    changed: true,
    deleted: false,
    consistency: "majority",
  });
  assert.equal((await people.send("join", { id: "a", person: { ...ada } })).changed, false);
  assert.equal((await people.send("leave", { id: "a", person: grace })).changed, false);
  await people.send("swap", { id: "a", out: ada, in: grace });
  assert.deepEqual([...people.state], [grace]);
  const left = await people.send("leave", { id: "a", person: grace });
  assert.deepEqual([left.reply, left.consistency, people.state.size], [{ left: true }, "all", 0]);
});

test("a failed command changes nothing and has no effect", async () => {
  const people = testCrdt(People, "a");
  const failed = await people.send("fail", { id: "a", person: ada });
  assert.deepEqual([failed.failure, failed.failureCode, failed.changed, failed.effects], ["full", "precondition", false, []]);
  assert.equal(people.state.size, 0);
});

test("an element cannot be changed in place", async () => {
  const people = testCrdt(People, "a");
  await people.send("join", { id: "a", person: ada });
  await assert.rejects(people.send("break", { id: "a" }), /an element was changed in a command handler.*delete the old element/);
});

test("a deleted entity stays deleted, on all replicas", async () => {
  const people = testCrdt(People, "a");
  const other = people.replica();
  assert.equal((await people.send("drop", { id: "a" })).deleted, true);
  for (const replica of [people, other]) await assert.rejects(replica.send("join", { id: "a", person: ada }), /entity a was deleted/);
});

const Everything = crdt({
  service: "test.Everything",
  key: "id",
  state: ormap(t.string, (key: string) =>
    key.startsWith("set") ? gset(t.int64.asNumber) : key.startsWith("reg") ? lwwRegister(Person, { initial: ada }) : pncounter(),
  ),
  commands: { set: command({ ...id, key: t.string, n: t.int32 }), remove: command({ ...id, key: t.string }) },
  handle: {
    set({ key, n }, ctx) {
      const value = ctx.state.getOrAdd(key);
      if ("add" in value) value.add(n);
      else if ("set" in value) value.set({ name: key, age: n }, { clock: "custom", at: n });
      else value.increment(n);
    },
    remove: ({ key }, ctx) => void ctx.state.delete(key),
  },
});

test("values of a map are chosen by their keys and come back as they were", async () => {
  const all = testCrdt(Everything, "a");
  for (const key of ["set", "reg", "count"]) for (const n of [1, 2]) await all.send("set", { id: "a", key, n });
  all.reload();
  const { state } = all;
  assert.deepEqual([...state.keys()].sort(), ["count", "reg", "set"]);
  const [count, reg, set] = ["count", "reg", "set"].map((key) => state.get(key));
  assert.ok(count && "decrement" in count && reg && "set" in reg && set && "add" in set);
  assert.deepEqual([count.value, reg.value, [...set]], [3, { name: "reg", age: 2 }, [1, 2]]);
  await all.send("remove", { id: "a", key: "reg" });
  assert.equal(all.state.get("reg"), undefined);
});

test("replicas come to the same value, whatever they do and whenever they can reach each other", async () => {
  const key = fc.constantFrom("set a", "set b", "count a", "count b");
  const step = fc.record({
    at: fc.nat({ max: 2 }),
    do: fc.oneof(
      fc.record({ what: fc.constant("set" as const), key, n: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ what: fc.constant("remove" as const), key }),
      fc.record({ what: fc.constantFrom("disconnect" as const, "reconnect" as const) }),
    ),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const first = testCrdt(Everything, "a");
      const replicas = [first, first.replica(), first.replica()];
      for (const { at, do: action } of steps) {
        const replica = replicas[at] as typeof first;
        if (action.what === "set") await replica.send("set", { id: "a", key: action.key, n: action.n });
        else if (action.what === "remove") await replica.send("remove", { id: "a", key: action.key });
        else replica[action.what]();
      }
      for (const replica of replicas) replica.reconnect();
      const seen = replicas.map(({ state }) =>
        [...state]
          .map(([name, value]) => [name, "add" in value ? [...value].sort() : value.value])
          .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
      );
      assert.deepEqual(seen[1], seen[0]);
      assert.deepEqual(seen[2], seen[0]);
    }),
    { numRuns: 60 },
  );
});

test("votes are counted over the replicas", async () => {
  const Ready = crdt({
    service: "test.Ready",
    key: "id",
    state: vote(),
    commands: { say: command({ ...id, yes: t.bool }).replies({ all: t.bool }) },
    handle: { say: ({ yes }, ctx) => ({ all: ctx.state.vote(yes).all }) },
  });
  const here = testCrdt(Ready, "a");
  const there = here.replica();
  // nobody has told it of the other yet
  assert.deepEqual((await here.send("say", { id: "a", yes: true })).reply, { all: true });
  assert.deepEqual([there.state.selfVote, there.state.votesFor, there.state.totalVoters], [false, 1, 2]);
  assert.deepEqual((await there.send("say", { id: "a", yes: true })).reply, { all: true });
  await here.send("say", { id: "a", yes: false });
  assert.deepEqual([there.state.atLeastOne, there.state.majority, there.state.all], [true, false, false]);
});

test("commands that wait overlap: each sees its own changes, and those of others once they have succeeded", async () => {
  const gates = { slow: Promise.withResolvers<void>(), fails: Promise.withResolvers<void>() };
  const Slow = crdt({
    service: "test.Slow",
    key: "id",
    state: orset(t.string),
    commands: { add: command({ ...id, value: t.string, wait: t.string }).replies({ values: t.repeated(t.string) }) },
    handle: {
      async add({ value, wait }, ctx) {
        ctx.state.add(value);
        if (wait === "slow" || wait === "fails") await gates[wait].promise;
        if (wait === "fails") ctx.fail("no");
        return { values: [...ctx.state].sort() };
      },
    },
  });
  const set = testCrdt(Slow, "a");
  const slow = set.send("add", { id: "a", value: "slow", wait: "slow" });
  const fails = set.send("add", { id: "a", value: "fails", wait: "fails" });
  assert.deepEqual((await set.send("add", { id: "a", value: "quick", wait: "" })).reply, { values: ["quick"] });
  gates.fails.resolve();
  assert.equal((await fails).failure, "no");
  gates.slow.resolve();
  assert.deepEqual((await slow).reply, { values: ["quick", "slow"] });
  assert.deepEqual([...set.state].sort(), ["quick", "slow"]);
});

const streams: CrdtStream<{ online: number }>[] = [];
const Room = crdt({
  service: "test.Room",
  key: "id",
  state: orset(t.string),
  commands: {
    enter: command({ ...id, name: t.string })
      .replies({ online: t.int32 })
      .streamedOut(),
    watch: command(id).replies({ online: t.int32 }).streamedOut(),
    once: command(id).replies({ online: t.int32 }).streamedOut(),
    kick: command({ ...id, name: t.string }),
    meddle: command(id).replies({ online: t.int32 }).streamedOut(),
  },
  handle: {
    enter({ name }, ctx) {
      ctx.stream({
        onChange(stream) {
          if (!stream.state.has(name)) stream.end();
          return { online: stream.state.size };
        },
        onCancel: ({ state }) => void state.delete(name),
      });
      return { online: ctx.state.add(name).size };
    },
    watch(_, ctx) {
      streams.push(ctx.stream({ onChange: ({ state }) => (state.size > 2 ? { online: state.size } : undefined) }));
    },
    once: (_, ctx) => ({ online: ctx.state.size }),
    kick: ({ name }, ctx) => void ctx.state.delete(name),
    meddle(_, ctx) {
      ctx.stream({ onChange: ({ state }) => state.clear() });
    },
  },
});

test("a stream hears of others' changes, on any replica; it ends from either side", async () => {
  const room = testCrdt(Room, "a");
  const other = room.replica();
  const ann = await room.open("enter", { id: "a", name: "Ann" });
  assert.deepEqual([ann.first.reply, ann.messages], [{ online: 1 }, []]);
  const bob = await other.open("enter", { id: "a", name: "Bob" });
  assert.deepEqual(
    ann.messages.map(({ reply }) => reply),
    [{ online: 2 }],
  );
  assert.equal((await bob.cancel()).changed, true);
  assert.deepEqual(
    ann.messages.map(({ reply }) => reply),
    [{ online: 2 }, { online: 1 }],
  );
  await other.send("kick", { id: "a", name: "Ann" });
  assert.deepEqual([ann.ended, ann.messages.at(-1)?.reply], [true, { online: 0 }]);
  assert.deepEqual(await ann.cancel(), { changed: false, deleted: false, consistency: "local", effects: [] });
});

test("a stream may be silent at first, skip changes, and be sent to at any time", async () => {
  const room = testCrdt(Room, "a");
  const watch = await room.open("watch", { id: "a" });
  assert.deepEqual([watch.first.reply, watch.ended], [undefined, false]);
  for (const name of ["Ann", "Bob", "Cid"]) await room.open("enter", { id: "a", name });
  assert.deepEqual(
    watch.messages.map(({ reply }) => reply),
    [{ online: 3 }],
  );
  const stream = streams.at(-1) as (typeof streams)[number];
  stream.send({ online: -1 });
  stream.end({ online: -2 });
  stream.send({ online: -3 });
  assert.deepEqual(
    [watch.messages.slice(1).map(({ reply }) => reply), watch.ended, stream.isOver],
    [[{ online: -1 }, { online: -2 }], true, true],
  );
});

test("a streamed command without ctx.stream is answered once", async () => {
  assert.equal((await testCrdt(Room, "a").open("once", { id: "a" })).ended, true);
});

test("a CRDT has no timers, and says who may have one", async () => {
  const id = { id: t.string };
  const Timed = crdt({
    service: "test.Timed",
    key: "id",
    state: gcounter(),
    commands: { set: command(id), cancel: command(id) },
    handle: {
      set: ({ id }, ctx) => ctx.schedule("later", "set", { id }, { after: "1m" }),
      cancel: (_, ctx) => ctx.cancelTimer("later"),
    },
  });
  const timed = testCrdt(Timed, "a");
  await assert.rejects(
    timed.send("set", { id: "a" }),
    /schedule\("later"\): a CRDT has no timers.* let an event-sourced or value entity schedule/,
  );
  await assert.rejects(timed.send("cancel", { id: "a" }), /cancelTimer\("later"\): a CRDT has no timers/);
});

test("onChange cannot change what it hears of", async () => {
  const room = testCrdt(Room, "a");
  const stream = await room.open("meddle", { id: "a" });
  await assert.rejects(room.open("enter", { id: "a", name: "Ann" }), /clear was called in onChange, which only looks/);
  assert.equal(stream.ended, true);
  assert.match(stream.messages[0]?.failure ?? "", /onChange/);
});

const base = { service: "test.Wrong", key: "id" as const, commands: { get: command(id) }, handle: { get: () => undefined } };
const mistakes: [what: string, define: () => unknown, text: RegExp][] = [
  ["no state", () => crdt({ ...base, state: undefined as never }), /test\.Wrong: state: expected what the CRDT is, such as pncounter\(\)/],
  ["an element that is a list", () => orset(t.repeated(t.string) as never), /an element is one of .*t\.string.*wrap this in a message/],
  ["an element without a name in Any", () => gset(t.sint32), /an element is one of .*t\.string/],
  ["an element that is nothing", () => gset(undefined as never), /gset\(…\): expected a type such as t\.string/],
  ["a map of nothing", () => ormap(t.string, undefined as never), /the second argument says what the entries hold/],
  [
    "an unknown consistency",
    () => crdt({ ...base, state: flag(), writeConsistency: "most" as never }),
    /there is no consistency "most".*there are local, majority, all/,
  ],
  [
    "a command streamed in",
    () => crdt({ ...base, state: flag(), commands: { get: command(id).streamedIn() } as never, handle: { get: () => undefined } as never }),
    /command get is streamed in; entities take one message at a time/,
  ],
];
for (const [what, define, text] of mistakes) {
  test(`declared wrongly: ${what}`, () => {
    assert.throws(define, (error) => error instanceof Mistake && text.test(error.message));
  });
}

const wrongUses: [what: string, use: (state: never) => unknown, text: RegExp][] = [
  ["text for a number", (state: { add(value: unknown): void }) => state.add("1"), /add: expected a safe integer, got "1"/],
  ["a number too large", (state: { add(value: unknown): void }) => state.add(2 ** 60), /expected a safe integer/],
];
for (const [what, use, text] of wrongUses) {
  test(`used wrongly: ${what}`, async () => {
    const Set = crdt({
      ...base,
      state: gset(t.int64.asNumber),
      handle: { get: (_: unknown, ctx: { state: unknown }) => void use(ctx.state as never) },
    });
    await assert.rejects(testCrdt(Set, "a").send("get", { id: "a" }), text);
  });
}
