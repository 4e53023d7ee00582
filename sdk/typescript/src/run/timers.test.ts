/** Timers as handlers set them: what is stored, what is refused and with which words. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { command, commandRef, eventSourced, Mistake, t, type TimerOptions, valueEntity } from "../index.ts";
import { testEntity } from "../testing/index.ts";

const Cart = eventSourced({
  service: "shop.Cart",
  key: "cartId",
  state: () => ({ items: 0, expired: false }),
  events: { added: {}, expired: {} },
  commands: {
    add: command({ cartId: t.string }),
    expire: command({ cartId: t.string, reason: t.string }),
    keep: command({ cartId: t.string }),
    fails: command({ cartId: t.string }),
  },
  on: {
    added: (state) => ({ ...state, items: state.items + 1 }),
    expired: (state) => ({ ...state, expired: true }),
  },
  handle: {
    add({ cartId }, ctx) {
      ctx.emit("added", {});
      ctx.schedule("expire", "expire", { cartId, reason: "too old" }, { after: "30m" });
    },
    expire(_, ctx) {
      ctx.emit("expired", {});
    },
    keep(_, ctx) {
      ctx.cancelTimer("expire");
    },
    fails({ cartId }, ctx) {
      ctx.schedule("expire", "expire", { cartId, reason: "" }, { after: 1 });
      ctx.fail("no");
    },
  },
});

const set = { name: "expire", command: "expire", message: { cartId: "42", reason: "too old" }, schedule: { afterMs: 1_800_000 } };

test("a timer is seen as it was set, fires its command, and is gone", async () => {
  const cart = testEntity(Cart, "42");
  assert.deepEqual((await cart.send("add", { cartId: "42" })).timers, [{ do: "set", ...set }]);
  assert.deepEqual([...cart.timers.values()], [set]);
  const fired = await cart.fire("expire");
  assert.deepEqual([fired.events, cart.state, cart.timers.size], [[{ name: "expired", event: {} }], { items: 1, expired: true }, 0]);
  await assert.rejects(cart.fire("expire"), new Mistake('fire("expire"): no such timer is set; set are none'));
});

test("a handler learns which firing its command is; a caller is none", async () => {
  const seen: unknown[] = [];
  const Bell = valueEntity({
    service: "demo.Bell",
    key: "bell",
    state: () => ({ rung: 0 }),
    commands: { start: command({ bell: t.string }), ring: command({ bell: t.string }) },
    handle: {
      start({ bell }, ctx) {
        ctx.schedule("tick", "ring", { bell }, { after: "1m", every: "5m" });
        ctx.schedule("at", "ring", { bell }, { at: new Date("2026-01-02T03:04:05Z") });
      },
      ring: (_, ctx) => void seen.push(ctx.firing),
    },
  });
  const bell = testEntity(Bell, "1");
  await bell.send("start", { bell: "1" });
  await bell.send("ring", { bell: "1" });
  await bell.fire("tick");
  await bell.fire("tick");
  await bell.fire("at");
  await bell.send("start", { bell: "1" });
  await bell.fire("tick");
  const first = { timer: "tick", due: new Date(60_000), number: 1 };
  const second = { timer: "tick", due: new Date(360_000), number: 2 };
  assert.deepEqual(seen, [undefined, first, second, { timer: "at", due: new Date("2026-01-02T03:04:05Z"), number: 1 }, first]);
});

test("one that is set again replaces, one that is cancelled is gone, a failed command leaves none", async () => {
  const cart = testEntity(Cart, "42");
  await cart.send("add", { cartId: "42" });
  await cart.send("add", { cartId: "42" });
  assert.equal(cart.timers.size, 1);
  assert.deepEqual((await cart.send("fails", { cartId: "42" })).timers, []);
  assert.deepEqual(cart.timers.get("expire"), set);
  assert.deepEqual((await cart.send("keep", { cartId: "42" })).timers, [{ do: "cancel", name: "expire" }]);
  assert.equal(cart.timers.size, 0);
});

const Clock = valueEntity({
  service: "demo.Clock",
  key: "id",
  state: () => ({ ticks: 0 }),
  commands: { start: command({ id: t.string }), tick: command({ id: t.string }) },
  handle: {
    start({ id }, ctx) {
      ctx.schedule("tick", "tick", { id }, { every: "1s", at: new Date(5_000), catchUp: "all" });
      ctx.schedule("nine", "tick", { id }, { cron: "0 9 * * *", timeZone: "Europe/Berlin" });
    },
    tick(_, ctx) {
      ctx.update({ ticks: ctx.state.ticks + 1 });
    },
  },
});

test("a value entity sets timers too; one that repeats stays", async () => {
  const clock = testEntity(Clock, "c");
  const { timers } = await clock.send("start", { id: "c" });
  assert.deepEqual(
    timers.map((timer) => timer.do === "set" && timer.schedule),
    [
      { catchUp: "all", atMs: 5_000, everyMs: 1_000 },
      { cron: "0 9 * * *", timeZone: "Europe/Berlin" },
    ],
  );
  await clock.fire("tick");
  await clock.fire("tick");
  assert.deepEqual([clock.state, clock.timers.size], [{ ticks: 2 }, 2]);
});

/** A cart whose handler sets one timer, whatever it is. */
const scheduling = (name: unknown, to: unknown, input: unknown, when: unknown) => {
  const Entity = eventSourced({
    service: "shop.Cart",
    key: "cartId",
    state: () => ({}),
    events: { added: {} },
    commands: { add: command({ cartId: t.string }) },
    on: { added() {} },
    handle: {
      add(_, ctx) {
        ctx.schedule(name as string, to as "add", input as { cartId: string }, when as TimerOptions);
      },
    },
  });
  return testEntity(Entity, "42").send("add", { cartId: "42" });
};

const own = { cartId: "42" };
const soon = { after: 1 };
const elsewhere = commandRef("shop.Stock", "reserve", { sku: t.string });
const refused: [what: string, name: unknown, command: unknown, input: unknown, when: unknown, text: string][] = [
  ["no name", "", "add", own, soon, 'schedule(""): give the timer a name'],
  ["a name that is too long", "n".repeat(257), "add", own, soon, `schedule("${"n".repeat(60)}…"): the name is 257 bytes, the most is 256`],
  ["an unknown command", "t", "ad", own, soon, 'schedule("t"): shop.Cart has no command ad; did you mean add?; it has add'],
  ["another component", "t", elsewhere, { sku: "tea" }, soon, 'schedule("t"): shop.Stock.Reserve is no command of shop.Cart; a timer fires at its own entity: schedule a command of this one and let it ctx.effect the other'],
  ["another entity", "t", "add", { cartId: "43" }, soon, 'schedule("t"): the input leads to entity "43", but a timer fires at its own entity, "42"; give its own key'],
  ["a wrong input", "t", "add", {}, soon, 'schedule("t") of add: shop.CartAddRequest.cartId: missing; expected a string'],
  ["no time", "t", "add", own, undefined, 'schedule("t"): say when: { after: "30m" }, { every: "1h" } or { cron: "0 9 * * *" }'],
  ["an empty time", "t", "add", own, {}, 'schedule("t"): it says no time; give at, after, every or cron'],
  ["a typing error", "t", "add", own, { evry: 1 }, 'schedule("t"): there is no option evry; did you mean every?; there are at, after, every, cron, timeZone, catchUp'],
  ["a wrong duration", "t", "add", own, { after: "soon" }, 'schedule("t"): after: expected milliseconds or a duration such as 90s, 30m or 1h30m, got "soon" (a string)'],
  ["a wrong time zone", "t", "add", own, { cron: "0 9 * * *", timeZone: "Berlin" }, 'schedule("t"): timeZone: "Berlin" is no time zone of the IANA database; write one such as Europe/Berlin or UTC'],
]; // prettier-ignore

for (const [what, name, to, input, when, text] of refused)
  test(`${what} is refused, and the text helps`, async () => {
    await assert.rejects(scheduling(name, to, input, when), new Mistake(`shop.Cart.add: ${text}`));
  });
