/** CRDTs of protocol 0.0; with the real library: tests/e2e/cloudstate-0.0.test.ts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import type { CrdtDelta } from "@mecha/state";
import * as wire from "@mecha/wire/gen/cloudstate/crdt_v0";
import fc from "fast-check";
import { codec00 } from "./crdt-codec-00.ts";

const address = { namespace: "default", service: "shop.Old", persistenceId: "old", entityId: "1" };
const inc = (increment: bigint): CrdtDelta => ({ type: "gcounter", increment });
const sent = (bytes: Uint8Array): string => fromBinary(wire.CrdtStreamInSchema, bytes).message.case ?? "nothing";

function reply(action: NonNullable<MessageInitShape<typeof wire.CrdtStateActionSchema>["action"]>): Uint8Array {
  const message = { case: "reply" as const, value: { commandId: 1n, stateAction: { action } } };
  return toBinary(wire.CrdtStreamOutSchema, create(wire.CrdtStreamOutSchema, { message }));
}

test("a function that holds nothing is sent the state, one that does the change", () => {
  const told = codec00();
  assert.equal(sent(told.init(address, undefined)), "init");
  assert.equal(sent(told.delta(inc(5n))), "state");
  assert.equal(sent(told.delta(inc(1n))), "changed");
  const begun = codec00();
  begun.init(address, inc(5n));
  assert.equal(sent(begun.delta(inc(1n))), "changed");
  const creates = codec00();
  creates.init(address, undefined);
  const created = creates.decode(reply({ case: "create", value: { state: { case: "gcounter", value: { value: 7n } } } }));
  assert.deepEqual(created.kind === "reply" && created.reply.state, { do: "update", delta: inc(7n) });
  assert.equal(sent(creates.delta(inc(1n))), "changed");
});

test("any bytes give a message or one Fault that names the field", () => {
  const empty = reply({ case: "create", value: {} });
  assert.throws(() => codec00().decode(empty), /state_action\.create: says nothing/);
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Uint8Array.of(0x0a, bytes.length & 0x7f, ...bytes)),
  );
  fc.assert(
    fc.property(anything, (bytes) => {
      try {
        codec00().decode(bytes);
      } catch (error) {
        assert.ok(error instanceof Fault && error.code === "invalid", String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});
