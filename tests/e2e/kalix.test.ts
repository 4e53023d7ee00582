/** A function of npm `@kalix-io/kalix-javascript-sdk` 1.1.0, unmodified, under `mecha up`: nobody told it which protocol that is. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { fromBinary, fromJson, type JsonObject, type Registry, toBinary, toJson } from "@bufbuild/protobuf";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { discover } from "@mecha/dialect-kalix";
import { hostClock, hostRandom } from "@mecha/host";
import { noLog, noMetrics, Scope } from "@mecha/kit";
import { connect, listen } from "@mecha/net";
import { openEngine, type StateEngine } from "@mecha/state";
import { openMemoryStore } from "@mecha/store-memory";
import type { CallHandler } from "@mecha/wire";
import { mechaMain, startUp } from "../support/cart.ts";
import { tempDir } from "../support/files.ts";
import { installForeign } from "../support/foreign.ts";
import { type JsonAnswer, post, request } from "../support/http.ts";
import { eventually, freePort, isAlive, startNode, startProgram } from "../support/program.ts";

let folder: string;
before(async () => {
  folder = await installForeign({
    name: "kalix-1.1",
    proto: "shop.proto",
    library: "node_modules/@kalix-io/kalix-javascript-sdk/proto",
  });
});

const add = (ingress: string, id: string, product: string, quantity: number): Promise<JsonAnswer> =>
  post(`${ingress}/carts/${id}/lines`, { product, quantity });
const setPrice = (ingress: string, product: string, cents: number): Promise<JsonAnswer> =>
  request(`${ingress}/prices/${product}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ cents }),
  });
/** What is shown of an entity after a change of it, or without one. Paths are those of methods without an HTTP rule. */
async function replicated(ingress: string, service: string, change?: object): Promise<unknown> {
  const { status, body } = await post(`${ingress}/market.${service}/${change ? "Change" : "Get"}`, { id: "1", ...change });
  return status === 200 ? JSON.parse((body as { json: string }).json) : body;
}

const [reverse, custom, customAutoIncrement] = [1, 2, 3];

/** By service of replicated.cjs: changes, and what is shown after each. */
const histories: Readonly<Record<string, readonly (readonly [change: object, shown: unknown])[]>> = {
  Counters: [
    [{ number: 7 }, 7],
    [{ number: -9 }, -2],
  ],
  Sets: [
    [{ value: "a" }, ["a"]],
    [{ value: "b" }, ["a", "b"]],
    [{ value: "a", remove: true }, ["b"]],
    [{ value: "b", remove: true }, []],
    [{ value: "c" }, ["c"]],
  ],
  Registers: [
    [{ value: "a", clock: custom, number: 9 }, "a"],
    [{ value: "b", clock: custom, number: 10 }, "b"],
    [{ value: "c", clock: customAutoIncrement, number: 1 }, "c"],
  ],
  Maps: [
    [{ key: "n", number: 3 }, { n: 3 }],
    [
      { key: "s", value: "a" },
      { n: 3, s: ["a"] },
    ],
    [{ clear: true }, {}],
    [{ key: "s", value: "b" }, { s: ["b"] }],
    [
      { key: "n", number: 2 },
      { n: 2, s: ["b"] },
    ],
    [
      { key: "n", number: 2 },
      { n: 4, s: ["b"] },
    ],
    [{ key: "s", remove: true }, { n: 4 }],
  ],
  CounterMaps: [
    [{ key: "a", number: 5 }, { a: 5 }],
    [{ clear: true }, {}],
    [{ key: "a", number: 2 }, { a: 2 }],
    [
      { key: "b", number: -1 },
      { a: 2, b: -1 },
    ],
    [
      { key: "a", number: 2 },
      { a: 4, b: -1 },
    ],
    [{ key: "b", remove: true }, { a: 4 }],
  ],
  RegisterMaps: [
    [{ key: "a", value: "x" }, { a: "x" }],
    [
      { key: "b", value: "y" },
      { a: "x", b: "y" },
    ],
    [
      { key: "a", value: "z" },
      { a: "z", b: "y" },
    ],
    [{ key: "b", remove: true }, { a: "z" }],
  ],
  MultiMaps: [
    [{ key: "a", value: "x" }, { a: ["x"] }],
    [{ key: "a", value: "y" }, { a: ["x", "y"] }],
    [
      { key: "b", value: "x" },
      { a: ["x", "y"], b: ["x"] },
    ],
    [
      { key: "a", value: "x", remove: true },
      { a: ["y"], b: ["x"] },
    ],
    [{ key: "b", remove: true }, { a: ["y"] }],
  ],
  Votes: [
    [{ number: 1 }, { vote: true, votesFor: 1, totalVoters: 1 }],
    [{ number: 0 }, { vote: false, votesFor: 0, totalVoters: 1 }],
    [{ number: 1 }, { vote: true, votesFor: 1, totalVoters: 1 }],
  ],
};

const ok = (body: unknown): unknown => ({ status: 200, body });
const failed = (http: number, code: number, message: string): unknown => ({ status: http, body: { code, message, details: [] } });

test("events, values, replicated entities of every type and the action over them survive kill -9", async () => {
  await using dir = await tempDir("kalix-state");
  const cart = ok({
    lines: [
      { product: "tea", quantity: 3 },
      { product: "cup", quantity: 1 },
      { product: "pot", quantity: 1 },
    ],
  });
  {
    await using up = await startUp(folder, ["--state", dir.path]);
    for (const product of ["tea", "cup", "tea", "pot", "tea"]) assert.deepEqual(await add(up.ingress, "7", product, 1), ok({}));
    assert.deepEqual(await request(`${up.ingress}/carts/7`), cart);
    for (const [product, cents] of Object.entries({ tea: 450, cup: 900, pot: 2_000 }))
      assert.deepEqual(await setPrice(up.ingress, product, cents), ok({}));
    assert.deepEqual(await request(`${up.ingress}/carts/7/total`), ok({ cents: 4_250 }));
    for (const [service, history] of Object.entries(histories))
      for (const [change, shown] of history) assert.deepEqual(await replicated(up.ingress, service, change), shown, service);
    // The first write stays: the function is told so, though it believed otherwise.
    const first = { value: "c", clock: reverse };
    assert.deepEqual(await replicated(up.ingress, "Registers", { ...first, id: "2" }), "c");
    assert.deepEqual(await replicated(up.ingress, "Registers", { ...first, id: "2", value: "d" }), "d");
    assert.deepEqual(await post(`${up.ingress}/market.Registers/Get`, { id: "2" }), ok({ json: '"c"' }));
    const [functionPid = 0] = await up.program.descendants();
    up.program.kill("SIGKILL");
    await eventually("the function dies with Mecha", async () => !(await isAlive(functionPid)));
  }
  await using again = await startUp(folder, ["--state", dir.path]);
  assert.deepEqual(await request(`${again.ingress}/carts/7`), cart);
  assert.deepEqual(await request(`${again.ingress}/prices/tea`), ok({ product: "tea", cents: 450 }));
  assert.deepEqual(await request(`${again.ingress}/carts/7/total`), ok({ cents: 4_250 }));
  assert.deepEqual(await setPrice(again.ingress, "tea", -1), failed(400, 3, "nobody pays -1"));
  assert.deepEqual(
    await request(`${again.ingress}/prices/tea`),
    ok({ product: "tea", cents: 450 }),
    "what was set before the failure is not believed",
  );
  assert.deepEqual(await request(`${again.ingress}/prices/tea`, { method: "DELETE" }), ok({}));
  assert.deepEqual(await request(`${again.ingress}/prices/tea`), failed(404, 5, "no price for tea"));

  const none = { vote: false, votesFor: 0, totalVoters: 1 }; // the connection that voted is gone
  for (const [service, history] of Object.entries(histories)) {
    assert.deepEqual(await replicated(again.ingress, service), service === "Votes" ? none : history.at(-1)?.[1], service);
  }
  await using get = startNode(mechaMain, ["entities", "get", "market.CounterMaps", "1", "--state", dir.path]);
  assert.equal((await get.exit).code, 0, get.output);
  assert.match(get.stdout, /type +countermap\nvalue +type\.kalix\.io\/string "a" → 4\nreplica local /u);
  await replicatedAnswers(again.ingress);
});

/** What a replicated entity may answer with besides its value. */
async function replicatedAnswers(ingress: string): Promise<void> {
  const to = (service: string, command: string, key = ""): Promise<JsonAnswer> =>
    post(`${ingress}/market.${service}/${command}`, { id: "1", key });
  assert.deepEqual(await to("Counters", "Change", "forbidden"), failed(400, 3, "Counters take no such key"));
  const regret = { id: "1", key: "regretted", number: 5 };
  assert.deepEqual(await post(`${ingress}/market.Counters/Change`, regret), failed(409, 10, "Counters change, and then fail"));
  assert.equal(await replicated(ingress, "Counters"), -2, "the library's own copy was changed, and is not believed");
  assert.deepEqual(await to("Counters", "Change", "broken"), failed(500, 2, "Unexpected entity failure"));
  assert.deepEqual(await to("Counters", "Order", "tea"), ok({}), "a forward");
  assert.deepEqual(await to("Sets", "Note", "cup"), ok({ json: '["c"]' }), "an effect");
  assert.deepEqual(await request(`${ingress}/carts/1`), ok({ lines: [{ product: "tea", quantity: 1 }, { product: "cup", quantity: 1 }] })); // prettier-ignore
  assert.deepEqual(await to("MultiMaps", "Delete"), ok({}));
  assert.deepEqual(await to("MultiMaps", "Get"), failed(500, 2, "Entity deleted"));
}

test("a failure arrives with the status the function chose, over HTTP and gRPC, from each kind of component", async () => {
  await using dir = await tempDir("kalix-state");
  await using up = await startUp(folder, ["--state", dir.path]);
  const nonsense = "a quantity of -1 tea makes no sense";
  assert.deepEqual(await add(up.ingress, "8", "tea", -1), failed(400, 3, nonsense));
  assert.deepEqual(await request(`${up.ingress}/prices/gold`), failed(404, 5, "no price for gold"));
  const refuse = (code: number): Promise<JsonAnswer> => post(`${up.ingress}/market.Checkout/Refuse`, { description: "because", code });
  for (const [code, http] of [[6, 409], [7, 403], [8, 429], [14, 503], [16, 401]] as const) assert.deepEqual(await refuse(code), failed(http, code, "because")); // prettier-ignore

  // AddLine { cart_id = 1: "8", quantity = 3: -1 } and PriceOf { product = 1: "gold" }, from a client that is not ours.
  const add8 = Buffer.from([0x0a, 1, 0x38, 0x12, 3, ...Buffer.from("tea"), 0x18, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
  const gold = Buffer.from([0x0a, 4, ...Buffer.from("gold")]);
  const answers = [await grpc(up.ingress, "/market.Carts/Add", add8), await grpc(up.ingress, "/market.Prices/Get", gold)];
  assert.deepEqual(answers, [
    { code: status.INVALID_ARGUMENT, details: nonsense },
    { code: status.NOT_FOUND, details: "no price for gold" },
  ]);

  // A handler that throws: the library fails the stream and ends it; the entity is loaded anew.
  assert.deepEqual(await add(up.ingress, "8", "bomb", 1), failed(500, 2, "Unexpected entity failure"));
  assert.deepEqual(await add(up.ingress, "8", "tea", 1), ok({}));
  assert.deepEqual(await request(`${up.ingress}/carts/8`), ok({ lines: [{ product: "tea", quantity: 1 }] }));
});

test("forwards, streams out and streams in", async () => {
  await using dir = await tempDir("kalix-state");
  await using up = await startUp(folder, ["--state", dir.path]);
  await add(up.ingress, "9", "tea", 2);
  assert.deepEqual(await post(`${up.ingress}/market.Checkout/Forward`, { cartId: "9" }), ok({ lines: [{ product: "tea", quantity: 2 }] }));

  const client = new Client(new URL(up.ingress).host, credentials.createInsecure());
  try {
    // Cart { lines = 1 { product = 1: "a", quantity = 2: n } … } in, Price { product = 1: "a", cents = 2: n } out
    const line = (n: number): Buffer => Buffer.from([0x0a, 1, 0x61, 0x10, n]);
    const cart = Buffer.concat([4, 9].flatMap((n) => [Buffer.from([0x0a, 5]), line(n)]));
    const each = client.makeServerStreamRequest("/market.Checkout/EachPrice", bytes, bytes, cart);
    const prices: Buffer[] = [];
    for await (const price of each) prices.push(price as Buffer);
    assert.deepEqual(prices, [line(4), line(9)]);

    const total = await new Promise<Buffer | undefined>((resolve, reject) => {
      const sum = client.makeClientStreamRequest<Buffer, Buffer>("/market.Checkout/Sum", bytes, bytes, (error, value) =>
        error ? reject(error) : resolve(value),
      );
      for (const cents of [4, 9]) sum.write(Buffer.from([0x10, cents]));
      sum.end();
    });
    assert.deepEqual(total, Buffer.from([0x08, 13]));
  } finally {
    client.close();
  }
});

test("a function that waits for its sidecar's word ends at once when Mecha is stopped", async () => {
  await using dir = await tempDir("kalix-state");
  await using up = await startUp(folder, ["--state", dir.path]);
  const [functionPid = 0] = await up.program.descendants();
  const stoppedMs = performance.now();
  up.program.kill("SIGTERM");
  assert.equal((await up.program.exit).code, 0, up.program.output);
  assert.equal(await isAlive(functionPid), false);
  // Without ProxyTerminated it would wait for SIGKILL, which comes after 5 s.
  assert.ok(performance.now() - stoppedMs < 4_500, up.program.output);
});

test("two sidecars at one function: each tells it of the other's changes, of every type", async () => {
  await using scope = new Scope();
  const [a, b] = await twoEngines(scope);
  const { Votes: _, ...merged } = histories;
  for (const [service, history] of Object.entries(merged)) {
    for (const [at, [change, shown]] of history.entries()) {
      const [here, there] = at % 2 === 0 ? [a, b] : [b, a];
      assert.deepEqual(await here(service, "Change", change), shown, service);
      assert.deepEqual(await there(service, "Get"), shown, `${service}, there`); // at once: the write consistency is ALL
    }
  }
  await a("Votes", "Change", { number: 1 });
  await eventually("the vote is counted there", async () =>
    isDeepStrictEqual(await b("Votes", "Get"), { vote: false, votesFor: 1, totalVoters: 2 }),
  );
  await a("Sets", "Delete");
  assert.equal(await b("Sets", "Get"), "Entity deleted");
});

/** Does a command on entity 1 and returns what is shown, or the failure's text. */
type Ask = (service: string, command: string, request?: object) => Promise<unknown>;

/** Two engines that replicate to each other, over sockets; the function is a process both are attached to. */
async function twoEngines(scope: Scope): Promise<[Ask, Ask]> {
  const port = await freePort();
  scope.own(startProgram(process.execPath, ["main.cjs"], { cwd: folder, env: { HOST: "127.0.0.1", PORT: String(port) } }));
  const engines = new Map<string, StateEngine>();
  const listeners = new Map<string, number>();
  const asks: Ask[] = [];
  for (const node of ["a", "b"]) {
    const grpc = (path: string): CallHandler | undefined => engines.get(node)?.replication?.handlers().get(path);
    const http = (exchange: { respond(code: number, headers: object, body: string): void }): void => exchange.respond(404, {}, "");
    listeners.set(node, scope.own(await listen({ host: "127.0.0.1", port: 0, clock: hostClock, log: noLog }, { grpc, http })).port);
  }
  for (const [node, other] of [
    ["a", "b"],
    ["b", "a"],
  ] as const) {
    const store = scope.own(openMemoryStore());
    const peer = { node: other, connect: () => connect({ host: "127.0.0.1", port: listeners.get(other) ?? 0, clock: hostClock }) };
    const ports = { store, clock: hostClock, random: hostRandom, log: noLog, metrics: noMetrics, options: { node } };
    const engine = scope.own(openEngine({ ...ports, cluster: { peers: [peer], catalog: store } }));
    engines.set(node, engine);
    const channel = scope.own(connect({ host: "127.0.0.1", port, clock: hostClock }));
    const found = await eventually("the function is there", () => discover(channel, { proxyVersion: "1" }));
    engine.setComponents(found.components);
    asks.push((service, command, request) =>
      ask(engine, found.descriptors.registry, `market.${service}`, command, { id: "1", ...request }),
    );
  }
  const connected = (): boolean => [...engines.values()].every(({ replication }) => replication?.connected.length === 1);
  await eventually("both are connected", connected);
  return asks as [Ask, Ask];
}

function ask(engine: StateEngine, registry: Registry, service: string, name: string, request: JsonObject): Promise<unknown> {
  const { input, output } =
    registry.getService(service)?.methods.find((method) => method.name === name) ?? assert.fail(`${service}.${name}`);
  const payload = { typeUrl: `type.googleapis.com/${input.typeName}`, value: toBinary(input, fromJson(input, request)) };
  return new Promise((resolve) => {
    engine.call(service, { name, payload }, { hops: 0 }, (fault, reply) => {
      if (fault !== undefined) return resolve(fault.message);
      const { json } = toJson(output, fromBinary(output, reply?.payload?.value ?? new Uint8Array())) as { json?: string };
      resolve(json === undefined ? undefined : JSON.parse(json));
    });
  });
}

const bytes = (value: Buffer): Buffer => value;

/** A unary call that fails. */
function grpc(ingress: string, path: string, message: Buffer): Promise<Pick<ServiceError, "code" | "details">> {
  const client = new Client(new URL(ingress).host, credentials.createInsecure());
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, bytes, bytes, message, (error) => {
      client.close();
      if (error) resolve({ code: error.code, details: error.details });
      else reject(new Error(`${path} answered well`));
    });
  });
}
