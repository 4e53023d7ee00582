/** Figures of peers, brought up to date once a second. */
import type { CancelTimer, Clock, Gauge, Metrics } from "@mecha/kit";
import type { Link } from "./link.ts";

/** How late figures may be, ms. */
const everyMs = 1_000;

/** See the file's header. */
export class PeerMeters {
  readonly #up: Gauge;
  readonly #lag: Gauge;
  readonly #clock: Clock;
  readonly #links: readonly Link[];
  #timer: CancelTimer = () => undefined;

  constructor(metrics: Metrics, clock: Clock, links: readonly Link[]) {
    this.#up = metrics.gauge("mecha_peer_up", "Whether a peer is connected: 1 or 0.", ["peer"]);
    this.#lag = metrics.gauge(
      "mecha_peer_lag_seconds",
      "Age of the oldest change made here that the peer has not confirmed to have stored.",
      ["peer"],
    );
    this.#clock = clock;
    this.#links = links;
    this.#tell();
  }

  stop(): void {
    this.#timer();
  }

  #tell(): void {
    for (const { peer, remote, lag } of this.#links) {
      this.#up.set(remote === undefined ? 0 : 1, peer.node);
      this.#lag.set(lag.ms / 1_000, peer.node);
    }
    this.#timer = this.#clock.after(everyMs, () => this.#tell());
  }
}
