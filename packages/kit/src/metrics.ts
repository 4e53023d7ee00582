/** Metrics as a port: code counts through it and does not know who reads. */

/** Makes metrics. Asking for a name again gives the same one. Names end in the unit (`_seconds`, `_bytes`) or `_total`, as Prometheus asks. */
export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): Counter;
  gauge(name: string, help: string, labels?: readonly string[]): Gauge;
  /** `buckets` are upper bounds in the metric's unit, ascending. */
  histogram(name: string, help: string, buckets: readonly number[], labels?: readonly string[]): Histogram;
}

/** A number that only goes up. Label values come in the order the labels were declared. */
export interface Counter {
  add(by?: number, ...labelValues: string[]): void;
}

/** A value that goes up and down. */
export interface Gauge {
  set(value: number, ...labelValues: string[]): void;
  add(by: number, ...labelValues: string[]): void;
}

/** Observations counted by size. */
export interface Histogram {
  observe(value: number, ...labelValues: string[]): void;
}

/** Measures nothing. */
export const noMetrics: Metrics = {
  counter: () => ({ add() {} }),
  gauge: () => ({ set() {}, add() {} }),
  histogram: () => ({ observe() {} }),
};
