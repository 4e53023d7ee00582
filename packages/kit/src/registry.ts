/**
 * Metrics kept in memory and exposed as text in Prometheus' format 0.0.4. It is the metric port's implementation in every process and
 * its fake in tests (`value`).
 *
 * P1 a metric keeps at most `seriesMax` label combinations; what comes past it is counted together, with every label set to `other`,
 *    so that a label fed from outside costs bounded memory and the sums stay right
 * P2 a name has one kind, one list of labels and one list of buckets; asking for it again gives the same metric
 */
import { assert } from "./fault.ts";
import type { BoundHistogram, Counter, Gauge, Histogram, Metrics } from "./metrics.ts";

/** 1,000 series of a 10-bucket histogram are about 0.5 MB; more label values than that are a mistake in the choice of label. */
const seriesMaxDefault = 1_000;

/** Observations a summary takes its quantiles from: the latest. 8 KB a series. */
const summaryWindow = 1_024;

type MetricKind = "counter" | "gauge" | "histogram" | "summary";

interface Series {
  readonly labelValues: readonly string[];
  /** Counter and gauge: the value. Histogram: the sum of observations. */
  total: number;
  count: number;
  /** Histogram: observations per bucket, not yet cumulated; the last one is +Inf. */
  readonly perBucket: number[];
  /** Summary: the latest observations, a ring. */
  readonly latest: Float64Array;
}

interface Family {
  readonly kind: MetricKind;
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Histogram: upper bounds; summary: quantiles. */
  readonly buckets: readonly number[];
  readonly series: Map<string, Series>;
}

/** Holds every metric of a process. */
export class MetricsRegistry implements Metrics {
  readonly #families = new Map<string, Family>();
  readonly #seriesMax: number;

  /** @param options.seriesMax Label combinations a metric keeps apart (P1); default 1,000. */
  constructor(options: { readonly seriesMax?: number } = {}) {
    this.#seriesMax = options.seriesMax ?? seriesMaxDefault;
  }

  counter(name: string, help: string, labels: readonly string[] = []): Counter {
    const family = this.#family("counter", name, help, labels, []);
    return {
      add: (by = 1, ...labelValues) => {
        assert(by >= 0, `counter ${name} only goes up`);
        this.#series(family, labelValues).total += by;
      },
      of: (...labelValues) => {
        const series = this.#series(family, labelValues);
        return {
          add: (by = 1) => {
            assert(by >= 0, `counter ${name} only goes up`);
            series.total += by;
          },
        };
      },
    };
  }

  gauge(name: string, help: string, labels: readonly string[] = []): Gauge {
    const family = this.#family("gauge", name, help, labels, []);
    return {
      set: (value, ...labelValues) => {
        this.#series(family, labelValues).total = value;
      },
      add: (by, ...labelValues) => {
        this.#series(family, labelValues).total += by;
      },
    };
  }

  histogram(name: string, help: string, buckets: readonly number[], labels: readonly string[] = []): Histogram {
    const ascending = buckets.every((bound, index) => index === 0 || bound > (buckets[index - 1] ?? bound));
    assert(buckets.length > 0 && ascending, `histogram ${name} needs ascending buckets`);
    const family = this.#family("histogram", name, help, labels, buckets);
    const observe = (series: Series, value: number): void => {
      let at = 0;
      while (at < buckets.length && value > (buckets[at] as number)) at++;
      series.perBucket[at] = (series.perBucket[at] as number) + 1;
      series.total += value;
      series.count += 1;
    };
    return this.#observed(family, observe);
  }

  summary(name: string, help: string, quantiles: readonly number[], labels: readonly string[] = []): Histogram {
    assert(
      quantiles.every((one) => one >= 0 && one <= 1),
      `summary ${name} takes quantiles from 0 to 1`,
    );
    const family = this.#family("summary", name, help, labels, quantiles);
    const observe = (series: Series, value: number): void => {
      series.latest[series.count % summaryWindow] = value;
      series.total += value;
      series.count += 1;
    };
    return this.#observed(family, observe);
  }

  #observed(family: Family, observe: (series: Series, value: number) => void): Histogram {
    return {
      observe: (value, ...labelValues) => {
        observe(this.#series(family, labelValues), value);
      },
      of: (...labelValues): BoundHistogram => {
        const series = this.#series(family, labelValues);
        return {
          observe: (value) => {
            observe(series, value);
          },
        };
      },
    };
  }

  /** The value of a counter or gauge, or the number of a histogram's or summary's observations; 0 when nothing was recorded. */
  value(name: string, ...labelValues: string[]): number {
    const family = this.#families.get(name);
    const series = family?.series.get(seriesKey(labelValues));
    const observes = family?.kind === "histogram" || family?.kind === "summary";
    return (observes ? series?.count : series?.total) ?? 0;
  }

  /** Every metric in Prometheus' text format; content type `text/plain; version=0.0.4; charset=utf-8`. With `names` only those, by full name. */
  expose(names?: ReadonlySet<string>): string {
    const families = [...this.#families.values()].filter(({ name, series }) => series.size > 0 && (names?.has(name) ?? true));
    return families.map(familyText).join("");
  }

  /** All metrics as declared, also those without a value yet, by name. */
  describe(): readonly { readonly name: string; readonly kind: MetricKind; readonly labels: readonly string[]; readonly help: string }[] {
    const families = [...this.#families.values()].map(({ name, kind, labels, help }) => ({ name, kind, labels, help }));
    return families.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #family(kind: MetricKind, name: string, help: string, labels: readonly string[], buckets: readonly number[]): Family {
    assert(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name), `${name} is a metric name`);
    assert(
      labels.every((label) => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label) && !label.startsWith("__") && label !== "le"),
      `labels of ${name} are label names`,
    );
    const known = this.#families.get(name);
    if (!known) {
      const family: Family = { kind, name, help, labels, buckets, series: new Map() };
      this.#families.set(name, family);
      return family;
    }
    const same = known.kind === kind && sameList(known.labels, labels) && sameList(known.buckets, buckets);
    assert(same, `metric ${name} is declared one way only`); // keeps P2
    return known;
  }

  #series(family: Family, labelValues: readonly string[]): Series {
    assert(labelValues.length === family.labels.length, `metric ${family.name} takes the labels ${family.labels.join(", ") || "(none)"}`);
    const key = seriesKey(labelValues);
    const known = family.series.get(key);
    if (known) return known;
    const other = family.labels.map(() => "other");
    const isOther = sameList(labelValues, other);
    if (!isOther && family.series.size >= this.#seriesMax) return this.#series(family, other); // keeps P1
    const series: Series = {
      labelValues,
      total: 0,
      count: 0,
      perBucket: family.kind === "histogram" ? zeros(family.buckets.length + 1) : [],
      latest: family.kind === "summary" ? new Float64Array(summaryWindow) : noObservations,
    };
    family.series.set(key, series);
    return series;
  }
}

/** Unique within one family, whose number of labels is fixed. No or one label, the usual case, costs nothing. */
const seriesKey = (labelValues: readonly string[]): string =>
  labelValues.length > 1 ? JSON.stringify(labelValues) : (labelValues[0] ?? "");
const sameList = <T>(a: readonly T[], b: readonly T[]): boolean => a.length === b.length && a.every((item, index) => item === b[index]);
const noObservations = new Float64Array(0);
const zeros = (length: number): number[] => Array.from({ length }, () => 0);

/** HELP, TYPE and the samples of one metric. */
function familyText(family: Family): string {
  const help = family.help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  const lines = [`# HELP ${family.name} ${help}`, `# TYPE ${family.name} ${family.kind}`];
  for (const series of family.series.values()) {
    const labels = family.labels.map((label, index) => labelText(label, series.labelValues[index] ?? ""));
    if (family.kind === "histogram") lines.push(...histogramLines(family, series, labels));
    else if (family.kind === "summary") lines.push(...summaryLines(family, series, labels));
    else lines.push(sample(family.name, labels, series.total));
  }
  return `${lines.join("\n")}\n`;
}

/** Buckets are cumulative in the text: each counts what is at or below its bound. */
function histogramLines(family: Family, series: Series, labels: readonly string[]): string[] {
  let below = 0;
  const lines = [...family.buckets, Infinity].map((bound, index) => {
    below += series.perBucket[index] ?? 0;
    return sample(`${family.name}_bucket`, [...labels, labelText("le", numberText(bound))], below);
  });
  return [...lines, sample(`${family.name}_sum`, labels, series.total), sample(`${family.name}_count`, labels, series.count)];
}

/** Nearest-rank quantiles of the latest observations; NaN before there are any, as Prometheus clients have it. */
function summaryLines(family: Family, series: Series, labels: readonly string[]): string[] {
  const latest = series.latest.subarray(0, Math.min(series.count, summaryWindow)).toSorted();
  const lines = family.buckets.map((quantile) => {
    const value = latest[Math.max(0, Math.ceil(quantile * latest.length) - 1)] ?? NaN;
    return sample(family.name, [...labels, labelText("quantile", numberText(quantile))], value);
  });
  return [...lines, sample(`${family.name}_sum`, labels, series.total), sample(`${family.name}_count`, labels, series.count)];
}

function labelText(label: string, value: string): string {
  return `${label}="${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}

function sample(name: string, labels: readonly string[], value: number): string {
  return `${name}${labels.length > 0 ? `{${labels.join(",")}}` : ""} ${numberText(value)}`;
}

const numberText = (value: number): string => (value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value));
