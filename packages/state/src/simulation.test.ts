/** Promises that span everything, under random weather (testing/simulation.ts). A failing seed is in the test's name. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isOwnAdd, type SimCall, type SimResult, simulate, type Weather } from "./testing/simulation.ts";

const weathers: readonly { readonly name: string; readonly weather: Weather }[] = [
  { name: "a calm day", weather: { functionFault: Infinity, storeFault: Infinity, move: Infinity } },
  { name: "a function in trouble", weather: { functionFault: 12, storeFault: Infinity, move: 60 } },
  { name: "a store in trouble", weather: { functionFault: Infinity, storeFault: 12, move: Infinity } },
  { name: "everything in trouble", weather: { functionFault: 15, storeFault: 15, move: 40 } },
];
const seedsEach = 25;
const turns = 250;

for (const { name, weather } of weathers) {
  for (let seed = 1; seed <= seedsEach; seed++) {
    test(`${name}, seed ${seed}`, async () => {
      const result = await simulate(seed, turns, weather);
      everybodyIsAnsweredOnce(result);
      logsAreWhatTheFunctionComputed(result);
      acknowledgedMeansAppliedOnce(result);
      notAppliedMeansNotThere(result);
      repliesKeepTheOrderOfSending(result);
      readsSeeWhatWasAcknowledged(result);
      nothingIsLeft(result);
      if (weather.functionFault === Infinity) effectsAreDone(result);
      if (weather.functionFault === Infinity && weather.storeFault === Infinity) mostSucceed(result);
    });
  }
}

test("the same seed gives the same run", async () => {
  const weather = weathers[3]?.weather as Weather;
  assert.deepEqual((await simulate(7, turns, weather)).logs, (await simulate(7, turns, weather)).logs);
});

function everybodyIsAnsweredOnce({ calls }: SimResult): void {
  for (const call of calls) assert.equal(call.answers, 1, `${call.body} was answered ${call.answers} times`);
}

/** Each event sits where the function computed it: no step was computed on state that never existed (E3). */
function logsAreWhatTheFunctionComputed({ logs }: SimResult): void {
  for (const [entityId, log] of logs) {
    for (const [at, text] of log.entries()) assert.ok(text.endsWith(`@${at + 1}`), `${entityId}: event ${at + 1} is ${text}`);
  }
}

const bodiesOf = (log: readonly string[]): string[] => log.map((text) => text.slice(0, text.lastIndexOf("@")));

function acknowledgedMeansAppliedOnce({ calls, logs }: SimResult): void {
  const all = [...logs.values()].flatMap(bodiesOf);
  assert.equal(new Set(all).size, all.length, "an event was applied twice");
  for (const call of calls.filter((each) => isOwnAdd(each) && each.fault === undefined)) {
    const at = Number(call.reply);
    assert.equal(logs.get(call.entityId)?.[at - 1], `${call.body}@${at}`, `${call.body} was acknowledged at ${at}`);
  }
}

/** Failures that promise that nothing happened. */
function saysNotApplied(call: SimCall): boolean {
  const text = call.fault?.message ?? "";
  return (
    text.includes("not applied") ||
    text.startsWith("Unexpected entity") ||
    text === "Entity terminated" ||
    text === "Error recovering event log"
  );
}

/** An effect that is asked for by a stored event happens, whatever became of the attempts; `acknowledgedMeansAppliedOnce` shows that it is once (E10). */
function effectsAreDone({ logs }: SimResult): void {
  const all = [...logs.values()].flatMap(bodiesOf);
  for (const body of all.filter((one) => one.startsWith("effect "))) assert.ok(all.includes(`add ${body}`), `${body} had no effect`);
}

function notAppliedMeansNotThere({ calls, logs }: SimResult): void {
  for (const call of calls.filter((each) => isOwnAdd(each) && saysNotApplied(each))) {
    const there = bodiesOf(logs.get(call.entityId) ?? []).includes(call.body);
    assert.ok(!there, `${call.body} is there, but its caller was told: ${call.fault?.message}`);
  }
}

function repliesKeepTheOrderOfSending({ calls, logs }: SimResult): void {
  for (const entityId of logs.keys()) {
    const sequences = calls.filter((call) => call.entityId === entityId && isOwnAdd(call) && !call.fault).map(({ reply }) => Number(reply));
    assert.deepEqual(
      sequences,
      sequences.toSorted((a, b) => a - b),
      entityId,
    );
  }
}

function readsSeeWhatWasAcknowledged({ calls }: SimResult): void {
  for (const read of calls.filter((call) => call.kind === "read" && !call.fault)) {
    assert.ok(Number(read.reply) >= read.acknowledgedBefore, `${read.body} saw ${read.reply}, ${read.acknowledgedBefore} was acknowledged`);
  }
}

function nothingIsLeft({ fatal, handles, timers, liveStreams }: SimResult): void {
  assert.deepEqual({ fatal, handles, timers, liveStreams }, { fatal: [], handles: 0, timers: 0, liveStreams: 0 });
}

function mostSucceed({ calls }: SimResult): void {
  const allowed = /^(deadline|exhausted)$/; // callers' own deadlines; more entities than places
  for (const call of calls) if (call.fault) assert.match(call.fault.code, allowed, `${call.body}: ${call.fault.message}`);
}
