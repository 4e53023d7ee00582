/** The part of the transport contract about connections: loss, draining, stream limits, many calls. */
import assert from "node:assert/strict";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import { FakeClock, MemoryLog } from "@mecha/kit/testing";
import { unary } from "@mecha/wire";
import { bytes, Calling, localhost, Methods, notFound, pair, realClock, text, type Transport, until } from "./kit.ts";

export function connectionContract(name: string, transport: Transport): void {
  test(`${name}: nobody listens: 14, certainly unreached; once somebody does, the next call works`, async () => {
    const port = await freePort();
    await using channel = transport.connect({ host: localhost, port, clock: realClock });
    const status = await new Calling(channel, "/t.S/Echo").send("x").half().ended;
    assert.equal(status.code, 14);
    assert.equal(status.unreached, true);
    assert.match(status.message, new RegExp(`${port}.*ECONNREFUSED`));
    await using _ = await transport.listen(
      { host: localhost, port, clock: realClock, log: new MemoryLog() },
      { grpc: new Methods().router, http: notFound },
    );
    assert.equal(text((await unary(channel, "/t.S/Echo", bytes("x"))).message), "x");
  });

  test(`${name}: a server that never answers the connection: 14 when the connect timeout has passed`, async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket.on("error", () => undefined)));
    await new Promise<void>((resolve) => silent.listen(0, localhost, resolve));
    const clock = new FakeClock();
    await using channel = transport.connect({ host: localhost, port: (silent.address() as { port: number }).port, clock });
    const call = new Calling(channel, "/t.S/Echo").send("x");
    await until("the connection", () => sockets.length === 1);
    await clock.advance(10_000);
    const status = await call.ended;
    assert.deepEqual([status.code, status.unreached], [14, true]);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  });

  test(`${name}: a lost connection ends calls with 14 here and tells the handlers there; the next call reconnects`, async () => {
    await using net = await pair(transport);
    await using proxy = await Proxy.to(net.listener.port);
    await using channel = transport.connect({ host: localhost, port: proxy.port, clock: realClock });
    const call = new Calling(channel, "/t.S/Held").send("x");
    const held = await net.methods.held();
    proxy.cut();
    assert.equal((await call.ended).code, 14);
    await until("the handler to hear of it", () => held.cancels.length === 1);
    assert.deepEqual([held.cancels, held.halfClosed], [["unavailable"], false]);
    assert.equal(text((await unary(channel, "/t.S/Echo", bytes("again"))).message), "again");
  });

  test(`${name}: calls that wait for a connection may be cancelled and may run out of time`, async () => {
    const silent = createServer((socket) => void socket.on("error", () => undefined));
    await new Promise<void>((resolve) => silent.listen(0, localhost, resolve));
    const clock = new FakeClock();
    const channel = transport.connect({
      host: localhost,
      port: (silent.address() as { port: number }).port,
      clock,
      limits: { waitingCallsMax: 2 },
    });
    const cancelled = new Calling(channel, "/t.S/Echo").send("x");
    const late = new Calling(channel, "/t.S/Echo", { timeoutMs: 100 });
    assert.equal((await new Calling(channel, "/t.S/Echo").ended).code, 8);
    cancelled.call.cancel();
    assert.equal((await cancelled.ended).code, 1);
    await clock.advance(100);
    assert.equal((await late.ended).code, 4);
    const closed = new Calling(channel, "/t.S/Echo");
    await channel[Symbol.asyncDispose]();
    assert.equal((await closed.ended).code, 1);
    await new Promise((resolve) => silent.close(resolve));
  });

  test(`${name}: closing the channel ends its calls with 1, and later ones with 14`, async () => {
    await using net = await pair(transport);
    const call = new Calling(net.channel, "/t.S/Held").send("x");
    await net.methods.held();
    await net.channel[Symbol.asyncDispose]();
    await net.channel[Symbol.asyncDispose]();
    assert.equal((await call.ended).code, 1);
    assert.equal((await new Calling(net.channel, "/t.S/Echo").ended).code, 14);
  });

  test(`${name}: draining lets open calls finish, sends new ones elsewhere, and counts nothing cut off`, async () => {
    await using net = await pair(transport);
    const open = new Calling(net.channel, "/t.S/Held").send("x");
    const held = await net.methods.held();
    let drained: number | undefined;
    const draining = net.listener.drain(60_000).then((cutOff) => (drained = cutOff));
    const next = new Methods();
    await using _ = await transport.listen(
      { host: localhost, port: net.listener.port, clock: realClock, log: new MemoryLog() },
      { grpc: next.router, http: notFound },
    );
    await until("a new call to reach the new listener", () => {
      if (next.arrived.length === 0) new Calling(net.channel, "/t.S/Held").send("y");
      return next.arrived.length > 0;
    });
    assert.equal(drained, undefined);
    for (const late of net.methods.arrived.slice(1)) late.call.end();
    held.call.send(bytes("late but whole"));
    held.call.end();
    assert.equal((await open.ended).code, 0);
    assert.deepEqual(open.texts, ["late but whole"]);
    await draining;
    assert.equal(drained, 0);
  });

  test(`${name}: draining cuts off what is open after the grace time, and says how many`, async () => {
    const clock = new FakeClock();
    await using net = await pair(transport, { clock });
    const calls = [1, 2, 3].map(() => new Calling(net.channel, "/t.S/Held").send("x"));
    await net.methods.held(3);
    const draining = net.listener.drain(5_000);
    await clock.advance(5_000);
    assert.equal(await draining, 3);
    for (const call of calls) assert.equal((await call.ended).code, 14);
    await until("the handlers to hear of it", () => net.methods.arrived.every(({ cancels }) => cancels.length === 1));
    await assert.rejects(net.listener.drain(-1), (error) => error instanceof Fault && error.code === "invalid");
  });

  test(`${name}: an idle listener drains at once`, async () => {
    await using net = await pair(transport, { clock: new FakeClock() });
    await unary(net.channel, "/t.S/Echo", bytes("x"));
    assert.equal(await net.listener.drain(1_000), 0);
  });

  test(`${name}: at the peer's stream limit further connections are opened`, async () => {
    await using net = await pair(transport, { limits: { callsPerConnectionMax: 100 } });
    const calls = Array.from({ length: 300 }, () => new Calling(net.channel, "/t.S/Held").send("x"));
    await net.methods.held(300);
    const connections = new Set(net.methods.arrived.map(({ call }) => call.peer));
    assert.equal(connections.size, 3);
    for (const { call } of net.methods.arrived) call.end();
    for (const call of calls) assert.equal((await call.ended).code, 0);
  });

  test(`${name}: at the limit of connections calls wait for a free stream, in order`, async () => {
    await using net = await pair(transport, { limits: { callsPerConnectionMax: 2 }, channelLimits: { connectionsMax: 1 } });
    const calls = [0, 1, 2, 3, 4].map((n) => new Calling(net.channel, "/t.S/Held").send(`call ${n}`).half());
    for (let n = 0; n < 5; n++) {
      const held = await net.methods.held(n + 1);
      await until("its message", () => held.halfClosed);
      assert.deepEqual(held.texts, [`call ${n}`]);
      assert.ok(net.methods.arrived.length <= n + 2);
      held.call.end();
      assert.equal((await (calls[n] as Calling).ended).code, 0);
    }
  });

  test(`${name}: 10,000 calls are open at a time on one connection, and each still works`, async () => {
    await using net = await pair(transport);
    const count = 10_000;
    const calls = Array.from({ length: count }, (_, n) => new Calling(net.channel, "/t.S/Held").send(String(n)));
    await until("all calls", () => net.methods.arrived.filter(({ messages }) => messages.length === 1).length === count);
    assert.equal(new Set(net.methods.arrived.map(({ call }) => call.peer)).size, 1);
    for (const { call, messages } of net.methods.arrived) call.send(messages[0] as Uint8Array);
    await until("all answers", () => calls.every(({ messages }) => messages.length === 1));
    assert.ok(calls.every(({ texts }, n) => texts[0] === String(n)));
    for (const { call } of calls) call.halfClose();
    await until("all half-closes", () => net.methods.arrived.every(({ halfClosed }) => halfClosed));
    for (const { call } of net.methods.arrived) call.end();
    for (const call of calls) assert.equal((await call.ended).code, 0);
  });

  test(`${name}: thousands of calls cancelled at once do not cost the connection`, async () => {
    await using net = await pair(transport);
    const count = 4_000;
    const calls = Array.from({ length: count }, () => new Calling(net.channel, "/t.S/Held").send("x"));
    await net.methods.held(count);
    const echo = new Calling(net.channel, "/t.S/Echo").send("before");
    await until("the echo", () => echo.messages.length === 1);
    for (const { call } of calls) call.cancel();
    await until("all cancellations", () => net.methods.arrived.every(({ cancels }) => cancels[0] === "cancelled"));
    assert.equal((await echo.send("after").half().ended).code, 0);
  });

  test(`${name}: connections without calls are closed after the idle time`, async () => {
    const clock = new FakeClock();
    await using net = await pair(transport, { clock, limits: { idleMs: 60_000 } });
    const { peer } = await peerOf(net);
    await clock.advance(30_000);
    assert.equal((await peerOf(net)).peer, peer);
    await clock.advance(200_000);
    // A call may cross the server's goodbye; then it is told that it was not reached.
    for (let status; (status = await new Calling(net.channel, "/t.S/Echo").half().ended).code !== 0;) assert.equal(status.unreached, true);
    assert.notEqual((await peerOf(net)).peer, peer);
  });
}

async function peerOf(net: Awaited<ReturnType<typeof pair>>): Promise<{ peer: string }> {
  const count = net.methods.arrived.length + 1;
  const call = new Calling(net.channel, "/t.S/Held").send("x").half();
  const held = await net.methods.held(count);
  held.call.end();
  await call.ended;
  await until("the server to forget the call", () => net.listener.openCalls === 0);
  return { peer: held.call.peer };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, localhost, resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A TCP proxy whose connections can be cut. */
class Proxy implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  readonly #server;
  private constructor(target: number) {
    this.#server = createServer((from) => {
      const to = connectTcp(target, localhost);
      for (const [one, other] of [
        [from, to],
        [to, from],
      ] as const) {
        // prettier-ignore
        this.#sockets.add(one);
        one.pipe(other);
        one.on("error", () => undefined).on("close", () => other.destroy());
      }
    });
  }
  static async to(target: number): Promise<Proxy> {
    const proxy = new Proxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, localhost, resolve));
    return proxy;
  }
  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
