/**
 * The proxy cases as a command:
 *
 *   node conformance/src/main.ts --function 127.0.0.1:8080 --listen 8090 --proxy 127.0.0.1:9000 [--types a,b] [--only P11,P12]
 *
 * `--function` is a user function that serves the TCK's model services. Start this first, then the proxy with its function port at `--listen`
 * (default 8090, the TCK's); the cases begin when the proxy has asked for discovery. Exit code 0: all passed; 1: some failed; 2: bad arguments or
 * no proxy came.
 */
import { parseArgs } from "node:util";
import { hostClock, hostRandom } from "@mecha/host";
import { explain, Fault, sleep } from "@mecha/kit";
import { type CaseResult, openInterceptor, proxyCases, referenceEntityTypes, runCases, type RunOptions } from "./index.ts";

/** How long the proxy may take to listen once it has been started by hand, ms. */
const proxyWaitMs = 60_000;
const probeEveryMs = 200;

const clock = hostClock;

try {
  process.exitCode = await main();
} catch (error) {
  console.error(explain(error));
  process.exitCode = 2;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      function: { type: "string", default: "127.0.0.1:8080" },
      listen: { type: "string", default: "8090" },
      proxy: { type: "string", default: "127.0.0.1:9000" },
      types: { type: "string", default: referenceEntityTypes.join(",") },
      only: { type: "string" },
    },
  });
  const proxy = address("--proxy", values.proxy);
  await using interceptor = await openInterceptor({
    ...address("--function", values.function),
    listenPort: port("--listen", values.listen),
    clock,
  });
  const only = values.only?.split(",");
  const cases = proxyCases.filter(({ id }) => only === undefined || only.includes(id));
  if (cases.length === 0)
    throw new Fault("invalid", `--only: no case is called ${values.only}; there are ${proxyCases.map(({ id }) => id).join(", ")}`);
  console.log(`interceptor on port ${interceptor.port}; waiting for the proxy at ${values.proxy}`);
  await proxyListens(`http://${values.proxy}/`);
  const options: RunOptions = {
    proxyHost: proxy.host,
    proxyPort: proxy.port,
    supportedEntityTypes: values.types.split(","),
    interceptor,
    clock,
    random: hostRandom,
    onResult: print,
  };
  const failures = (await runCases(cases, options)).filter(({ failure }) => failure !== undefined);
  console.log(`${cases.length - failures.length} of ${cases.length} passed`);
  return failures.length === 0 ? 0 : 1;
}

function print({ id, group, name, failure }: CaseResult): void {
  console.log(`${failure === undefined ? "ok  " : "FAIL"} ${id.padEnd(4)} ${group}: ${name}`);
  if (failure !== undefined) console.log(failure.replace(/^/gm, "       "));
}

/** Resolves when the proxy answers HTTP, whatever it says. */
async function proxyListens(url: string): Promise<void> {
  const untilMs = clock.monotonic() + proxyWaitMs;
  for (;;) {
    try {
      await fetch(url, { signal: AbortSignal.timeout(1_000) });
      return;
    } catch (cause) {
      if (clock.monotonic() > untilMs)
        throw new Fault("unavailable", `no proxy answered at ${url} within ${proxyWaitMs / 1_000} s`, { cause });
      await sleep(clock, probeEveryMs);
    }
  }
}

function address(option: string, text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(":");
  if (colon < 1) throw new Fault("invalid", `${option}: expected host:port, got ${JSON.stringify(text)}`);
  return { host: text.slice(0, colon), port: port(option, text.slice(colon + 1)) };
}

function port(option: string, text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535)
    throw new Fault("invalid", `${option}: expected a port from 0 to 65535, got ${JSON.stringify(text)}`);
  return value;
}
