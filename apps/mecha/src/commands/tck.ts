/** `mecha tck`: the conformance kit of the Cloudstate protocol against a user function, or against a proxy in front of one. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import {
  type Address,
  jsonReport,
  junitReport,
  referenceEntityTypes,
  resultLines,
  runModelTck,
  runProxyTck,
  type TckOptions,
  totalsLine,
  totalsOf,
} from "@mecha/conformance";
import { explain, Fault } from "@mecha/kit";
import { type ExitCode, exitCodes, UsageError } from "../exit.ts";
import { type Io, type OutputFormat, printable } from "../io.ts";

export interface TckCommandOptions {
  /** HOST:PORT of a function with the TCK's model services. */
  readonly function: string;
  /** HOST:PORT of the proxy; absent: the function itself is tested. */
  readonly proxy?: string;
  /** Where the proxy finds its function: the kit, which stands between the two. */
  readonly listen: number;
  readonly types?: string;
  readonly only?: string;
  /** A file to write. */
  readonly junit?: string;
  readonly output: OutputFormat;
}

/** Exit code: 0 nothing failed, 1 a case failed, nothing was run, or somebody could not be reached. */
export async function tckCommand(io: Io, options: TckCommandOptions): Promise<ExitCode> {
  const kind = options.proxy === undefined ? "model" : "proxy";
  if (kind === "model" && options.types !== undefined) throw new UsageError("--types is for --proxy: it names what the proxy supports");
  const results = await run(io, options).catch((error: unknown) => {
    throw error instanceof Fault && error.code === "invalid" ? new UsageError(`--only: ${explain(error)}`) : error;
  });
  if (options.junit !== undefined) await writeReport(resolve(io.cwd, options.junit), junitReport(kind, results));
  const totals = totalsOf(results);
  io.out(options.output === "json" ? `${JSON.stringify(jsonReport(kind, results), undefined, 2)}\n` : totalsLine(totals));
  if (totals.passed + totals.failed === 0)
    throw new Fault("precondition", "no case could be run: the function serves none of the TCK's model services");
  return totals.failed === 0 ? exitCodes.ok : exitCodes.failure;
}

function run(io: Io, options: TckCommandOptions): ReturnType<typeof runModelTck> {
  const shared: TckOptions = {
    clock: io.clock,
    function: addressOf("--function", options.function),
    ...(options.only !== undefined && { only: words(options.only) }),
    ...(options.output === "text" && { onResult: (result) => io.out(printable(resultLines(result))) }),
  };
  if (options.proxy === undefined) return runModelTck(shared);
  return runProxyTck({
    ...shared,
    random: io.random,
    proxy: addressOf("--proxy", options.proxy),
    listenPort: options.listen,
    supportedEntityTypes: options.types === undefined ? referenceEntityTypes : words(options.types),
    onListening: (port) =>
      io.err(
        `the kit stands in for the function on port ${port}; start the proxy with that as its function's port (waiting for ${options.proxy ?? ""})\n`,
      ),
  });
}

async function writeReport(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    throw new Fault("precondition", `--junit: cannot write ${path}`, { cause });
  }
}

const words = (list: string): string[] =>
  list
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");

/** @throws UsageError naming the option. */
function addressOf(option: string, text: string): Address {
  const [, host = "", port = ""] = /^(.+):(\d{1,5})$/u.exec(text) ?? [];
  if (host === "" || Number(port) > 65_535 || Number(port) === 0)
    throw new UsageError(`${option}: expected HOST:PORT, as in 127.0.0.1:8080, got ${JSON.stringify(text.slice(0, 200))}`);
  return { host: host.replace(/^\[(.*)\]$/u, "$1"), port: Number(port) };
}
