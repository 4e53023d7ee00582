/**
 * Live changes for the page: server-sent events. Changes are gathered for a moment and told once for each entity, so that ten thousand changes a
 * second cost a browser four messages.
 *
 * L1 nothing is kept for a listener that is slow: it misses batches and is told how many entities it missed
 */
import type { CancelTimer, Clock } from "@mecha/kit";
import { Fault } from "@mecha/kit";
import type { HttpBody, HttpExchange } from "@mecha/wire";
import type { ChangesJson } from "./model.ts";

/** Browsers listening at once; a person has a few. */
export const listenersMax = 32;
/** How long changes are gathered, ms: quick for an eye. */
export const gatherMs = 250;
/** Entities named in one batch; a page shows about 50. */
export const changesMax = 200;
/** A comment line keeps the connection open through idle limits (listeners close idle ones after 5 min), ms. */
export const heartbeatMs = 30_000;

/** What became durable; the engine's `Change`. */
export interface LiveChange {
  readonly service: string;
  readonly entityId: string;
  readonly sequence: number;
  readonly cause: string;
  readonly timeMs: number;
}

interface Listener {
  readonly body: HttpBody;
  slow: boolean;
  missed: number;
}

export class LiveFeed implements Disposable {
  readonly #clock: Clock;
  readonly #listeners = new Set<Listener>();
  readonly #gathered = new Map<string, LiveChange>();
  #more = 0;
  #functionsChanged = false;
  #timer: CancelTimer | undefined;
  #heartbeat: CancelTimer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes note of a change. Costs nothing while nobody listens. */
  change(change: LiveChange): void {
    if (this.#listeners.size === 0) return;
    const key = `${change.service}\0${change.entityId}`;
    if (this.#gathered.size < changesMax || this.#gathered.has(key)) this.#gathered.set(key, change);
    else this.#more += 1;
    this.#arm();
  }

  /** A function's state changed: listeners ask for it again. */
  functionsChanged(): void {
    if (this.#listeners.size === 0) return;
    this.#functionsChanged = true;
    this.#arm();
  }

  /** Answers a request with the stream. @throws Fault("exhausted") at `listenersMax`. */
  subscribe(exchange: HttpExchange, headers: Readonly<Record<string, string>>): void {
    if (this.#listeners.size >= listenersMax) throw new Fault("exhausted", `${listenersMax} pages listen already; close one`);
    const body = exchange.stream(200, { ...headers, "content-type": "text/event-stream" });
    const listener: Listener = { body, slow: false, missed: 0 };
    this.#listeners.add(listener);
    body.onDrain(() => (listener.slow = false));
    exchange.onClose(() => this.#listeners.delete(listener));
    listener.slow = !body.write(": listening\n\n");
    this.#beat();
  }

  [Symbol.dispose](): void {
    this.#timer?.();
    this.#heartbeat?.();
    for (const { body } of this.#listeners) body.end();
    this.#listeners.clear();
  }

  #arm(): void {
    this.#timer ??= this.#clock.after(gatherMs, () => {
      this.#timer = undefined;
      this.#tell();
    });
  }

  #tell(): void {
    const changes = [...this.#gathered.values()].map(({ service, entityId, sequence, cause, timeMs }) => ({
      service,
      id: entityId,
      sequence,
      cause,
      time: new Date(timeMs).toISOString(),
    }));
    for (const listener of this.#listeners) {
      if (this.#functionsChanged) send(listener, "functions", {});
      if (changes.length > 0) sendChanges(listener, { changes, more: this.#more });
    }
    this.#gathered.clear();
    this.#more = 0;
    this.#functionsChanged = false;
  }

  #beat(): void {
    this.#heartbeat ??= this.#clock.after(heartbeatMs, () => {
      this.#heartbeat = undefined;
      for (const listener of this.#listeners) if (!listener.slow) listener.slow = !listener.body.write(": still here\n\n");
      if (this.#listeners.size > 0) this.#beat();
    });
  }
}

/** keeps L1 */
function sendChanges(listener: Listener, batch: ChangesJson): void {
  if (listener.slow) {
    listener.missed += batch.changes.length + batch.more;
    return;
  }
  const missed = listener.missed;
  listener.missed = 0;
  send(listener, "changes", { ...batch, more: batch.more + missed });
}

function send(listener: Listener, event: string, data: unknown): void {
  if (listener.slow && event !== "functions") return;
  listener.slow = !listener.body.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}
