/**
 * Timers in replies: Mecha's extension of the protocol (api/proto/mecha/extensions/v1/extensions.proto). Rare beside events, so protobuf-es reads
 * them. Whether a schedule makes sense is the engine's to say.
 */
import { fromBinary } from "@bufbuild/protobuf";
import type { CatchUp } from "@mecha/schedule";
import type { Metadata } from "@mecha/wire/gen/cloudstate/entity";
import { type SetTimer, TimerActionSchema } from "@mecha/wire/gen/mecha/extensions/v1/extensions";
import type { CommandMetadata, TimerAction } from "../../model.ts";
import type { Reader } from "./reader.ts";

/** Tag of ReplyExtension.timers, field 1001. */
export const timersTag = (1001 << 3) | 2;
/** What a proxy that reads them says in ProxyInfoExtension. */
export const timersExtension = "timers";

const catchUps: Readonly<Record<number, CatchUp>> = { 0: "once", 1: "all", 2: "skip" };

/** @throws Fault("invalid") for bytes that are no TimerAction, or one without an action this version knows. */
export function readTimer(r: Reader, end: number): TimerAction {
  const { action } = parse(r, r.view(end));
  switch (action.case) {
    case "set":
      return setOf(action.value, r);
    case "cancel":
      return { do: "cancel", name: action.value };
    case undefined:
      throw r.fault("timers: an action that is neither set nor cancel");
  }
}

function parse(r: Reader, bytes: Uint8Array): ReturnType<typeof fromBinary<typeof TimerActionSchema>> {
  try {
    return fromBinary(TimerActionSchema, bytes);
  } catch (cause) {
    throw r.fault("timers: no TimerAction", cause);
  }
}

function setOf({ name, commandName, payload, metadata, first, repeat, timeZone, catchUp }: SetTimer, r: Reader): TimerAction {
  const known = catchUps[catchUp];
  if (known === undefined) throw r.fault(`timers: catch_up ${catchUp}, known are 0 to 2`);
  return {
    do: "set",
    name,
    command: commandName,
    payload: { typeUrl: payload?.typeUrl ?? "", value: payload?.value ?? new Uint8Array(0) },
    schedule: {
      ...(first.case === "atMs" && { atMs: Number(first.value) }),
      ...(first.case === "afterMs" && { afterMs: Number(first.value) }),
      ...(repeat.case === "everyMs" && { everyMs: Number(repeat.value) }),
      ...(repeat.case === "cron" && { cron: repeat.value }),
      ...(timeZone !== "" && { timeZone }),
      ...(known !== "once" && { catchUp: known }),
    },
    ...(metadata !== undefined && metadata.entries.length > 0 && { metadata: metadataOf(metadata) }),
  };
}

function metadataOf({ entries }: Metadata): CommandMetadata {
  return entries.map(({ key, value }) => [key, value.value ?? ""]);
}
