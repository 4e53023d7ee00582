/** Frames of mecha.sidecar.v1.Replication as bytes, and who is asked for what. */
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { explain, Fault } from "@mecha/kit";
import { type Entity, type Frame, FrameSchema } from "@mecha/wire/gen/mecha/sidecar/v1/replication";
import { encodeState } from "../crdt/codec.ts";
import type { Replica } from "../crdt/replica.ts";
import type { CrdtState } from "../crdt/types/index.ts";
import type { EntityAddress } from "../model.ts";

export const exchangePath = "/mecha.sidecar.v1.Replication/Exchange";

export type FrameInit = NonNullable<MessageInitShape<typeof FrameSchema>["frame"]>;

export function encodeFrame(frame: FrameInit): Uint8Array {
  return toBinary(FrameSchema, create(FrameSchema, { frame }));
}

/** @throws Fault("invalid") when the bytes are not a frame. */
export function decodeFrame(bytes: Uint8Array): Frame["frame"] {
  try {
    return fromBinary(FrameSchema, bytes).frame;
  } catch (cause) {
    throw new Fault("invalid", `Frame: ${explain(cause)}`);
  }
}

/** @throws Fault("invalid") when the frame names no entity. */
export function addressOf(entity: Entity | undefined): EntityAddress {
  if (entity === undefined) throw new Fault("invalid", "Frame: entity is absent");
  const { namespace, service, persistenceId, entityId } = entity;
  return { namespace, service, persistenceId, entityId };
}

/** `state` absent: deleted. */
export function changeFrame(entity: EntityAddress, state: CrdtState | undefined, number: bigint): FrameInit {
  const what = state === undefined ? { deleted: true } : { state: encodeState(state) };
  return { case: "change", value: { number, entity, ...what } };
}

/** All a replica knows; `undefined` when that is nothing. */
export function wholeFrame(entity: EntityAddress, replica: Replica, number: bigint): FrameInit | undefined {
  if (replica.deleted) return changeFrame(entity, undefined, number);
  return replica.state && changeFrame(entity, replica.state, number);
}
