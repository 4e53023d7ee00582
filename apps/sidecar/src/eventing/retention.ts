/**
 * Removes messages past their retention, and says so before and when a consumer group loses some: as figures, and once in the log.
 *
 * Q1 a group is warned about once when its oldest message is `warnAt` on its way out, and again only after it was below `calmAt`
 * Q2 what a group lost is one line for each look, however many sweeps it took
 */
import type { CancelTimer, Clock, Log } from "@mecha/kit";
import { retentionUsed, type Standing, type TopicLog, type TopicReader } from "@mecha/binding";
import { rowsMax } from "@mecha/state/store";

/** Pause between two sweeps, and when the last one removed as much as it may at once. */
const sweepEveryMs = 30_000;
const sweepAgainMs = 100;
const sweepMax = 1_000;
/** A look follows the last of several sweeps in a row; when there is no last one for so long, it does not wait for it. */
const lookLateMs = 60_000;

/** With the default age of seven days that leaves 33 hours to mend a consumer. */
const warnAt = 0.8;
const calmAt = 0.7;

/** How a group stands, for people. */
export interface GroupRetention {
  /** How far its oldest message is on its way out, 0 to 1. */
  readonly used: number;
  /** It is about to lose messages: `used` is `warnAt` or more. */
  readonly soon: boolean;
  /** Messages it lost, ever. */
  readonly lost: number;
  /** Wall ms. */
  readonly lostMs: number | undefined;
}

export interface RetentionMeters {
  used(part: number): void;
  lost(events: number): void;
}

export interface RetentionPorts {
  readonly topics: TopicLog;
  readonly clock: Clock;
  readonly log: Log;
}

interface Watched {
  readonly readTo: () => number;
  readonly meters: RetentionMeters;
  /** `undefined` until the log has told. */
  stands: GroupRetention | undefined;
  warned: boolean;
}

/** See the file's header. */
export class Retention {
  readonly #ports: RetentionPorts;
  readonly #groups = new Map<string, Watched>();
  #timer: CancelTimer;
  #lookedMs: number;
  #stopped = false;

  constructor(ports: RetentionPorts) {
    this.#ports = ports;
    this.#lookedMs = ports.clock.monotonic();
    this.#timer = ports.clock.after(sweepEveryMs, () => void this.#sweep());
  }

  /**
   * A group that consumes a topic, from now on. To be called before the group begins: what it loses by that is then said.
   * @param readTo Positions up to there it has in hand, or done.
   */
  watch(subscriber: string, meters: RetentionMeters, readTo: () => number): void {
    this.#groups.set(subscriber, { readTo, meters, stands: undefined, warned: false });
    void this.#tried("how far consumer groups are cannot be read", () => this.#look([subscriber]));
  }

  unwatch(subscriber: string): void {
    this.#groups.delete(subscriber);
  }

  of(subscriber: string): GroupRetention | undefined {
    return this.#groups.get(subscriber)?.stands;
  }

  stop(): void {
    this.#stopped = true;
    this.#timer();
  }

  async #sweep(): Promise<void> {
    const { topics, clock } = this.#ports;
    const swept = await this.#tried("old messages of topics could not be removed", () =>
      topics.sweep(clock.wall(), sweepMax, this.#readers()),
    );
    const isMore = swept === sweepMax;
    if (!isMore || clock.monotonic() - this.#lookedMs >= lookLateMs)
      await this.#tried("how far consumer groups are cannot be read", () => this.#look([...this.#groups.keys()]));
    if (!this.#stopped) this.#timer = clock.after(isMore ? sweepAgainMs : sweepEveryMs, () => void this.#sweep());
  }

  #readers(): TopicReader[] {
    return Array.from(this.#groups, ([subscriber, { readTo }]) => ({ subscriber, readTo: readTo() }));
  }

  /** What failed is said, and tried again with the next sweep. */
  async #tried<T>(otherwise: string, what: () => Promise<T>): Promise<T | undefined> {
    try {
      return await what();
    } catch (cause) {
      if (!this.#stopped) this.#ports.log.warn(otherwise, { cause });
      return undefined;
    }
  }

  async #look(groups: readonly string[]): Promise<void> {
    const { topics, clock } = this.#ports;
    this.#lookedMs = clock.monotonic();
    for (let from = 0; from < groups.length; from += rowsMax)
      for (const standing of await topics.standings(groups.slice(from, from + rowsMax))) {
        const watched = this.#groups.get(standing.subscriber);
        if (watched !== undefined) this.#stands(watched, standing);
      }
  }

  #stands(watched: Watched, standing: Standing): void {
    const { clock, log, topics } = this.#ports;
    const { subscriber, lost, lostMs, oldest } = standing;
    const used = retentionUsed(standing, topics.retention, clock.wall());
    const before = watched.stands?.lost ?? lost; // what was lost in former lives was said then
    const soon = used >= warnAt;
    watched.stands = { used, soon, lost, lostMs };
    watched.meters.used(used);
    if (lost > before) {
      watched.meters.lost(lost - before);
      log.error("messages of a topic were removed before a consumer group had them", { subscriber, lost: lost - before, everLost: lost }); // keeps Q2
    }
    if (soon && !watched.warned && oldest !== undefined)
      log.warn("a consumer group is about to lose messages of a topic: the oldest it has not had is removed soon", {
        ...{ subscriber, used: Math.round(used * 100) / 100, oldest: new Date(oldest.timeMs).toISOString() },
        fix: "see what keeps it (`mecha events list`), or keep more: MECHA_TOPIC_AGE, MECHA_TOPIC_BYTES",
      });
    watched.warned = soon || (watched.warned && used >= calmAt); // keeps Q1
  }
}
