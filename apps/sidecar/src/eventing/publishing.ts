/**
 * What components publish. A reply of a method with `eventing.out` becomes an effect: a message to the topic, stored in the commit of the step whose reply it
 * is, and sent from the outbox (E10) to the component below, which appends it to the log.
 *
 * P1 a message's id is chosen before it is stored, so that however often it is sent, the log takes it once
 * P2 what an action publishes while it takes an event has an id derived from that event: delivered again, it publishes nothing new
 * P3 failures and forwards publish nothing; the target of a forward publishes what it replies
 */
import { type Clock, Fault, parseTraceparent, type Random, uuid } from "@mecha/kit";
import { type TopicLog, type TopicMessage } from "@mecha/binding";
import type {
  ActionCall,
  ActionCallEvents,
  ActionOpen,
  ClientAction,
  CommandMetadata,
  Component,
  ComponentMethod,
  EntityStream,
  EntityStreamEvents,
  FunctionPort,
  Payload,
  SideEffect,
} from "@mecha/state";
import { messageTypeUrl } from "@mecha/wire";
import { contentOfPayload } from "@mecha/wire/cloudevents";

/** Service that appends to topics; its commands are their names. Not reachable from outside. */
export const topicsService = "mecha.Topics";

export interface PublishingPorts {
  readonly clock: Clock;
  readonly random: Random;
}

/** Whose reply it is. */
interface Publisher {
  readonly service: string;
  readonly topic: string;
  readonly subject?: string;
  /** Absent: a new one. */
  readonly id?: string;
}

interface Answered {
  readonly action: ClientAction;
  readonly effects: readonly SideEffect[];
}

/** The component, its replies published where its methods say so; itself when none does. */
export function publishing(component: Component, ports: PublishingPorts): Component {
  if (![...component.methods.values()].some(({ publishes }) => publishes !== undefined)) return component;
  const { function: inner, methods, service } = component;
  const withMessage = <T extends Answered>(answer: T, publisher: Publisher): T => ({
    ...answer,
    effects: [...answer.effects, ...messageOf(answer.action, publisher, ports)],
  });
  const port: FunctionPort = {
    ...(inner.crdt && { crdt: inner.crdt }),
    ...(inner.window !== undefined && { window: inner.window }),
    reportError: (message) => inner.reportError(message),
    openEntity(address, init, events) {
      /** By command, the topic its reply goes to: a function may be sent several ahead. */
      const topics = new Map<number, string>();
      const reply: EntityStreamEvents["reply"] = (given) => {
        const topic = topics.get(given.commandId);
        topics.delete(given.commandId);
        events.reply(topic === undefined ? given : withMessage(given, { service, topic, subject: address.entityId }));
      };
      const stream = inner.openEntity(address, init, entityEvents(events, reply));
      return entityStream(stream, (id, command) => {
        const topic = methods.get(command)?.publishes;
        if (topic !== undefined) topics.set(id, topic);
      });
    },
    openAction(called, method, open, events) {
      const topic = method.publishes;
      if (topic === undefined) return inner.openAction(called, method, open, events);
      let answers = 0;
      const response: ActionCallEvents["response"] = (given) =>
        events.response(withMessage(given, { service, topic, ...eventId(open.metadata, `${service}.${method.name}`, answers++) }));
      return inner.openAction(called, method, open, {
        response,
        drain: () => events.drain(),
        closed: (code, message) => events.closed(code, message),
      });
    },
  };
  return { ...component, function: port };
}

function entityEvents(events: EntityStreamEvents, reply: EntityStreamEvents["reply"]): EntityStreamEvents {
  return {
    reply,
    failure: (failure) => events.failure(failure),
    violation: (problem, about) => events.violation(problem, about),
    drain: () => events.drain(),
    closed: (reason, unreached) => events.closed(reason, unreached),
  };
}

function entityStream(stream: EntityStream, sends: (id: number, command: string) => void): EntityStream {
  return {
    event: (sequence, payload) => stream.event(sequence, payload),
    command: (id, command) => {
      sends(id, command.name);
      stream.command(id, command);
    },
    halfClose: () => stream.halfClose(),
    reset: () => stream.reset(),
  };
}

/** keeps P2 */
function eventId(metadata: CommandMetadata | undefined, by: string, answer: number): { readonly id?: string; readonly subject?: string } {
  const [id, source, subject] = ["ce-id", "ce-source", "ce-subject"].map((name) => textIn(metadata, name));
  if (id === undefined || source === undefined) return {};
  return { id: `${by}/${answer} ${source} ${id}`, ...(subject !== undefined && { subject }) };
}

function textIn(metadata: CommandMetadata | undefined, name: string): string | undefined {
  const value = metadata?.find(([key]) => key.toLowerCase() === name)?.[1];
  return typeof value === "string" ? value : undefined;
}

function messageOf(action: ClientAction, publisher: Publisher, ports: PublishingPorts): SideEffect[] {
  if (action.do !== "reply") return []; // keeps P3
  const { topic: command } = publisher;
  const metadata = attributesOfReply(action.payload, action.metadata ?? [], publisher, ports);
  return [{ service: topicsService, command, payload: action.payload, metadata, synchronous: false }];
}

/** What the reply's own metadata says of the event holds; the rest is made up (facts/cloudstate.md §1.9). */
function attributesOfReply(
  payload: Payload,
  own: CommandMetadata,
  publisher: Publisher,
  { clock, random }: PublishingPorts,
): CommandMetadata {
  const { service, subject, id = uuid(random) } = publisher; // keeps P1
  const { type, contentType } = contentTypeOf(payload);
  const made: [string, string][] = [
    ["ce-id", id],
    ["ce-source", service],
    ["ce-specversion", "1.0"],
    ["ce-type", type],
    ...(subject === undefined ? [] : [["ce-subject", subject] as [string, string]]),
    ["ce-time", new Date(clock.wall()).toISOString()],
    ["Content-Type", contentType],
  ];
  const said = own.filter(([key]) => /^ce-/i.test(key) && key.toLowerCase() !== "ce-specversion");
  const names = new Set(said.map(([key]) => key.toLowerCase()));
  return [...made.filter(([key]) => !names.has(key.toLowerCase())), ...said];
}

/** A reply whose JSON or primitive is damaged is published as what it is, bytes: its reader will see. */
function contentTypeOf(payload: Payload): { readonly type: string; readonly contentType: string } {
  try {
    const { type, dataContentType } = contentOfPayload(payload);
    return { type, contentType: dataContentType };
  } catch {
    return { type: payload.typeUrl, contentType: "application/octet-stream" };
  }
}

/** Hears that a topic was appended to; `isNew`: the log did not have the message before. */
type Appended = (topic: string, isNew: boolean) => void;

/** The component that appends; `undefined` when nothing is published. */
export function topicsComponent(components: readonly Component[], log: TopicLog, clock: Clock, appended: Appended): Component | undefined {
  const topics = new Set(components.flatMap(({ methods }) => [...methods.values()].flatMap(({ publishes }) => publishes ?? [])));
  if (topics.size === 0) return undefined;
  const any = messageTypeUrl("google.protobuf.Any");
  const method = (name: string): ComponentMethod => ({
    name,
    streamedIn: false,
    streamedOut: false,
    inputTypeUrl: any,
    outputTypeUrl: any,
  });
  return {
    kind: "action",
    service: topicsService,
    persistenceId: "",
    methods: new Map([...topics].map((name) => [name, method(name)])),
    passivationMs: undefined,
    function: {
      openEntity: () => {
        throw new Error("assertion failed: topics are no entities");
      },
      openAction: (_service, { name }, open, events) => new Append(name, open, events, { log, clock, appended }),
      reportError: () => undefined,
    },
  };
}

/** One message on its way into the log. */
class Append implements ActionCall {
  readonly #topic: string;
  readonly #metadata: CommandMetadata;
  readonly #events: ActionCallEvents;
  readonly #to: { readonly log: TopicLog; readonly clock: Clock; readonly appended: Appended };
  #payload: Payload | undefined;
  #over = false;

  constructor(topic: string, open: ActionOpen, events: ActionCallEvents, to: { log: TopicLog; clock: Clock; appended: Appended }) {
    this.#topic = topic;
    this.#metadata = open.metadata ?? [];
    this.#events = events;
    this.#to = to;
  }

  message(payload: Payload): boolean {
    this.#payload = payload;
    return true;
  }

  halfClose(): void {
    const { log, clock, appended } = this.#to;
    if (this.#payload === undefined) return;
    const message = topicMessage(this.#topic, this.#metadata, this.#payload, clock.wall());
    log.append([message]).then(
      ([isNew = false]) => {
        appended(this.#topic, isNew);
        if (this.#over) return;
        this.#events.response({ action: { do: "nothing" }, effects: [] });
        this.#events.closed(0, "");
      },
      (cause: unknown) => {
        const { message: text } = Fault.from(cause, `append to topic ${this.#topic}`, "unavailable");
        if (!this.#over) this.#events.closed(14, text);
      },
    );
  }

  cancel(): void {
    this.#over = true;
  }
  pause(): void {
    // There is nothing to hold back.
  }
  resume(): void {
    // There is nothing to hold back.
  }
}

/** A message with these attributes. Those with one partition key, or else one subject, keep their order. */
export function topicMessage(topic: string, metadata: CommandMetadata, payload: Payload, timeMs: number): TopicMessage {
  const attributes = metadata.filter(([name]) => /^ce-|^content-type$/i.test(name));
  const [id = "", source = "", key = textIn(attributes, "ce-subject")] = ["ce-id", "ce-source", "ce-partitionkey"].map((name) =>
    textIn(attributes, name),
  );
  const traces = ["ce-traceparent", "traceparent"].map((name) => textIn(metadata, name));
  const trace = traces.find((text) => parseTraceparent(text) !== undefined);
  return { topic, id, source, attributes, payload, timeMs, ...(key !== undefined && { key }), ...(trace !== undefined && { trace }) };
}
