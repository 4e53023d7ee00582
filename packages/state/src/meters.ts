/**
 * Counts of the engine. The hot path adds to plain numbers, which reach the metrics port once a second, because a labelled counter costs more
 * than the rest of a command; times go straight into histograms whose labels were looked up before.
 *
 * Two families of names: ours (`mecha_`, label `service`), for every kind of component, and those of the reference proxy
 * (`cloudstate_eventsourced_`, label `entity_name` = the persistence id, facts/cloudstate.md §2.4), for event-sourced entities only, so that
 * dashboards made for it go on working.
 */
import { type BoundHistogram, type Clock, type Counter, type Gauge, type Histogram, latencyBuckets, type Metrics } from "@mecha/kit";
import type { Component } from "./model.ts";
import type { Store } from "./store.ts";
import { type TimerWheel, WheelTimer } from "./timing/wheel.ts";

/** How late figures may be, ms. */
const flushMs = 1_000;

/** Names and helps of our counters, by field of `ServiceMeters`. */
const ours = {
  receivedCommands: ["mecha_received_commands_total", "Commands that arrived for entities."],
  completedCommands: ["mecha_completed_commands_total", "Commands of entities whose step was released."],
  failedCommands: ["mecha_failed_commands_total", "Commands of entities that ended without a step, or whose step was not stored."],
  queuedCommands: ["mecha_queued_commands_total", "Commands that waited for their entity: it was busy, or not active yet."],
  activatedEntities: ["mecha_activated_entities_total", "Entities that became active."],
  passivatedEntities: ["mecha_passivated_entities_total", "Entities that were let go."],
  failedEntities: ["mecha_failed_entities_total", "Streams that ended by a failure, a broken protocol or a time-out."],
  persistedEvents: ["mecha_persisted_events_total", "Events stored."],
  persistedBytes: ["mecha_persisted_bytes_total", "Bytes of events, snapshots and values stored."],
  loadedEvents: ["mecha_loaded_events_total", "Events replayed."],
  loadedBytes: ["mecha_loaded_bytes_total", "Bytes of events, snapshots and values sent to functions when entities became active."],
  actionCalls: ["mecha_action_calls_total", "Calls of actions."],
} as const;

/** The reference's counters, without their prefix. */
const theirs = {
  receivedCommands: ["received_commands_total", "Commands that arrived."],
  completedCommands: ["completed_commands_total", "Commands that were answered."],
  failedCommands: ["failed_commands_total", "Commands that failed."],
  queuedCommands: ["stashed_commands_total", "Commands that had to wait for their entity."],
  unstashedCommands: ["unstashed_commands_total", "Commands that waited and were then sent to the function."],
  activatedEntities: ["activated_entities_total", "Entities that became active."],
  passivatedEntities: ["passivated_entities_total", "Entities that were passivated."],
  failedEntities: ["failed_entities_total", "Entities that failed."],
  persistedEvents: ["persisted_events_total", "Events stored."],
  persistedEventBytes: ["persisted_event_bytes_total", "Bytes of events stored."],
  persistedSnapshots: ["persisted_snapshots_total", "Snapshots stored."],
  persistedSnapshotBytes: ["persisted_snapshot_bytes_total", "Bytes of snapshots stored."],
  loadedEvents: ["loaded_events_total", "Events loaded."],
  loadedEventBytes: ["loaded_event_bytes_total", "Bytes of events loaded."],
  loadedSnapshots: ["loaded_snapshots_total", "Snapshots loaded."],
  loadedSnapshotBytes: ["loaded_snapshot_bytes_total", "Bytes of snapshots loaded."],
} as const;

type CountName = keyof typeof ours | keyof typeof theirs;
const prefix = "cloudstate_eventsourced_";

/** Times of one service, seconds. Label lookups are done. */
interface Times {
  readonly recovery: BoundHistogram;
  readonly queue: BoundHistogram;
  readonly processing: BoundHistogram;
  readonly total: BoundHistogram;
}

/** The reference has two more; only event-sourced entities have them. */
interface ReferenceTimes extends Times {
  readonly persist: BoundHistogram;
  readonly active: BoundHistogram;
}

/** Counts of one service. Add to the fields, then call `Meters.changed`. */
export class ServiceMeters implements Record<CountName, number> {
  receivedCommands = 0;
  completedCommands = 0;
  failedCommands = 0;
  queuedCommands = 0;
  unstashedCommands = 0;
  activatedEntities = 0;
  passivatedEntities = 0;
  failedEntities = 0;
  persistedEvents = 0;
  persistedEventBytes = 0;
  persistedSnapshots = 0;
  persistedSnapshotBytes = 0;
  persistedBytes = 0;
  loadedEvents = 0;
  loadedEventBytes = 0;
  loadedSnapshots = 0;
  loadedSnapshotBytes = 0;
  loadedBytes = 0;
  actionCalls = 0;
  readonly #ours: Times;
  readonly #theirs: ReferenceTimes | undefined;

  constructor(own: Times, reference: ReferenceTimes | undefined) {
    this.#ours = own;
    this.#theirs = reference;
  }

  /** From opening its record to the end of replay. */
  recovered(ms: number): void {
    this.#ours.recovery.observe(ms / 1_000);
    this.#theirs?.recovery.observe(ms / 1_000);
  }
  /** A command that had waited went to the function. */
  unqueued(ms: number): void {
    this.unstashedCommands++;
    this.#ours.queue.observe(ms / 1_000);
    this.#theirs?.queue.observe(ms / 1_000);
  }
  /** The function answered a command. */
  processed(ms: number): void {
    this.#ours.processing.observe(ms / 1_000);
    this.#theirs?.processing.observe(ms / 1_000);
  }
  /** A command was released. */
  completed(ms: number): void {
    this.completedCommands++;
    this.#ours.total.observe(ms / 1_000);
    this.#theirs?.total.observe(ms / 1_000);
  }
  /** A step was stored. */
  stored(ms: number): void {
    this.#theirs?.persist.observe(ms / 1_000);
  }
  /** An entity that had been active ended. */
  ended(activeMs: number): void {
    this.#theirs?.active.observe(activeMs / 1_000);
  }
}

/** Steps of a group whose size is worth telling apart. */
const groupBuckets = [1, 4, 16, 64, 256, 1024];

/** All of one engine. */
export class Meters extends WheelTimer {
  readonly #wheel: TimerWheel;
  readonly #ours: readonly (readonly [CountName, Counter])[];
  readonly #theirs: readonly (readonly [CountName, Counter])[];
  readonly #ourTimes: Record<keyof Times, Histogram>;
  readonly #theirTimes: Record<keyof ReferenceTimes, Histogram>;
  readonly #active: Gauge;
  readonly #open: Gauge;
  readonly #groupSteps: BoundHistogram;
  readonly #commitSeconds: BoundHistogram;
  readonly #services = new Map<string, { readonly meters: ServiceMeters; readonly entityName: string | undefined }>();
  readonly #gauges: () => { active: number; open: number };
  #dirty = false;

  constructor(metrics: Metrics, wheel: TimerWheel, gauges: () => { active: number; open: number }) {
    super();
    this.#wheel = wheel;
    this.#gauges = gauges;
    this.#ours = countersOf(metrics, ours, "", "service");
    this.#theirs = countersOf(metrics, theirs, prefix, "entity_name");
    const own = (name: string, help: string): Histogram => metrics.histogram(`mecha_${name}`, help, latencyBuckets, ["service"]);
    this.#ourTimes = {
      recovery: own("recovery_seconds", "From opening an entity's record to the end of replay."),
      queue: own("command_queue_seconds", "How long commands that had to wait for their entity did."),
      processing: own("command_processing_seconds", "From sending a command to the function to its reply."),
      total: own("command_seconds", "From a command's arrival to its durable step."),
    };
    const their = (name: string, help: string): Histogram => metrics.histogram(`${prefix}${name}`, help, latencyBuckets, ["entity_name"]);
    this.#theirTimes = {
      recovery: their("recovery_time_seconds", "Time to load an entity."),
      queue: their("command_stash_time_seconds", "How long commands waited for their entity."),
      processing: their("command_processing_time_seconds", "How long the function took for a command."),
      total: their("command_total_time_seconds", "From a command's arrival to its answer."),
      persist: their("persist_time_seconds", "How long storing took."),
      active: metrics.summary(
        `${prefix}entity_active_time_seconds`,
        "How long entities were active.",
        [0.5, 0.95, 0.99, 1],
        ["entity_name"],
      ),
    };
    this.#active = metrics.gauge("mecha_active_entities", "Entities that hold a place; each has a stream to its function.");
    this.#open = metrics.gauge("mecha_open_commands", "Commands in the engine, queued or under way.");
    this.#groupSteps = metrics.histogram("mecha_commit_group_steps", "Steps stored together.", groupBuckets).of();
    this.#commitSeconds = metrics.histogram("mecha_commit_seconds", "How long the store took for a group.", latencyBuckets).of();
  }

  /** `component`: the entity component behind the service, when there is one. */
  of(service: string, component?: Pick<Component, "kind" | "persistenceId">): ServiceMeters {
    const known = this.#services.get(service);
    const entityName = component?.kind === "eventSourced" ? component.persistenceId : undefined;
    if (known !== undefined && (component === undefined || known.entityName === entityName)) return known.meters;
    if (known !== undefined) this.flush(); // the service changed its name for records
    const own = timesOf(this.#ourTimes, service);
    const meters = new ServiceMeters(own, entityName === undefined ? undefined : timesOf(this.#theirTimes, entityName));
    this.#services.set(service, { meters, entityName });
    return meters;
  }

  /** Something was counted. */
  changed(nowMs: number): void {
    if (this.#dirty) return;
    this.#dirty = true;
    this.#wheel.arm(this, nowMs + flushMs);
  }

  group(steps: number): void {
    this.#groupSteps.observe(steps);
  }

  /** The store's commits, timed. */
  timed(store: Pick<Store, "commit">, clock: Clock): Pick<Store, "commit"> {
    return {
      commit: (steps) => {
        const fromMs = clock.monotonic();
        const verdicts = store.commit(steps);
        const told = (): void => this.#commitSeconds.observe((clock.monotonic() - fromMs) / 1_000);
        verdicts.then(told, told);
        return verdicts;
      },
    };
  }

  override expired(): void {
    this.flush();
  }

  /** Hands everything counted so far to the port. */
  flush(): void {
    this.#dirty = false;
    for (const [service, { meters, entityName }] of this.#services) {
      for (const [name, counter] of this.#ours) if (meters[name] > 0) counter.add(meters[name], service);
      if (entityName !== undefined) for (const [name, counter] of this.#theirs) if (meters[name] > 0) counter.add(meters[name], entityName);
      for (const name of countNames) meters[name] = 0;
    }
    const { active, open } = this.#gauges();
    this.#active.set(active);
    this.#open.set(open);
  }
}

const countNames = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])] as CountName[];

function countersOf(
  metrics: Metrics,
  table: Readonly<Partial<Record<CountName, readonly [name: string, help: string]>>>,
  before: string,
  label: string,
): readonly (readonly [CountName, Counter])[] {
  const entries = Object.entries(table) as [CountName, readonly [string, string]][];
  return entries.map(([field, [name, help]]) => [field, metrics.counter(`${before}${name}`, help, [label])] as const);
}

function timesOf<N extends string>(times: Record<N, Histogram>, label: string): Record<N, BoundHistogram> {
  const bound: Partial<Record<N, BoundHistogram>> = {};
  for (const name of Object.keys(times) as N[]) bound[name] = times[name].of(label);
  return bound as Record<N, BoundHistogram>;
}
