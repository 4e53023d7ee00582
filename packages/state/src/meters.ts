/**
 * Counts of the engine. The hot path adds to plain numbers; they reach the metrics port once a second, because a labelled counter costs
 * more than the rest of a command.
 */
import type { Metrics } from "@mecha/kit";
import { type TimerWheel, WheelTimer } from "./timing/wheel.ts";

/** How late figures may be, ms. */
const flushMs = 1_000;

/** Names and helps; labelled with the service. Names follow the reference proxy's (facts/cloudstate.md §2.4). */
const counters = {
  receivedCommands: ["mecha_received_commands_total", "Commands that arrived for entities."],
  completedCommands: ["mecha_completed_commands_total", "Commands of entities whose step was released."],
  failedCommands: ["mecha_failed_commands_total", "Commands of entities that ended without a step, or whose step was not stored."],
  activatedEntities: ["mecha_activated_entities_total", "Entities that became active."],
  passivatedEntities: ["mecha_passivated_entities_total", "Entities that were let go."],
  failedEntities: ["mecha_failed_entities_total", "Streams that ended by a failure, a broken protocol or a time-out."],
  persistedEvents: ["mecha_persisted_events_total", "Events stored."],
  persistedBytes: ["mecha_persisted_bytes_total", "Bytes of events, snapshots and values stored."],
  loadedEvents: ["mecha_loaded_events_total", "Events replayed."],
  actionCalls: ["mecha_action_calls_total", "Calls of actions."],
} as const;

type CounterName = keyof typeof counters;
const names = Object.keys(counters) as CounterName[];

/** Counts of one service. Add to the fields, then call `changed`. */
export class ServiceMeters implements Record<CounterName, number> {
  receivedCommands = 0;
  completedCommands = 0;
  failedCommands = 0;
  activatedEntities = 0;
  passivatedEntities = 0;
  failedEntities = 0;
  persistedEvents = 0;
  persistedBytes = 0;
  loadedEvents = 0;
  actionCalls = 0;
}

/** All of one engine. */
export class Meters extends WheelTimer {
  readonly #wheel: TimerWheel;
  readonly #counters: ReadonlyMap<CounterName, ReturnType<Metrics["counter"]>>;
  readonly #active: ReturnType<Metrics["gauge"]>;
  readonly #open: ReturnType<Metrics["gauge"]>;
  readonly #groupSteps: ReturnType<Metrics["histogram"]>;
  readonly #services = new Map<string, ServiceMeters>();
  readonly #gauges: () => { active: number; open: number };
  #dirty = false;

  constructor(metrics: Metrics, wheel: TimerWheel, gauges: () => { active: number; open: number }) {
    super();
    this.#wheel = wheel;
    this.#gauges = gauges;
    this.#counters = new Map(names.map((name) => [name, metrics.counter(counters[name][0], counters[name][1], ["service"])]));
    this.#active = metrics.gauge("mecha_active_entities", "Entities that hold a place.");
    this.#open = metrics.gauge("mecha_open_commands", "Commands in the engine, queued or under way.");
    this.#groupSteps = metrics.histogram("mecha_commit_group_steps", "Steps stored together.", [1, 4, 16, 64, 256, 1024]);
  }

  of(service: string): ServiceMeters {
    let meters = this.#services.get(service);
    if (meters === undefined) this.#services.set(service, (meters = new ServiceMeters()));
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

  override expired(): void {
    this.flush();
  }

  /** Hands everything counted so far to the port. */
  flush(): void {
    this.#dirty = false;
    for (const [service, meters] of this.#services) {
      for (const name of names) {
        if (meters[name] === 0) continue;
        this.#counters.get(name)?.add(meters[name], service);
        meters[name] = 0;
      }
    }
    const { active, open } = this.#gauges();
    this.#active.set(active);
    this.#open.set(open);
  }
}
