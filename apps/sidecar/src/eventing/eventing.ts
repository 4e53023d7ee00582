/**
 * Events of one sidecar: consumer groups, started when a function that declares them is served, told when there is something new, stopped before the engine;
 * topics, and how messages get into them.
 *
 * N1 a group keeps its consumer, and so its place, while its methods change; one that nobody declares any more is stopped and its cursor stays. Of one group
 *    there is never a second consumer before the first has stopped
 * N2 nothing is sent while the function that would take it is not connected: that is no failure of the event
 */
import { assert, type Clock, Fault, type Log, type Metrics, type Random } from "@mecha/kit";
import {
  appendMax,
  type BoundEvent,
  Consumer,
  deliveryDefaults,
  type DeliveryLimits,
  eventLogReader,
  type EventSourceReader,
  type Outcome,
  planSubscriptions,
  type Subscription,
  type TopicListing,
  type TopicLog,
  type TopicMessage,
  topicProblem,
} from "@mecha/binding";
import type { Change, Component, Feed, StateEngine } from "@mecha/state";
import { attributesOf, type CloudEvent, eachOf, payloadOfEvent } from "@mecha/wire/cloudevents";
import { aboutDelivery, deliver } from "./deliver.ts";
import { EventingMeters } from "./meters.ts";
import { Parked, type ParkedPage } from "./parked.ts";
import { publishing, topicMessage, topicsComponent } from "./publishing.ts";
import { type GroupRetention, Retention } from "./retention.ts";
import { type Descriptors, typed } from "./typed.ts";

export interface EventingPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly engine: StateEngine;
  readonly feed: Feed;
  /** Absent: there are none here. */
  readonly topics: TopicLog | undefined;
  readonly limits?: Partial<DeliveryLimits>;
  /** Whether the function that serves it is connected. */
  reachable(service: string): boolean;
  readonly descriptors: Descriptors;
}

/** A consumer group as people see it. */
export interface GroupStatus {
  readonly subscriber: string;
  readonly group: string;
  readonly from: Subscription["from"];
  readonly name: string;
  readonly methods: readonly string[];
  /** Events it has not taken; at most. `undefined` while its cursor is read. */
  readonly lag: number | undefined;
  /** Its cursor: positions up to here are done, and a restart goes on behind it. Positions are the source's own and not without gaps. */
  readonly position: number | undefined;
  readonly sending: number;
  readonly connected: boolean;
  /** Of a topic: how it stands to what is removed. `undefined` until that is known. */
  readonly retention: GroupRetention | undefined;
}

interface Running {
  subscription: Subscription;
  readonly consumer: Consumer;
}

/**
 * Events from outside that may be on their way into the log at once, and the bytes of their data. A log on a slow disk (10 ms an fsync, which all that wait
 * share) takes so many in a fraction of a second; past it callers are asked to wait, instead of filling memory.
 */
const publishingMax = 10_000;
const publishingBytesMax = 64 << 20;

/** See the file's header. */
export class Eventing {
  readonly #ports: EventingPorts;
  readonly #meters: EventingMeters;
  readonly #limits: DeliveryLimits;
  readonly #running = new Map<string, Running>();
  /** Consumers nobody wants any more, until they have stopped. */
  readonly #ending = new Map<string, Promise<void>>();
  readonly #parked: Parked;
  /** Persistence ids by service. */
  #persistenceIds: ReadonlyMap<string, string> = new Map();
  #components: readonly Component[] = [];
  #stopping = false;
  /** On their way into the log. */
  #publishing = 0;
  #publishingBytes = 0;
  readonly #retention: Retention | undefined;

  constructor(ports: EventingPorts) {
    this.#ports = ports;
    this.#meters = new EventingMeters(ports.metrics);
    this.#limits = { ...deliveryDefaults, ...ports.limits };
    this.#parked = new Parked(ports.feed, ports.topics);
    const { topics, clock, log } = ports;
    this.#retention = topics && new Retention({ topics, clock, log });
  }

  // ---- components -------------------------------------------------------------------------------------------------------------------

  /** The components as the engine is to have them: their replies published, and topics beside them. */
  forEngine(components: readonly Component[]): readonly Component[] {
    const { topics: log, clock } = this.#ports;
    const appended = (topic: string, isNew: boolean): void => {
      this.#meters.published(topic, [isNew]);
      this.#wake("topic", topic);
    };
    const topics = log && topicsComponent(components, log, clock, appended);
    return topics === undefined ? components : [...components, topics];
  }

  /** What keeps these components from being served here; `undefined` = nothing. */
  problem(components: readonly Component[]): string | undefined {
    const methods = components.flatMap(({ service, methods: all }) => [...all.values()].map((method) => ({ service, method })));
    for (const { service, method } of methods) {
      const { name, consumes, publishes } = method;
      const topic = publishes ?? (consumes?.from === "topic" ? consumes.name : undefined);
      if (topic === undefined) continue;
      if (this.#ports.topics === undefined) return `${service}.${name} uses topic ${topic}, and there are no topics here`;
      const wrong = topicProblem(topic);
      if (wrong !== undefined) return `${service}.${name}: the topic ${JSON.stringify(topic)} ${wrong}`;
    }
    return undefined;
  }

  /** A component whose replies are published where its methods say so. */
  publishing(component: Component): Component {
    return publishing(component, this.#ports);
  }

  /** What is served now. */
  update(components: readonly Component[]): void {
    if (this.#stopping) return;
    this.#components = components;
    this.#persistenceIds = new Map(components.map(({ service, persistenceId }) => [service, persistenceId]));
    const wanted = new Map(planSubscriptions(components).map((one) => [one.subscriber, one]));
    for (const [subscriber, { consumer }] of this.#running) if (!wanted.has(subscriber)) this.#end(subscriber, consumer);
    for (const subscription of wanted.values()) this.#run(subscription);
    this.wake();
  }

  #end(subscriber: string, consumer: Consumer): void {
    this.#running.delete(subscriber);
    this.#retention?.unwatch(subscriber);
    const ended = consumer.stop().then(() => {
      this.#ending.delete(subscriber);
      this.update(this.#components); // it may be wanted again
    });
    this.#ending.set(subscriber, ended);
  }

  #run(subscription: Subscription): void {
    const { subscriber } = subscription;
    const known = this.#running.get(subscriber);
    if (known !== undefined)
      known.subscription = subscription; // keeps N1
    else if (!this.#ending.has(subscriber)) this.#running.set(subscriber, this.#start(subscription));
  }

  #start(subscription: Subscription): Running {
    const { clock, log } = this.#ports;
    const { subscriber } = subscription;
    const readTo = (): number => this.#running.get(subscriber)?.consumer.readTo ?? 0;
    if (subscription.from === "topic") this.#retention?.watch(subscriber, this.#meters.retention(subscription), readTo);
    const running: Running = {
      subscription,
      consumer: new Consumer({
        subscriber,
        reader: this.#reader(subscription),
        limits: this.#limits,
        clock,
        log,
        meters: this.#meters.of(subscription),
        ready: () => this.#ready(running.subscription),
        about: (event) => aboutDelivery(running.subscription, event),
        deliver: (event, done) => this.#deliver(running.subscription, event, done),
      }),
    };
    return running;
  }

  #reader({ from, name }: Subscription): EventSourceReader {
    const { feed } = this.#ports;
    if (from === "eventLog") return eventLogReader(feed, name);
    const topics = this.#topicLog();
    return { cursors: topics, read: (after, limit) => topics.read(name, after, limit) };
  }

  /** keeps N2 */
  #ready({ methods }: Subscription): boolean {
    return !this.#stopping && methods.every(({ service }) => this.#ports.reachable(service));
  }

  #deliver(subscription: Subscription, event: BoundEvent, done: (outcome: Outcome) => void): void {
    const { engine, descriptors } = this.#ports;
    let wanted: BoundEvent;
    try {
      wanted = typed(subscription, event, descriptors);
    } catch (error) {
      assert(error instanceof Fault, String(error));
      done({ is: "failed", fault: error });
      return;
    }
    // While closing, what fails fails because of that.
    deliver(engine, subscription, wanted, (outcome) => done(this.#stopping && outcome.is === "failed" ? { is: "held" } : outcome));
  }

  // ---- news -------------------------------------------------------------------------------------------------------------------------

  /** A function came or went, or nobody knows what happened: all look again. */
  wake(): void {
    for (const { consumer } of this.#running.values()) consumer.wake();
  }

  /** An entity changed. */
  changed({ service }: Change): void {
    const persistenceId = this.#persistenceIds.get(service);
    if (persistenceId !== undefined && this.#running.size > 0) this.#wake("eventLog", persistenceId);
  }

  #wake(from: Subscription["from"], name: string): void {
    for (const { subscription, consumer } of this.#running.values())
      if (subscription.from === from && subscription.name === name) consumer.wake();
  }

  // ---- topics -----------------------------------------------------------------------------------------------------------------------

  /**
   * Appends events of somebody outside to a topic, durably.
   * @param trace The request's traceparent: what an event that does not say `traceparent` itself belongs to.
   * @returns how many of them were not there before.
   * @throws Fault("invalid") naming the topic or the event that is wrong, Fault("exhausted") while too many are on their way already; nothing is appended then.
   */
  async publish(topic: string, events: readonly CloudEvent[], trace?: string): Promise<number> {
    const problem = topicProblem(topic);
    if (problem !== undefined) throw new Fault("invalid", `the topic ${JSON.stringify(topic.slice(0, 100))} ${problem}`);
    if (events.length > appendMax) throw new Fault("invalid", `${events.length} events at once; the most is ${appendMax}`);
    const nowMs = this.#ports.clock.wall();
    const time = new Date(nowMs).toISOString();
    const own = trace === undefined ? [] : [["traceparent", trace] as const];
    const messages = eachOf(events, (event) =>
      topicMessage(topic, [...attributesOf({ time, ...event }), ...own], payloadOfEvent(event), nowMs),
    );
    const fresh = await this.#append(messages);
    this.#meters.published(topic, fresh);
    this.#wake("topic", topic);
    return fresh.filter(Boolean).length;
  }

  /** One request always fits, however large. */
  async #append(messages: readonly TopicMessage[]): Promise<readonly boolean[]> {
    const log = this.#topicLog();
    const bytes = messages.reduce((sum, { payload }) => sum + payload.value.length, 0);
    const full = this.#publishing + messages.length > publishingMax || this.#publishingBytes + bytes > publishingBytesMax;
    if (full && this.#publishing > 0)
      throw new Fault(
        "exhausted",
        `the log of topics is behind: ${this.#publishing} events (${this.#publishingBytes} bytes) wait to be stored; try again in a moment`,
      );
    this.#publishing += messages.length;
    this.#publishingBytes += bytes;
    try {
      return await log.append(messages);
    } finally {
      this.#publishing -= messages.length;
      this.#publishingBytes -= bytes;
    }
  }

  topics(): Promise<readonly TopicListing[]> {
    return this.#topicLog().topics();
  }

  /** How much topics keep. */
  get topicRetention(): TopicLog["retention"] {
    return this.#topicLog().retention;
  }

  #topicLog(): TopicLog {
    const { topics } = this.#ports;
    if (topics === undefined) throw new Fault("precondition", "there are no topics here");
    return topics;
  }

  // ---- people -----------------------------------------------------------------------------------------------------------------------

  groups(): readonly GroupStatus[] {
    return Array.from(this.#running.values(), ({ subscription, consumer }) => ({
      subscriber: subscription.subscriber,
      group: subscription.group,
      from: subscription.from,
      name: subscription.name,
      methods: subscription.methods.map(({ service, method }) => `${service}.${method.name}`),
      lag: consumer.lag,
      position: consumer.position,
      sending: consumer.sending,
      connected: this.#ready(subscription),
      retention: this.#retention?.of(subscription.subscriber),
    }));
  }

  parked(query: { readonly after?: string; readonly limit: number }): Promise<ParkedPage> {
    return this.#parked.list(query);
  }

  /** Delivers a parked event once more. @throws as `Parked.retry` */
  retryParked(id: string): Promise<void> {
    return this.#parked.retry(id, (subscriber, event) => {
      const subscription = this.#running.get(subscriber)?.subscription;
      if (subscription === undefined || !this.#ready(subscription)) return undefined;
      return new Promise((resolve) => this.#deliver(subscription, event, resolve));
    });
  }

  /** Forgets a parked event. @throws Fault("notFound") */
  skipParked(id: string): Promise<void> {
    return this.#parked.skip(id);
  }

  /** Sends no more; resolves when what was under way is answered and every cursor saved. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#retention?.stop();
    await Promise.all([...Array.from(this.#running.values(), ({ consumer }) => consumer.stop()), ...this.#ending.values()]);
  }
}
