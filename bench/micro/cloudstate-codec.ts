/**
 * The hand-written Cloudstate codec against protobuf-es on the two messages of the hot path: a command out, a reply with one event in.
 * Run: node bench/micro/cloudstate-codec.ts [--rounds 9]. Prints ns a message (median of the rounds) and the ratio.
 *
 * Both sides do what the dialect needs: from the model to bytes, and from bytes to the model.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { decodeEventSourcedOut } from "../../packages/state/src/remote/codec/decode.ts";
import { commandField, encodeEntityCommand } from "../../packages/state/src/remote/codec/encode.ts";
import { EventSourcedStreamInSchema, EventSourcedStreamOutSchema } from "../../packages/wire/src/gen/cloudstate/event_sourced_pb.ts";
import { number, readOptions } from "../options.ts";

const { rounds } = readOptions("The codec of entity streams, beside protobuf-es.", { rounds: number(9, "to measure; the median counts") });
const messages = 200_000;

const entityId = "user-4711/cart-0815";
const entityIdBytes = new TextEncoder().encode(entityId);
const payload = { typeUrl: "type.googleapis.com/shop.cart.AddItem", value: new Uint8Array(80).fill(7) };
const event = { typeUrl: "type.googleapis.com/shop.cart.ItemAdded", value: new Uint8Array(200).fill(9) };
const command = { name: "AddItem", payload };
const reply = toBinary(
  EventSourcedStreamOutSchema,
  create(EventSourcedStreamOutSchema, {
    message: {
      case: "reply",
      value: {
        commandId: 4711n,
        clientAction: { action: { case: "reply", value: { payload: { typeUrl: "type.googleapis.com/google.protobuf.Empty" } } } },
        events: [event],
      },
    },
  }),
);

/** What the same step costs with the generated code. */
function generatedEncode(id: number): Uint8Array {
  const value = { entityId, id: BigInt(id), name: command.name, payload };
  return toBinary(EventSourcedStreamInSchema, create(EventSourcedStreamInSchema, { message: { case: "command", value } }));
}

function generatedDecode(bytes: Uint8Array): unknown {
  const { message } = fromBinary(EventSourcedStreamOutSchema, bytes);
  if (message.case !== "reply") throw new Error("not a reply");
  const { commandId, clientAction, sideEffects, events } = message.value;
  const action = clientAction?.action;
  if (action?.case !== "reply") throw new Error("not a reply");
  return {
    commandId: Number(commandId),
    action: { do: "reply", payload: { typeUrl: action.value.payload?.typeUrl, value: action.value.payload?.value } },
    effects: sideEffects.map(({ serviceName }) => serviceName),
    events: events.map(({ typeUrl, value }) => ({ typeUrl, value })),
  };
}

let sink: unknown;
function nsOf(run: (i: number) => unknown): number {
  const start = process.hrtime.bigint();
  for (let i = 1; i <= messages; i++) sink = run(i);
  return Number(process.hrtime.bigint() - start) / messages;
}

function median(run: (i: number) => unknown): number {
  nsOf(run); // warm-up
  const all = Array.from({ length: rounds }, () => nsOf(run)).sort((a, b) => a - b);
  return all[Math.floor(rounds / 2)] as number;
}

for (const [name, ours, generated] of [
  ["command, encode", (i: number) => encodeEntityCommand(commandField.eventSourced, entityIdBytes, i, command), generatedEncode],
  ["reply with an event, decode", () => decodeEventSourcedOut(reply), () => generatedDecode(reply)],
] as const) {
  const theirsNs = median(generated);
  const oursNs = median(ours);
  console.log(
    `${name.padEnd(28)} ours ${oursNs.toFixed(0).padStart(5)} ns   protobuf-es ${theirsNs.toFixed(0).padStart(5)} ns   ratio ${(theirsNs / oursNs).toFixed(1)}`,
  );
}
if (sink === undefined) throw new Error("nothing was measured");
