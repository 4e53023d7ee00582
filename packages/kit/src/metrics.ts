/** Metrics as a port: code counts through it and does not know who reads. */

/** Makes metrics. Asking for a name again gives the same one. Names end in the unit (`_seconds`, `_bytes`) or `_total`, as Prometheus asks. */
export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  gauge(name: string, help: string, labels?: readonly string[]): Gauge;
  /** `buckets` are upper bounds in the metric's unit, ascending. */
  histogram(name: string, help: string, buckets: readonly number[], labels?: readonly string[]): Histogram;
  /** `quantiles` (0 to 1) of the latest observations, and sum and count of all. Where a histogram will do, take it: summaries cannot be added up. */
  summary(name: string, help: string, quantiles: readonly number[], labels?: readonly string[]): Histogram;
}

/** A number that only goes up. Label values come in the order the labels were declared. */
export interface Counter {
  add(by?: number, ...labelValues: string[]): void;
  /** The one of these label values: for hot paths, which then pay for an addition only. Keep it. */
  of(...labelValues: string[]): BoundCounter;
}

/** A counter with its label values. */
export interface BoundCounter {
  add(by?: number): void;
}

/** A value that goes up and down. */
export interface Gauge {
  set(value: number, ...labelValues: string[]): void;
  add(by: number, ...labelValues: string[]): void;
}

/** Observations counted by size. */
export interface Histogram {
  observe(value: number, ...labelValues: string[]): void;
  /** The one of these label values: for hot paths. Keep it. */
  of(...labelValues: string[]): BoundHistogram;
}

/** A histogram with its label values. */
export interface BoundHistogram {
  observe(value: number): void;
}

/** Upper bounds for times between a call and its answer, seconds: from a store in memory to the longest a caller waits. */
export const latencyBuckets: readonly number[] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

const nothing: Counter & Histogram = { add() {}, observe() {}, of: () => nothing };

/** Measures nothing. */
export const noMetrics: Metrics = {
  counter: () => nothing,
  gauge: () => ({ set() {}, add() {} }),
  histogram: () => nothing,
  summary: () => nothing,
};
