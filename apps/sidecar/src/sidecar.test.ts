import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { hostClock, hostRandom } from "@mecha/host";
import { noLog, noMetrics } from "@mecha/kit";
import { connect } from "@mecha/net";
import { openMemoryStore } from "@mecha/store-memory";
import { unary } from "@mecha/wire";
import { action, command, message, serve, t as field } from "mecha-sdk";
import { discoveryDelayMs, discoveryFirstMs, discoveryLastMs } from "./discovery-delay.ts";
import type { HostedFunction } from "./hosting.ts";
import { openSidecar, type Sidecar } from "./sidecar.ts";

test("the wait between discoveries is a tenth of the time waited, from 25 ms to 10 s", () => {
  const waits = [0, 250, 1_000, 10_000, 100_000, 1e9].map((waitedMs) => discoveryDelayMs(waitedMs, 0));
  assert.deepEqual(waits, [discoveryFirstMs, 25, 100, 1_000, discoveryLastMs, discoveryLastMs]);
  assert.equal(discoveryDelayMs(1e9, 1), discoveryLastMs * 1.2);
});

interface Opened {
  readonly sidecar: Sidecar;
  /** The functions, by name. */
  readonly fns: Readonly<Record<string, HostedFunction>>;
  /** Waits until a function's link is in that state. */
  until(name: string, state: string): Promise<void>;
}

async function open(t: TestContext, functions: readonly string[], attached = false): Promise<Opened> {
  const store = openMemoryStore();
  let look = (): void => undefined;
  const sidecar = await openSidecar(
    { ingress: { host: "127.0.0.1", port: 0 }, version: "0.0.0-test" },
    {
      clock: hostClock,
      random: hostRandom,
      log: noLog,
      metrics: noMetrics,
      store,
      changed: () => look(),
      fatal: (fault) => assert.fail(fault),
    },
  );
  const fns = Object.fromEntries(functions.map((name) => [name, sidecar.addFunction(name, { attached })]));
  t.after(async () => {
    await sidecar[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  });
  const until = (name: string, state: string): Promise<void> =>
    new Promise((resolve) => {
      look = () => {
        if (sidecar.functions.find((fn) => fn.name === name)?.state.is === state) resolve();
      };
      look();
    });
  return { sidecar, fns, until };
}

const Greeting = message("Greeting", { text: field.string });

/** A real function, in this process, that greets with `text`; of several services when there are spaces between. */
function greeter(services: string, text: string | Promise<string>, port = 0): ReturnType<typeof serve> {
  const greets = services.split(" ").map((service) =>
    action({
      service,
      commands: { greet: command({ name: field.string }).replies(Greeting) },
      handle: { greet: async ({ name }) => ({ text: `${await text} ${name}` }) },
    }),
  );
  return serve(greets, { host: "127.0.0.1", port, log: noLog, handleSignals: false });
}

/** Looks again and again; the test's own time is the limit. */
async function eventually(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function greet(sidecar: Sidecar, service: string): Promise<{ readonly status: number; readonly body: string }> {
  const response = await fetch(`http://127.0.0.1:${sidecar.port}/${service}/Greet`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"name":"Ada"}',
  });
  return { status: response.status, body: await response.text() };
}

test("before its function is there a caller hears `unavailable`, on HTTP and gRPC; afterwards it is served", async (t) => {
  const { sidecar, fns, until } = await open(t, ["f"]);
  assert.equal((await greet(sidecar, "x.Greeter")).status, 503);
  await using channel = connect({ host: "127.0.0.1", port: sidecar.port, clock: hostClock });
  await assert.rejects(unary(channel, "/x.Greeter/Greet", new Uint8Array()), { code: "unavailable" });

  await using fn = await greeter("x.Greeter", "Hello");
  fns["f"]?.started(fn);
  await until("f", "ready");
  assert.deepEqual(await greet(sidecar, "x.Greeter"), { status: 200, body: '{"text":"Hello Ada"}' });
  await assert.rejects(unary(channel, "/x.Greeter/Nothing", new Uint8Array()), { code: "unimplemented" });
});

test("a function that started again, elsewhere and with other services, is discovered again and the routes are swapped", async (t) => {
  const { sidecar, fns, until } = await open(t, ["f"]);
  {
    await using first = await greeter("x.Old", "Old");
    fns["f"]?.started(first);
    await until("f", "ready");
  }
  fns["f"]?.ended();
  await using second = await greeter("x.New", "New");
  fns["f"]?.started(second);
  await until("f", "ready");
  assert.equal((await greet(sidecar, "x.New")).body, '{"text":"New Ada"}');
  assert.equal((await greet(sidecar, "x.Old")).status, 404);
});

test("two functions share one ingress; a service both have is refused, naming both, and the first goes on", async (t) => {
  const { sidecar, fns, until } = await open(t, ["a", "b", "c"]);
  await using a = await greeter("x.A", "A");
  await using b = await greeter("x.B", "B");
  await using c = await greeter("x.A", "C");
  fns["a"]?.started(a);
  await until("a", "ready");
  fns["b"]?.started(b);
  await until("b", "ready");
  fns["c"]?.started(c);
  await until("c", "refused");
  const refused = sidecar.functions[2]?.state;
  assert.match(refused?.is === "refused" ? refused.problem : "", /service x\.A is served by function a already, so function c cannot/u);
  assert.equal((await greet(sidecar, "x.A")).body, '{"text":"A Ada"}');
  assert.equal((await greet(sidecar, "x.B")).body, '{"text":"B Ada"}');
});

test("an attached function whose connection is lost is discovered again", async (t) => {
  const { sidecar, fns, until } = await open(t, ["f"], true);
  const first = await greeter("x.Old", "Old");
  const { port } = first;
  fns["f"]?.started(first);
  await until("f", "ready");
  await first[Symbol.asyncDispose]();
  await until("f", "discovering");
  await using _second = await greeter("x.New", "New", port);
  await until("f", "ready");
  assert.equal((await greet(sidecar, "x.New")).body, '{"text":"New Ada"}');
});

test("a newer version of a function takes over when it was discovered, and the older one can go", async (t) => {
  const { sidecar, fns, until } = await open(t, ["f"]);
  await using first = await greeter("x.Greeter", "Old");
  fns["f"]?.started(first);
  await until("f", "ready");
  const newer = sidecar.addFunction("f");
  assert.equal((await greet(sidecar, "x.Greeter")).body, '{"text":"Old Ada"}');
  await using second = await greeter("x.Greeter", "New");
  newer.started(second);
  await until("f", "ready");
  await eventually(() => newer.serves);
  assert.deepEqual([fns["f"]?.serves, sidecar.functions.length], [false, 1]);
  await fns["f"]?.remove(1_000);
  assert.equal((await greet(sidecar, "x.Greeter")).body, '{"text":"New Ada"}');
});

test("a function that is removed is withdrawn at once; calls under way end, health and reflection forget it, and who waited for its service has it", async (t) => {
  const { sidecar, fns, until } = await open(t, ["a", "b"]);
  const held = Promise.withResolvers<string>();
  await using a = await greeter("x.A", held.promise);
  await using b = await greeter("x.B", "B");
  await using other = await greeter("x.A", "other");
  fns["a"]?.started(a);
  fns["b"]?.started(b);
  await until("a", "ready");
  await until("b", "ready");
  const c = sidecar.addFunction("c");
  c.started(other);
  await until("c", "refused");
  const underWay = greet(sidecar, "x.A");
  await eventually(() => sidecar.openCalls === 1);
  const removed = fns["a"]?.remove(60_000);
  assert.equal((await greet(sidecar, "x.A")).status, 404);
  await using channel = connect({ host: "127.0.0.1", port: sidecar.port, clock: hostClock });
  const health = new TextEncoder().encode("\n\u0003x.A");
  await assert.rejects(unary(channel, "/grpc.health.v1.Health/Check", health), { code: "notFound" });
  await assert.rejects(unary(channel, "/x.A/Greet", new Uint8Array()), { code: "unimplemented" });
  held.resolve("A");
  assert.deepEqual(await underWay, { status: 200, body: '{"text":"A Ada"}' });
  await removed;
  await until("c", "ready");
  assert.equal((await greet(sidecar, "x.A")).body, '{"text":"other Ada"}');
  await c.remove(0);
  assert.deepEqual(
    sidecar.functions.map(({ name }) => name),
    ["b"],
  );
  assert.equal((await greet(sidecar, "x.B")).status, 200);
});

test("calls that do not end in time are cut off with the function", async (t) => {
  const { sidecar, fns, until } = await open(t, ["f"]);
  await using fn = await greeter("x.A", new Promise<string>(() => undefined));
  fns["f"]?.started(fn);
  await until("f", "ready");
  const underWay = greet(sidecar, "x.A");
  await eventually(() => sidecar.openCalls === 1);
  await fns["f"]?.remove(10);
  assert.equal((await underWay).status, 503);
});

test("of two functions with one service the older has it, whichever was discovered first", async (t) => {
  const { sidecar, until } = await open(t, []);
  await using young = await greeter("x.A", "young");
  await using old = await greeter("x.A", "old");
  sidecar.addFunction("young", { order: 2 }).started(young);
  await until("young", "ready");
  const older = sidecar.addFunction("old", { order: 1 });
  older.started(old);
  await until("old", "ready");
  const [refused] = sidecar.functions;
  assert.match(
    refused?.state.is === "refused" ? refused.state.problem : "",
    /x\.A is served by function old already, so function young cannot/u,
  );
  assert.equal((await greet(sidecar, "x.A")).body, '{"text":"old Ada"}');
  await older.remove(0);
  await until("young", "ready");
  assert.equal((await greet(sidecar, "x.A")).body, '{"text":"young Ada"}');
});

test("who waits for a service has it once the function that had it started again, or was replaced, without it", async (t) => {
  const { sidecar, fns, until } = await open(t, ["a", "b"]);
  await using first = await greeter("x.A x.B", "first");
  fns["a"]?.started(first);
  await until("a", "ready");
  await using waiting = await greeter("x.A", "waiting");
  fns["b"]?.started(waiting);
  await until("b", "refused");
  await using again = await greeter("x.B x.C", "again");
  fns["a"]?.started(again);
  await until("b", "ready");
  assert.equal((await greet(sidecar, "x.A")).body, '{"text":"waiting Ada"}');

  const c = sidecar.addFunction("c");
  await using other = await greeter("x.C", "other");
  c.started(other);
  await until("c", "refused");
  await using newer = await greeter("x.B", "newer");
  sidecar.addFunction("a").started(newer);
  await until("c", "ready");
  assert.deepEqual(
    [(await greet(sidecar, "x.B")).body, (await greet(sidecar, "x.C")).body],
    ['{"text":"newer Ada"}', '{"text":"other Ada"}'],
  );
});

test("what a function that lost one service cannot serve any more is there for who waits for it", async (t) => {
  const { sidecar, until } = await open(t, []);
  await using young = await greeter("x.A x.B", "young");
  await using waiting = await greeter("x.B", "waiting");
  await using old = await greeter("x.A", "old");
  sidecar.addFunction("young", { order: 2 }).started(young);
  await until("young", "ready");
  sidecar.addFunction("waiting", { order: 3 }).started(waiting);
  await until("waiting", "refused");
  sidecar.addFunction("old", { order: 1 }).started(old);
  await until("waiting", "ready");
  assert.deepEqual(
    sidecar.functions.map(({ state }) => state.is),
    ["refused", "ready", "ready"],
  );
  assert.deepEqual(
    [(await greet(sidecar, "x.A")).body, (await greet(sidecar, "x.B")).body],
    ['{"text":"old Ada"}', '{"text":"waiting Ada"}'],
  );
});

test("the whole is healthy when all that is to be served is, also once what never came is removed; with nothing left it is not", async (t) => {
  const { sidecar, fns, until } = await open(t, ["a", "late"]);
  await using channel = connect({ host: "127.0.0.1", port: sidecar.port, clock: hostClock });
  const isHealthy = async (): Promise<boolean> => (await unary(channel, "/grpc.health.v1.Health/Check", new Uint8Array())).message[1] === 1;
  await using a = await greeter("x.A", "A");
  fns["a"]?.started(a);
  await until("a", "ready");
  assert.equal(await isHealthy(), false);
  await fns["late"]?.remove(0);
  assert.equal(await isHealthy(), true);
  const newer = sidecar.addFunction("newer");
  assert.equal(await isHealthy(), true, "callers lose nothing by what is yet to come");
  await newer.remove(0);
  await fns["a"]?.remove(0);
  assert.equal(await isHealthy(), false);
});

test("draining refuses new calls and closes; doing it twice is harmless", async (t) => {
  const { sidecar, fns, until } = await open(t, ["f"]);
  await using fn = await greeter("x.Greeter", "Hello");
  fns["f"]?.started(fn);
  await until("f", "ready");
  assert.equal(await sidecar.drain(5_000), 0);
  await assert.rejects(greet(sidecar, "x.Greeter"));
  assert.equal(await sidecar.drain(0), 0);
});
