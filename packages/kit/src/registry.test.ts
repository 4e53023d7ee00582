/** Metrics: what they count and the text Prometheus reads. */
import assert from "node:assert/strict";
import test from "node:test";
import { noMetrics } from "./metrics.ts";
import { MetricsRegistry } from "./registry.ts";

test("counters, gauges and histograms come out as Prometheus text 0.0.4", () => {
  const metrics = new MetricsRegistry();
  const calls = metrics.counter("mecha_calls_total", "Calls\nanswered.", ["service", "code"]);
  calls.add(1, "Cart", "OK");
  calls.add(undefined, "Cart", "OK");
  calls.add(1, 'a"b\\c\nd', "OK");
  const open = metrics.gauge("mecha_entities", "Active entities.");
  open.set(5);
  open.add(-2);
  const latency = metrics.histogram("mecha_call_seconds", "Time to answer.", [0.1, 1], ["service"]);
  for (const seconds of [0.05, 0.1, 0.5, 7]) latency.observe(seconds, "Cart");
  assert.equal(
    metrics.expose(),
    [
      "# HELP mecha_calls_total Calls\\nanswered.",
      "# TYPE mecha_calls_total counter",
      'mecha_calls_total{service="Cart",code="OK"} 2',
      'mecha_calls_total{service="a\\"b\\\\c\\nd",code="OK"} 1',
      "# HELP mecha_entities Active entities.",
      "# TYPE mecha_entities gauge",
      "mecha_entities 3",
      "# HELP mecha_call_seconds Time to answer.",
      "# TYPE mecha_call_seconds histogram",
      'mecha_call_seconds_bucket{service="Cart",le="0.1"} 2',
      'mecha_call_seconds_bucket{service="Cart",le="1"} 3',
      'mecha_call_seconds_bucket{service="Cart",le="+Inf"} 4',
      'mecha_call_seconds_sum{service="Cart"} 7.65',
      'mecha_call_seconds_count{service="Cart"} 4',
      "",
    ].join("\n"),
  );
});

test("past its limit a metric counts under `other`, so sums stay right and memory bounded", () => {
  const metrics = new MetricsRegistry({ seriesMax: 3 });
  const calls = metrics.counter("calls_total", "Calls.", ["user"]);
  for (let user = 0; user < 100; user++) calls.add(1, `u${user}`);
  calls.add(1, "u0");
  assert.equal(metrics.value("calls_total", "u0"), 2);
  assert.equal(metrics.value("calls_total", "u50"), 0);
  assert.equal(metrics.value("calls_total", "other"), 97);
  assert.equal(metrics.expose().match(/^calls_total/gm)?.length, 4);
});

test("asking for a metric again gives the same one; another shape is a mistake in the code", () => {
  const metrics = new MetricsRegistry();
  metrics.counter("calls_total", "Calls.").add();
  metrics.counter("calls_total", "Calls.").add();
  assert.equal(metrics.value("calls_total"), 2);
  assert.throws(() => metrics.gauge("calls_total", "Calls."), /declared one way only/);
  assert.throws(() => metrics.counter("calls_total", "Calls.", ["a"]), /declared one way only/);
});

test("mistakes in the code stop at once", () => {
  const metrics = new MetricsRegistry();
  assert.throws(() => metrics.counter("bad name", ""), /is a metric name/);
  assert.throws(() => metrics.counter("a", "", ["le"]), /label names/);
  assert.throws(() => metrics.histogram("h", "", [2, 1]), /ascending/);
  assert.throws(() => metrics.counter("c", "", ["x"]).add(1), /takes the labels x/);
  assert.throws(() => metrics.counter("d", "").add(-1), /only goes up/);
});

test("the numbers of a test: value of a histogram is its count, of an unknown metric 0", () => {
  const metrics = new MetricsRegistry();
  metrics.histogram("h", "", [1]).observe(0.5);
  assert.deepEqual([metrics.value("h"), metrics.value("nothing")], [1, 0]);
  noMetrics.counter("c", "").add();
  noMetrics.gauge("g", "").set(1);
  noMetrics.histogram("h", "", [1]).observe(1);
});

test("a bound series adds to the same numbers", () => {
  const metrics = new MetricsRegistry();
  const calls = metrics.counter("mecha_calls_total", "Calls.", ["service"]);
  const cart = calls.of("Cart");
  cart.add();
  cart.add(2);
  calls.add(1, "Cart");
  assert.equal(metrics.value("mecha_calls_total", "Cart"), 4);
  assert.throws(() => cart.add(-1), /only goes up/);
  const seconds = metrics.histogram("mecha_seconds", "Time.", [1], ["service"]);
  seconds.of("Cart").observe(0.5);
  seconds.observe(1, "Cart");
  assert.equal(metrics.value("mecha_seconds", "Cart"), 2);
  noMetrics.counter("a_total", "").of("x").add();
});

test("a summary has the quantiles of its latest observations, and the sum of all", () => {
  const metrics = new MetricsRegistry();
  const seconds = metrics.summary("mecha_active_seconds", "Active.", [0.5, 0.99, 1], ["name"]);
  const cart = seconds.of("cart");
  for (let i = 1; i <= 100; i++) cart.observe(i);
  assert.deepEqual(metrics.expose().split("\n").slice(1, 7), [
    "# TYPE mecha_active_seconds summary",
    'mecha_active_seconds{name="cart",quantile="0.5"} 50',
    'mecha_active_seconds{name="cart",quantile="0.99"} 99',
    'mecha_active_seconds{name="cart",quantile="1"} 100',
    'mecha_active_seconds_sum{name="cart"} 5050',
    'mecha_active_seconds_count{name="cart"} 100',
  ]);
  for (let i = 0; i < 2_000; i++) cart.observe(7);
  assert.match(metrics.expose(), /quantile="1"\} 7\n/, "old observations are gone");
});

test("only what is asked for by name is exposed, and nothing without a value", () => {
  const metrics = new MetricsRegistry();
  metrics.counter("a_total", "A.").add();
  metrics.counter("b_total", "B.").add();
  metrics.counter("c_total", "C.", ["x"]);
  assert.match(metrics.expose(new Set(["b_total", "c_total"])), /^# HELP b_total B\.\n# TYPE b_total counter\nb_total 1\n$/);
  assert.deepEqual(metrics.describe().map(({ name, kind }) => [name, kind]), [["a_total", "counter"], ["b_total", "counter"], ["c_total", "counter"]]); // prettier-ignore
});
