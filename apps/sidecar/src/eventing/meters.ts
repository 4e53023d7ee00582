/** Figures of deliveries, by consumer group and source. */
import type { Counter, Gauge, Metrics } from "@mecha/kit";
import type { ConsumerMeters, Subscription } from "@mecha/binding";
import type { RetentionMeters } from "./retention.ts";

export class EventingMeters {
  readonly #delivered: Counter;
  readonly #skipped: Counter;
  readonly #retried: Counter;
  readonly #parked: Counter;
  readonly #lag: Gauge;
  readonly #used: Gauge;
  readonly #lost: Counter;
  readonly #published: Counter;
  readonly #known: Counter;

  constructor(metrics: Metrics) {
    const labels = ["group", "source"];
    this.#delivered = metrics.counter("mecha_events_delivered_total", "Events delivered to a consumer group.", labels);
    this.#skipped = metrics.counter("mecha_events_skipped_total", "Events of a type that no method of the group takes.", labels);
    this.#retried = metrics.counter("mecha_events_retried_total", "Deliveries that failed and are tried again.", labels);
    this.#parked = metrics.counter("mecha_events_parked_total", "Events given up and kept for people to look at.", labels);
    this.#lag = metrics.gauge(
      "mecha_events_lag",
      "Events a group has not taken yet; at most, while those of other entity types or topics lie in between.",
      labels,
    );
    this.#used = metrics.gauge(
      "mecha_events_retention_used",
      "How far the oldest message a group has not had is on its way out of its topic: 0 just came, 1 is removed next. Looked at every 30 s.",
      labels,
    );
    this.#lost = metrics.counter("mecha_events_lost_total", "Messages that were removed from a topic before the group had them.", labels);
    this.#published = metrics.counter("mecha_events_published_total", "Events a topic took.", ["topic"]);
    this.#known = metrics.counter("mecha_events_known_total", "Events a topic had already: sent again with the same source and id.", [
      "topic",
    ]);
  }

  /** `fresh`: which of the events the topic did not have before. */
  published(topic: string, fresh: readonly boolean[]): void {
    const isNew = fresh.filter(Boolean).length;
    if (isNew > 0) this.#published.add(isNew, topic);
    if (isNew < fresh.length) this.#known.add(fresh.length - isNew, topic);
  }

  retention(subscription: Subscription): RetentionMeters {
    const labels = labelsOf(subscription);
    const lost = this.#lost.of(...labels);
    return { used: (part) => this.#used.set(part, ...labels), lost: (events) => lost.add(events) };
  }

  of({ group, from, name }: Subscription): ConsumerMeters {
    const labels = labelsOf({ group, from, name });
    const [delivered, skipped, retried, parked] = [this.#delivered, this.#skipped, this.#retried, this.#parked].map((one) =>
      one.of(...labels),
    );
    let lag = -1;
    return {
      delivered: () => delivered?.add(),
      skipped: () => skipped?.add(),
      retried: () => retried?.add(),
      parked: () => parked?.add(),
      lag: (events) => {
        if (events !== lag) this.#lag.set((lag = events), ...labels);
      },
    };
  }
}

function labelsOf({ group, from, name }: Pick<Subscription, "group" | "from" | "name">): readonly [group: string, source: string] {
  return [group, `${from === "topic" ? "topic" : "log"}:${name}`];
}
