/** What an entity's machine asks for. The shell carries it out (../shell.ts); tests write it down. */
import type { Fault } from "@mecha/kit";
import type { Envelope } from "../../envelope.ts";
import type { ClientAction, EntityInit, EntityReply } from "../../model.ts";
import type { MessagePlan } from "../../outbox/messages.ts";
import type { LedgerStep } from "../ledger.ts";
import type { EventSink } from "../replay.ts";

/** What a machine asks for. Each is carried out at once; results arrive as inputs of the machine. */
export interface EntityActions extends EventSink {
  /** Asks for leave to load; `entered` or `refused` follows, at once or later. */
  enter(): void;
  /** Opens the record (a handle held before is released first); `opened` or `openFailed` follows. */
  openStore(): void;
  /** The same after `unknown`, when nothing is under way any more (E4); `opened`, with what it found, or `openFailed` follows. */
  readBack(): void;
  /** Reads events after a sequence; `page` or `pageFailed` follows. */
  readPage(afterSequence: number): void;
  /** @returns how many commands of this entity the function takes at once, 1 or more. */
  openStream(init: EntityInit): number;
  sendCommand(commandId: number, envelope: Envelope): void;
  /** A command that was sent ahead is queued again. */
  recall(envelope: Envelope): void;
  halfClose(): void;
  /** Cuts the stream. Does nothing without one. */
  reset(): void;
  /** The entity is active: loading is over. `loadedEvents` counts what was replayed. */
  activated(loadedEvents: number): void;
  /** A stream ended before the function showed a sign of life: back off. */
  streamFailed(reason: string): void;
  /** Hands a step to the committer; `verdict` follows. */
  commit(step: LedgerStep): void;
  /** A step is durable: run its tail. */
  release(step: LedgerStep): void;
  /** A command was answered before: give that answer again (E9). */
  repeat(envelope: Envelope, action: ClientAction): void;
  /** What of a reply goes to the outbox. Asked only for replies with effects or a forward. */
  plan(envelope: Envelope, reply: EntityReply, stored: boolean): MessagePlan | undefined;
  /** A name for what has none yet; never the same twice. */
  newKey(): string;
  /** Wall ms now, for keys that expire. */
  wallMs(): number;
  /** A command ends without a step, or its step failed. */
  fail(envelope: Envelope, fault: Fault): void;
  /** Idle from now on: it may be passivated. */
  rest(): void;
  /** No longer idle. */
  stir(): void;
  /** Calls `tick` at `dueMs`; replaces the time asked for before. */
  watch(dueMs: number): void;
  /** What `enter` is waiting for, to end a sentence with. */
  waitingFor(): string;
  /** Lets go of the record's handle, if one is held. */
  releaseHandle(): void;
  /** Back in `idle`, with nothing left: the machine may be dropped. */
  ended(): void;
  /** Tells the function about its mistake. */
  reportError(message: string): void;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
  /** A promise between engine and store was broken; the process must stop. */
  fatal(fault: Fault): void;
}
