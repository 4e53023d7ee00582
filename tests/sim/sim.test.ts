/**
 * Thousands of seeded schedules of the whole engine (world.ts), in a program of their own (main.ts) that names each failing seed with the
 * command that runs it again. MECHA_SIM_TRIALS=N and MECHA_SIM_SEED=S run others, as `npm run torture` does.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { repository } from "../support/files.ts";
import { runProgram } from "../support/program.ts";
import { runWorld } from "./world.ts";

const trials = Number(process.env["MECHA_SIM_TRIALS"] ?? 1_000);
const seed = Number(process.env["MECHA_SIM_SEED"] ?? 1);

function simulate(args: readonly string[]): ReturnType<typeof runProgram> {
  return runProgram(process.execPath, ["tests/sim/main.ts", ...args], { cwd: repository });
}

test(`${String(trials)} seeded schedules from ${String(seed)} on: answers, order, bounds and ends are right`, async (t) => {
  const ended = await simulate(["--trials", String(trials), "--seed", String(seed)]);
  const summary = ended.stdout.trim().split("\n").at(-1) ?? "";
  t.diagnostic(summary);
  assert.equal(ended.code, 0, ended.output);
  const acknowledged = Number(/(\d+) operations acknowledged/.exec(summary)?.[1]);
  assert.ok(acknowledged > trials * 50, `only ${String(acknowledged)} acknowledged: the clients got no work done`);
});

test("the same seed gives the same run", async () => {
  assert.deepEqual(await runWorld(7), await runWorld(7));
});

/** Each bug, planted in the world around the engine, and the rules of which one must object. Most are seen within some ten schedules. */
const plants: readonly (readonly [name: string, flaws: readonly string[], objection: RegExp, fromSeed?: number])[] = [
  [
    "the fence is skipped: a stale owner's steps are taken, whatever they were computed on",
    ["ignoresFence", "ignoresExpectedSequence"],
    /H[1-6]|R[12]|V\d/,
  ],
  ["commits are acknowledged before they are written", ["answersBeforeWriting"], /H1|H4|R1/],
  ["commits are acknowledged before they are synced, as with synchronous=NORMAL", ["answersBeforeSyncing"], /H1|H6|R1/],
  ["keys are forgotten: a command asked again happens again", ["forgetsKeys"], /H2|R1/],
  ["effects are not stored with the step that asks for them", ["forgetsMessages"], /V5/],
  ["a firing is not recorded in its step: the timer fires again", ["forgetsFirings"], /B2/],
  ["a timer is not stored with the step that sets it: it never fires", ["losesTimers"], /B1/],
  ["a stale owner answers reads without asking whether it still is one", ["readsWithoutFence"], /H5|R1/],
  [
    "the fence is skipped: a stale owner stores messages behind the new one's back, and nobody sends them",
    ["ignoresFence"],
    /V5|B4|H[14]|R1/,
  ],
  [
    "the fence is skipped, and a step computed on a lost one is taken because it fits the new owner's",
    ["ignoresFence", "forgetsLostHandles"],
    /H[1-6]|R[12]|committed \d+ after an earlier step had failed/,
  ],
  [
    "an owner that was taken over from reads back, is not told, and takes the new owner's step for its own",
    ["readsBackWithoutFence"],
    /H1|H4|R1|V[25]|B1/,
    500,
  ],
];
const plantedTrialsMax = 4_000;

test("sequences keep order and answers by themselves where verdicts are certain; messages and timers of a stale owner need the fence", async () => {
  const planted = ["--planted", "ignoresFence", "--planted", "certain"];
  const ended = await simulate(["--trials", "400", "--seed", "1", ...planted, "--except", "V5", "--except", "B4"]);
  assert.equal(ended.code, 0, ended.output);
});

for (const [name, flaws, objection, fromSeed = 1] of plants) {
  test(`planted: ${name}`, async (t) => {
    const ended = await simulate([
      "--trials",
      String(plantedTrialsMax),
      "--seed",
      String(fromSeed),
      ...flaws.flatMap((flaw) => ["--planted", flaw]),
    ]);
    assert.equal(ended.code, 1, `${String(plantedTrialsMax)} schedules did not see it: ${ended.output}`);
    const found = /^seed \d+: .*$/m.exec(ended.stdout)?.[0] ?? "";
    t.diagnostic(found);
    assert.match(found, objection);
  });
}
