/**
 * Messages of the user function, straight from bytes to the engine's model (facts: Cloudstate protocol 0.2; Kalix 1.1 has the same
 * numbers and a few fields more). Payload bytes are views into the message, which is ours to keep (R3 of wire/rpc.ts).
 *
 * Invariants
 * D1 any bytes give a value or one Fault("invalid"); nothing else is thrown
 * D2 as protobuf asks: unknown fields are passed over, the last scalar wins, a message field that comes twice is merged, a oneof keeps its
 *    last member
 * D3 a known field with another wire type counts as unknown
 */
import type { ClientAction, CommandMetadata, EntityReply, Payload, SideEffect, StreamFailure, TimerAction } from "../../model.ts";
import { Reader } from "./reader.ts";
import { readTimer, timersTag } from "./timers.ts";

/** A message of an entity's stream; `empty` has no member of the oneof set, or one this protocol version does not know. */
export type EntityOut =
  | {
      readonly kind: "reply";
      readonly reply: EntityReply;
      /** Kalix: the entity's events and snapshots are to be deleted. */
      readonly deletes?: true;
    }
  | { readonly kind: "failure"; readonly failure: StreamFailure }
  | { readonly kind: "empty" };

/** A message of an action's call. */
export interface ActionOut {
  readonly action: ClientAction;
  readonly effects: readonly SideEffect[];
}

const none = new Uint8Array(0);
const noEffects: readonly SideEffect[] = [];
const noEvents: readonly Payload[] = [];
const nothing: ClientAction = { do: "nothing" };

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type MutablePayload = Mutable<Payload>;
type MutableMetadata = (readonly [string, string | Uint8Array])[];

/** An EventSourcedStreamOut. */
export function decodeEventSourcedOut(bytes: Uint8Array): EntityOut {
  return decodeEntityOut(bytes, "EventSourcedStreamOut", readEventSourcedReply);
}

/** A ValueEntityStreamOut. */
export function decodeValueOut(bytes: Uint8Array): EntityOut {
  return decodeEntityOut(bytes, "ValueEntityStreamOut", readValueReply);
}

/** An ActionResponse. */
export function decodeActionResponse(bytes: Uint8Array): ActionOut {
  const r = new Reader(bytes, "ActionResponse");
  const end = bytes.length;
  const action = new RawAction();
  let effects: SideEffect[] | undefined;
  while (r.pos < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 0x0a:
        action.readFailure(r, r.length(end));
        break;
      case 0x12:
        action.readReply(r, r.length(end));
        break;
      case 0x1a:
        action.readForward(r, r.length(end));
        break;
      case 0x22:
        (effects ??= []).push(readEffect(r, r.length(end)));
        break;
      default:
        r.skip(tag, end);
    }
  }
  return { action: action.toModel(false), effects: effects ?? noEffects };
}

/** What a reply is while it is read. */
class RawReply {
  commandId = 0;
  action: RawAction | undefined;
  effects: SideEffect[] | undefined;
  events: Payload[] | undefined;
  snapshot: MutablePayload | undefined;
  state: { do: "update"; value: MutablePayload } | { do: "delete" } | undefined;
  deletes = false;
  timers: TimerAction[] | undefined;
}

/** The two streams differ in their reply only: field 1 is the reply, field 2 a Failure. */
function decodeEntityOut(bytes: Uint8Array, what: string, readReply: (r: Reader, end: number, into: RawReply) => void): EntityOut {
  const r = new Reader(bytes, what);
  const end = bytes.length;
  let reply: RawReply | undefined;
  let failure: RawFailure | undefined;
  while (r.pos < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 0x0a:
        failure = undefined;
        readReply(r, r.length(end), (reply ??= new RawReply()));
        break;
      case 0x12:
        reply = undefined;
        readFailure(r, r.length(end), (failure ??= emptyFailure()));
        break;
      default:
        r.skip(tag, end);
    }
  }
  if (reply !== undefined) {
    const read = { kind: "reply", reply: toEntityReply(reply, readReply === readEventSourcedReply) } as const;
    return reply.deletes ? { ...read, deletes: true } : read;
  }
  if (failure !== undefined) return { kind: "failure", failure: streamFailureOf(failure) };
  return { kind: "empty" };
}

function streamFailureOf({ commandId, description, grpcCode }: RawFailure): StreamFailure {
  return grpcCode === 0 ? { commandId, description } : { commandId, description, grpcCode };
}

/** @param restarts whether this kind of entity honours `restart` (event sourced only). */
function toEntityReply(raw: RawReply, restarts: boolean): EntityReply {
  const reply: Mutable<EntityReply> = {
    commandId: raw.commandId,
    action: raw.action === undefined ? nothing : raw.action.toModel(restarts),
    effects: raw.effects ?? noEffects,
    events: raw.events ?? noEvents,
  };
  if (raw.snapshot !== undefined) reply.snapshot = raw.snapshot;
  if (raw.state !== undefined) reply.state = raw.state;
  if (raw.timers !== undefined) reply.timers = raw.timers;
  return reply;
}

/** A field that replies of both kinds have. `false`: it is another one, and nothing of it was read. */
function readReplyField(r: Reader, tag: number, end: number, into: RawReply): boolean {
  switch (tag) {
    case 0x08:
      into.commandId = r.int64(end);
      return true;
    case 0x12:
      readClientAction(r, r.length(end), (into.action ??= new RawAction()));
      return true;
    case 0x1a:
      (into.effects ??= []).push(readEffect(r, r.length(end)));
      return true;
    case timersTag:
      (into.timers ??= []).push(readTimer(r, end));
      return true;
    default:
      return false;
  }
}

function readEventSourcedReply(r: Reader, end: number, into: RawReply): void {
  while (r.pos < end) {
    const tag = r.tag(end);
    if (readReplyField(r, tag, end, into)) continue;
    switch (tag) {
      case 0x22:
        (into.events ??= []).push(readAny(r, r.length(end), emptyPayload()));
        break;
      case 0x2a:
        into.snapshot = readAny(r, r.length(end), into.snapshot ?? emptyPayload());
        break;
      case 0x32:
        skipFields(r, r.length(end));
        into.deletes = true;
        break;
      default:
        r.skip(tag, end);
    }
  }
}

function readValueReply(r: Reader, end: number, into: RawReply): void {
  while (r.pos < end) {
    const tag = r.tag(end);
    if (readReplyField(r, tag, end, into)) continue;
    if (tag === 0x22) readValueAction(r, r.length(end), into);
    else r.skip(tag, end);
  }
}

/** ValueEntityAction: update=1 { value=1 Any } | delete=2 {} */
function readValueAction(r: Reader, end: number, into: RawReply): void {
  while (r.pos < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 0x0a: {
        const value = into.state?.do === "update" ? into.state.value : emptyPayload();
        into.state = { do: "update", value };
        readWrappedAny(r, r.length(end), value);
        break;
      }
      case 0x12:
        skipFields(r, r.length(end));
        into.state = { do: "delete" };
        break;
      default:
        r.skip(tag, end);
    }
  }
}

function readWrappedAny(r: Reader, end: number, into: MutablePayload): void {
  while (r.pos < end) {
    const tag = r.tag(end);
    if (tag === 0x0a) readAny(r, r.length(end), into);
    else r.skip(tag, end);
  }
}

function skipFields(r: Reader, end: number): void {
  while (r.pos < end) r.skip(r.tag(end), end);
}

/** ClientAction: reply=1 | forward=2 | failure=3 */
function readClientAction(r: Reader, end: number, into: RawAction): void {
  while (r.pos < end) {
    const tag = r.tag(end);
    switch (tag) {
      case 0x0a:
        into.readReply(r, r.length(end));
        break;
      case 0x12:
        into.readForward(r, r.length(end));
        break;
      case 0x1a:
        into.readFailure(r, r.length(end));
        break;
      default:
        r.skip(tag, end);
    }
  }
}

interface RawFailure {
  commandId: number;
  description: string;
  restart: boolean;
  /** 0: none was chosen. */
  grpcCode: number;
}
const emptyFailure = (): RawFailure => ({ commandId: 0, description: "", restart: false, grpcCode: 0 });

/** Where a forward or effect goes. */
interface RawTarget {
  service: string;
  command: string;
  payload: MutablePayload | undefined;
  metadata: MutableMetadata | undefined;
  synchronous: boolean;
}

const emptyTarget = (): RawTarget => ({ service: "", command: "", payload: undefined, metadata: undefined, synchronous: false });
const emptyPayload = (): MutablePayload => ({ typeUrl: "", value: none });

/** The oneof of reply, forward and failure while it is read: a member read twice is merged, another one replaces it (D2). */
class RawAction {
  #which: "reply" | "forward" | "failure" | undefined;
  #target: RawTarget | undefined;
  #failure: RawFailure | undefined;

  readReply(r: Reader, end: number): void {
    const into = this.#targetOf("reply");
    while (r.pos < end) {
      const tag = r.tag(end);
      if (tag === 0x0a) into.payload = readAny(r, r.length(end), into.payload ?? emptyPayload());
      else if (tag === 0x12) into.metadata = readMetadata(r, r.length(end), into.metadata ?? []);
      else r.skip(tag, end);
    }
  }

  readForward(r: Reader, end: number): void {
    readTarget(r, end, this.#targetOf("forward"), 0x22);
  }

  readFailure(r: Reader, end: number): void {
    if (this.#which !== "failure" || this.#failure === undefined) this.#failure = emptyFailure();
    this.#which = "failure";
    readFailure(r, end, this.#failure);
  }

  #targetOf(which: "reply" | "forward"): RawTarget {
    if (this.#which !== which || this.#target === undefined) this.#target = emptyTarget();
    this.#which = which;
    return this.#target;
  }

  toModel(restarts: boolean): ClientAction {
    const payload = this.#target?.payload ?? emptyPayload();
    const metadata = present(this.#target?.metadata);
    switch (this.#which) {
      case "reply":
        return metadata === undefined ? { do: "reply", payload } : { do: "reply", payload, metadata };
      case "forward": {
        const { service, command } = this.#target ?? emptyTarget();
        return metadata === undefined
          ? { do: "forward", service, command, payload }
          : { do: "forward", service, command, payload, metadata };
      }
      case "failure":
        return failureOf(this.#failure ?? emptyFailure(), restarts);
      case undefined:
        return nothing;
    }
  }
}

function failureOf({ description, restart, grpcCode }: RawFailure, restarts: boolean): ClientAction {
  const action = { do: "fail", description, restart: restarts && restart } as const;
  return grpcCode === 0 ? action : { ...action, grpcCode };
}

/** Metadata with entries, else `undefined`: an empty message says as much as none. */
function present(metadata: MutableMetadata | undefined): CommandMetadata | undefined {
  return metadata === undefined || metadata.length === 0 ? undefined : metadata;
}

function readEffect(r: Reader, end: number): SideEffect {
  const raw = emptyTarget();
  readTarget(r, end, raw, 0x2a);
  const { service, command, synchronous } = raw;
  const payload = raw.payload ?? emptyPayload();
  const metadata = present(raw.metadata);
  return metadata === undefined ? { service, command, payload, synchronous } : { service, command, payload, synchronous, metadata };
}

/** Forward and SideEffect differ in where metadata is (4 or 5) and in `synchronous` = 4 of the latter. */
function readTarget(r: Reader, end: number, into: RawTarget, metadataTag: number): void {
  while (r.pos < end) {
    const tag = r.tag(end);
    if (tag === 0x0a) into.service = r.name(end);
    else if (tag === 0x12) into.command = r.name(end);
    else if (tag === 0x1a) into.payload = readAny(r, r.length(end), into.payload ?? emptyPayload());
    else if (tag === metadataTag) into.metadata = readMetadata(r, r.length(end), into.metadata ?? []);
    else if (tag === 0x20 && metadataTag === 0x2a) into.synchronous = r.bool(end);
    else r.skip(tag, end);
  }
}

/** Failure: command_id=1 description=2, restart=3 (Cloudstate only), grpc_status_code=4 (Kalix only) */
function readFailure(r: Reader, end: number, into: RawFailure): void {
  while (r.pos < end) {
    const tag = r.tag(end);
    if (tag === 0x08) into.commandId = r.int64(end);
    else if (tag === 0x12) into.description = r.text(end);
    else if (tag === 0x18) into.restart = r.bool(end);
    else if (tag === 0x20) into.grpcCode = r.int64(end);
    else r.skip(tag, end);
  }
}

/** Any: type_url=1 value=2 */
function readAny(r: Reader, end: number, into: MutablePayload): MutablePayload {
  while (r.pos < end) {
    const tag = r.tag(end);
    if (tag === 0x0a) into.typeUrl = r.name(end);
    else if (tag === 0x12) into.value = r.view(end);
    else r.skip(tag, end);
  }
  return into;
}

/** Metadata: entries=1 rep { key=1; oneof { string_value=2, bytes_value=3 } }. An entry without a value is the empty text. */
function readMetadata(r: Reader, end: number, into: MutableMetadata): MutableMetadata {
  while (r.pos < end) {
    const tag = r.tag(end);
    if (tag === 0x0a) into.push(readMetadataEntry(r, r.length(end)));
    else r.skip(tag, end);
  }
  return into;
}

function readMetadataEntry(r: Reader, end: number): readonly [string, string | Uint8Array] {
  let key = "";
  let value: string | Uint8Array = "";
  while (r.pos < end) {
    const tag = r.tag(end);
    if (tag === 0x0a) key = r.name(end);
    else if (tag === 0x12) value = r.text(end);
    else if (tag === 0x1a) value = r.view(end);
    else r.skip(tag, end);
  }
  return [key, value];
}
