/**
 * What the protocols' messages about CRDTs have in common, in the engine's words and back. Their generated types differ in names only, so what is
 * here takes any message of the right shape.
 */
import { Fault } from "@mecha/kit";
import type { CrdtClock, CrdtDelta, WriteConsistency } from "../../crdt/delta.ts";
import type { CrdtCancelled, CrdtFailure, CrdtMessage, CrdtReply } from "../../crdt/port.ts";
import { nameOf } from "../../crdt/types/index.ts";
import type { ClientAction, Command, CommandMetadata, EntityAddress, Payload, SideEffect } from "../../model.ts";

/** Messages of one stream, both ways: all in which the protocols differ. */
export interface CrdtCodec {
  /** `delta` absent: the entity does not exist yet. @throws Fault("precondition") when the protocol has no word for its type. */
  init(address: EntityAddress, delta: CrdtDelta | undefined): Uint8Array;
  /** @throws Fault("precondition") when the protocol has no word for a type in it. */
  delta(delta: CrdtDelta): Uint8Array;
  deleted(): Uint8Array;
  /** Absent: the protocol has no streamed commands. */
  readonly cancel?: (entityId: string, commandId: number) => Uint8Array;
  command(entityId: string, commandId: number, command: Command, streamed: boolean): Uint8Array;
  /** @throws Fault("invalid") that names the field. */
  decode(bytes: Uint8Array): CrdtOut;
}

/** A message of the function's. `empty`: no member of the oneof is set, or one this protocol version does not know. */
export type CrdtOut =
  | { readonly kind: "reply"; readonly reply: CrdtReply }
  | { readonly kind: "message"; readonly message: CrdtMessage }
  | { readonly kind: "cancelled"; readonly cancelled: CrdtCancelled }
  | { readonly kind: "failure"; readonly failure: CrdtFailure }
  | { readonly kind: "empty" };

/** What a codec throws for a type its protocol lacks. */
export function unsayable(type: CrdtDelta["type"], protocol: string): Fault {
  return new Fault(
    "precondition",
    `is stored as a ${nameOf(type)}, and ${protocol} has no such type: serve it with the library that made it`,
  );
}

/** Ids are ours and small; one that is not a safe integer is nobody's. */
export function idOf(id: bigint): number {
  return id >= 0n && id <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(id) : -1;
}

/** Enums are open in proto3. @throws Fault("invalid") for a number that is not in `table`. */
export function known<T>(table: Readonly<Record<number, T>>, number: number, field: string): T {
  const found = table[number];
  if (found === undefined) throw new Fault("invalid", `${field}: ${number} is none of ${Object.keys(table).join(", ")}`);
  return found;
}

/** Numbers of the protocols' clock enums. */
export const clocks: Readonly<Record<number, CrdtClock>> = { 0: "default", 1: "reverse", 2: "custom", 3: "customAutoIncrement" };
/** Numbers of the protocols' write consistency enums. */
export const consistencies: Readonly<Record<number, WriteConsistency>> = { 0: "local", 1: "majority", 2: "all" };

// ---- payloads and metadata ------------------------------------------------------------------------------------------------------------

interface AnyMessage {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

interface MetadataMessage {
  readonly entries: readonly {
    readonly key: string;
    readonly value:
      | { readonly case: "stringValue"; readonly value: string }
      | { readonly case: "bytesValue"; readonly value: Uint8Array }
      | { readonly case: undefined; readonly value?: undefined };
  }[];
}

export function payloadOf(any: AnyMessage | undefined): Payload {
  return any === undefined ? { typeUrl: "", value: new Uint8Array() } : { typeUrl: any.typeUrl, value: any.value };
}

function metadataOf(metadata: MetadataMessage | undefined): { readonly metadata?: CommandMetadata } {
  if (metadata === undefined || metadata.entries.length === 0) return {};
  return { metadata: metadata.entries.map(({ key, value }) => [key, value.value ?? ""] as const) };
}

/** A command as the protocols' Command messages, without `streamed`, which not all have. */
export function commandInit(entityId: string, commandId: number, { name, payload, metadata }: Command) {
  const value = { entityId, id: BigInt(commandId), name, payload };
  return metadata?.length ? { ...value, metadata: metadataInit(metadata) } : value;
}

function metadataInit(metadata: CommandMetadata) {
  const entries = metadata.map(([key, value]) => ({
    key,
    value: typeof value === "string" ? { case: "stringValue" as const, value } : { case: "bytesValue" as const, value },
  }));
  return { entries };
}

// ---- what a function wants done -------------------------------------------------------------------------------------------------------

interface ReplyMessage {
  readonly payload?: AnyMessage | undefined;
  readonly metadata?: MetadataMessage | undefined;
}

interface CallMessage extends ReplyMessage {
  readonly serviceName: string;
  readonly commandName: string;
}

interface FailureMessage {
  readonly commandId: bigint;
  readonly description: string;
  /** 0: none was chosen. */
  readonly grpcStatusCode: number;
}

interface ActionMessage {
  readonly action:
    | { readonly case: "reply"; readonly value: ReplyMessage }
    | { readonly case: "forward"; readonly value: CallMessage }
    | { readonly case: "failure"; readonly value: FailureMessage }
    | { readonly case: undefined };
}

export function actionOf(message: ActionMessage | undefined): ClientAction {
  const chosen = message?.action;
  switch (chosen?.case) {
    case "reply":
      return { do: "reply", payload: payloadOf(chosen.value.payload), ...metadataOf(chosen.value.metadata) };
    case "forward": {
      const { serviceName: service, commandName: command, payload, metadata } = chosen.value;
      return { do: "forward", service, command, payload: payloadOf(payload), ...metadataOf(metadata) };
    }
    case "failure":
      // Cloudstate's `restart` is for event sourced entities only.
      return { do: "fail", description: chosen.value.description, restart: false, ...codeOf(chosen.value) };
    case undefined:
      return { do: "nothing" };
  }
}

export function effectOf({ synchronous, ...call }: CallMessage & { readonly synchronous: boolean }): SideEffect {
  const { serviceName: service, commandName: command, payload, metadata } = call;
  return { service, command, payload: payloadOf(payload), synchronous, ...metadataOf(metadata) };
}

/** A failure outside a reply. */
export function failureOf(failure: FailureMessage): CrdtFailure {
  return { commandId: idOf(failure.commandId), description: failure.description, ...codeOf(failure) };
}

function codeOf({ grpcStatusCode }: FailureMessage): { readonly grpcCode?: number } {
  return grpcStatusCode === 0 ? {} : { grpcCode: grpcStatusCode };
}
