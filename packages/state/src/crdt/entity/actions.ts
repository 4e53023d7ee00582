/** What a CRDT entity's machine asks for, and the texts callers get. shell.ts carries the one out and gives the other. */
import { Fault } from "@mecha/kit";
import type { Envelope } from "../../envelope.ts";
import type { ClientAction, SideEffect } from "../../model.ts";
import type { CrdtDelta, WriteConsistency } from "../delta.ts";
import type { CrdtState } from "../types/index.ts";

/** Where an entity is. */
export type CrdtPhase = "idle" | "waiting" | "loading" | "active" | "closing" | "settling";

/** An answer that waits for its version. */
export interface PendingAnswer {
  /** `undefined`: effects of a called-off command; nobody is answered. */
  readonly envelope: Envelope | undefined;
  readonly commandName: string;
  readonly action: ClientAction;
  readonly effects: readonly SideEffect[];
  /** No further answer of this command follows. */
  readonly last: boolean;
  readonly version: number;
  readonly consistency: WriteConsistency;
  /** Enough replicas have it. */
  spread: boolean;
}

/** What a machine asks for; results arrive as its inputs. */
export interface CrdtActions {
  enter(): void;
  /** `opened` or `openFailed` follows. */
  openReplica(): void;
  openStream(delta: CrdtDelta | undefined): void;
  sendCommand(commandId: number, envelope: Envelope): void;
  sendDelta(delta: CrdtDelta): void;
  sendDeleted(): void;
  cancelCommand(commandId: number): void;
  halfClose(): void;
  reset(): void;
  activated(): void;
  streamFailed(reason: string): void;
  /** The replica has changed: have it written. `durable` or `writeFailed` follows. `delta`: for the other replicas; absent = deleted. */
  changed(delta: CrdtState | undefined): void;
  /** Asks for `spread` once as many replicas have the version as the consistency wants. `false`: they have, or there are no others. */
  awaitSpread(answer: PendingAnswer): boolean;
  release(answer: PendingAnswer): void;
  fail(envelope: Envelope, fault: Fault): void;
  rest(): void;
  stir(): void;
  watch(dueMs: number): void;
  waitingFor(): string;
  releaseReplica(): void;
  ended(): void;
  reportError(message: string): void;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
}

/** Texts a caller sees, those of the reference (facts/cloudstate.md §1.12). */
export const crdtTexts = {
  terminating: "Entity terminating",
  deleted: "Entity deleted",
  failure: "Unexpected entity failure",
  recovery: "Error recovering the CRDT",
  consistency: "Failed to update CRDT at requested write consistency",
} as const;

/** What commands to a deleted entity get (K3). */
export function deleted(): Fault {
  return new Fault("unknown", crdtTexts.deleted);
}

/** What the caller did wrong is said plainly; else the store's code says whether a retry makes sense. */
export function recoveryFault(cause: unknown): Fault {
  if (!(cause instanceof Fault)) return new Fault("unknown", crdtTexts.recovery, { cause });
  if (cause.code === "invalid" || cause.code === "precondition") return cause;
  return new Fault(cause.code, crdtTexts.recovery, { cause });
}
