/** Server-streaming methods and raw bodies over HTTP, over real sockets: node:http, node:http2 and curl as clients. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { get as httpGet, type IncomingMessage } from "node:http";
import { connect } from "node:http2";
import { test } from "node:test";
import fc from "fast-check";
import { Fault } from "@mecha/kit";
import type { CallContext, Reply, StreamedCall, StreamedCallEvents } from "@mecha/state";
import { JsonCodecs } from "@mecha/wire";
import { serve, shop } from "./testing/fixture.ts";

type Served = Awaited<ReturnType<typeof serve>>;

const codecs = new JsonCodecs(shop.registry);
/** A message of the shop from its JSON. */
function message(type: string, json: unknown): Uint8Array {
  return codecs.of(shop.registry.getMessage(type)!).fromJsonValue(json);
}
const reply = (type: string, json: unknown, metadata?: Reply["metadata"]): Reply => ({
  payload: { typeUrl: `type.googleapis.com/${type}`, value: message(type, json) },
  ...(metadata && { metadata }),
});
const cart = (id: string): Reply => reply("shop.CartState", { id, lines: 1 });
const cartJson = (id: string): string => `{"id":"${id}","lines":1,"cents":"0"}`;

/** Waits for the next stream a request opens, and answers as the test says. */
function nextStream(served: Served, call: Partial<StreamedCall> = {}): Promise<StreamedCallEvents> {
  return new Promise((resolve) => {
    served.engine.onStream = (_method, events) => {
      queueMicrotask(() => resolve(events));
      return call;
    };
  });
}

async function ask(url: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const [response] = (await once(httpGet(url, { headers }), "response")) as [IncomingMessage];
  return response.setEncoding("utf8");
}
async function rest(response: IncomingMessage): Promise<string> {
  let all = "";
  for await (const chunk of response) all += String(chunk);
  return all;
}
const nextChunk = async (response: IncomingMessage): Promise<string> => ((await once(response, "data")) as [string])[0];

test("JSON lines: each answer as it comes, headers of the first, the end is the end", async () => {
  await using served = await serve();
  const stream = nextStream(served);
  const asked = ask(`${served.url}/split/c`, { "x-caller": "me" });
  const events = await stream;
  events.reply({ ...cart("a"), metadata: [["x-answer", "yes"]] });
  const response = await asked;
  assert.deepEqual(
    [response.statusCode, response.headers["content-type"], response.headers["x-answer"]],
    [200, "application/x-ndjson", "yes"],
  );
  assert.equal(await nextChunk(response), `${cartJson("a")}\n`);
  events.reply(cart("b"));
  assert.equal(await nextChunk(response), `${cartJson("b")}\n`);
  events.closed();
  assert.equal(await rest(response), "");
  assert.ok(response.complete);
  assert.ok(served.engine.streams[0]!.metadata!.some(([name, value]) => name === "x-caller" && value === "me"));
});

test("server-sent events for who accepts them, with an end an EventSource can see", async () => {
  await using served = await serve();
  const stream = nextStream(served);
  const asked = ask(`${served.url}/split/c`, { accept: "text/html;q=0.1, Text/Event-Stream" });
  const events = await stream;
  events.reply(cart("a\nb"));
  events.closed();
  const response = await asked;
  assert.deepEqual([response.headers["content-type"], response.headers["cache-control"]], ["text/event-stream", "no-store"]);
  assert.equal(await rest(response), `data: {"id":"a\\nb","lines":1,"cents":"0"}\n\nevent: end\ndata: {}\n\n`);
});

test("the first message reaches the component whole, path, query and body", async () => {
  await using served = await serve();
  const heard: string[] = [];
  served.engine.onStream = (_method, events) => {
    queueMicrotask(() => events.closed());
    return { message: (bytes) => (heard.push(Buffer.from(bytes).toString("latin1")), true), halfClose: () => heard.push("halfClose") };
  };
  assert.equal(await rest(await ask(`${served.url}/split/c%207`)), "");
  assert.deepEqual(heard, ["\n\x03c 7", "halfClose"]);
});

test("a failure before the first answer has its own status; an unknown path and a wrong method too", async () => {
  await using served = await serve();
  for (const accept of ["application/json", "text/event-stream"]) {
    served.engine.onStream = (_method, events) => {
      queueMicrotask(() => events.closed(new Fault("notFound", "no such cart")));
      return {};
    };
    const response = await ask(`${served.url}/split/c`, { accept });
    assert.equal(response.statusCode, 404);
    assert.deepEqual(JSON.parse(await rest(response)), { code: 5, message: "no such cart", details: [] });
  }
});

for (const [accept, said] of [
  ["*/*", `{"error":{"code":9,"message":"enough","details":[]}}\n`],
  ["text/event-stream", `event: failure\ndata: {"code":9,"message":"enough","details":[]}\n\n`],
] as const) {
  test(`a failure after answers is said in the stream (${accept})`, async () => {
    await using served = await serve();
    const stream = nextStream(served);
    const asked = ask(`${served.url}/split/c`, { accept });
    const events = await stream;
    events.reply(cart("a"));
    const response = await asked;
    await nextChunk(response);
    events.closed(new Fault("precondition", "enough"));
    assert.equal(await rest(response), said);
  });
}

test("a client that goes away cancels the call at the component", async () => {
  await using served = await serve();
  const cancelled = Promise.withResolvers<void>();
  const stream = nextStream(served, { cancel: () => cancelled.resolve() });
  const asked = ask(`${served.url}/split/c`);
  (await stream).reply(cart("a"));
  const response = await asked;
  await nextChunk(response);
  response.destroy();
  await cancelled.promise;
});

test("a slow client holds the component back, and only for as long", async () => {
  await using served = await serve();
  const paused = Promise.withResolvers<void>();
  const resumed = Promise.withResolvers<void>();
  const stream = nextStream(served, { pause: () => paused.resolve(), resume: () => resumed.resolve() });
  const asked = ask(`${served.url}/split/c`);
  const events = await stream;
  let isPaused = false;
  void paused.promise.then(() => (isPaused = true));
  const big = cart("x".repeat(100_000));
  events.reply(big);
  const response = await asked;
  let sent = 1;
  for (; !isPaused && sent < 1_000; sent++) {
    events.reply(big);
    await new Promise(setImmediate);
  }
  assert.ok(sent < 1_000, "the component was held back");
  let got = 0;
  response.on("data", (chunk: string) => (got += chunk.split("\n").length - 1));
  await resumed.promise;
  events.closed();
  await once(response, "end");
  assert.equal(got, sent);
});

test("an entity's streamed method is refused with 501, before anything is sent", async () => {
  await using served = await serve();
  const response = await fetch(`${served.url}/shop.Cart/Watch`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  assert.equal(response.status, 501);
});

test("bytes that are no message of the method's type end the stream with a failure, and the component hears of it", async () => {
  await using served = await serve();
  const cancelled = Promise.withResolvers<void>();
  const stream = nextStream(served, { cancel: () => cancelled.resolve() });
  const asked = ask(`${served.url}/split/c`);
  (await stream).reply({ payload: { typeUrl: "type.googleapis.com/shop.CartState", value: Uint8Array.of(0x0a, 9) } });
  const response = await asked;
  assert.equal(response.statusCode, 500);
  assert.match(await rest(response), /shop\.Desk\.Split answered bytes that are no shop\.CartState/);
  await cancelled.promise;
});

test("over h2 the same: lines, and a cancelled request cancels the call", async () => {
  await using served = await serve();
  const cancelled = Promise.withResolvers<void>();
  const stream = nextStream(served, { cancel: () => cancelled.resolve() });
  const session = connect(served.url);
  const request = session.request({ ":path": "/split/c" }).setEncoding("utf8");
  (await stream).reply(cart("a"));
  assert.deepEqual(await once(request, "data"), [`${cartJson("a")}\n`]);
  request.on("error", () => undefined);
  request.close(8);
  await cancelled.promise;
  session.destroy();
});

test("strict: JSON lines under application/json", async () => {
  await using served = await serve({ strict: "cloudstate-0.2" });
  served.engine.onStream = (_method, events) => {
    queueMicrotask(() => (events.reply(cart("a")), events.closed()));
    return {};
  };
  const response = await ask(`${served.url}/split/c`);
  assert.deepEqual([response.headers["content-type"], await rest(response)], ["application/json", `${cartJson("a")}\n`]);
});

// ---- client-streaming: JSON lines in ----------------------------------------------------------------------------------------------

const postLines = (url: string, body: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url, { method: "POST", headers: { "content-type": "application/x-ndjson", ...headers }, body });

/** An engine that keeps what it hears and answers at the half-close. */
function hearing(served: Served, answer: (events: StreamedCallEvents) => void): string[] {
  const heard: string[] = [];
  served.engine.onStream = (_method, events) => ({
    message: (bytes) => (heard.push(codecs.of(shop.registry.getMessage("shop.Get")!).toJson(bytes)), true),
    halfClose: () => queueMicrotask(() => answer(events)),
    cancel: () => heard.push("cancelled"),
  });
  return heard;
}

test("a client-streaming method takes JSON lines, and its answer is one JSON", async () => {
  await using served = await serve();
  const heard = hearing(served, (events) => (events.reply({ ...cart("sum"), metadata: [["x-answer", "yes"]] }), events.closed()));
  const response = await postLines(`${served.url}/shop.Desk/Sum`, '{"cartId":"a"}\r\n\n  \n{"cartId":"b"}');
  assert.deepEqual(heard, ['{"cartId":"a"}', '{"cartId":"b"}']);
  assert.deepEqual(
    [response.status, response.headers.get("content-type"), response.headers.get("x-answer"), await response.text()],
    [200, "application/json", "yes", cartJson("sum")],
  );
});

test("a duplex method: JSON lines in, JSON lines out", async () => {
  await using served = await serve();
  const heard = hearing(served, (events) => (events.reply(cart("a")), events.reply(cart("b")), events.closed()));
  const response = await postLines(`${served.url}/shop.Desk/Talk`, '{"cartId":"a"}\n{"cartId":"b"}\n');
  assert.deepEqual(heard, ['{"cartId":"a"}', '{"cartId":"b"}']);
  assert.deepEqual([response.headers.get("content-type"), await response.text()], ["application/x-ndjson", `${cartJson("a")}\n${cartJson("b")}\n`]); // prettier-ignore
});

test("what path and query say is part of every message", async () => {
  await using served = await serve();
  const heard = hearing(served, (events) => (events.reply(cart("x")), events.closed()));
  const response = await postLines(`${served.url}/desks/7/sum`, "{}\n{}\n");
  assert.equal(response.status, 200);
  assert.deepEqual(heard, ['{"cartId":"7"}', '{"cartId":"7"}']);
});

test("an empty body is a stream without messages", async () => {
  await using served = await serve();
  const heard = hearing(served, (events) => (events.reply(cart("none")), events.closed()));
  assert.equal(await (await postLines(`${served.url}/shop.Desk/Sum`, "")).text(), cartJson("none"));
  assert.deepEqual(heard, []);
});

test("a bad line is named by its number, and the component hears that the call is over", async () => {
  await using served = await serve();
  const heard = hearing(served, () => assert.fail("the stream must not end well"));
  const response = await postLines(`${served.url}/shop.Desk/Sum`, '{"cartId":"a"}\n\n{"cartId":1}\n');
  assert.equal(response.status, 400);
  assert.match(await response.text(), /line 3: .*cartId/u);
  assert.deepEqual(heard, ['{"cartId":"a"}', "cancelled"]);
});

test("a failure of a client-streaming method has its own status", async () => {
  await using served = await serve();
  hearing(served, (events) => events.closed(new Fault("precondition", "closed today")));
  const response = await postLines(`${served.url}/shop.Desk/Sum`, "{}");
  assert.deepEqual([response.status, await response.json()], [400, { code: 9, message: "closed today", details: [] }]);
});

test("lines wait while the component has no room", async () => {
  await using served = await serve();
  const heard: number[] = [];
  const full = Promise.withResolvers<StreamedCallEvents>();
  served.engine.onStream = (_method, events) => ({
    message: (bytes) => {
      heard.push(bytes.length);
      if (heard.length === 2) full.resolve(events);
      return heard.length !== 2;
    },
    halfClose: () => queueMicrotask(() => (events.reply(cart("x")), events.closed())),
  });
  const asked = postLines(`${served.url}/shop.Desk/Sum`, '{"cartId":"a"}\n'.repeat(5));
  const events = await full.promise;
  await new Promise(setImmediate);
  assert.equal(heard.length, 2);
  events.drain();
  assert.equal((await asked).status, 200);
  assert.equal(heard.length, 5);
});

test("strict: a client-streaming method stays unimplemented over HTTP, as in the reference", async () => {
  await using served = await serve({ strict: "cloudstate-0.2" });
  assert.equal((await postLines(`${served.url}/shop.Desk/Talk`, "{}")).status, 501);
});

test("any bytes sent as lines are messages, or an error with a line number", async () => {
  await using served = await serve();
  const heard = hearing(served, (events) => (events.reply(cart("x")), events.closed()));
  const line = fc.oneof(fc.json(), fc.constantFrom("{}", '{"cartId":"é"}', "", " ", "{", "\u0000"), fc.string());
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 6 }), async (lines) => {
      heard.length = 0;
      const response = await postLines(`${served.url}/shop.Desk/Sum`, lines.join("\n"));
      const body = await response.text();
      if (response.status === 200)
        assert.equal(heard.length, lines.join("\n").split("\n").filter((one) => /[^ \t\r]/u.test(one)).length); // prettier-ignore
      else assert.match(body, /^\{"code":3,"message":"line \d+: /u);
    }),
    { numRuns: 60 },
  );
});

// ---- google.api.HttpBody ----------------------------------------------------------------------------------------------------------

test("HttpBody in and out: bytes and content type as they are, nothing is JSON", async () => {
  await using served = await serve();
  served.engine.onCall = (_service, command, _context, answer) => {
    answer(undefined, { payload: { typeUrl: "type.googleapis.com/google.api.HttpBody", value: command.payload.value } });
  };
  const data = Buffer.from([0, 255, 10, 13, 0x7b]);
  for (const type of ["image/png", "text/plain; charset=latin1", "application/json"]) {
    const response = await fetch(`${served.url}/files`, { method: "POST", headers: { "content-type": type }, body: data });
    assert.deepEqual([response.status, response.headers.get("content-type")], [200, type]);
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), data);
  }
  const empty = await fetch(`${served.url}/files`, { method: "POST" });
  assert.deepEqual([empty.status, empty.headers.get("content-type"), await empty.text()], [200, "application/octet-stream", ""]);
});

test("HttpBody as the body's field and the answer's: body and response_body, beside a path variable", async () => {
  await using served = await serve();
  served.engine.onCall = (_service, command, _context, answer) => {
    answer(undefined, { payload: { typeUrl: "type.googleapis.com/shop.Attachment", value: command.payload.value } });
  };
  const url = `${served.url}/carts/c/file?note=n`;
  const response = await fetch(url, { method: "PUT", headers: { "content-type": "text/csv" }, body: "a;b" });
  assert.deepEqual([response.headers.get("content-type"), await response.text()], ["text/csv", "a;b"]);
  const sent = JSON.parse(codecs.of(shop.registry.getMessage("shop.Attachment")!).toJson(served.engine.calls[0]!.command.payload.value));
  assert.deepEqual(sent, {
    cartId: "c",
    note: "n",
    file: { contentType: "text/csv", data: Buffer.from("a;b").toString("base64"), extensions: [] },
  });
});

test("additional_bindings and response_body: another path to the same method, another part of its answer", async () => {
  await using served = await serve();
  served.engine.onCall = (_service, _command, _context, answer) => answer(undefined, reply("shop.Attachment", { cartId: "c", note: "n" }));
  const response = await fetch(`${served.url}/notes/c`);
  assert.deepEqual([response.headers.get("content-type"), await response.text()], ["application/json", '"n"']);
  assert.equal(served.engine.calls[0]!.command.name, "Attach");
});

test("additional_bindings and response_body of a stream", async () => {
  await using served = await serve();
  served.engine.onStream = (_method, events) => {
    queueMicrotask(() => {
      events.reply(reply("shop.Attachment", { note: "one" }));
      events.reply(reply("shop.Attachment", { note: "two" }));
      events.closed();
    });
    return {};
  };
  assert.equal(await rest(await ask(`${served.url}/notes`)), '"one"\n"two"\n');
  const whole = await fetch(`${served.url}/notes:watch`, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
  const lines = (await whole.text()).trim().split("\n");
  assert.deepEqual(lines.map((line) => (JSON.parse(line) as { note: string }).note), ["one", "two"]); // prettier-ignore
});

test("a content type no header can carry becomes octet-stream", async () => {
  await using served = await serve();
  served.engine.onCall = (_s, _c, _x, answer) =>
    answer(undefined, reply("google.api.HttpBody", { contentType: "a\r\nb: c", data: "eA==" }));
  const response = await fetch(`${served.url}/files`, { method: "POST" });
  assert.deepEqual([response.headers.get("content-type"), response.headers.get("b")], ["application/octet-stream", null]);
});

/** What curl says of a download: its exit code, and what it got. */
async function curl(url: string): Promise<{ code: number; out: string }> {
  const child = spawn("curl", ["-sN", "-w", "|%{http_code}|%{content_type}", url]);
  let out = "";
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  const [code] = (await once(child, "close")) as [number];
  return { code, out };
}

test("a stream of HttpBody is its raw bytes, under the first one's content type", async () => {
  await using served = await serve();
  served.engine.onStream = (_method, events) => {
    queueMicrotask(() => {
      events.reply(reply("google.api.HttpBody", { contentType: "text/csv", data: Buffer.from("a;b\n").toString("base64") }));
      events.reply(reply("google.api.HttpBody", { data: Buffer.from("c;d\n").toString("base64") }));
      events.closed();
    });
    return {};
  };
  assert.deepEqual(await curl(`${served.url}/files/f`), { code: 0, out: "a;b\nc;d\n|200|text/csv" });
});

test("a download that fails half-way is broken off: the client sees that it is not whole", async () => {
  await using served = await serve();
  served.engine.onStream = (_method, events) => {
    setImmediate(() => {
      events.reply(reply("google.api.HttpBody", { contentType: "text/csv", data: Buffer.from("a;b\n").toString("base64") }));
      setImmediate(() => events.closed(new Fault("internal", "no more")));
    });
    return {};
  };
  const { code } = await curl(`${served.url}/files/f`);
  assert.ok(code === 18 || code === 56, `curl exit ${code}`);
});

test("streams have no deadline of their own", async () => {
  await using served = await serve({ requestTimeoutMs: 1 });
  let context: CallContext | undefined;
  const stream = served.engine.stream.bind(served.engine);
  served.engine.stream = (service, method, given, events, metadata) => {
    context = given;
    queueMicrotask(() => events.closed());
    return stream(service, method, given, events, metadata);
  };
  await rest(await ask(`${served.url}/split/c`));
  assert.equal(context!.deadlineMs, undefined);
});
