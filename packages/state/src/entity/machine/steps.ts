/** What becomes of steps: verdicts, releases in order (E2), and the frozen entity that asks the store what it took (E4). */
import { Fault } from "@mecha/kit";
import { compare } from "../../keys/keys.ts";
import type { ReadBack } from "../../store.ts";
import type { LedgerStep, Outcome } from "../ledger.ts";
import { pump, repeats } from "./commands.ts";
import { failAtFunction, goOn, leaveStream } from "./phases.ts";
import type { EntityState } from "./state.ts";

/** Pause before the store is asked again what became of a step. */
const readBackPauseMs = 200;

/** What became of a step. Verdicts of one entity come in the order of its steps. */
export function verdict(entity: EntityState, step: LedgerStep, outcome: Outcome, nowMs: number): void {
  if (outcome.is === "committed") committed(entity, step, outcome.outboxId);
  else if (outcome.is === "unknown" && step.fault === undefined) freeze(entity, step);
  else stepFailed(entity, step, outcome);
  releaseSettled(entity);
  if (entity.phase === "active") pump(entity, nowMs);
  else if (entity.phase === "frozen" && entity.ledger.underWay === 0) readBack(entity, nowMs);
  else goOn(entity, nowMs);
}

function committed(entity: EntityState, step: LedgerStep, outboxId: number | undefined): void {
  if (step.fault !== undefined) {
    // S2: a later step never survives without the earlier.
    entity.out.fatal(new Fault("dataLoss", `${entity.name}: the store committed ${step.endSequence} after an earlier step had failed`));
    entity.ledger.settle(step, "failed");
    return;
  }
  step.outboxId = outboxId;
  entity.ledger.settle(step, "durable");
}

/** Releases from the front, in order (E2). */
export function releaseSettled(entity: EntityState): void {
  const { ledger, out } = entity;
  for (let step = ledger.shiftSettled(); step !== undefined; step = ledger.shiftSettled()) {
    if (step.fault !== undefined) {
      const { envelope, known } = step;
      if (known === undefined || !repeats(entity, envelope, compare(envelope, known))) out.fail(envelope, step.fault);
      continue;
    }
    entity.durableSequence = step.endSequence;
    if (step.step?.deduplication !== undefined) entity.keys.remember(step.step.deduplication);
    out.release(step);
  }
}

function stepFailed(entity: EntityState, step: LedgerStep, outcome: Outcome): void {
  entity.ledger.settle(step, "failed");
  if (step.fault !== undefined) return; // condemned with an earlier one
  const fault = faultOf(entity.name, outcome);
  if (outcome.is === "duplicate") step.known = outcome.record;
  entity.warn("step was not stored", fault, { command: step.envelope.command.name });
  entity.ledger.fail(step, fault);
  entity.ownSequence = false;
  if (entity.phase === "frozen") return;
  leaveStream(entity);
  failAtFunction(entity, fault);
}

function faultOf(name: string, outcome: Outcome): Fault {
  if (outcome.is === "dropped") return outcome.fault;
  if (outcome.is === "conflict") {
    return new Fault("aborted", `${name}: somebody else wrote first; not applied, read again and retry`, {
      facts: { actualSequence: outcome.actualSequence },
    });
  }
  // Those behind it; it has its answer.
  if (outcome.is === "duplicate") return new Fault("unavailable", `${name}: a command before was a repeated one; not applied, retry`);
  return new Fault("unavailable", `${name}: it is owned elsewhere now; not applied, retry`);
}

/** Nobody is answered until the store has been read back (E4). */
function freeze(entity: EntityState, step: LedgerStep): void {
  entity.ledger.settle(step, "unsure");
  entity.ownSequence = false;
  if (entity.phase === "frozen") return;
  leaveStream(entity);
  entity.phase = "frozen";
  failAtFunction(entity, new Fault("unavailable", `${entity.name}: the store did not answer; not applied, retry`));
}

function readBack(entity: EntityState, nowMs: number): void {
  entity.sinceMs = nowMs;
  entity.readBackAtMs = -1;
  entity.out.readBack();
}

/** The store was read back: what it has, it took, unless somebody else may have written it: a sequence does not say whose it is. */
export function decide(entity: EntityState, record: ReadBack): void {
  if (record.fenced === true) {
    entity.ledger.doubt(undecidable(entity.name));
    releaseSettled(entity);
    return;
  }
  const keys = new Set(record.keys?.records.map(({ key }) => key));
  const not = new Fault("unavailable", `${entity.name}: the store did not take it; not applied, retry`);
  entity.ledger.decide(record.sequence, keys, { not, maybe: undecidable(entity.name) });
  releaseSettled(entity);
}

/** Asks again for a while; then admits that nobody can know. */
export function readBackFailed(entity: EntityState, nowMs: number): void {
  if (nowMs - entity.sinceMs < entity.limits.commandTimeoutMs) {
    entity.readBackAtMs = nowMs + readBackPauseMs;
    entity.watch(entity.readBackAtMs);
    return;
  }
  giveUp(entity, nowMs);
}

/** Asks the store again when the pause is over. */
export function frozenOver(entity: EntityState, nowMs: number): void {
  if (entity.readBackAtMs < 0) return;
  if (nowMs < entity.readBackAtMs) {
    entity.watch(entity.readBackAtMs);
    return;
  }
  entity.readBackAtMs = -1;
  entity.out.readBack();
}

/** Answers what the store cannot decide. Only frozen entities have such steps. */
export function giveUp(entity: EntityState, nowMs: number): void {
  if (entity.phase !== "frozen") return;
  entity.phase = "settling";
  const { head } = entity.ledger;
  if (head !== undefined) entity.ledger.fail(head, undecidable(entity.name));
  releaseSettled(entity);
  goOn(entity, nowMs);
}

function undecidable(name: string): Fault {
  const ask = "with an idempotency key, ask again with the same one";
  return new Fault("unknown", `${name}: the store cannot say whether this was applied; ${ask}`);
}
