/** gRPC-Web over real sockets with foreign clients: connect-node over HTTP/1.1 and h2, connect-web over fetch, and bytes by hand for `-text`. */
import { create, type DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcWebTransport as nodeTransport } from "@connectrpc/connect-node";
import { createGrpcWebTransport as webTransport } from "@connectrpc/connect-web";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import { component, serve, shop } from "./testing/fixture.ts";

type Served = Awaited<ReturnType<typeof serve>>;

const desk = shop.service("shop.Desk") as DescService;
const get = shop.registry.getMessage("shop.Get")!;
/** shop.CartState{id: "c", lines: 2, cents: 5} */
const cart = { payload: { typeUrl: "type.googleapis.com/shop.CartState", value: Uint8Array.of(0x0a, 1, 0x63, 0x10, 2, 0x18, 5) } };
const cartFields = (message: unknown): unknown[] => {
  const { id, lines, cents } = message as { id: string; lines: number; cents: bigint };
  return [id, lines, cents];
};

const transports: readonly (readonly [string, (url: string) => Transport])[] = [
  ["connect-node over HTTP/1.1", (baseUrl) => nodeTransport({ baseUrl, httpVersion: "1.1" })],
  ["connect-node over h2", (baseUrl) => nodeTransport({ baseUrl, httpVersion: "2" })],
  ["connect-web over fetch", (baseUrl) => webTransport({ baseUrl })],
];

const clientOf = (served: Served, transport: (url: string) => Transport): any => createClient(desk, transport(served.url));

for (const [name, transport] of transports) {
  test(`${name}: a unary call with headers both ways`, async () => {
    await using served = await serve();
    served.engine.onCall = (_service, _command, _context, answer) => answer(undefined, { ...cart, metadata: [["x-answer", "yes"]] });
    let answered: string | null = null;
    const onHeader = (headers: Headers): void => void (answered = headers.get("x-answer"));
    const answer = await clientOf(served, transport).ask(create(get, { cartId: "c" }), { headers: { "x-caller": "me" }, onHeader });
    assert.deepEqual([cartFields(answer), answered], [["c", 2, 5n], "yes"]);
    const { command } = served.engine.calls[0]!;
    assert.deepEqual([...command.payload.value], [0x0a, 1, 0x63]);
    assert.ok(command.metadata!.some(([key, value]) => key === "x-caller" && value === "me"));
  });

  test(`${name}: a failure has its code and text`, async () => {
    await using served = await serve();
    served.engine.onCall = (_service, _command, _context, answer) => answer(new Fault("notFound", "kein Wagen: ä"), undefined);
    await assert.rejects(
      clientOf(served, transport).ask(create(get)),
      (error) => error instanceof ConnectError && error.code === Code.NotFound && error.rawMessage === "kein Wagen: ä",
    );
  });

  test(`${name}: server-streaming, message by message, then a failure`, async () => {
    await using served = await serve();
    served.engine.onStream = (_method, events) => {
      setImmediate(() => events.reply(cart));
      return {};
    };
    const seen: unknown[] = [];
    await assert.rejects(
      async () => {
        for await (const message of clientOf(served, transport).split(create(get, { cartId: "c" }))) {
          seen.push(cartFields(message));
          const { events } = served.engine.streams[0]!;
          if (seen.length < 3) events.reply(cart);
          else events.closed(new Fault("exhausted", "three are enough"));
        }
      },
      (error) => error instanceof ConnectError && error.code === Code.ResourceExhausted && error.rawMessage === "three are enough",
    );
    assert.equal(seen.length, 3);
  });

  test(`${name}: a cancelled stream is cancelled at the component`, async () => {
    await using served = await serve();
    const cancelled = Promise.withResolvers<void>();
    served.engine.onStream = (_method, events) => {
      setImmediate(() => events.reply(cart));
      return { cancel: () => cancelled.resolve() };
    };
    const leaving = new AbortController();
    await assert.rejects(async () => {
      for await (const _message of clientOf(served, transport).split(create(get), { signal: leaving.signal })) leaving.abort();
    });
    await cancelled.promise;
  });

  test(`${name}: the deadline passes to the call`, async () => {
    await using served = await serve();
    let deadlineMs: number | undefined;
    served.engine.onCall = (_service, _command, context, answer) => {
      deadlineMs = context.deadlineMs;
      answer(undefined, cart);
    };
    const beforeMs = performance.now();
    await clientOf(served, transport).ask(create(get), { timeoutMs: 60_000 });
    assert.ok(deadlineMs! > beforeMs + 50_000 && deadlineMs! < performance.now() + 60_001);
  });

  test(`${name}: an unknown method is unimplemented`, async () => {
    await using served = await serve();
    served.ingress.update([{ components: [component("shop.Cart", "eventSourced")], descriptors: shop }]);
    await assert.rejects(clientOf(served, transport).ask(create(get)), (error) => (error as ConnectError).code === Code.Unimplemented);
  });
}

test("text: base64 both ways, trailers in the last frame", async () => {
  await using served = await serve();
  served.engine.onCall = (_service, _command, _context, answer) => answer(undefined, cart);
  const body = Buffer.from([0, 0, 0, 0, 3, 0x0a, 1, 0x63]).toString("base64");
  const response = await fetch(`${served.url}/shop.Desk/Ask`, {
    method: "POST",
    headers: { "content-type": "application/grpc-web-text" },
    body,
  });
  assert.equal(response.headers.get("content-type"), "application/grpc-web-text+proto");
  const pieces = (await response.text()).split(/(?<==)(?=[^=])/).map((piece) => Buffer.from(piece, "base64"));
  const bytes = Buffer.concat(pieces);
  assert.deepEqual([...bytes.subarray(0, 12)], [0, 0, 0, 0, 7, 0x0a, 1, 0x63, 0x10, 2, 0x18, 5]);
  assert.deepEqual([bytes[12], bytes.subarray(17).toString()], [0x80, "grpc-status:0\r\n"]);
});

const web = { "content-type": "application/grpc-web+proto", "x-grpc-web": "1" };

test("a page of another origin is refused, one of a listed origin may call and read every header", async () => {
  await using served = await serve({ allowedOrigins: ["https://shop.example"] });
  served.engine.onCall = (_service, _command, _context, answer) => answer(undefined, { ...cart, metadata: [["x-answer", "yes"]] });
  const call = (origin: string): Promise<Response> =>
    fetch(`${served.url}/shop.Desk/Ask`, { method: "POST", headers: { ...web, origin }, body: Buffer.alloc(5) });
  const refused = await call("https://evil.example");
  assert.deepEqual([refused.status, refused.headers.get("access-control-allow-origin"), served.engine.calls.length], [403, null, 0]);
  const admitted = await call("https://shop.example");
  assert.deepEqual([admitted.status, admitted.headers.get("access-control-allow-origin")], [200, "https://shop.example"]);
  const exposed = admitted.headers.get("access-control-expose-headers")!.split(", ");
  for (const name of ["grpc-status", "grpc-message", "grpc-status-details-bin", "x-answer"]) assert.ok(exposed.includes(name), name);
  await admitted.arrayBuffer();
});

test("the preflight of a listed origin is answered, of another refused", async () => {
  await using served = await serve({ allowedOrigins: ["https://shop.example"] });
  const ask = (origin: string): Promise<Response> =>
    fetch(`${served.url}/shop.Desk/Ask`, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-grpc-web,grpc-timeout",
      },
    });
  const good = await ask("https://shop.example");
  assert.deepEqual(
    [good.status, good.headers.get("access-control-allow-methods"), good.headers.get("access-control-allow-headers")],
    [204, "POST", "content-type,x-grpc-web,grpc-timeout"],
  );
  assert.equal((await ask("https://evil.example")).status, 403);
});

test("a message larger than the body limit is status 8", async () => {
  await using served = await serve({ bodyMaxBytes: 100 });
  const body = Buffer.alloc(305);
  body[3] = 1;
  body[4] = 44;
  const response = await fetch(`${served.url}/shop.Desk/Ask`, { method: "POST", headers: web, body });
  assert.match(await response.text(), /grpc-status:8\r\ngrpc-message:the message is larger than 100 bytes/);
});
