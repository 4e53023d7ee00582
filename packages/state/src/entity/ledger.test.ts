import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import type { EntityHandle, Step } from "../store.ts";
import { envelopes } from "../testing/envelope.ts";
import { replyOf } from "../testing/function.ts";
import { Ledger, LedgerStep } from "./ledger.ts";

const { make } = envelopes();
const stored: Step = { entity: 1 as EntityHandle, expectedSequence: 0, events: [], cause: "Do", timeMs: 0 };
const fault = new Fault("aborted", "no");

function ledgerOf(...sequences: readonly (number | "read")[]): { ledger: Ledger; steps: LedgerStep[] } {
  const ledger = new Ledger();
  let end = 0;
  const steps = sequences.map((sequence) => {
    end = sequence === "read" ? end : sequence;
    const step = new LedgerStep(make("x"), replyOf(1, {}), sequence === "read" ? undefined : stored, end, sequence === "read" ? 0 : 10);
    ledger.push(step);
    return step;
  });
  return { ledger, steps };
}

function leaving(ledger: Ledger): LedgerStep[] {
  const out: LedgerStep[] = [];
  for (let step = ledger.shiftSettled(); step; step = ledger.shiftSettled()) out.push(step);
  return out;
}

test("L1: a step that is durable waits for those before it", () => {
  const { ledger, steps } = ledgerOf(1, 2, "read");
  ledger.settle(steps[1] as LedgerStep, "durable");
  assert.deepEqual(leaving(ledger), []);
  ledger.settle(steps[0] as LedgerStep, "durable");
  assert.deepEqual(leaving(ledger), steps);
  assert.deepEqual([ledger.size, ledger.bytes, ledger.underWay], [0, 0, 0]);
});

test("L2, L3: a failed step condemns the later ones, which leave after their verdicts", () => {
  const { ledger, steps } = ledgerOf(1, 2, "read", 3);
  ledger.settle(steps[0] as LedgerStep, "durable");
  ledger.settle(steps[1] as LedgerStep, "failed");
  ledger.fail(steps[1] as LedgerStep, fault);
  assert.deepEqual(leaving(ledger), steps.slice(0, 3));
  assert.equal(ledger.underWay, 1);
  assert.deepEqual(
    steps.map((step) => step.fault),
    [undefined, fault, fault, fault],
  );
  ledger.settle(steps[3] as LedgerStep, "failed");
  assert.deepEqual(leaving(ledger), steps.slice(3));
});

for (const { found, durable } of [
  { found: 0, durable: 0 },
  { found: 1, durable: 1 },
  { found: 2, durable: 3 },
  { found: 3, durable: 4 },
]) {
  test(`unsure steps, read back at ${found}: ${durable} of 4 are durable`, () => {
    const { ledger, steps } = ledgerOf(1, 2, "read", 3);
    for (const at of [0, 1, 3]) ledger.settle(steps[at] as LedgerStep, "unsure");
    assert.deepEqual(leaving(ledger), []);
    ledger.decide(found, new Set(), { not: fault, maybe: fault });
    assert.deepEqual(
      leaving(ledger).map((step) => step.fault === undefined),
      steps.map((_, at) => at < durable),
    );
  });
}
