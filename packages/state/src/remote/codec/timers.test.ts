import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import { EventSourcedReplySchema } from "@mecha/wire/gen/cloudstate/event_sourced";
import { ReplyExtensionSchema, type SetTimerSchema, type TimerActionSchema } from "@mecha/wire/gen/mecha/extensions/v1/extensions";
import type { TimerAction } from "../../model.ts";
import { decodeEventSourcedOut, decodeValueOut } from "./decode.ts";

type Action = MessageInitShape<typeof TimerActionSchema>;
type SetInit = Exclude<MessageInitShape<typeof SetTimerSchema>, { $typeName: string }>;

/** A stream's message whose reply has these timers in its extension. */
function replyWith(timers: readonly Action[]): Uint8Array {
  const reply = toBinary(EventSourcedReplySchema, create(EventSourcedReplySchema, { commandId: 7n }));
  const extension = toBinary(ReplyExtensionSchema, create(ReplyExtensionSchema, { timers: [...timers] }));
  const both = Uint8Array.of(...reply, ...extension);
  assert.ok(both.length < 128 * 128);
  const length = both.length < 128 ? [both.length] : [(both.length % 128) | 128, both.length >> 7];
  return Uint8Array.of(0x0a, ...length, ...both);
}

function timersOf(bytes: Uint8Array): readonly (readonly TimerAction[] | undefined)[] {
  return [decodeEventSourcedOut, decodeValueOut].map((decode) => {
    const out = decode(bytes);
    assert.ok(out.kind === "reply" && out.reply.commandId === 7);
    return out.reply.timers;
  });
}

const set = (value: SetInit): Action => ({ action: { case: "set", value } });
const payload = { typeUrl: "t/Tick", value: Uint8Array.of(1, 2) };
const basic = { name: "n", commandName: "Tick", payload };
const read = { do: "set", name: "n", command: "Tick", payload } as const;

const table: readonly [what: string, action: Action, expected: TimerAction][] = [
  ["a cancelled timer", { action: { case: "cancel", value: "n" } }, { do: "cancel", name: "n" }],
  ["a time", set({ ...basic, first: { case: "atMs", value: 1_800_000_000_000n } }), { ...read, schedule: { atMs: 1_800_000_000_000 } }],
  ["no delay at all", set({ ...basic, first: { case: "afterMs", value: 0n } }), { ...read, schedule: { afterMs: 0 } }],
  [
    "an interval from a time, all to be caught up",
    set({ ...basic, first: { case: "afterMs", value: 5n }, repeat: { case: "everyMs", value: 1_000n }, catchUp: 1 }),
    { ...read, schedule: { afterMs: 5, everyMs: 1_000, catchUp: "all" } },
  ],
  [
    "cron in a time zone, late ones left out",
    set({ ...basic, repeat: { case: "cron", value: "0 9 * * *" }, timeZone: "Europe/Berlin", catchUp: 2 }),
    { ...read, schedule: { cron: "0 9 * * *", timeZone: "Europe/Berlin", catchUp: "skip" } },
  ],
  [
    "metadata",
    set({
      ...basic,
      first: { case: "atMs", value: 1n },
      metadata: { entries: [{ key: "k", value: { case: "stringValue", value: "v" } }] },
    }),
    { ...read, schedule: { atMs: 1 }, metadata: [["k", "v"]] },
  ],
  [
    "nothing but a name",
    set({ name: "n" }),
    { do: "set", name: "n", command: "", payload: { typeUrl: "", value: new Uint8Array(0) }, schedule: {} },
  ],
];

for (const [what, action, expected] of table)
  test(`${what} is read from both kinds of reply`, () => {
    for (const timers of timersOf(replyWith([action, action]))) assert.deepEqual(timers, [expected, expected]);
  });

test("a reply without timers has none", () => {
  assert.deepEqual(timersOf(replyWith([])), [undefined, undefined]);
});

const refused: readonly [what: string, bytes: Uint8Array, text: RegExp][] = [
  ["an action that is empty", replyWith([{}]), /timers: an action that is neither set nor cancel/],
  ["a way to catch up nobody knows", replyWith([set({ ...basic, catchUp: 3 as never })]), /timers: catch_up 3, known are 0 to 2/],
  ["bytes that are no message", Uint8Array.of(0x0a, 0x05, 0xca, 0x3e, 0x02, 0x0a, 0x09), /timers: no TimerAction/],
];

for (const [what, bytes, text] of refused)
  test(`${what}: one Fault that says so`, () => {
    assert.throws(
      () => decodeEventSourcedOut(bytes),
      (error: unknown) => error instanceof Fault && error.code === "invalid" && text.test(error.message),
    );
  });
