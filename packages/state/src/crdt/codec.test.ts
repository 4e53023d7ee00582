/** States as they have been written since the first version: stores hold them, and other versions send them. A new type is a new row, no row changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeState, encodeState } from "./codec.ts";
import { crdtTypes, type CrdtDelta, type CrdtType } from "./delta.ts";
import { text } from "./testing.ts";
import { mutate } from "./types/index.ts";

const a = text("a");
const nothing = { cleared: false, removed: [] };
const count: CrdtDelta = { type: "pncounter", change: 7n };
const write: CrdtDelta = { type: "lwwregister", value: a, clock: "custom", customClockValue: 2n };
const set: CrdtDelta = { type: "orset", ...nothing, added: [a] };

/** What a function on replica n1 did to nothing, and the bytes that came of it. */
const stored: Readonly<Record<CrdtType, readonly [CrdtDelta, hex: string]>> = {
  gcounter: [{ type: "gcounter", increment: 300n }, "0101026e31000100ac02"],
  pncounter: [{ type: "pncounter", change: -5n }, "0101026e310100010005"],
  gset: [{ type: "gset", added: [a] }, "010116702e636c6f756473746174652e696f2f737472696e670201000161"],
  orset: [set, "0102026e3116702e636c6f756473746174652e696f2f737472696e67030100010001010161010001"],
  lwwregister: [
    { type: "lwwregister", value: a, clock: "custom", customClockValue: -9n },
    "010216702e636c6f756473746174652e696f2f737472696e67026e31040001611101",
  ],
  flag: [{ type: "flag", value: true }, "01000501"],
  ormap: [
    { type: "ormap", ...nothing, updated: [], added: [{ key: a, delta: { type: "flag", value: true } }] },
    "0102026e3116702e636c6f756473746174652e696f2f737472696e670601000100010101610100010100010501",
  ],
  vote: [{ type: "vote", selfVote: true, votesFor: 0, totalVoters: 0 }, "0101026e3107010001"],
  countermap: [
    { type: "countermap", ...nothing, updated: [{ key: a, delta: count }] },
    "0103026e3116702e636c6f756473746174652e696f2f737472696e67046e3123310801000100010101610100010100010101020700",
  ],
  registermap: [
    { type: "registermap", ...nothing, updated: [{ key: a, delta: write }] },
    "0103026e3116702e636c6f756473746174652e696f2f737472696e67046e312331090100010001010161010001010001040101610402",
  ],
  multimap: [
    { type: "multimap", ...nothing, updated: [{ key: a, delta: set }] },
    "0103026e3116702e636c6f756473746174652e696f2f737472696e67046e3123310a0100010001010161010001010001030102010001010161010201",
  ],
};

for (const type of crdtTypes) {
  test(`a ${type} is written and read as ever`, () => {
    const [delta, hex] = stored[type];
    const state = mutate(undefined, delta, { replica: "n1", nowMs: 0 });
    assert.equal(Buffer.from(encodeState(state)).toString("hex"), hex);
    assert.deepEqual(decodeState(Uint8Array.from(Buffer.from(hex, "hex"))), state);
  });
}
