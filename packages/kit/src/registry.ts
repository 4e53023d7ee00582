/**
 * Metrics kept in memory and exposed as text in Prometheus' format 0.0.4. It is the metric port's implementation in every process and
 * its fake in tests (`value`).
 *
 * P1 a metric keeps at most `seriesMax` label combinations; what comes past it is counted together, with every label set to `other`,
 *    so that a label fed from outside costs bounded memory and the sums stay right
 * P2 a name has one kind, one list of labels and one list of buckets; asking for it again gives the same metric
 */
import { assert } from "./fault.ts";
import type { Counter, Gauge, Histogram, Metrics } from "./metrics.ts";

/** 1,000 series of a 10-bucket histogram are about 0.5 MB; more label values than that are a mistake in the choice of label. */
const seriesMaxDefault = 1_000;

type MetricKind = "counter" | "gauge" | "histogram";

interface Series {
  readonly labelValues: readonly string[];
  /** Counter and gauge: the value. Histogram: the sum of observations. */
  total: number;
  count: number;
  /** Histogram: observations per bucket, not yet cumulated; the last one is +Inf. */
  readonly perBucket: number[];
}

interface Family {
  readonly kind: MetricKind;
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
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
    return {
      observe: (value, ...labelValues) => {
        const series = this.#series(family, labelValues);
        const at = buckets.findIndex((bound) => value <= bound);
        const slot = at === -1 ? buckets.length : at;
        series.perBucket[slot] = (series.perBucket[slot] ?? 0) + 1;
        series.total += value;
        series.count += 1;
      },
    };
  }

  /** The value of a counter or gauge, or a histogram's number of observations; 0 when nothing was recorded. */
  value(name: string, ...labelValues: string[]): number {
    const family = this.#families.get(name);
    const series = family?.series.get(seriesKey(labelValues));
    return (family?.kind === "histogram" ? series?.count : series?.total) ?? 0;
  }

  /** Every metric in Prometheus' text format; content type `text/plain; version=0.0.4; charset=utf-8`. */
  expose(): string {
    return [...this.#families.values()].map(familyText).join("");
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
    };
    family.series.set(key, series);
    return series;
  }
}

/** Unique within one family, whose number of labels is fixed. No or one label, the usual case, costs nothing. */
const seriesKey = (labelValues: readonly string[]): string =>
  labelValues.length > 1 ? JSON.stringify(labelValues) : (labelValues[0] ?? "");
const sameList = <T>(a: readonly T[], b: readonly T[]): boolean => a.length === b.length && a.every((item, index) => item === b[index]);
const zeros = (length: number): number[] => Array.from({ length }, () => 0);

/** HELP, TYPE and the samples of one metric. */
function familyText(family: Family): string {
  const help = family.help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  const lines = [`# HELP ${family.name} ${help}`, `# TYPE ${family.name} ${family.kind}`];
  for (const series of family.series.values()) {
    const labels = family.labels.map((label, index) => labelText(label, series.labelValues[index] ?? ""));
    if (family.kind === "histogram") lines.push(...histogramLines(family, series, labels));
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

function labelText(label: string, value: string): string {
  return `${label}="${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}

function sample(name: string, labels: readonly string[], value: number): string {
  return `${name}${labels.length > 0 ? `{${labels.join(",")}}` : ""} ${numberText(value)}`;
}

const numberText = (value: number): string => (value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value));
