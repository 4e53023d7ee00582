/** One end of a carried call alone: how much a peer may have it hold, and what the stream it is on has to remember. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fault } from "@mecha/kit";
import { Carried, type CarrierLine, windowBytes } from "./carried.ts";
import { type CarrierFrame, readFrame } from "./frames.ts";

/** The stream a call is on: keeps what is written, and says that it is full when it is told to. */
class TestLine implements CarrierLine {
  readonly messageMaxBytes = 4 << 20;
  readonly frames: CarrierFrame[] = [];
  readonly waiting = new Set<Carried>();
  full = false;

  write(frame: Uint8Array): boolean {
    this.frames.push(readFrame(frame));
    return !this.full;
  }
  awaitDrain(call: Carried): void {
    this.waiting.add(call);
  }
  /** Credit given back since the last look. */
  credit(): number {
    return this.frames.splice(0).reduce((sum, frame) => sum + (frame.is === "credit" ? frame.credit : 0), 0);
  }
}

class TestCall extends Carried {
  readonly sizes: number[] = [];
  drains = 0;
  fault: Fault | undefined;

  protected override deliver(message: Uint8Array): void {
    this.sizes.push(message.length);
  }
  protected override delivered(): void {
    // Nothing to do at the end.
  }
  protected override drained(): void {
    this.drains++;
  }
  protected override garbled(fault: Fault): void {
    this.fault = fault;
    this.over = true;
  }
  protected override failed(error: unknown): void {
    throw error;
  }
}

const frameCost = 16;

/** Sends messages of `pieces` pieces and an empty end, as far as credit allows, until it gives out. @returns bytes that went. */
function sendAll(call: TestCall, line: TestLine, pieces: number, piece: Uint8Array): number {
  let credit = windowBytes;
  let sent = 0;
  for (let at = 0; ; at++) {
    const bytes = at % (pieces + 1) === pieces ? new Uint8Array(0) : piece;
    if (credit < bytes.length + frameCost || sent > 16 * windowBytes) return sent;
    credit -= bytes.length + frameCost;
    sent += bytes.length;
    call.arrived(bytes, bytes.length === 0);
    credit += line.credit();
  }
}

test("a reader that stands still holds no more than the window, also of messages in pieces", async () => {
  const line = new TestLine();
  const call = new TestCall(1, line);
  call.pause();
  const sent = sendAll(call, line, 8, new Uint8Array(60_000));
  assert.ok(sent <= windowBytes, `${String(sent)} bytes are held`);
  assert.equal(call.fault, undefined);
  // Once it reads again the message that is not whole becomes whole.
  call.resume();
  await Promise.resolve();
  assert.deepEqual(call.sizes, []);
  assert.ok(line.credit() > 0, "credit for the rest of the message");
});

test("a message larger than the window comes whole behind one that was held", async () => {
  const line = new TestLine();
  const call = new TestCall(1, line);
  const piece = new Uint8Array(64_000);
  call.pause();
  call.arrived(new Uint8Array(100), true);
  for (let at = 0; at < 3; at++) call.arrived(piece, false);
  assert.equal(line.credit(), 0);
  call.resume();
  await Promise.resolve();
  assert.deepEqual(call.sizes, [100]);
  assert.equal(line.credit(), 100 + 3 * 64_000 + 4 * frameCost);
  for (let at = 0; at < 3; at++) call.arrived(piece, at === 2);
  assert.deepEqual(call.sizes, [100, 6 * 64_000]);
});

test("a stream remembers calls that wait for room on it, not those that wait for credit", () => {
  const line = new TestLine();
  const call = new TestCall(1, line);
  assert.equal(call.send(new Uint8Array(windowBytes)), false);
  assert.equal(line.waiting.size, 0, "it waits for credit: the stream has room");
  call.credited(windowBytes);
  assert.equal(call.drains, 1);
  line.full = true;
  assert.equal(call.send(new Uint8Array(1)), false);
  assert.deepEqual([...line.waiting], [call]);
  call.lineDrained();
  assert.equal(call.drains, 2);
});
