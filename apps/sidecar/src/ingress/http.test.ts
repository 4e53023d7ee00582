import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { request as rawRequest } from "node:http";
import { test } from "node:test";
import { Fault, type FaultCode, faultCodes } from "@mecha/kit";
import type { Reply } from "@mecha/state";
import { component, serve, shop } from "./testing/fixture.ts";

const json = { "content-type": "application/json" };
/** shop.Cart{id: "c", lines: 2, cents: 5} */
const cart = Uint8Array.of(0x0a, 1, 0x63, 0x10, 2, 0x18, 5);
const reply = (value: Uint8Array, metadata?: Reply["metadata"]): Reply => ({
  payload: { typeUrl: "type.googleapis.com/shop.Cart", value },
  ...(metadata && { metadata }),
});
const send = async (
  url: string,
  init: RequestInit = {},
): Promise<{ status: number; type: string | null; body: string; headers: Headers }> => {
  const answer = await fetch(url, init);
  return { status: answer.status, type: answer.headers.get("content-type"), body: await answer.text(), headers: answer.headers };
};

test("a POST with JSON becomes a command; the path fills its field", async () => {
  await using served = await serve();
  const answer = await send(`${served.url}/carts/user%207:a/items`, { method: "POST", headers: json, body: '{"name":"tea","quantity":2}' });
  assert.deepEqual([answer.status, answer.type, answer.body], [200, "application/json", "{}"]);
  const [call] = served.engine.calls;
  assert.equal(call!.service, "shop.Cart");
  assert.equal(call!.command.name, "AddItem");
  assert.equal(call!.command.payload.typeUrl, "type.googleapis.com/shop.Add");
  assert.deepEqual([...call!.command.payload.value], [0x0a, 8, ...Buffer.from("user 7:a"), 0x12, 3, 0x74, 0x65, 0x61, 0x18, 2]);
  assert.equal(call!.command.metadata, undefined); // entities get no headers
  assert.ok(call!.context.deadlineMs! > performance.now());
});

test("a GET answers JSON with defaults; int64 is a string", async () => {
  await using served = await serve();
  served.engine.onCall = (_service, _command, _context, answer) => answer(undefined, reply(cart));
  assert.equal((await send(`${served.url}/carts/c`)).body, '{"id":"c","lines":2,"cents":"5"}');
  served.engine.onCall = (_service, _command, _context, answer) => answer(undefined, reply(new Uint8Array(0)));
  assert.equal((await send(`${served.url}/carts/c`)).body, '{"id":"","lines":0,"cents":"0"}');
});

test("every method has its default path, annotated ones too", async () => {
  await using served = await serve();
  served.engine.onCall = (_service, _command, _context, answer) => answer(undefined, reply(cart));
  for (const path of ["/shop.Cart/GetCart", "/shop.Desk/Ask"]) {
    assert.equal((await send(`${served.url}${path}`, { method: "POST", headers: json, body: '{"cartId":"c"}' })).status, 200);
  }
  assert.deepEqual(
    served.engine.calls.map(({ service, command }) => [service, command.name, [...command.payload.value]]),
    [
      ["shop.Cart", "GetCart", [0x0a, 1, 0x63]],
      ["shop.Desk", "Ask", [0x0a, 1, 0x63]],
    ],
  );
});

test("curl without a body or content type sends an empty message", async () => {
  await using served = await serve();
  const curl = spawn("curl", ["-s", "-X", "POST", `${served.url}/carts/c/items`, "-w", " %{http_code}"]);
  let out = "";
  curl.stdout.on("data", (chunk) => (out += String(chunk)));
  await new Promise((resolve) => curl.on("close", resolve));
  assert.equal(out, "{} 200");
  assert.deepEqual([...served.engine.calls[0]!.command.payload.value], [0x0a, 1, 0x63]);
});

for (const [what, path, init, status, body] of [
  ["unknown path", "/nowhere", {}, 404, /"code":5,"message":"no route for GET \/nowhere"/],
  ["the root", "/", {}, 404, /no route for GET \//],
  [
    "wrong content type",
    "/carts/c/items",
    { method: "POST", headers: { "content-type": "text/plain" }, body: "{}" },
    415,
    /must be application\/json; it is \\"text\/plain\\"/,
  ],
  ["a body without content type", "/carts/c/items", { method: "POST", body: new Uint8Array([0x7b, 0x7d]) }, 415, /none is given/],
  ["broken JSON", "/carts/c/items", { method: "POST", headers: json, body: '{"name":' }, 400, /not JSON: it ends too early/],
  ["unknown field", "/carts/c/items", { method: "POST", headers: json, body: '{"nme":1}' }, 400, /field nme: is no field of shop\.Add/],
  ["unknown query parameter", "/carts/c?x=1", {}, 400, /query parameter \\"x\\" is no field/],
  ["too large", "/carts/c/items", { method: "POST", headers: json, body: `{"name":"${"x".repeat(2000)}"}` }, 413, /larger than 1000 bytes/],
  [
    "a method that takes a stream",
    "/shop.Desk/Sum",
    { method: "POST", headers: json, body: "{}" },
    415,
    /takes a stream: send one JSON message a line, with content-type application\/x-ndjson; it is \\"application\/json\\"/,
  ],
  ["bad idempotency key", "/carts/c", { headers: { "idempotency-key": "a b" } }, 400, /idempotency-key must be/],
] as const) {
  test(`${what} → ${status}`, async () => {
    await using served = await serve({ bodyMaxBytes: 1000 });
    const answer = await send(`${served.url}${path}`, init);
    assert.equal(answer.status, status, answer.body);
    assert.equal(answer.type, "application/json");
    assert.match(answer.body, body);
    assert.deepEqual(JSON.parse(answer.body).details, []);
    assert.equal(served.engine.calls.length, 0);
  });
}

test("another method on a known path → 405 with Allow", async () => {
  await using served = await serve();
  const answer = await send(`${served.url}/carts/c`, { method: "DELETE" });
  assert.equal(answer.status, 405);
  assert.equal(answer.headers.get("allow"), "GET");
});

test("a charset of UTF-8 is fine, another is not", async () => {
  await using served = await serve();
  const post = (type: string): Promise<{ status: number }> =>
    send(`${served.url}/carts/c/items`, { method: "POST", headers: { "content-type": type }, body: "{}" });
  assert.equal((await post("application/json; charset=utf-8")).status, 200);
  assert.equal((await post("Application/JSON;charset=UTF-8")).status, 200);
  assert.equal((await post("application/json; charset=latin1")).status, 415);
});

test("every Fault has the status of its code", async () => {
  await using served = await serve();
  for (const code of Object.keys(faultCodes) as FaultCode[]) {
    served.engine.onCall = (_service, _command, _context, answer) =>
      answer(new Fault(code, `said ${code}`, { cause: new Error("secret") }), undefined);
    const answer = await send(`${served.url}/carts/c`);
    assert.equal(answer.status, faultCodes[code].http);
    assert.equal(answer.body, JSON.stringify({ code: faultCodes[code].grpc, message: `said ${code}`, details: [] }));
  }
});

test("a reply that is no message of its type → 500, said to the log", async () => {
  await using served = await serve();
  served.engine.onCall = (_service, _command, _context, answer) => answer(undefined, reply(Uint8Array.of(0x0a, 9)));
  const answer = await send(`${served.url}/carts/c`);
  assert.equal(answer.status, 500);
  assert.match(answer.body, /shop\.Cart\.GetCart answered bytes that are no shop\.CartState/);
  assert.equal(served.log.lines.filter(({ level }) => level === "error").length, 1);
});

test("no answer where one is declared → 500; where Empty is declared → {}", async () => {
  await using served = await serve();
  assert.match((await send(`${served.url}/carts/c`)).body, /answered nothing; its method declares an answer/);
  assert.equal((await send(`${served.url}/carts/c/items`, { method: "POST" })).body, "{}");
});

test("actions get headers, and their reply's metadata becomes headers; neither may touch the connection", async () => {
  await using served = await serve();
  const metadata = [
    ["x-a", "1"],
    ["X-A", "2"],
    ["content-type", "text/evil"],
    ["content-length", "9"],
    ["access-control-allow-origin", "*"],
    ["x-bad", "a\r\nb"],
    ["b-bin", Uint8Array.of(1)],
    ["user-agent", "echo"],
  ] as const;
  served.engine.onCall = (_service, _command, _context, answer) => answer(undefined, reply(cart, metadata));
  const answer = await send(`${served.url}/shop.Desk/Ask`, {
    method: "POST",
    headers: { ...json, "x-tenant": "blue", "mecha-timer": "forged" },
    body: "{}",
  });
  assert.equal(answer.body, '{"id":"c","lines":2,"cents":"5"}');
  assert.deepEqual(
    [
      answer.headers.get("x-a"),
      answer.type,
      answer.headers.get("access-control-allow-origin"),
      answer.headers.get("x-bad"),
      answer.headers.get("user-agent"),
    ],
    ["1, 2", "application/json", null, null, null],
  );
  const got = new Map(served.engine.calls[0]!.command.metadata);
  assert.equal(got.get("x-tenant"), "blue");
  assert.ok(!got.has("mecha-timer"), "who fires timers is Mecha");
  assert.ok(!got.has("host") && !got.has("content-length") && !got.has("content-type") && !got.has("connection"));
});

test("passHeadersToEntities gives them to entities too", async () => {
  await using served = await serve({ passHeadersToEntities: true });
  await send(`${served.url}/carts/c`, { headers: { "x-tenant": "blue" } });
  assert.equal(new Map(served.engine.calls[0]!.command.metadata).get("x-tenant"), "blue");
});

test("idempotency-key and traceparent travel with the command", async () => {
  await using served = await serve();
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await send(`${served.url}/carts/c`, { headers: { "idempotency-key": "k-1", traceparent } });
  await send(`${served.url}/carts/c`, { headers: { traceparent: "nonsense" } });
  assert.deepEqual(
    served.engine.calls.map(({ command, context }) => [command.id, context.trace]),
    [
      ["k-1", traceparent],
      [undefined, undefined],
    ],
  );
});

test("a client that goes away aborts the context's signal", async () => {
  await using served = await serve();
  const aborted = new Promise<unknown>((resolve) => {
    served.engine.onCall = (_service, _command, context) => {
      context.signal!.addEventListener("abort", () => resolve(context.signal!.reason));
      controller.abort();
    };
  });
  const controller = new AbortController();
  await assert.rejects(fetch(`${served.url}/carts/c`, { signal: controller.signal }));
  assert.ok((await aborted) instanceof Fault);
});

/** fetch does not let a program choose Host or the browser's own headers. */
function raw(
  url: string,
  headers: Record<string, string>,
  method = "GET",
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }> {
  return new Promise((resolve, reject) => {
    const request = rawRequest(url, { headers, method, agent: false }, (answer) => {
      let body = "";
      answer.on("data", (chunk) => (body += String(chunk)));
      answer.on("end", () => resolve({ status: answer.statusCode!, headers: answer.headers, body }));
    });
    request.on("error", reject);
    request.end();
  });
}

test("closed by default: foreign hosts and web pages are refused", async () => {
  await using served = await serve();
  for (const headers of [
    { host: "evil.example" },
    { host: "localhost.evil.example:80" },
    { origin: "https://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
  ]) {
    const answer = await raw(`${served.url}/carts/c`, headers);
    assert.equal(answer.status, 403, JSON.stringify(headers));
    assert.equal(answer.headers["access-control-allow-origin"], undefined);
  }
  for (const host of ["localhost", "LOCALHOST:1", "127.0.0.1:9000", "[::1]:9000"])
    assert.notEqual((await raw(`${served.url}/carts/c`, { host })).status, 403, host);
  assert.equal(served.engine.calls.length, 4);
});

test("a listed origin may call, and its preflight is answered", async () => {
  await using served = await serve({ allowedOrigins: ["https://shop.example"], hosts: "any" });
  const headers = { host: "anything", origin: "https://shop.example" };
  const answer = await raw(`${served.url}/nowhere`, headers);
  assert.deepEqual(
    [answer.status, answer.headers["access-control-allow-origin"], answer.headers.vary],
    [404, "https://shop.example", "origin"],
  );
  const preflight = await raw(
    `${served.url}/carts/c/items`,
    { ...headers, "access-control-request-method": "POST", "access-control-request-headers": "content-type" },
    "OPTIONS",
  );
  assert.deepEqual(
    [preflight.status, preflight.headers["access-control-allow-methods"], preflight.headers["access-control-allow-headers"]],
    [204, "POST", "content-type"],
  );
  assert.equal(
    (
      await raw(
        `${served.url}/carts/c/items`,
        { ...headers, origin: "https://evil.example", "access-control-request-method": "POST" },
        "OPTIONS",
      )
    ).status,
    403,
  );
});

test("Knative's probe is answered, whatever the host", async () => {
  await using served = await serve();
  const probe = (value: string): Promise<{ status: number; body: string }> =>
    raw(`${served.url}/`, { host: "10.1.2.3", "k-network-probe": value });
  const good = await probe("queue");
  assert.deepEqual([good.status, good.body], [200, "queue"]);
  assert.equal((await probe("else")).status, 400);
});

test("strict: the reference's statuses and texts", async () => {
  await using served = await serve({ strict: "cloudstate-0.2" });
  served.engine.onCall = (_service, _command, _context, answer) => answer(new Fault("unknown", "boom"), undefined);
  const failed = await send(`${served.url}/carts/c`);
  assert.deepEqual([failed.status, failed.type, failed.body], [500, "text/plain; charset=UTF-8", "boom"]);
  served.engine.onCall = (_service, _command, _context, answer) => answer(new Fault("notFound", "gone"), undefined);
  assert.equal((await send(`${served.url}/carts/c`)).status, 500);
  const bad = await send(`${served.url}/carts/c/items`, { method: "POST", headers: json, body: "{" });
  assert.deepEqual([bad.status, bad.body], [400, "Bad Request"]);
  const charset = await send(`${served.url}/carts/c/items`, {
    method: "POST",
    headers: { "content-type": "application/json; charset=utf-8" },
    body: "{}",
  });
  assert.equal(charset.status, 400);
  assert.equal((await send(`${served.url}/nowhere`)).status, 404);
  assert.equal((await send(`${served.url}/carts/a:b`)).status, 404);
  assert.equal((await send(`${served.url}/shop.Cart/GetCart`, { method: "POST", headers: json, body: "{}" })).status, 404);
  assert.equal((await send(`${served.url}/shop.Desk/Ask`, { method: "POST", headers: json, body: "{}" })).status, 500);
});

test("an update replaces what is served; a failing one changes nothing", async () => {
  await using served = await serve();
  served.engine.onCall = (_service, _command, _context, answer) => answer(undefined, reply(cart));
  const known = async (): Promise<number[]> => [
    (await send(`${served.url}/carts/c`)).status,
    (await send(`${served.url}/shop.Other/Ask`, { method: "POST", headers: json, body: "{}" })).status,
  ];
  assert.deepEqual(await known(), [200, 404]);
  const refusals = [
    [[component("shop.Cart", "action")], /two functions host the service shop\.Cart/],
    [
      [component("shop.Rival", "action")],
      /shop\.Cart\.GetCart and shop\.Rival\.Ask have the same HTTP route GET \/carts\/\*; change the google\.api\.http option/,
    ],
    [[{ ...component("shop.Other", "action"), service: "shop.Missing" }], /descriptors lack the service shop\.Missing/],
    [
      [{ ...component("shop.Other", "action"), methods: component("shop.Desk", "action").methods }],
      /descriptors lack the method shop\.Other\.Sum/,
    ],
  ] as const;
  for (const [components, message] of refusals) {
    const hosted = [
      { components: [component("shop.Cart", "eventSourced")], descriptors: shop },
      { components, descriptors: shop },
    ];
    assert.throws(
      () => served.ingress.update(hosted),
      (fault) => fault instanceof Fault && message.test(fault.message),
      String(message),
    );
    assert.deepEqual(await known(), [200, 404]);
  }
  served.ingress.update([{ components: [component("shop.Other", "action")], descriptors: shop }]);
  assert.deepEqual(await known(), [404, 200]);
});
