/** Figures of deliveries, by consumer group and source. */
import type { Counter, Gauge, Metrics } from "@mecha/kit";
import type { ConsumerMeters, Subscription } from "@mecha/binding";

export class EventingMeters {
  readonly #delivered: Counter;
  readonly #skipped: Counter;
  readonly #retried: Counter;
  readonly #parked: Counter;
  readonly #lag: Gauge;

  constructor(metrics: Metrics) {
    const labels = ["group", "source"];
    this.#delivered = metrics.counter("mecha_events_delivered_total", "Events delivered to a consumer group.", labels);
    this.#skipped = metrics.counter("mecha_events_skipped_total", "Events of a type that no method of the group takes.", labels);
    this.#retried = metrics.counter("mecha_events_retried_total", "Deliveries that failed and are tried again.", labels);
    this.#parked = metrics.counter("mecha_events_parked_total", "Events given up and kept for people to look at.", labels);
    this.#lag = metrics.gauge(
      "mecha_events_lag",
      "Events a group has not taken yet; of an event log at most, while events of other types lie in between.",
      labels,
    );
  }

  of({ group, from, name }: Subscription): ConsumerMeters {
    const labels = [group, `${from === "topic" ? "topic" : "log"}:${name}`] as const;
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
