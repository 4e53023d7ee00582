import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import fc from "fast-check";
import { FrameSchema } from "../gen/mecha/carrier/v1/carrier_pb.ts";
import { Metadata } from "../metadata.ts";
import { creditFrame, endFrame, messageFrame, openFrame, readFrame, wordFrame } from "./frames.ts";

const uint32 = fc.nat({ max: 0xffff_ffff });
const data = fc.uint8Array({ maxLength: 300 });

test("what is written is what the schema says", () => {
  fc.assert(
    fc.property(uint32, uint32, data, fc.string(), (call, number, bytes, path) => {
      const read = (frame: Uint8Array): unknown => {
        const { call: of, what } = fromBinary(FrameSchema, frame);
        assert.equal(of, call);
        return what.value instanceof Uint8Array ? [what.case, ...what.value] : [what.case, what.value];
      };
      assert.deepEqual(read(messageFrame(call, bytes)), ["message", ...bytes]);
      assert.deepEqual(read(messageFrame(call, bytes, false)), ["piece", ...bytes]);
      assert.deepEqual(read(creditFrame(call, number)), ["credit", number]);
      assert.deepEqual(read(openFrame(call, path)), ["open", Buffer.from(path).toString()]);
      for (const word of ["halfClose", "cancel", "leaving"] as const) assert.deepEqual(read(wordFrame(call, word)), [word, true]);
    }),
  );
});

test("what the schema writes is read", () => {
  fc.assert(
    fc.property(uint32, uint32, data, (call, number, bytes) => {
      const read = (what: NonNullable<MessageInitShape<typeof FrameSchema>["what"]>): unknown =>
        readFrame(toBinary(FrameSchema, create(FrameSchema, { call, what })));
      assert.deepEqual(read({ case: "message", value: bytes }), { is: "message", call, bytes });
      assert.deepEqual(read({ case: "piece", value: bytes }), { is: "piece", call, bytes });
      assert.deepEqual(read({ case: "credit", value: number }), { is: "credit", call, credit: number });
      assert.deepEqual(read({ case: "open", value: "/a.B/ç" }), { is: "open", call, path: "/a.B/ç" });
      for (const word of ["halfClose", "cancel", "leaving"] as const)
        assert.deepEqual(read({ case: word, value: true }), { is: word, call });
    }),
  );
});

test("an end keeps status, details and trailers", () => {
  const trailers = new Metadata([["why", "größer"], ["raw-bin", Uint8Array.of(0, 255)]]); // prettier-ignore
  const status = { code: 9, message: "nein\n%", details: Uint8Array.of(1, 2), unreached: true } as const;
  const read = readFrame(endFrame(7, status, trailers));
  assert.ok(read.is === "end" && read.call === 7);
  assert.deepEqual({ ...read.status, details: [...(read.status.details ?? [])] }, { ...status, details: [1, 2] });
  assert.deepEqual([read.trailers.get("why"), [...(read.trailers.value("raw-bin") as Uint8Array)]], ["größer", [0, 255]]);
  const bare = readFrame(endFrame(1, { code: 0, message: "" }, Metadata.empty));
  assert.deepEqual(bare, { is: "end", call: 1, status: { code: 0, message: "" }, trailers: Metadata.empty });
});

test("fields in another order, and of a later version, are read or passed over", () => {
  const frame = Uint8Array.of(0x28, 9, 0x08, 3, 0x7d, 1, 2, 3, 4, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7a, 1, 0, 0x78, 0xff, 0x01);
  assert.deepEqual(readFrame(frame), { is: "credit", call: 3, credit: 9 });
  assert.deepEqual(readFrame(Uint8Array.of(0x08, 3, 0x78, 1)), { is: "unknown", call: 3 });
});

test("whatever arrives is a frame or Fault invalid", () => {
  const frame = fc.oneof(
    data,
    fc.tuple(uint32, data, fc.nat(320), fc.nat(255)).map(([call, bytes, at, byte]) => {
      const mangled = Uint8Array.from(messageFrame(call, bytes));
      mangled[at % mangled.length] = byte;
      return mangled.subarray(0, mangled.length - (byte % 3));
    }),
  );
  fc.assert(
    fc.property(frame, (bytes) => {
      try {
        readFrame(bytes);
      } catch (error) {
        assert.ok(error instanceof Fault && error.code === "invalid", String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});
