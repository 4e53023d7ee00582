/**
 * One long crash trial: many clients, kills at random points, many entities active beside the load, and a judgement at the end.
 *
 * Kills come from a seed: which process, and how long after it last became ready. Where in a fsync that hits is the machine's choice.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "@mecha/kit";
import { bystander, Clients, touchBystanders } from "./clients.ts";
import type { Breach } from "./history.ts";
import { Platform } from "./platform.ts";

/** What a trial does. */
export interface TrialOptions {
  /** Folder for the state, empty at first. */
  readonly stateDir: string;
  readonly random: Random;
  readonly kills: number;
  /** What the clients write to all the time. */
  readonly ledgers: number;
  readonly registers: number;
  readonly bells: number;
  readonly counters: number;
  readonly clients: number;
  /** Entities touched once at the start and kept active beside the load. */
  readonly bystanders: number;
  readonly report: (line: string) => void;
}

/** What came of it. */
export interface TrialResult {
  readonly breaches: readonly Breach[];
  readonly acknowledged: number;
  readonly unanswered: number;
  /** Commands with a key that were asked more than once. */
  readonly repeated: number;
  readonly killsOfMecha: number;
  readonly killsOfFunction: number;
  readonly orphans: readonly number[];
}

/** Latest moment of a kill after readiness. Short ones hit recovery and replay, long ones the steady state. */
const killWithinMs = 600;
/** Bystanders read at the end. */
const sampleMax = 500;

/** Runs one trial. @throws when Mecha does not come back after a kill. */
export async function runTrial(options: TrialOptions): Promise<TrialResult> {
  const { random, bystanders, report } = options;
  await using platform = await Platform.open({ stateDir: options.stateDir });
  const names = (kind: string, count: number): string[] => Array.from({ length: count }, (_, at) => `${kind}${String(at)}`);
  const { clients: number } = options;
  const plan = { ledgers: names("l", options.ledgers), registers: names("r", options.registers), clients: number };
  const others = { bells: names("bell", options.bells), counters: names("c", options.counters) };
  using clients = new Clients({ port: platform.port, random, ...plan, ...others });
  if (bystanders > 0) {
    const startedMs = performance.now();
    await touchBystanders(platform.port, bystanders);
    report(`${String(bystanders)} bystanders are active after ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
  }
  clients.start();
  let killsOfMecha = 0;
  for (let kill = 0; kill < options.kills; kill++) {
    await delay(random.below(killWithinMs));
    if (random.below(3) === 0) await platform.killFunction();
    else {
      killsOfMecha++;
      await platform.killMecha();
      await platform.start();
    }
    if ((kill + 1) % 10 === 0) report(`${String(kill + 1)} kills, ${String(clients.acknowledged)} commands acknowledged`);
  }
  await clients.stop();
  const breaches = [...(await clients.judge()), ...(await clients.judgeBells()), ...(await lostBystanders(clients, options))];
  await platform.stop();
  return {
    breaches,
    acknowledged: clients.acknowledged,
    unanswered: clients.unanswered,
    repeated: clients.repeated,
    killsOfMecha,
    killsOfFunction: options.kills - killsOfMecha,
    orphans: platform.orphans,
  };
}

/** Bystanders, of a sample, whose one entry is not there at the end. */
async function lostBystanders(clients: Clients, { random, bystanders }: TrialOptions): Promise<readonly Breach[]> {
  const lost: Breach[] = [];
  for (let left = Math.min(sampleMax, bystanders); left > 0; left--) {
    const name = bystander(random.below(bystanders));
    const list = await clients.readLedger(name);
    if (list.length !== 1 || list[0] !== name) {
      lost.push({ rule: "H1", entity: name, what: `the bystander's entry is ${JSON.stringify(list)}` });
    }
  }
  return lost;
}
