/** A function played by a test: it keeps every stream and call, and answers as told or by itself. */
import { assert } from "@mecha/kit";
import type {
  ActionCall,
  ActionCallEvents,
  ActionOpen,
  ClientAction,
  Command,
  CommandMetadata,
  Component,
  ComponentKind,
  ComponentMethod,
  EntityAddress,
  EntityInit,
  EntityReply,
  EntityStream,
  EntityStreamEvents,
  FunctionPort,
  Payload,
  SideEffect,
  TimerAction,
} from "../model.ts";

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** A payload that holds `value` as UTF-8. */
export function payload(value: string, typeUrl = "type.googleapis.com/test.Text"): Payload {
  return { typeUrl, value: utf8.encode(value) };
}

/** What a payload of `payload` holds. */
export function textOf(of: Payload | undefined): string {
  return of === undefined ? "" : text.decode(of.value);
}

/** A client action that replies. */
export function replies(value: string): ClientAction {
  return { do: "reply", payload: payload(value) };
}

/** Parts of an entity's reply; what is left out is empty. */
export interface ReplyParts {
  readonly action?: ClientAction;
  readonly effects?: readonly SideEffect[];
  readonly events?: readonly string[];
  readonly snapshot?: string;
  readonly state?: string | null;
  readonly timers?: readonly TimerAction[];
}

/** One activation's stream, with what the engine sent on it. */
export class ScriptedStream implements EntityStream {
  readonly address: EntityAddress;
  readonly init: EntityInit;
  readonly to: EntityStreamEvents;
  /** Replayed events as `sequence:text`. */
  readonly events: string[] = [];
  readonly commands: { readonly id: number; readonly command: Command }[] = [];
  halfClosed = false;
  wasReset = false;
  ended = false;
  /** What `event` answers. */
  room = true;
  readonly #owner: ScriptedFunction;

  constructor(owner: ScriptedFunction, address: EntityAddress, init: EntityInit, to: EntityStreamEvents) {
    this.#owner = owner;
    this.address = address;
    this.init = init;
    this.to = to;
  }

  get entityId(): string {
    return this.address.entityId;
  }
  /** Neither reset nor ended. */
  get live(): boolean {
    return !this.wasReset && !this.ended;
  }
  /** Texts of the commands received. */
  get texts(): string[] {
    return this.commands.map(({ command }) => bodyOf(command));
  }

  event(sequence: number, event: Payload): boolean {
    assert(this.live && this.commands.length === 0, "an event after a command, or on a dead stream");
    this.events.push(`${sequence}:${textOf(event)}`);
    const { event: take } = this.#owner.script;
    if (take !== undefined) queueMicrotask(() => this.live && take(this, textOf(event)));
    return this.room;
  }
  command(id: number, command: Command): void {
    assert(this.live && !this.halfClosed, "a command on a stream that is closed");
    this.commands.push({ id, command });
    this.#owner.arrived(this, id, command);
  }
  halfClose(): void {
    assert(!this.halfClosed, "half-closed twice");
    this.halfClosed = true;
    this.#owner.halfClosed(this);
  }
  reset(): void {
    this.wasReset = true;
  }

  /** Answers the newest command, or `commandId`. */
  reply(parts: ReplyParts = {}, commandId = this.commands.at(-1)?.id ?? 0): void {
    this.to.reply(replyOf(commandId, parts));
  }
  /** Ends the stream as the function. */
  end(reason?: string, unreached?: boolean): void {
    this.ended = true;
    this.to.closed(reason, unreached);
  }
}

/** The id and the rest of a command made by `command`. */
export function bodyOf(command: Command): string {
  return textOf(command.payload).split("|")[1] ?? "";
}

export function replyOf(commandId: number, parts: ReplyParts): EntityReply {
  return {
    commandId,
    action: parts.action ?? replies("ok"),
    effects: parts.effects ?? [],
    events: (parts.events ?? []).map((event) => payload(event)),
    ...(parts.snapshot === undefined ? {} : { snapshot: payload(parts.snapshot) }),
    ...(parts.state === undefined
      ? {}
      : { state: parts.state === null ? { do: "delete" } : { do: "update", value: payload(parts.state) } }),
    ...(parts.timers && { timers: parts.timers }),
  };
}

/** A call of an action, with what the engine sent on it. */
export class ScriptedCall implements ActionCall {
  readonly service: string;
  readonly method: ComponentMethod;
  readonly open: ActionOpen;
  readonly to: ActionCallEvents;
  readonly messages: string[] = [];
  readonly metadata: (CommandMetadata | undefined)[] = [];
  halfClosed = false;
  cancelled = false;
  paused = false;
  /** What `message` answers. */
  room = true;

  constructor(service: string, method: ComponentMethod, open: ActionOpen, to: ActionCallEvents) {
    this.service = service;
    this.method = method;
    this.open = open;
    this.to = to;
  }
  message(message: Payload, metadata?: CommandMetadata): boolean {
    this.messages.push(textOf(message));
    this.metadata.push(metadata);
    return this.room;
  }
  halfClose(): void {
    this.halfClosed = true;
  }
  cancel(): void {
    this.cancelled = true;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  respond(action: ClientAction, effects: readonly SideEffect[] = []): void {
    this.to.response({ action, effects });
  }
}

/** What a function does by itself. Each runs on a later turn, as a real one's answers do. */
export interface Script {
  /** Answers a command; `undefined` = the test will. */
  readonly command?: (stream: ScriptedStream, id: number, command: Command) => ReplyParts | undefined;
  /** Takes a replayed event. */
  readonly event?: (stream: ScriptedStream, text: string) => void;
  /** Ends its side after a half-close. Default true. */
  readonly endsOnHalfClose?: boolean;
  /** Plays an action's call. */
  readonly action?: (call: ScriptedCall) => void;
}

/** See the file's header. */
export class ScriptedFunction implements FunctionPort {
  readonly streams: ScriptedStream[] = [];
  readonly calls: ScriptedCall[] = [];
  readonly errors: string[] = [];
  script: Script;
  /** Commands of one entity it takes at once. */
  window = 1;
  /** While set, streams end at once with this reason, unreached. */
  down: string | undefined;

  constructor(script: Script = {}) {
    this.script = script;
  }

  openEntity(address: EntityAddress, init: EntityInit, to: EntityStreamEvents): ScriptedStream {
    const stream = new ScriptedStream(this, address, init, to);
    this.streams.push(stream);
    const { down } = this;
    if (down !== undefined) queueMicrotask(() => stream.live && stream.end(down, true));
    return stream;
  }
  openAction(service: string, method: ComponentMethod, open: ActionOpen, to: ActionCallEvents): ScriptedCall {
    const call = new ScriptedCall(service, method, open, to);
    this.calls.push(call);
    queueMicrotask(() => this.script.action?.(call));
    return call;
  }
  reportError(message: string): void {
    this.errors.push(message);
  }

  /** Streams neither reset nor ended. */
  get live(): ScriptedStream[] {
    return this.streams.filter((stream) => stream.live);
  }
  /** The newest stream. */
  get last(): ScriptedStream {
    const stream = this.streams.at(-1);
    assert(stream, "no stream was opened");
    return stream;
  }
  /** The newest call of an action. */
  get lastCall(): ScriptedCall {
    const call = this.calls.at(-1);
    assert(call, "no action was called");
    return call;
  }

  arrived(stream: ScriptedStream, id: number, command: Command): void {
    if (this.down !== undefined) return;
    queueMicrotask(() => {
      const parts = stream.live ? this.script.command?.(stream, id, command) : undefined;
      if (parts !== undefined) stream.reply(parts, id);
    });
  }
  halfClosed(stream: ScriptedStream): void {
    if (this.script.endsOnHalfClose === false) return;
    queueMicrotask(() => stream.live && stream.end());
  }
}

/** A component of `port` whose commands are made by `command`. */
export function component(
  port: FunctionPort,
  service = "shop.Cart",
  kind: ComponentKind = "eventSourced",
  more: Partial<Component> & { readonly methodNames?: readonly string[]; readonly shape?: Partial<ComponentMethod> } = {},
): Component {
  const { methodNames = ["Do"], shape = {}, ...rest } = more;
  const methods = methodNames.map((name): ComponentMethod => ({
    name,
    streamedIn: false,
    streamedOut: false,
    inputTypeUrl: "type.googleapis.com/test.Text",
    outputTypeUrl: "type.googleapis.com/test.Text",
    ...(kind === "action" ? {} : { entityId: (message: Uint8Array) => text.decode(message).split("|")[0] as string }),
    ...shape,
  }));
  return {
    kind,
    service,
    persistenceId: kind === "action" ? "" : service.toLowerCase(),
    methods: new Map(methods.map((method) => [method.name, method])),
    passivationMs: undefined,
    function: port,
    ...rest,
  };
}

/** A command whose payload is `<entity id>|<body>`. */
export function command(entityId: string, body = "", name = "Do"): Command {
  return { name, payload: payload(`${entityId}|${body}`) };
}
