/** Runs cases against a proxy, one after another, and says what came of each. */
import { type Clock, explain, type Random, Scope, sleep } from "@mecha/kit";
import { connect } from "@mecha/net";
import { type Case, CaseKit, type CaseOptions } from "./context.ts";
import type { Interceptor } from "./interceptor.ts";

/** After each case nothing more may be opened to the function for this long, ms (the TCK's rule). */
const quietMs = 10;
/** How long the calls of a failed case may take to run out, ms. */
const settleMs = 250;

export interface CaseResult {
  readonly id: string;
  readonly name: string;
  readonly group: Case["group"];
  /** Absent: passed. */
  readonly failure?: string;
}

export interface RunOptions extends CaseOptions {
  readonly interceptor: Interceptor;
  readonly clock: Clock;
  readonly random: Random;
  /** Told each result as it comes. */
  readonly onResult?: (result: CaseResult) => void;
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

/** Runs all cases in order. Never rejects for a case's failure. */
export async function runCases(cases: readonly Case[], options: RunOptions): Promise<CaseResult[]> {
  await using proxy = openProxy(options);
  const results: CaseResult[] = [];
  for (const one of cases) {
    const { id, name, group } = one;
    const failure = await proxy.run(one).then(() => undefined, explain);
    const result = failure === undefined ? { id, name, group } : { id, name, group, failure };
    results.push(result);
    options.onResult?.(result);
  }
  return results;
}
