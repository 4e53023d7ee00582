/**
 * Sends spans to an OTLP receiver over HTTP, in the background.
 *
 * X1 at most `queueMax` spans wait; what comes past them is dropped and counted, because tracing must not slow or swell what it watches
 * X2 one request is under way at a time; one that failed for a reason that may pass is sent again at most `attemptsMax` times, then dropped
 * X3 closing sends what waits, within `closeMs`
 */
import { type Clock, explain, Fault, type FinishedSpan, type Log, type Metrics, sleep } from "@mecha/kit";
import { encodeSpans, type Resource } from "./encode.ts";

/** Spans that wait, as the OpenTelemetry SDKs' default. About 1 KB each. */
const queueMax = 2_048;
/** Spans in one request; the SDKs' default. */
const batchMax = 512;
/** Longest wait for company, ms; the SDKs' default. */
const delayMs = 5_000;
const requestTimeoutMs = 10_000;
const attemptsMax = 3;
/** Pause before the second attempt, ms; doubles. */
const backoffMs = 1_000;
/** Statuses that may pass (OTLP/HTTP, "Retryable Response Codes"). */
const retryable = new Set([429, 502, 503, 504]);
const closeMs = 2_000;

export interface OtlpOptions {
  /** Of the traces signal, `http://127.0.0.1:4318/v1/traces`. */
  readonly url: string;
  /** Sent with each request: authentication. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly resource: Resource;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface OtlpExporter extends AsyncDisposable {
  /** Takes a span; never waits. */
  add(span: FinishedSpan): void;
}

export function openOtlpExporter(options: OtlpOptions): OtlpExporter {
  return new Exporter(options);
}

class Exporter implements OtlpExporter {
  readonly #options: OtlpOptions;
  readonly #sent: { add(by?: number): void };
  readonly #dropped: { add(by?: number): void };
  readonly #closing = new AbortController();
  #waiting: FinishedSpan[] = [];
  #cancelTimer: (() => void) | undefined;
  #running: Promise<void> | undefined;
  /** A failure was logged and nothing has been sent since. */
  #failing = false;

  constructor(options: OtlpOptions) {
    this.#options = options;
    this.#sent = options.metrics.counter("mecha_trace_spans_sent_total", "Spans the receiver took.").of();
    this.#dropped = options.metrics
      .counter("mecha_trace_spans_dropped_total", "Spans that were dropped: too many waited, or the receiver did not take them.")
      .of();
  }

  add(span: FinishedSpan): void {
    if (this.#waiting.length >= queueMax || this.#closing.signal.aborted) {
      this.#dropped.add(); // keeps X1
      return;
    }
    this.#waiting.push(span);
    if (this.#waiting.length >= batchMax) this.#run();
    else this.#cancelTimer ??= this.#options.clock.after(delayMs, () => this.#run());
  }

  #run(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#running ??= this.#sendAll().finally(() => (this.#running = undefined));
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, batchMax);
      const problem = await this.#send(encodeSpans(this.#options.resource, batch));
      if (problem === undefined) {
        this.#sent.add(batch.length);
        this.#failing = false;
      } else {
        this.#dropped.add(batch.length);
        this.#say(problem, batch.length);
      }
    }
  }

  /** Says it once, until sending works again. */
  #say(problem: Fault, spans: number): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#options.log.warn("traces could not be sent; they are dropped until the receiver takes them again", {
      url: this.#options.url,
      spans,
      error: explain(problem),
    });
  }

  /** Why it was not sent. */
  async #send(body: string): Promise<Fault | undefined> {
    let problem: Fault | undefined;
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      if (attempt > 0 && !(await this.#pause(backoffMs * 2 ** (attempt - 1)))) break;
      problem = await this.#post(body);
      if (problem?.code !== "unavailable") return problem;
    }
    return problem;
  }

  /** `false`: closing, there is no more time. */
  async #pause(ms: number): Promise<boolean> {
    try {
      await sleep(this.#options.clock, ms, this.#closing.signal);
      return true;
    } catch {
      return false; // aborted by `close`
    }
  }

  async #post(body: string): Promise<Fault | undefined> {
    const { url, headers, clock } = this.#options;
    const abort = new AbortController();
    const cancel = clock.after(requestTimeoutMs, () => abort.abort());
    const onClose = (): void => abort.abort();
    this.#hurry = onClose;
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body,
        signal: abort.signal,
        redirect: "error",
      });
      await response.body?.cancel();
      if (response.ok) return undefined;
      return new Fault(retryable.has(response.status) ? "unavailable" : "unknown", `the receiver answered ${response.status}`);
    } catch (cause) {
      return new Fault("unavailable", "the receiver could not be reached", { cause });
    } finally {
      cancel();
      this.#hurry = undefined;
    }
  }
  /** Ends the request under way. */
  #hurry: (() => void) | undefined;

  /** keeps X3 */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new Fault("cancelled", "closing"));
    const cancel = this.#options.clock.after(closeMs, () => this.#hurry?.());
    this.#run();
    await this.#running;
    cancel();
  }
}
