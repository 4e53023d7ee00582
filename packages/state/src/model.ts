/** The words every part of the state engine shares. See the glossary in ARCHITECTURE.md. */
import type { Schedule } from "@mecha/schedule";
import type { MetadataValue } from "@mecha/wire";
import type { CrdtPort } from "./crdt/port.ts";

/** A value with its type, as google.protobuf.Any carries it. */
export interface Payload {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** Who an entity is (E1): four columns, never joined. `namespace` is `default` until Kubernetes resources arrive. */
export interface EntityAddress {
  readonly namespace: string;
  /** Full name of the gRPC service, e.g. `shop.Cart`. */
  readonly service: string;
  /** The name the function gives its records; it survives a rename of the service. */
  readonly persistenceId: string;
  /** UTF-8 without NUL, 1 to 512 bytes. */
  readonly entityId: string;
}

/** Longest entity id, in bytes of UTF-8 (E1). */
export const entityIdMaxBytes = 512;

/** Transport headers that travel with a command or reply. */
export type CommandMetadata = readonly (readonly [key: string, value: MetadataValue])[];

/** What kind of component a service is. */
export type ComponentKind = StoredKind | "action";

/** Kinds of entities: what is stored of one. */
export type StoredKind = "eventSourced" | "value" | "crdt";

/** One method of a component, as discovery found it. */
export interface ComponentMethod {
  /** Bare name, `AddItem`. */
  readonly name: string;
  readonly streamedIn: boolean;
  readonly streamedOut: boolean;
  /** `type.googleapis.com/<input message>` */
  readonly inputTypeUrl: string;
  readonly outputTypeUrl: string;
  /**
   * Reads the entity id out of a serialized input message. Entities only.
   * @throws Fault("invalid") naming the field when the bytes are malformed or the id breaks E1.
   */
  readonly entityId?: (message: Uint8Array) => string;
  /** Where its messages come from, beside callers. */
  readonly consumes?: EventSource;
  /** The topic its replies are published to. */
  readonly publishes?: string;
}

/** Where a method's messages come from, as the function declared it. */
export interface EventSource {
  /** `eventLog`: the events of the entities with the persistence id `name`. */
  readonly from: "eventLog" | "topic";
  readonly name: string;
  /** Methods of one group hear of each event once between them. Never empty. */
  readonly group: string;
}

/** A gRPC service of the user's, hosted by a function. */
export interface Component {
  readonly kind: ComponentKind;
  /** Full gRPC service name. */
  readonly service: string;
  /** Empty for actions. */
  readonly persistenceId: string;
  readonly methods: ReadonlyMap<string, ComponentMethod>;
  /** Idle time after which an entity is passivated, ms; `undefined` = the engine's default (30 s). */
  readonly passivationMs: number | undefined;
  /** Where its code runs. */
  readonly function: FunctionPort;
}

/** A command on its way to a component. */
export interface Command {
  /** Bare method name. */
  readonly name: string;
  readonly payload: Payload;
  readonly metadata?: CommandMetadata;
  /** The caller's id of the command, when it gave one; stored with the step. */
  readonly id?: string;
  /** An event caused it: its metadata says which, and goes to entities too, which get none of callers' (facts/cloudstate.md §1.9). */
  readonly event?: true;
  /** What the engine says about it. Goes in front of `metadata`, and to entities also where the caller's stays behind. */
  readonly about?: CommandMetadata;
}

/** What surrounds a call on its way through effects and forwards. */
export interface CallContext {
  /** Monotonic ms after which nobody waits any more; `undefined` = no deadline. */
  readonly deadlineMs?: number;
  /** Forwards and effects passed so far; past 32 a call fails with `exhausted` (E2). */
  readonly hops: number;
  /** W3C traceparent, stored with events. */
  readonly trace?: string;
  /** Aborted when the caller went away: drops the reply, never the command (E7). */
  readonly signal?: AbortSignal;
  /** The same as a plain fact, for callers that make a signal only when asked: making one costs more than the rest of a call's context. */
  readonly gone?: boolean;
}

/** Whether a call's caller went away. */
export function isGone(context: CallContext): boolean {
  return context.gone ?? context.signal?.aborted === true;
}

/** An answer to a caller. */
export interface Reply {
  /** Absent: an action that answers nothing. */
  readonly payload?: Payload;
  readonly metadata?: CommandMetadata;
}

/** What a component's code wants done beside its reply. */
export interface SideEffect {
  readonly service: string;
  readonly command: string;
  readonly payload: Payload;
  readonly metadata?: CommandMetadata;
  /** Awaited before the reply. */
  readonly synchronous: boolean;
}

/** What the function says the caller should get. */
export type ClientAction =
  | { readonly do: "reply"; readonly payload: Payload; readonly metadata?: CommandMetadata }
  | {
      readonly do: "forward";
      readonly service: string;
      readonly command: string;
      readonly payload: Payload;
      readonly metadata?: CommandMetadata;
    }
  /** A failure the user's code chose. `grpcCode` when the dialect can express one (default 2, UNKNOWN). */
  | { readonly do: "fail"; readonly description: string; readonly restart: boolean; readonly grpcCode?: number }
  | { readonly do: "nothing" };

/** What a command does to its entity's timers (E12). */
export type TimerAction =
  | {
      /** Replaces a timer of that name. */
      readonly do: "set";
      readonly name: string;
      readonly schedule: Schedule;
      /** Bare name of a command of this entity. */
      readonly command: string;
      readonly payload: Payload;
      readonly metadata?: CommandMetadata;
    }
  | { readonly do: "cancel"; readonly name: string };

/** A function's answer to one entity command. */
export interface EntityReply {
  /** Id of the command answered, as sent (starts at 1 for each stream). */
  readonly commandId: number;
  readonly action: ClientAction;
  readonly effects: readonly SideEffect[];
  /** Event sourced only. In order; may be empty. */
  readonly events: readonly Payload[];
  readonly snapshot?: Payload;
  /** Value entities only. */
  readonly state?: { readonly do: "update"; readonly value: Payload } | { readonly do: "delete" };
  /** In order. */
  readonly timers?: readonly TimerAction[];
}

/** What an entity's stream begins with. */
export type EntityInit =
  | { readonly kind: "eventSourced"; readonly snapshot?: { readonly sequence: number; readonly payload: Payload } }
  | { readonly kind: "value"; readonly value?: Payload };

/**
 * The user's code, as the engine reaches it. A dialect implements it (Cloudstate: one gRPC stream for each active entity).
 * Callbacks never run inside a method of the port.
 */
export interface FunctionPort {
  /** Opens the stream of one activation and sends its init. Failures arrive as `closed`. */
  openEntity(address: EntityAddress, init: EntityInit, events: EntityStreamEvents): EntityStream;
  /** Starts a call of an action. `streamedIn: false`: exactly one `message` follows, then `halfClose`. */
  openAction(service: string, method: ComponentMethod, open: ActionOpen, events: ActionCallEvents): ActionCall;
  /**
   * Commands of one entity it takes before it has answered the first of them; it carries them out one after the other and answers in order.
   * Default 1, as the Cloudstate protocol has it.
   */
  readonly window?: number;
  /** Tells the user's process about a mistake of its own. Best effort. */
  reportError(message: string): void;
  /** Streams of CRDTs. Absent: this protocol has none, so no component of it is one. */
  readonly crdt?: CrdtPort;
}

/** One activation's stream, engine → function. */
export interface EntityStream {
  /** Replays one stored event. `false`: wait for `drain` before the next (back-pressure). */
  event(sequence: number, payload: Payload): boolean;
  command(commandId: number, command: Command): void;
  /** No more commands; the function should end its side, which arrives as `closed()`. */
  halfClose(): void;
  /** Cuts the stream at once. No further callback follows. */
  reset(): void;
}

/** A function declared a failure of its stream or of one command (id 0 = the stream). */
export interface StreamFailure {
  readonly commandId: number;
  /** For the log. */
  readonly description: string;
  /** gRPC status for the caller, where the protocol lets the function choose one. Default 2, UNKNOWN. */
  readonly grpcCode?: number;
}

/** One activation's stream, function → engine. */
export interface EntityStreamEvents {
  reply(reply: EntityReply): void;
  failure(failure: StreamFailure): void;
  /**
   * The function broke the protocol; `problem` names what was wrong. The dialect has told the function and cut the stream; `closed` with
   * the same text follows at once. `about: "reply"`: it was a reply to a command that was not outstanding; that decides the text the caller
   * gets (facts/cloudstate.md §1.12). Default "message".
   */
  violation(problem: string, about?: "reply" | "message"): void;
  /** After `event` returned false. */
  drain(): void;
  /**
   * The function ended its side, or the connection was lost (`reason`). Last callback.
   * `unreached`: nothing of this stream reached the function (connection refused, stream refused). A command sent on it is then sent
   * again on the next stream instead of failing. Leave it out when in doubt.
   */
  closed(reason?: string, unreached?: boolean): void;
}

export interface ActionOpen {
  readonly metadata?: CommandMetadata;
  readonly timeoutMs?: number;
}

/** An action call, engine → function. */
export interface ActionCall {
  message(payload: Payload, metadata?: CommandMetadata): boolean;
  halfClose(): void;
  cancel(): void;
  pause(): void;
  resume(): void;
}

/** An action call, function → engine. */
export interface ActionCallEvents {
  response(response: { readonly action: ClientAction; readonly effects: readonly SideEffect[] }): void;
  drain(): void;
  /** Last callback. `code` 0 = ended well; else the gRPC status of the user's RPC, passed to the caller. */
  closed(code: number, message: string): void;
}
