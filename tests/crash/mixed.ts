/**
 * Short trials with mixed faults: clients work on ledgers, registers, bells (timers) and counters (CRDTs) of their own, one fault hits at a moment of the
 * seed's choice, everything comes back, and what the clients saw is judged. A Mecha serves several trials, one after the other, as starting it takes longer than a trial.
 *
 * X1 a trial's choices come from its own seed, so it can be run alone; when exactly a fault hits an fsync is the machine's choice
 * X2 after the last trial on a store its timers are judged, as they go on from trial to trial; then it is stopped and the file checked as `mecha doctor` does
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SeededRandom } from "@mecha/kit/testing";
import { tempDir } from "../support/files.ts";
import { Clients } from "./clients.ts";
import { judgeCopy, judgeStopped } from "./copy.ts";
import type { Breach } from "./history.ts";
import { Platform } from "./platform.ts";

/** Each with its share: those that make Mecha start again take longest. */
const faults = {
  killMecha: 10,
  killMechaWhileStarting: 3,
  killFunction: 14,
  killBoth: 2,
  stopMecha: 25,
  stopFunction: 18,
  stopThenKill: 2,
  copy: 18,
  diskFull: 4,
  ioError: 4,
} as const;
export type Fault = keyof typeof faults;

/** Trials on one store. */
const trialsPerStore = 25;
/** Load before the fault, in acknowledged commands, and after it. */
const beforeMax = 40;
const afterCount = 5;
/** Longest stop, ms: short against every timeout, so that it must go unnoticed. */
const stopMaxMs = 150;

export interface TrialFailure {
  readonly seed: number;
  readonly fault: Fault;
  readonly problems: readonly string[];
}

export interface MixedResult {
  readonly failures: readonly TrialFailure[];
  readonly acknowledged: number;
  readonly unanswered: number;
  readonly faults: Readonly<Partial<Record<Fault, number>>>;
}

/** Runs `trials` trials with the seeds from `seed` on. `report` hears of each failure at once, and of progress. */
export async function runMixed(trials: number, seed: number, report: (line: string) => void): Promise<MixedResult> {
  const failures: TrialFailure[] = [];
  const counts: Partial<Record<Fault, number>> = {};
  let acknowledged = 0;
  let unanswered = 0;
  for (let from = seed; from < seed + trials; from += trialsPerStore) {
    await using dir = await tempDir("torture");
    await using platform = await Platform.open({ stateDir: join(dir.path, "state") });
    const done: Trial[] = [];
    for (let at = from; at < Math.min(seed + trials, from + trialsPerStore); at++) {
      const trial = new Trial(platform, at, join(dir.path, `copy-${String(at)}`));
      done.push(trial);
      const problems = await trial.run();
      counts[trial.fault] = (counts[trial.fault] ?? 0) + 1;
      acknowledged += trial.clients.acknowledged;
      unanswered += trial.clients.unanswered;
      if (problems.length > 0) failures.push(fail({ seed: at, fault: trial.fault, problems }, report));
    }
    for (const trial of done) {
      const problems = wordsOf(await trial.clients.judgeBells()); // keeps X2
      if (problems.length > 0) failures.push(fail({ seed: trial.seed, fault: trial.fault, problems }, report));
    }
    const exit = await platform.stop();
    const left = [...judgeStopped(platform.stateDir), ...(exit.code === 0 ? [] : [`SIGTERM ended it with ${JSON.stringify(exit)}`])];
    if (left.length > 0) failures.push(fail({ seed: from, fault: "stopMecha", problems: left }, report));
    report(`${String(Math.min(trials, from - seed + trialsPerStore))} of ${String(trials)} trials, ${String(failures.length)} failed`);
  }
  return { failures, acknowledged, unanswered, faults: counts };
}

function fail(failure: TrialFailure, report: (line: string) => void): TrialFailure {
  report(`seed ${String(failure.seed)} (${failure.fault}) failed:\n  ${failure.problems.slice(0, 5).join("\n  ")}`);
  report(`  again: npm run torture -- --trials 1 --seed ${String(failure.seed)}`);
  return failure;
}

function wordsOf(breaches: readonly Breach[]): readonly string[] {
  return breaches.map(({ rule, entity, what }) => `${rule}: ${entity}: ${what}`);
}

class Trial {
  readonly seed: number;
  readonly fault: Fault;
  readonly clients: Clients;
  readonly #platform: Platform;
  readonly #random: SeededRandom;
  readonly #copyTo: string;
  readonly #problems: string[] = [];

  constructor(platform: Platform, seed: number, copyTo: string) {
    this.seed = seed;
    this.#platform = platform;
    this.#random = new SeededRandom(seed);
    this.#copyTo = copyTo;
    this.fault = pickFault(this.#random);
    const name = (kind: string, count: number): string[] =>
      Array.from({ length: count }, (_, at) => `t${String(seed)}${kind}${String(at)}`);
    const entities = { ledgers: name("l", 3), registers: name("r", 2), bells: name("b", 1), counters: name("c", 1) };
    this.clients = new Clients({ port: platform.port, random: this.#random, ...entities, clients: 6 });
  }

  /** @returns what went wrong. */
  async run(): Promise<readonly string[]> {
    using clients = this.clients;
    const orphans = this.#platform.orphans.length;
    clients.start();
    try {
      await clients.more(1 + this.#random.below(beforeMax));
      await this.#strike();
      await clients.more(afterCount);
    } finally {
      await clients.stop();
    }
    const breaches = await clients.judge();
    const left = this.#platform.orphans.slice(orphans);
    return [...this.#problems, ...wordsOf(breaches), ...left.map((pid) => `process ${String(pid)} outlived its Mecha`)];
  }

  async #strike(): Promise<void> {
    const platform = this.#platform;
    const stopMs = 1 + this.#random.below(stopMaxMs);
    switch (this.fault) {
      case "killMecha":
        await platform.killMecha();
        return platform.start();
      case "killMechaWhileStarting":
        await platform.killMecha();
        platform.launch();
        await delay(this.#random.below(1_500));
        await platform.killMecha();
        return platform.start();
      case "killFunction":
        return platform.killFunction();
      case "killBoth":
        await platform.killFunction();
        await platform.killMecha();
        return platform.start();
      case "stopMecha":
        return platform.stopFor("mecha", stopMs);
      case "stopFunction":
        return platform.stopFor("function", stopMs);
      case "stopThenKill":
        await Promise.all([platform.stopFor("function", stopMs), delay(stopMs / 2).then(() => platform.killMecha())]);
        return platform.start();
      case "copy":
        return this.#copy();
      case "diskFull":
        await platform.fillDisk(this.#random.below(200_000));
        return platform.start();
      case "ioError":
        await platform.failSyncs();
        return platform.start();
    }
  }

  async #copy(): Promise<void> {
    let acknowledged: Clients["acknowledgedIds"] = [];
    let lastValues: ReadonlySet<string> = new Set();
    await this.#platform.copyWhileStopped(this.#copyTo, () => {
      acknowledged = [...this.clients.acknowledgedIds];
      lastValues = this.clients.untouchedSince();
    });
    this.#problems.push(...judgeCopy(this.#copyTo, acknowledged, lastValues));
  }
}

function pickFault(random: SeededRandom): Fault {
  const shares = Object.entries(faults) as [Fault, number][];
  let at = random.below(shares.reduce((sum, [, share]) => sum + share, 0));
  for (const [fault, share] of shares) {
    at -= share;
    if (at < 0) return fault;
  }
  throw new Error("shares add up");
}
