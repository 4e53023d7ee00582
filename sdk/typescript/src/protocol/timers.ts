/** Mecha's extension of entity replies: changes of timers (api/proto/mecha/extensions/v1/extensions.proto). */
import type { CatchUp, Schedule } from "@mecha/schedule";
import type { Payload } from "./common.ts";
import { writeAny, type Writer } from "./common.ts";

/** A change of a timer of the entity that answers. */
export type TimerChange =
  | {
      readonly do: "set";
      readonly name: string;
      /** Wire name. */
      readonly command: string;
      readonly payload: Payload;
      readonly schedule: Schedule;
    }
  | { readonly do: "cancel"; readonly name: string };

/** What the proxy says in ProxyInfoExtension when it keeps timers. */
export const timersExtension = "timers";

const timersField = 1001;
const catchUpNumbers: Readonly<Record<CatchUp, number>> = { once: 0, all: 1, skip: 2 };

/** ReplyExtension {timers = 1001, repeated TimerAction {set = 1, cancel = 2}}: into the reply that is being written. */
export function writeTimers(writer: Writer, timers: readonly TimerChange[]): void {
  for (const timer of timers) {
    writer.begin(timersField);
    if (timer.do === "set") writeSet(writer, timer);
    else writer.begin(2).raw(Buffer.from(timer.name)).end(); // one case of a oneof: present even when empty
    writer.end();
  }
}

/** SetTimer {name = 1, command_name = 2, payload = 3, at_ms = 5 | after_ms = 6, every_ms = 7 | cron = 8, time_zone = 9, catch_up = 10}. */
function writeSet(writer: Writer, { name, command, payload, schedule }: Extract<TimerChange, { do: "set" }>): void {
  const { atMs, afterMs, everyMs, cron, timeZone, catchUp } = schedule;
  writer.begin(1).text(1, name).text(2, command);
  writeAny(writer, 3, payload);
  writeTime(writer, 5, atMs);
  writeTime(writer, 6, afterMs);
  writeTime(writer, 7, everyMs);
  writer
    .text(8, cron ?? "")
    .text(9, timeZone ?? "")
    .number(10, catchUpNumbers[catchUp ?? "once"])
    .end();
}

/** A member of a oneof: 0 is written too. */
function writeTime(writer: Writer, field: number, ms: number | undefined): void {
  if (ms !== undefined) writer.varint(field << 3).varint(ms);
}
