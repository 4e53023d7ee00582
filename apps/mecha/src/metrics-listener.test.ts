import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { hostClock, hostRandom } from "@mecha/host";
import { MetricsRegistry, noLog } from "@mecha/kit";
import { openOtlpExporter } from "@mecha/otlp";
import { openSidecar } from "@mecha/sidecar";
import { openMemoryStore } from "@mecha/store-memory";
import { openMetricsListener, processMetrics } from "./metrics-listener.ts";
import { UsageError } from "./exit.ts";
import { metricsAddress } from "./up/settings.ts";

const page = new URL("../../../docs/reference/metrics.md", import.meta.url);

/** The page's table as the code declares it now. */
async function renderTable(): Promise<string> {
  const metrics = new MetricsRegistry();
  await using store = openMemoryStore();
  await using _sidecar = await openSidecar(
    {
      ingress: { host: "127.0.0.1", port: 0 },
      cluster: { node: "a", listen: { host: "127.0.0.1", port: 0 }, peers: [] },
      version: "0",
    },
    { clock: hostClock, random: hostRandom, log: noLog, metrics, store, fatal: assert.fail },
  );
  processMetrics(metrics, "0");
  const resource = { serviceName: "", version: "" };
  await using _exporter = openOtlpExporter({ url: "http://127.0.0.1:1", resource, clock: hostClock, log: noLog, metrics });
  const rows = metrics
    .describe()
    .map(({ name, kind, labels, help }) => `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${help} |`);
  return ["| Name | Type | Labels | Meaning |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

test("the metrics reference lists what there is, no more and no less", async () => {
  const text = await readFile(page, "utf8");
  const [before = "", , after = ""] = text.split(/(<!-- begin generated -->[^]*<!-- end generated -->)/u);
  const fresh = `${before}<!-- begin generated -->\n\n${await renderTable()}\n\n<!-- end generated -->${after}`;
  if (process.env["UPDATE_GOLDEN"] === "1") await writeFile(page, fresh);
  assert.equal(await readFile(page, "utf8"), fresh, "stale: UPDATE_GOLDEN=1 node --test apps/mecha/src/metrics-listener.test.ts");
});

async function serve() {
  const metrics = new MetricsRegistry();
  metrics.counter("a_total", "A.").add(3);
  const listener = await openMetricsListener(processMetrics(metrics, "1.2"), { host: "127.0.0.1", port: 0, clock: hostClock, log: noLog });
  return { url: `http://127.0.0.1:${listener.port}`, [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose]() };
}

test("metrics are at /metrics and at /, filtered by name[] as the reference does", async () => {
  await using served = await serve();
  for (const path of ["/metrics", "/"]) {
    const response = await fetch(`${served.url}${path}`);
    const text = await response.text();
    assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert.match(text, /^a_total 3$/mu);
    assert.match(text, /^mecha_build_info\{version="1\.2"\} 1$/mu);
    assert.match(text, /^process_resident_memory_bytes \d+$/mu);
  }
  const some = await (await fetch(`${served.url}/metrics?name[]=a_total`)).text();
  assert.deepEqual([...some.matchAll(/^# TYPE (\S+)/gmu)].map((match) => match[1]), ["a_total"]); // prettier-ignore
});

for (const [what, path, init, status] of [
  ["another path", "/admin", {}, 404],
  ["a POST", "/metrics", { method: "POST" }, 405],
  ["a web page", "/metrics", { headers: { origin: "https://evil.example" } }, 403],
] as const) {
  test(`${what} is refused with ${status}`, async () => {
    await using served = await serve();
    assert.equal((await fetch(`${served.url}${path}`, init)).status, status);
  });
}

test("without METRICS_HOST, METRICS_PORT or a flag there is no listener; either opens it; beyond loopback only with --insecure", () => {
  assert.equal(metricsAddress({ host: undefined, port: undefined }, false), undefined);
  assert.deepEqual(metricsAddress({ host: "127.0.0.1", port: undefined }, false), { host: "127.0.0.1", port: 9090 });
  assert.deepEqual(metricsAddress({ host: undefined, port: 0 }, false), { host: "127.0.0.1", port: 0 });
  assert.throws(() => metricsAddress({ host: "0.0.0.0", port: 9090 }, false), UsageError);
  assert.deepEqual(metricsAddress({ host: "0.0.0.0", port: 9090 }, true), { host: "0.0.0.0", port: 9090 });
});
