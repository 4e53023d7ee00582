/** Effects and forwards that must happen, over the whole engine, with crashes between the commit and what follows it (E10). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import { settle } from "@mecha/kit/testing";
import type { EngineOptions } from "./limits.ts";
import type { ClientAction, Component, SideEffect } from "./model.ts";
import { Bench } from "./testing/bench.ts";
import { bodyOf, command, component, payload, type ReplyParts, replies, type Script, type ScriptedFunction } from "./testing/function.ts";

const cart = { service: "shop.Cart", command: "Do" };
const mirror = { service: "shop.Mirror", command: "Do" };
const effect = (to: { service: string; command: string }, id: string, body: string, synchronous = false): SideEffect => ({
  ...to,
  payload: payload(`${id}|${body}`),
  synchronous,
});
const services = (port: ScriptedFunction): readonly Component[] => [component(port), component(port, "shop.Mirror"), mail(port)];
const mail = (port: ScriptedFunction): Component => component(port, "shop.Mail", "action", { methodNames: ["Send"] });

/** Asks cart 1 for `a`, with a key. */
async function asks(bench: Bench, key: string): ReturnType<Bench["ask"]> {
  const asked = bench.send({ ...command("1", "a"), id: key });
  await settle();
  if (asked.outcome === "open") await bench.clock.advance(60); // its function is not asked again at once
  return asked;
}

/** Carts send what `ask` says; mirrors keep what they get. */
function shop(ask: (body: string) => ReplyParts, seen: string[] = []): Script {
  return {
    command: (stream, _id, sent) => {
      const body = bodyOf(sent);
      if (stream.address.service === "shop.Cart") return ask(body);
      seen.push(body);
      return { action: replies(`kept ${body}`), events: [body] };
    },
    action: (call) => {
      seen.push(`mail ${call.messages.join()}`);
      call.respond(replies("sent"));
    },
  };
}
const open = (script: Script, options: EngineOptions = {}, before?: Bench): Bench => new Bench(script, options, services, before);

async function settleAll(bench: Bench): Promise<void> {
  for (let at = 0; at < 20; at++) await settle();
  await bench.clock.advance(100);
}

test("an asynchronous effect is a row of the step's commit; when it is done the row goes", async () => {
  const seen: string[] = [];
  await using bench = open(shop(() => ({ events: ["e"], effects: [effect(mirror, "m", "x")] }), seen));
  bench.store.holding = true;
  await bench.ask("1", "a");
  const [step] = bench.store.held[0]?.steps ?? [];
  assert.deepEqual(
    step?.outbox?.map(({ service, entityId, command: name, hops }) => [service, entityId, name, hops]),
    [["shop.Mirror", "m", "Do", 1]],
  );
  assert.match(step?.outbox?.[0]?.key ?? "", /^shop\.Cart\/1 ~[0-9a-f-]{36}\.1\/e\/0$/);
  assert.equal(step?.outbox?.[0]?.origin, "side effect of shop.Cart.Do");
  bench.store.holding = false;
  bench.store.held[0]?.answer();
  await settleAll(bench);
  assert.deepEqual([seen, bench.store.texts("m"), bench.store.messages.size], [["x"], ["x"], 0]);
});

for (const { name, reply, delivered } of [
  {
    name: "asynchronous effects",
    reply: { events: ["e"], effects: [effect(mirror, "m", "1"), effect(mirror, "m", "2")] },
    delivered: ["1", "2"],
  },
  { name: "an asynchronous effect of a step without events", reply: { effects: [effect(mirror, "m", "1")] }, delivered: ["1"] },
  {
    name: "synchronous effects of a step with events",
    reply: { events: ["e"], effects: [effect(mirror, "m", "1", true)] },
    delivered: ["1"],
  },
  {
    name: "a forward of a step with events",
    reply: { events: ["e"], action: { do: "forward", ...mirror, payload: payload("m|1") } },
    delivered: ["1"],
  },
  {
    name: "effects beside a failure that keeps its events",
    reply: { events: ["e"], effects: [effect(mirror, "m", "1")], action: { do: "fail", description: "no", restart: false } },
    delivered: ["1"],
  },
] as const satisfies readonly { name: string; reply: ReplyParts; delivered: readonly string[] }[]) {
  test(`a crash between the commit and what follows: the next process delivers ${name}`, async () => {
    const first = open(shop(() => reply));
    first.store.holding = true;
    await first.ask("1", "a");
    for (const step of first.store.held[0]?.steps ?? []) first.store.apply(step); // on the disk, and nobody was told
    first.store.holding = false;
    await using second = open(
      shop(() => ({})),
      {},
      first,
    );
    await settleAll(second);
    assert.deepEqual(second.store.texts("m"), delivered);
    assert.equal(second.store.messages.size, 0);
  });
}

test("a crash before the commit: nothing has happened", async () => {
  const first = open(shop(() => ({ events: ["e"], effects: [effect(mirror, "m", "1")] })));
  first.store.holding = true;
  await first.ask("1", "a");
  first.store.holding = false;
  await using second = open(
    shop(() => ({})),
    {},
    first,
  );
  await settleAll(second);
  assert.deepEqual([second.store.texts("1"), second.store.texts("m")], [[], []]);
});

test("a crash after the target's commit and before the row was removed: it is sent again and done once", async () => {
  const first = open(shop(() => ({ events: ["e"], effects: [effect(mirror, "m", "1")] })));
  first.store.holding = true;
  await first.ask("1", "a");
  first.store.holding = false;
  first.store.held[0]?.answer();
  const rows = new Map(first.store.messages);
  assert.equal(rows.size, 1);
  await settleAll(first);
  assert.equal(first.store.messages.size, 0);
  for (const [id, row] of rows) first.store.messages.set(id, row); // the removal was lost
  const seen: string[] = [];
  await using second = open(
    shop(() => ({}), seen),
    {},
    first,
  );
  await settleAll(second);
  assert.deepEqual([seen, second.store.texts("m"), second.store.messages.size], [[], ["1"], 0]);
});

test("the same command asked again asks for the same effects: done once", async () => {
  await using bench = open(
    shop(() => ({ effects: [effect(mirror, "m", "1")], action: { do: "fail", description: "not yet", restart: false } })),
  );
  for (let at = 0; at < 3; at++) {
    const asked = bench.send({ ...command("1", "a"), id: "k" });
    await settleAll(bench);
    assert.match(asked.outcome, /^unknown: not yet/); // without events: not recorded, so it ran three times
  }
  assert.deepEqual(bench.store.texts("m"), ["1"]);
});

test("keys are derived from the entity: the same key at two carts asks for two effects", async () => {
  await using bench = open(shop((body) => ({ events: ["e"], effects: [effect(mirror, "m", body)] })));
  for (const id of ["1", "2"]) bench.send({ ...command(id, `from ${id}`), id: "k" });
  await settleAll(bench);
  assert.deepEqual(bench.store.texts("m").toSorted(), ["from 1", "from 2"]);
});

test("of one source for one target, effects are done in order, one at a time, also past what memory keeps", async () => {
  const count = 300;
  const seen: string[] = [];
  await using bench = open(shop((body) => ({ events: [body], effects: [effect(mirror, "m", body)] }), seen));
  bench.function.script = { ...bench.function.script };
  for (let at = 0; at < count; at++) bench.send(command("1", `${at}`));
  for (let at = 0; at < 400; at++) await settle();
  await settleAll(bench);
  assert.deepEqual(
    seen,
    Array.from({ length: count }, (_, at) => `${at}`),
  );
  assert.equal(bench.store.messages.size, 0);
});

test("a bound on memory: past it messages wait in the store, in order", async () => {
  const seen: string[] = [];
  await using bench = open(
    shop((body) => ({ events: [body], effects: [effect(mirror, "m", body)] }), seen),
    {
      outboxBytesMax: 1,
      outboxLanesMax: 1,
    },
  );
  for (let at = 0; at < 40; at++) bench.send(command(`${at % 4}`, `${at}`));
  for (let at = 0; at < 200; at++) await settle();
  await settleAll(bench);
  assert.equal(new Set(seen).size, 40);
  assert.equal(bench.store.messages.size, 0);
  for (const source of [0, 1, 2, 3]) {
    const own = seen.map(Number).filter((at) => at % 4 === source);
    assert.deepEqual(
      own,
      own.toSorted((a, b) => a - b),
    );
  }
});

test("a target out of reach: tried again with growing pauses, and everything behind waits its turn", async () => {
  const seen: string[] = [];
  const ask = shop((body) => ({ events: [body], effects: [effect(mirror, "m", body)] }), seen);
  let down = true;
  let attempts = 0;
  const script: Script = {
    ...ask,
    command: (stream, id, sent) => {
      if (stream.address.service !== "shop.Mirror" || !down) return ask.command?.(stream, id, sent);
      attempts++;
      stream.end("crashed");
      return undefined;
    },
  };
  await using bench = open(script);
  for (const body of ["1", "2", "3"]) assert.equal((await bench.ask("1", body)).outcome, "ok");
  await bench.clock.advance(2_000);
  assert.ok(attempts >= 3 && attempts <= 6, `${attempts} attempts in 2 s`);
  assert.equal(bench.store.messages.size, 3);
  const [first] = bench.store.messages.values();
  assert.match(first?.failure ?? "", /^unknown: Unexpected entity termination/);
  down = false;
  await bench.clock.advance(40_000);
  await settleAll(bench);
  assert.deepEqual(seen, ["1", "2", "3"]);
  assert.equal(bench.store.messages.size, 0);
});

for (const { name, script, attempts, state } of [
  {
    name: "a refusal by the target's code is an answer",
    script: { do: "fail", description: "no", restart: false },
    attempts: 1,
    state: "gone",
  },
  {
    name: "a refusal with a code that would pass is one, too",
    script: { do: "fail", description: "no", restart: false, grpcCode: 14 },
    attempts: 1,
    state: "gone",
  },
  { name: "a message that ends its function each time is given up", script: "crash", attempts: 10, state: "dead" },
] as const satisfies readonly { name: string; script: ClientAction | "crash"; attempts: number; state: string }[]) {
  test(name, async () => {
    let tried = 0;
    const bench = open({
      command: (stream) => {
        if (stream.address.service === "shop.Cart") return { events: ["e"], effects: [effect(mirror, "m", "x"), effect(mirror, "m", "y")] };
        tried++;
        if (script === "crash" && tried <= attempts) stream.end("crashed");
        else return { action: script === "crash" ? replies("ok") : script };
        return undefined;
      },
    });
    await bench.ask("1", "a");
    await bench.clock.advance(600_000);
    assert.equal(tried, attempts + (script === "crash" ? 1 : attempts), "and the one behind it went on");
    const rows = [...bench.store.messages.values()];
    assert.deepEqual(
      rows.map((row) => [row.state, row.attempts]),
      state === "gone" ? [] : [["dead", attempts]],
    );
    await bench[Symbol.asyncDispose]();
  });
}

test("a message for a service that nobody serves now waits, and goes when somebody does", async () => {
  const first = open(shop(() => ({ events: ["e"], effects: [effect(mirror, "m", "1")] })));
  first.store.holding = true;
  await first.ask("1", "a");
  for (const step of first.store.held[0]?.steps ?? []) first.store.apply(step);
  first.store.holding = false;
  await using second = new Bench(
    shop(() => ({})),
    {},
    (port) => [component(port)],
    first,
  );
  await settleAll(second);
  const [row] = second.store.messages.values();
  assert.equal(row?.failure, "no function serves it now");
  second.engine.setComponents(services(second.function));
  await settleAll(second);
  assert.deepEqual([second.store.texts("m"), second.store.messages.size], [["1"], 0]);
});

test("effects for actions are sent at least once; an action's own are stored before it is answered", async () => {
  const seen: string[] = [];
  await using bench = open(shop(() => ({ events: ["e"], effects: [effect({ service: "shop.Mail", command: "Send" }, "to", "m")] }), seen));
  await bench.ask("1", "a");
  await settleAll(bench);
  assert.deepEqual([seen, bench.store.messages.size], [["mail to|m"], 0]);

  bench.function.script = {
    ...bench.function.script,
    action: (call) => call.respond(replies("accepted"), [effect(mirror, "m", "from mail")]),
  };
  bench.store.holding = true;
  const asked = bench.send({ name: "Send", payload: payload("x") }, {}, "shop.Mail");
  await settle();
  assert.equal(asked.outcome, "open", "its effect is not stored yet");
  assert.equal(bench.store.held[0]?.steps[0]?.outbox?.[0]?.origin, "side effect of shop.Mail.Send");
  bench.store.holding = false;
  bench.store.held[0]?.answer();
  await settleAll(bench);
  assert.equal(asked.outcome, "accepted");
  assert.deepEqual(bench.store.texts("m"), ["from mail"]);
});

test("a crash after an action's effects were stored: the next process sends them", async () => {
  const first = open({ action: (call) => call.respond(replies("accepted"), [effect(mirror, "m", "1")]) });
  first.store.holding = true;
  first.send({ name: "Send", payload: payload("x") }, {}, "shop.Mail");
  await settle();
  for (const step of first.store.held[0]?.steps ?? []) first.store.apply(step);
  first.store.holding = false;
  await using second = open(
    shop(() => ({})),
    {},
    first,
  );
  await settleAll(second);
  assert.deepEqual(second.store.texts("m"), ["1"]);
});

test("a synchronous effect that cannot be done now does not hold up the reply: it is tried again behind it", async () => {
  const seen: string[] = [];
  let down = true;
  const ask = shop(() => ({ events: ["e"], effects: [effect(mirror, "m", "1", true)] }), seen);
  await using bench = open({
    ...ask,
    command: (stream, id, sent) => {
      if (stream.address.service !== "shop.Mirror" || !down) return ask.command?.(stream, id, sent);
      stream.end("crashed");
      return undefined;
    },
  });
  assert.equal((await bench.ask("1", "a")).outcome, "ok");
  assert.deepEqual(seen, []);
  down = false;
  await bench.clock.advance(5_000);
  assert.deepEqual(seen, ["1"]);
});

test("a stored forward that fails is tried again, whether its caller went away or hears that it was accepted", async () => {
  for (const gone of [true, false]) {
    let down = true;
    const seen: string[] = [];
    const ask = shop(() => ({ events: ["e"], action: { do: "forward", ...mirror, payload: payload("m|1") } }), seen);
    await using bench = open({
      ...ask,
      command: (stream, id, sent) => {
        if (stream.address.service !== "shop.Mirror" || !down) return ask.command?.(stream, id, sent);
        if (gone) caller.abort();
        stream.end("crashed");
        return undefined;
      },
    });
    const caller = new AbortController();
    const asked = await bench.ask("1", "a", { signal: caller.signal });
    assert.match(asked.outcome, gone ? /^cancelled/ : /^unknown: shop\.Cart\.Do was accepted and is forwarded to shop\.Mirror\.Do/);
    down = false;
    await bench.clock.advance(5_000);
    assert.deepEqual([seen, bench.store.messages.size], [["1"], 0]);
  }
});

test("asked again with its key, a command whose forward was open gives the forward's answer", async () => {
  let down = true;
  const seen: string[] = [];
  const ask = shop(() => ({ events: ["e"], action: { do: "forward", ...mirror, payload: payload("m|1") } }), seen);
  await using bench = open({
    ...ask,
    command: (stream, id, sent) => {
      if (stream.address.service !== "shop.Mirror" || !down) return ask.command?.(stream, id, sent);
      stream.end("crashed");
      return undefined;
    },
  });
  const again = (): ReturnType<Bench["ask"]> => asks(bench, "k");
  assert.match((await again()).outcome, /is forwarded to/);
  assert.match((await again()).outcome, /is forwarded to/, "still open");
  down = false;
  await bench.clock.advance(5_000);
  assert.equal((await again()).outcome, "kept 1");
  assert.deepEqual([seen, bench.store.messages.size], [["1"], 0]);
});

test("a forward that its target refuses is over before its caller hears so; while it waits in the outbox a refusal is not the end", async () => {
  const refuse: ReplyParts = { action: { do: "fail", description: "sold out", restart: false } };
  let verdict: "crash" | "refuse" = "refuse";
  const ask = shop(() => ({ events: ["e"], action: { do: "forward", ...mirror, payload: payload("m|1") } }), []);
  await using bench = open({
    ...ask,
    command: (stream, id, sent) => {
      if (stream.address.service !== "shop.Mirror") return ask.command?.(stream, id, sent);
      if (verdict === "refuse") return refuse;
      stream.end("crashed");
      return undefined;
    },
  });
  assert.equal((await asks(bench, "k1")).outcome, "unknown: sold out");
  assert.equal(bench.store.messages.size, 0);
  bench.store.outboxBroken = new Fault("unavailable", "busy");
  assert.match((await asks(bench, "k2")).outcome, /is forwarded to/, "the removal may be undone by a crash");
  bench.store.outboxBroken = undefined;
  verdict = "crash";
  assert.match((await asks(bench, "k3")).outcome, /is forwarded to/);
  verdict = "refuse";
  assert.match((await asks(bench, "k3")).outcome, /is forwarded to/, "its message is tried again after a pause");
  await bench.clock.advance(5_000);
  assert.equal((await asks(bench, "k3")).outcome, "unknown: sold out");
});

test("an effect to oneself, and a chain of effects, end", async () => {
  const seen: string[] = [];
  await using bench = open({
    command: (_stream, _id, sent) => {
      const left = Number(bodyOf(sent));
      seen.push(bodyOf(sent));
      return left > 0 ? { events: [`${left}`], effects: [effect(cart, "1", `${left - 1}`)] } : { events: ["0"] };
    },
  });
  await bench.ask("1", "20");
  for (let at = 0; at < 40; at++) await settle();
  assert.deepEqual(
    seen,
    Array.from({ length: 21 }, (_, at) => `${20 - at}`),
  );
});

test("people: a dead message is tried again, or discarded", async () => {
  let down = true;
  const seen: string[] = [];
  const ask = shop((body) => ({ events: ["e"], effects: [effect(mirror, body, "x")] }), seen);
  await using bench = open({
    ...ask,
    command: (stream, id, sent) => {
      if (stream.address.service !== "shop.Mirror" || !down) return ask.command?.(stream, id, sent);
      stream.end("crashed");
      return undefined;
    },
  });
  await bench.ask("1", "m1");
  await bench.ask("1", "m2");
  await bench.clock.advance(600_000);
  const dead = await bench.engine.outbox({ state: "dead", limit: 10 });
  assert.deepEqual(
    dead.map(({ entityId, state }) => [entityId, state]),
    [
      ["m1", "dead"],
      ["m2", "dead"],
    ],
  );
  down = false;
  assert.equal(await bench.engine.retryMessages([dead[0]?.id ?? 0, 999]), 1);
  assert.equal(await bench.engine.discardMessages([dead[1]?.id ?? 0]), 1);
  await settleAll(bench);
  assert.deepEqual([seen, bench.store.messages.size, bench.store.texts("m1")], [["x"], 0, ["x"]]);
});

test("people: a message that is tried over and over can be discarded; what is behind it goes", async () => {
  const seen: string[] = [];
  const ask = shop((body) => ({ events: ["e"], effects: [effect(mirror, "m", body)] }), seen);
  await using bench = open({
    ...ask,
    command: (stream, id, sent) => {
      if (stream.address.service !== "shop.Mirror" || bodyOf(sent) !== "bad") return ask.command?.(stream, id, sent);
      stream.end("crashed");
      return undefined;
    },
  });
  await bench.ask("1", "bad");
  await bench.ask("1", "good");
  await bench.clock.advance(1_000);
  const [bad] = await bench.engine.outbox({ state: "waiting", limit: 10 });
  assert.equal(await bench.engine.discardMessages([bad?.id ?? 0]), 1);
  await bench.clock.advance(5_000);
  assert.deepEqual([seen, bench.store.messages.size], [["good"], 0]);
});

test("an outbox that cannot be read is read again", async () => {
  const first = open(shop(() => ({ events: ["e"], effects: [effect(mirror, "m", "1")] })));
  first.store.holding = true;
  await first.ask("1", "a");
  for (const step of first.store.held[0]?.steps ?? []) first.store.apply(step);
  first.store.holding = false;
  const { Fault } = await import("@mecha/kit");
  first.store.outboxBroken = new Fault("unavailable", "busy");
  await using second = open(
    shop(() => ({})),
    {},
    first,
  );
  await settleAll(second);
  assert.deepEqual(second.store.texts("m"), []);
  first.store.outboxBroken = undefined;
  await second.clock.advance(3_000);
  assert.deepEqual(second.store.texts("m"), ["1"]);
});
