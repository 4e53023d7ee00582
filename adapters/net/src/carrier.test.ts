/** Carried calls over real sockets: what holds for a call on a stream of its own holds for them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { explain } from "@mecha/kit";
import { MemoryLog } from "@mecha/kit/testing";
import { carriedChannel, carrierPath, type Carriers, serveCarriers, statusOk } from "@mecha/wire";
import { connect } from "./connect.ts";
import { callContract } from "./contract/calls.ts";
import { bytes, Calling, localhost, Methods, notFound, realClock, type Transport, until } from "./contract/kit.ts";
import { type Listener, listen } from "./listen.ts";

/** Frames are larger than the messages in them, which the tests limit to less than a piece. */
const frameMaxBytes = 1024 * 1024;

let carriers: Carriers;
const carried: Transport = {
  listen: (options, { grpc, http }) => {
    const messageMaxBytes = options.limits?.messageMaxBytes ?? 4 * 1024 * 1024;
    const onError = (error: unknown, path: string): void => options.log.error("call handler failed", { path, error: explain(error) });
    carriers = serveCarriers({ router: grpc, messageMaxBytes, onError });
    const limits = { ...options.limits, messageMaxBytes: frameMaxBytes };
    return listen({ ...options, limits }, { grpc: (path) => (path === carrierPath ? carriers.handler : grpc(path)), http });
  },
  connect: (options) => {
    const channel = connect({ ...options, limits: { ...options.limits, messageMaxBytes: frameMaxBytes } });
    const { messageMaxBytes } = options.limits ?? {};
    const own = carriedChannel(channel, messageMaxBytes === undefined ? {} : { messageMaxBytes });
    return { target: own.target, open: own.open.bind(own), [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose]() };
  },
};

callContract("carried", carried);

async function open(): Promise<
  { readonly listener: Listener; readonly methods: Methods; readonly channel: ReturnType<typeof connect> } & AsyncDisposable
> {
  const methods = new Methods();
  const listener = await carried.listen(
    { host: localhost, port: 0, clock: realClock, log: new MemoryLog() },
    { grpc: methods.router, http: notFound },
  );
  const channel = connect({ host: localhost, port: listener.port, clock: realClock });
  const close = async (): Promise<void> => {
    await channel[Symbol.asyncDispose]();
    await listener[Symbol.asyncDispose]();
  };
  return { listener, methods, channel, [Symbol.asyncDispose]: close };
}

test("a thousand calls are one stream, which ends with the last of them", async () => {
  await using net = await open();
  const channel = carriedChannel(net.channel);
  const calls = Array.from({ length: 1_000 }, () => new Calling(channel, "/t.S/Echo").send("m"));
  await until("the answers", () => calls.every(({ messages }) => messages.length === 1));
  assert.equal(net.listener.openCalls, 1);
  for (const call of calls) call.half();
  for (const call of calls) assert.deepEqual(await call.ended, statusOk);
  await until("the stream's end", () => net.listener.openCalls === 0 && net.channel.openCalls === 0);
  assert.equal((await new Calling(channel, "/t.S/Echo").half().ended).code, 0); // another stream
});

test("a full carrier takes no further call: another one does", async () => {
  await using net = await open();
  const channel = carriedChannel(net.channel, { callsMax: 10 });
  const calls = Array.from({ length: 25 }, () => new Calling(channel, "/t.S/Echo").send("m"));
  await until("the answers", () => calls.every(({ messages }) => messages.length === 1));
  assert.equal(net.listener.openCalls, 3);
  for (const call of calls) call.half();
  for (const call of calls) assert.deepEqual(await call.ended, statusOk);
  await until("the streams' end", () => net.listener.openCalls === 0);
});

test("a connection that is lost ends all calls, none of them as unreached", async () => {
  await using net = await open();
  const channel = carriedChannel(net.channel);
  const calls = [new Calling(channel, "/t.S/Held").send("a"), new Calling(channel, "/t.S/Echo").send("b")];
  await until("both are there", () => net.methods.arrived.length === 1 && calls[1]?.messages.length === 1);
  await net.listener[Symbol.asyncDispose]();
  for (const call of calls) {
    const { code, unreached } = await call.ended;
    assert.deepEqual([code, unreached], [14, undefined]);
  }
  assert.deepEqual((await net.methods.held()).cancels, ["unavailable"]);
  // Nobody listens there now: nothing was reached.
  assert.deepEqual((await new Calling(channel, "/t.S/Echo").send("c").ended).unreached, true);
});

test("a server that knows no carriers has not seen the call", async () => {
  const methods = new Methods();
  await using listener = await listen(
    { host: localhost, port: 0, clock: realClock, log: new MemoryLog() },
    { grpc: methods.router, http: notFound },
  );
  await using channel = connect({ host: localhost, port: listener.port, clock: realClock });
  const { code, unreached } = await new Calling(carriedChannel(channel), "/t.S/Echo").send("x").ended;
  assert.deepEqual([code, unreached], [14, true]);
});

test("a server that leaves takes no further call, finishes those it has, and calls go on elsewhere", async () => {
  await using net = await open();
  const channel = carriedChannel(net.channel);
  const before = new Calling(channel, "/t.S/Held").send("x");
  const held = await net.methods.held();
  carriers.leave();
  const crossing = new Calling(channel, "/t.S/Echo").send("y");
  assert.deepEqual([(await crossing.ended).code, crossing.status?.unreached], [14, true]);
  held.call.send(bytes("late"));
  held.call.end();
  assert.equal((await before.ended).code, 0);
  assert.deepEqual(before.texts, ["late"]);
  await until("the stream's end", () => net.listener.openCalls === 0);
});

test("bytes that are no frame end the carrier on either side, not the process", async () => {
  await using net = await open();
  const { held, ended } = await withHeld(net);
  net.channel.open(carrierPath, {}, { message: () => undefined, end: () => undefined }).send(Uint8Array.of(0xff));
  const raw = new Calling(net.channel, carrierPath);
  raw.call.send(Uint8Array.of(0x0a, 0x05)); // field 1 is no number
  assert.equal((await raw.ended).code, 13);
  held.call.end(); // the other carrier goes on
  assert.equal((await ended).code, 0);
});

async function withHeld(net: {
  methods: Methods;
  channel: ReturnType<typeof connect>;
}): Promise<{ held: Awaited<ReturnType<Methods["held"]>>; ended: Calling["ended"] }> {
  const call = new Calling(carriedChannel(net.channel), "/t.S/Held").send("x");
  return { held: await net.methods.held(), ended: call.ended };
}
