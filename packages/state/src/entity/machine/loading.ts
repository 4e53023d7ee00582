/** From leave to load to `active`: the record is opened, its events are replayed to a new stream. */
import { assert, Fault } from "@mecha/kit";
import type { EntityInit } from "../../model.ts";
import type { EntityRecord, ReadBack, StoredEvent } from "../../store.ts";
import { Replay, type ReplayState } from "../replay.ts";
import { pump } from "./commands.ts";
import { failQueue, goOn, leaveStream } from "./phases.ts";
import type { EntityState } from "./state.ts";
import { decide, readBackFailed } from "./steps.ts";

/** What a stream begins with. */
function initOf(kind: "eventSourced" | "value", record: EntityRecord): EntityInit {
  if (kind === "value") return record.value === undefined ? { kind } : { kind, value: record.value };
  return record.snapshot === undefined ? { kind } : { kind, snapshot: record.snapshot };
}

/** Leave to load was given. */
export function entered(entity: EntityState): void {
  assert(entity.phase === "waiting", `${entity.name}: leave to load in phase ${entity.phase}`);
  entity.phase = "loading";
  entity.out.openStore();
}

/** There is no room. */
export function refused(entity: EntityState, fault: Fault, nowMs: number): void {
  assert(entity.phase === "waiting", `${entity.name}: refusal in phase ${entity.phase}`);
  entity.phase = "settling";
  entity.reopen = false;
  failQueue(entity, fault);
  goOn(entity, nowMs);
}

/** The record is open. */
export function opened(entity: EntityState, record: ReadBack, nowMs: number): void {
  entity.handle = record.handle;
  if (entity.phase === "frozen") {
    decide(entity, record);
    entity.phase = "loading";
  } else if (entity.ownSequence && record.sequence !== entity.durableSequence) {
    const found = `the store says ${record.sequence}, ${entity.durableSequence} was committed`;
    entity.out.fatal(new Fault("dataLoss", `reload ${entity.name}: ${found}`));
    return;
  }
  entity.durableSequence = record.sequence;
  entity.assignedSequence = record.sequence;
  entity.ownSequence = true;
  entity.keys.load(record.keys);
  if (entity.mailbox.size === 0 && !entity.reopen) {
    entity.phase = "settling";
    goOn(entity, nowMs);
    return;
  }
  replay(entity, record, nowMs);
}

function replay(entity: EntityState, record: EntityRecord, nowMs: number): void {
  entity.phase = "replaying";
  entity.reopen = false;
  entity.lastCommandId = 0;
  entity.replies = 0;
  entity.sinceMs = nowMs;
  entity.watch(nowMs + entity.limits.commandTimeoutMs);
  entity.window = Math.min(entity.out.openStream(initOf(entity.kind, record)), entity.limits.windowMax);
  const covered = entity.kind === "value" ? record.sequence : (record.snapshot?.sequence ?? 0);
  const replaying = new Replay(covered, record.sequence);
  entity.replaying = replaying;
  replayOn(entity, replaying, replaying.state, nowMs);
}

function replayOn(entity: EntityState, replaying: Replay, state: ReplayState, nowMs: number): void {
  switch (state) {
    case "needsPage":
      entity.out.readPage(replaying.replayed);
      break;
    case "done":
      activate(entity, replaying.loadedEvents, nowMs);
      break;
    case "broken":
      recoveryFailed(entity, new Fault(replaying.code, `replay ${entity.name}: ${replaying.problem}`), nowMs);
      break;
    case "blocked":
      break; // `drained` goes on
  }
}

function activate(entity: EntityState, loadedEvents: number, nowMs: number): void {
  entity.replaying = undefined;
  entity.phase = "active";
  entity.out.activated(loadedEvents);
  pump(entity, nowMs);
}

/** The record could not be opened. */
export function openFailed(entity: EntityState, cause: unknown, nowMs: number): void {
  if (entity.phase === "frozen") readBackFailed(entity, nowMs);
  else recoveryFailed(entity, cause, nowMs);
}

/** Events to replay. */
export function page(entity: EntityState, events: readonly StoredEvent[], nowMs: number): void {
  const { replaying } = entity;
  if (replaying === undefined) return;
  replaying.take(events);
  replayOn(entity, replaying, replaying.feed(entity.out), nowMs);
}

/** The function has room for events again. */
export function drained(entity: EntityState, nowMs: number): void {
  const { replaying } = entity;
  if (replaying === undefined || !replaying.blocked) return;
  replaying.drained();
  entity.sinceMs = nowMs;
  replayOn(entity, replaying, replaying.feed(entity.out), nowMs);
}

/** Everybody waiting hears of it; the next command tries again. */
export function recoveryFailed(entity: EntityState, cause: unknown, nowMs: number): void {
  entity.warn("entity could not be loaded", cause, { command: entity.mailbox.head?.command.name });
  leaveStream(entity);
  entity.reopen = false;
  failQueue(entity, recoveryFault(entity, cause));
  goOn(entity, nowMs);
}

/** The reference's text, with the store's code: it says whether a retry makes sense. What the caller did wrong is said plainly. */
function recoveryFault(entity: EntityState, cause: unknown): Fault {
  if (!(cause instanceof Fault)) return new Fault("unknown", entity.texts.recovery, { cause });
  if (cause.code === "invalid" || cause.code === "precondition") return cause;
  return new Fault(cause.code, entity.texts.recovery, { cause });
}
