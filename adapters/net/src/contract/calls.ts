/** The part of the transport contract about single calls: shapes, metadata, status, limits, deadlines, cancellation, back-pressure. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import { FakeClock } from "@mecha/kit/testing";
import { Metadata, unary } from "@mecha/wire";
import { atRest, bytes, Calling, pair, text, type Transport, until } from "./kit.ts";

const mib = 1024 * 1024;

export function callContract(name: string, transport: Transport): void {
  test(`${name}: the four call shapes`, async () => {
    await using net = await pair(transport);
    const one = await unary(net.channel, "/t.S/Echo", bytes("hello"));
    assert.equal(text(one.message), "hello");

    const down = new Calling(net.channel, "/t.S/Count").send("1000").half();
    assert.equal((await down.ended).code, 0);
    assert.deepEqual(down.texts, Array.from({ length: 1000 }, (_, n) => String(n))); // prettier-ignore

    const up = new Calling(net.channel, "/t.S/Join").send("a", "b", "", "c").half();
    assert.equal((await up.ended).code, 0);
    assert.deepEqual(up.texts, ["a,b,,c"]);

    const both = new Calling(net.channel, "/t.S/Echo");
    for (let n = 0; n < 20; n++) {
      both.send(`m${n}`);
      await until("the echo", () => both.messages.length === n + 1);
    }
    assert.equal((await both.half().ended).code, 0);
    assert.equal(both.texts.at(-1), "m19");
  });

  test(`${name}: no message and empty messages are what they are`, async () => {
    await using net = await pair(transport);
    const none = new Calling(net.channel, "/t.S/Echo").half();
    assert.equal((await none.ended).code, 0);
    assert.equal(none.messages.length, 0);
    const empty = new Calling(net.channel, "/t.S/Echo").send("", "").half();
    await empty.ended;
    assert.deepEqual(empty.texts, ["", ""]);
  });

  test(`${name}: messages of every size come whole and in order`, async () => {
    await using net = await pair(transport);
    const sizes = [1, 16_000, 17_000, 65_000, 300_000, 2, 3 * mib, 5];
    const echo = new Calling(net.channel, "/t.S/Echo");
    for (const size of sizes) echo.call.send(Buffer.alloc(size, size % 251));
    assert.equal((await echo.half().ended).code, 0);
    assert.deepEqual(echo.messages.map((m) => m.length), sizes); // prettier-ignore
    assert.ok(echo.messages.every((m, at) => m.every((byte) => byte === (sizes[at] as number) % 251)));
  });

  test(`${name}: metadata goes both ways, bytes included, protocol headers left out`, async () => {
    await using net = await pair(transport);
    const sent = new Metadata([["a", "1"], ["b-bin", Uint8Array.of(0, 255, 7)], ["a", "2"], ["te", "no"], ["grpc-status", "9"], [":path", "/x"]]); // prettier-ignore
    const echo = new Calling(net.channel, "/t.S/Echo", { metadata: sent }).send("x").half();
    assert.equal((await echo.ended).code, 0);
    for (const got of [echo.headers, echo.trailers]) {
      const own = (got as Metadata).entries
        .filter(([key]) => key !== "user-agent")
        .map(([key, value]) => [key, typeof value === "string" ? value : [...value]]);
      assert.deepEqual(own.sort(), [["a", "1"], ["a", "2"], ["b-bin", [0, 255, 7]]]); // prettier-ignore
    }
  });

  test(`${name}: a status arrives with message, details and trailers, with or without messages before it`, async () => {
    await using net = await pair(transport);
    for (const [count, before] of [
      [1, 0],
      [2, 2],
    ] as const) {
      // prettier-ignore
      const call = new Calling(net.channel, "/t.S/Held").send("x");
      const held = await net.methods.held(count);
      for (let n = 0; n < before; n++) held.call.send(bytes("m"));
      held.call.end({ code: 9, message: "größer 100%\nnein", details: Uint8Array.of(1, 2) }, new Metadata([["why", "so"]]));
      const { code, message, details } = await call.ended;
      assert.deepEqual([code, message, [...(details ?? [])]], [9, "größer 100%\nnein", [1, 2]]);
      assert.equal(call.trailers?.get("why"), "so");
      assert.equal(call.messages.length, before);
    }
  });

  test(`${name}: an unknown method is 12`, async () => {
    await using net = await pair(transport);
    const call = new Calling(net.channel, "/t.S/Nothing").send("x").half();
    const status = await call.ended;
    assert.equal(status.code, 12);
    assert.match(status.message, /\/t\.S\/Nothing/);
    await assert.rejects(
      unary(net.channel, "/t.S/Nothing", bytes("")),
      (error) => error instanceof Fault && error.code === "unimplemented",
    );
  });

  test(`${name}: a handler that throws ends its call with 13 without detail, and one line in the log`, async () => {
    await using net = await pair(transport);
    for (const [lines, path] of [
      [1, "/t.S/ThrowAtOnce"],
      [2, "/t.S/ThrowOnMessage"],
    ] as const) {
      // prettier-ignore
      const status = await new Calling(net.channel, path).send("x", "y").half().ended;
      assert.deepEqual([status.code, status.message], [13, "internal error"]);
      assert.equal(net.log.lines.length, lines);
      assert.match(JSON.stringify(net.log.lines.at(-1)), /secret of the handler/);
    }
    assert.equal(text((await unary(net.channel, "/t.S/Echo", bytes("still here"))).message), "still here");
  });

  test(`${name}: metadata that cannot be sent fails the call, not the process`, async () => {
    await using net = await pair(transport);
    const bad = new Metadata([["k", "li\nne"]]);
    assert.equal((await new Calling(net.channel, "/t.S/Echo", { metadata: bad }).ended).code, 13);
    const call = new Calling(net.channel, "/t.S/Held").send("x");
    (await net.methods.held()).call.end({ code: 0, message: "" }, bad);
    assert.equal((await call.ended).code, 13);
    assert.equal(net.log.lines.length, 1);
  });

  test(`${name}: a message above the receiver's limit is 8, in both directions`, async () => {
    await using net = await pair(transport, { limits: { messageMaxBytes: 1000 }, channelLimits: { messageMaxBytes: 500 } });
    const up = new Calling(net.channel, "/t.S/Held");
    up.call.send(Buffer.alloc(1001));
    assert.equal((await up.ended).code, 8);
    assert.deepEqual((await net.methods.held()).cancels, ["exhausted"]);
    const down = new Calling(net.channel, "/t.S/Echo");
    down.call.send(Buffer.alloc(501));
    assert.equal((await down.ended).code, 8);
    assert.equal(down.messages.length, 0);
    const fits = new Calling(net.channel, "/t.S/Echo");
    fits.call.send(Buffer.alloc(500));
    fits.half();
    assert.equal((await fits.ended).code, 0);
  });

  test(`${name}: the caller's deadline ends the call with 4 on its side and cancels it on the other`, async () => {
    const clientClock = new FakeClock();
    await using net = await pair(transport, { clientClock });
    const call = new Calling(net.channel, "/t.S/Held", { timeoutMs: 60_000 }).send("x");
    const held = await net.methods.held();
    const leftMs = (held.call.deadlineMs ?? NaN) - performance.now();
    assert.ok(leftMs > 30_000 && leftMs <= 60_000, `deadline in ${leftMs} ms`);
    await clientClock.advance(60_000);
    assert.equal((await call.ended).code, 4);
    await until("the cancellation", () => held.cancels.length > 0);
    assert.equal(call.ends, 1);
  });

  test(`${name}: the server ends a call with 4 when its deadline passes there`, async () => {
    const clock = new FakeClock();
    await using net = await pair(transport, { clock, clientClock: new FakeClock() });
    const call = new Calling(net.channel, "/t.S/Held", { timeoutMs: 5_000 }).send("x");
    const held = await net.methods.held();
    assert.equal(held.call.deadlineMs, 5_000);
    await clock.advance(4_999);
    assert.deepEqual(held.cancels, []);
    await clock.advance(1);
    assert.deepEqual(held.cancels, ["deadline"]);
    assert.equal((await call.ended).code, 4);
    assert.equal(held.call.send(bytes("too late")), true);
    held.call.end();
    assert.deepEqual(held.cancels, ["deadline"]);
  });

  test(`${name}: a deadline that has passed already is 4 and never leaves`, async () => {
    await using net = await pair(transport);
    assert.equal((await new Calling(net.channel, "/t.S/Held", { timeoutMs: 0 }).ended).code, 4);
    assert.equal(net.methods.arrived.length, 0);
  });

  test(`${name}: a finished call leaves no timer behind`, async () => {
    const clock = new FakeClock();
    await using net = await pair(transport, { clock });
    await unary(net.channel, "/t.S/Echo", bytes("x"));
    const pending = clock.pending;
    for (let n = 0; n < 20; n++) await unary(net.channel, "/t.S/Echo", bytes("x"), { timeoutMs: 1_000 });
    await until("the server to see the ends", () => net.listener.openCalls === 0);
    assert.equal(clock.pending, pending);
  });

  test(`${name}: cancelling ends the call with 1, once, and tells the handler`, async () => {
    await using net = await pair(transport);
    const call = new Calling(net.channel, "/t.S/Held").send("x");
    const held = await net.methods.held();
    held.call.send(bytes("m"));
    await until("the message", () => call.messages.length === 1);
    call.call.cancel();
    assert.equal(call.ends, 0, "R1: no callback inside a method");
    held.call.send(bytes("crossing"));
    assert.equal((await call.ended).code, 1);
    await until("the cancellation", () => held.cancels.length > 0);
    assert.deepEqual(held.cancels, ["cancelled"]);
    assert.equal(held.halfClosed, false, "a cancelled stream of messages looked complete");
    held.call.end();
    call.call.cancel();
    await until("the server to forget the call", () => net.listener.openCalls === 0);
    assert.deepEqual([call.ends, call.messages.length, held.cancels.length], [1, 1, 1]);
  });

  test(`${name}: a signal cancels a unary call`, async () => {
    await using net = await pair(transport);
    const abort = new AbortController();
    const call = unary(net.channel, "/t.S/Held", bytes("x"), { signal: abort.signal });
    await net.methods.held();
    abort.abort(new Error("enough"));
    await assert.rejects(call, (error) => error instanceof Fault && error.code === "cancelled");
  });

  test(`${name}: a server may end a call whose caller goes on sending`, async () => {
    await using net = await pair(transport);
    const call = new Calling(net.channel, "/t.S/Held").send("x");
    (await net.methods.held()).call.end({ code: 9, message: "enough" });
    assert.equal((await call.ended).code, 9);
    call.send("y").half();
    await until("the server to forget the call", () => net.listener.openCalls === 0);
    assert.equal(call.ends, 1);
  });

  test(`${name}: callbacks never run inside a method of their call`, async () => {
    await using net = await pair(transport);
    let inside = "";
    const seen: string[] = [];
    const call = net.channel.open("/t.S/Echo", {}, {
      message: () => void seen.push(`message${inside}`),
      drain: () => void seen.push(`drain${inside}`),
      end: () => void seen.push(`end${inside}`),
    }); // prettier-ignore
    const during = (method: string, run: () => void): void => {
      inside = ` in ${method}`;
      run();
      inside = "";
    };
    during("send", () => void call.send(Buffer.alloc(200_000)));
    during("pause", () => call.pause());
    during("resume", () => call.resume());
    during("halfClose", () => call.halfClose());
    await until("the end", () => seen.includes("end"));
    assert.deepEqual(seen.filter((what) => what.includes(" in ")), []); // prettier-ignore
  });

  test(`${name}: pausing in a message holds back the ones behind it, also the end`, async () => {
    await using net = await pair(transport);
    const call = new Calling(net.channel, "/t.S/Count");
    call.onMessage = () => call.call.pause();
    call.send("5").half();
    for (let n = 1; n <= 5; n++) {
      await until(`message ${n}`, () => call.messages.length === n);
      assert.equal(await atRest(() => call.messages.length + call.ends, 10), n);
      call.call.resume();
    }
    assert.equal((await call.ended).code, 0);
    assert.deepEqual(call.texts, ["0", "1", "2", "3", "4"]);
  });

  test(`${name}: a server that pauses stops the sender; resuming loses nothing`, async () => {
    await using net = await pair(transport);
    const call = new Calling(net.channel, "/t.S/Held").send("first");
    const held = await net.methods.held();
    await until("the first message", () => held.messages.length === 1);
    held.call.pause();
    const sent = await sendUntilStopped(call.call, () => call.drains);
    assert.ok(sent.bytes < 16 * mib, `${sent.bytes} bytes were taken by a transport whose reader stands still`);
    assert.ok(held.messages.length <= 1 + sent.count);
    const before = held.messages.length;
    held.call.resume();
    await until("all messages", () => held.messages.length === 1 + sent.count);
    assert.ok(before < 1 + sent.count, "the pause held nothing back");
    await until("the drain", () => call.drains > sent.drains);
    held.call.end();
    await call.ended;
  });

  test(`${name}: a client that pauses stops the server; resuming loses nothing`, async () => {
    await using net = await pair(transport);
    const call = new Calling(net.channel, "/t.S/Held").send("first");
    const held = await net.methods.held();
    call.call.pause();
    const sent = await sendUntilStopped(held.call, () => held.drains);
    assert.ok(sent.bytes < 16 * mib, `${sent.bytes} bytes were taken by a transport whose reader stands still`);
    const before = call.messages.length;
    call.call.resume();
    await until("all messages", () => call.messages.length === sent.count);
    assert.ok(before < sent.count, "the pause held nothing back");
    await until("the drain", () => held.drains > sent.drains);
    held.call.end();
    assert.equal((await call.ended).code, 0);
  });

  test(`${name}: a stalled call does not stall its neighbours`, async () => {
    await using net = await pair(transport);
    const stalled = new Calling(net.channel, "/t.S/Held").send("first");
    const held = await net.methods.held();
    held.call.pause();
    await sendUntilStopped(stalled.call, () => stalled.drains);
    const echo = new Calling(net.channel, "/t.S/Echo");
    for (let n = 0; n < 50; n++) echo.call.send(Buffer.alloc(100_000));
    assert.equal((await echo.half().ended).code, 0);
    assert.equal(echo.messages.length, 50);
  });
}

/** Sends 10 kB messages while `send` answers true and each time it drains, until no drain comes any more. */
async function sendUntilStopped(
  call: { send(message: Uint8Array): boolean },
  drains: () => number,
): Promise<{ count: number; bytes: number; drains: number }> {
  const message = Buffer.alloc(10_000);
  let count = 0;
  for (let limit = 0; limit < 10_000; limit++) {
    const before = drains();
    while (call.send(message)) if (++count > 100_000) assert.fail("send never answers false");
    count++;
    if ((await atRest(drains)) === before) break;
  }
  return { count, bytes: count * message.length, drains: drains() };
}
