/** Runs cases one after another, and says what came of each. */
import { type Clock, explain, type Random, Scope, sleep } from "@mecha/kit";
import { connect } from "@mecha/net";
import { type Case, CaseKit, type CaseOptions } from "./context.ts";
import type { Interceptor } from "./interceptor.ts";

/** After each case nothing more may be opened to the function for this long, ms (the TCK's rule). */
const quietMs = 10;
/** How long the calls of a failed case may take to run out, ms. */
const settleMs = 250;

/** What a case is called, whoever runs it. */
export interface CaseName {
  /** `P11`, `MV3`. */
  readonly id: string;
  readonly group: string;
  readonly name: string;
}

export interface CaseResult extends CaseName {
  readonly durationMs: number;
  /** Why it failed. Neither this nor `skipped`: it passed. */
  readonly failure?: string;
  /** Why it was not run. */
  readonly skipped?: string;
}

export interface SuiteOptions {
  readonly clock: Clock;
  /** Why a group cannot be run; `undefined`: it can. Default: all can. */
  readonly skip?: (group: string) => string | undefined;
  /** Told each result as it comes. */
  readonly onResult?: (result: CaseResult) => void;
}

/** Runs all cases in order with `runOne`. Never rejects for a case's failure. */
export async function runSuite<C extends CaseName>(
  cases: readonly C[],
  runOne: (one: C) => Promise<void>,
  { clock, skip, onResult }: SuiteOptions,
): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const one of cases) {
    const { id, group, name } = one;
    const skipped = skip?.(group);
    const startedMs = clock.monotonic();
    const failure = skipped === undefined ? await runOne(one).then(() => undefined, explain) : undefined;
    const durationMs = clock.monotonic() - startedMs;
    const result = { id, group, name, durationMs, ...(failure !== undefined && { failure }), ...(skipped !== undefined && { skipped }) };
    results.push(result);
    onResult?.(result);
  }
  return results;
}

export interface RunOptions extends CaseOptions {
  readonly interceptor: Interceptor;
  readonly clock: Clock;
  readonly random: Random;
}

/** A proxy under test, ready to take cases. */
export interface Proxy extends AsyncDisposable {
  /** Runs one case. @throws what the case found. */
  run(one: Case): Promise<void>;
}

/** Connects to the proxy. */
export function openProxy(options: RunOptions): Proxy {
  const { clock, random, interceptor } = options;
  const scope = new Scope();
  const proxy = scope.own(connect({ host: options.proxyHost, port: options.proxyPort, clock }));
  const kit = new CaseKit(options, { proxy, interceptor, clock, random });
  return {
    async run(one) {
      try {
        await one.run(kit);
        await interceptor.expectNoConnection(quietMs);
      } catch (failure) {
        // What a failed case left, and what its calls still cause, must not fail the next.
        await sleep(clock, settleMs);
        interceptor.forget();
        throw failure;
      }
    },
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

/** Runs proxy cases in order. */
export async function runCases(cases: readonly Case[], options: RunOptions & SuiteOptions): Promise<CaseResult[]> {
  await using proxy = openProxy(options);
  return await runSuite(cases, (one) => proxy.run(one), options);
}
