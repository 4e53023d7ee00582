/**
 * Consumer groups of one sidecar: started when a function that declares them is served, told when there is something new, stopped before the engine.
 *
 * N1 a group keeps its consumer, and so its place, while its methods change; one that nobody declares any more is stopped and its cursor stays
 * N2 nothing is sent while the function that would take it is not connected: that is no failure of the event
 */
import type { Clock, Log, Metrics } from "@mecha/kit";
import { Consumer, deliveryDefaults, type DeliveryLimits, eventLogReader, planSubscriptions, type Subscription } from "@mecha/binding";
import type { Change, Component, Feed, StateEngine } from "@mecha/state";
import { deliver } from "./deliver.ts";
import { EventingMeters } from "./meters.ts";

export interface EventingPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly engine: StateEngine;
  readonly feed: Feed;
  readonly limits?: Partial<DeliveryLimits>;
  /** Whether the function that serves it is connected. */
  reachable(service: string): boolean;
}

interface Running {
  subscription: Subscription;
  readonly consumer: Consumer;
}

/** See the file's header. */
export class Eventing {
  readonly #ports: EventingPorts;
  readonly #meters: EventingMeters;
  readonly #limits: DeliveryLimits;
  readonly #running = new Map<string, Running>();
  /** Consumers of event logs by persistence id. */
  #byLog = new Map<string, Consumer[]>();
  /** Persistence ids by service. */
  #persistenceIds: ReadonlyMap<string, string> = new Map();
  #stopping = false;

  constructor(ports: EventingPorts) {
    this.#ports = ports;
    this.#meters = new EventingMeters(ports.metrics);
    this.#limits = { ...deliveryDefaults, ...ports.limits };
  }

  /** What is served now. */
  update(components: readonly Component[]): void {
    if (this.#stopping) return;
    const wanted = new Map(planSubscriptions(components).map((one) => [one.subscriber, one]));
    for (const [subscriber, { consumer }] of this.#running) {
      if (wanted.has(subscriber)) continue;
      this.#running.delete(subscriber);
      void consumer.stop();
    }
    for (const subscription of wanted.values()) this.#run(subscription);
    this.#persistenceIds = new Map(components.map(({ service, persistenceId }) => [service, persistenceId]));
    this.#byLog = new Map();
    for (const { subscription, consumer } of this.#running.values())
      if (subscription.from === "eventLog") this.#byLog.set(subscription.name, [...(this.#byLog.get(subscription.name) ?? []), consumer]);
    this.wake();
  }

  #run(subscription: Subscription): void {
    const { subscriber } = subscription;
    const known = this.#running.get(subscriber);
    if (known !== undefined)
      known.subscription = subscription; // keeps N1
    else if (subscription.from === "eventLog") this.#running.set(subscriber, this.#start(subscription));
  }

  #start(subscription: Subscription): Running {
    const { clock, log, engine, feed } = this.#ports;
    const running: Running = {
      subscription,
      consumer: new Consumer({
        subscriber: subscription.subscriber,
        reader: eventLogReader(feed, subscription.name),
        limits: this.#limits,
        clock,
        log,
        meters: this.#meters.of(subscription),
        ready: () => this.#ready(running.subscription),
        deliver: (event, done) =>
          deliver(engine, running.subscription, event, (outcome) =>
            done(this.#stopping && outcome.is === "failed" ? { is: "held" } : outcome),
          ),
      }),
    };
    return running;
  }

  /** keeps N2 */
  #ready({ methods }: Subscription): boolean {
    return !this.#stopping && methods.every(({ service }) => this.#ports.reachable(service));
  }

  /** A function came or went, or nobody knows what happened: all look again. */
  wake(): void {
    for (const { consumer } of this.#running.values()) consumer.wake();
  }

  /** An entity changed. */
  changed({ service }: Change): void {
    const persistenceId = this.#persistenceIds.get(service);
    if (persistenceId === undefined) return;
    for (const consumer of this.#byLog.get(persistenceId) ?? []) consumer.wake();
  }

  /** Sends no more; resolves when what was under way is answered and every cursor saved. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(Array.from(this.#running.values(), ({ consumer }) => consumer.stop()));
  }
}
