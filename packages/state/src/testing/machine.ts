/** One entity machine with its actions written down instead of carried out. */
import { type EngineLimits, engineDefaults } from "../limits.ts";
import { EntityMachine } from "../entity/machine.ts";
import type { EntityActions } from "../entity/machine/actions.ts";
import type { LedgerStep, Outcome } from "../entity/ledger.ts";
import type { CallContext, ClientAction } from "../model.ts";
import type { EntityHandle, ReadBack, StoredEvent } from "../store.ts";
import { Firing } from "../timers/firing.ts";
import { envelopes, type Told } from "./envelope.ts";
import { bodyOf, payload, type ReplyParts, replyOf, textOf } from "./function.ts";

/** Events numbered `from` and on. */
export function storedEvents(from: number, ...texts: readonly string[]): StoredEvent[] {
  return texts.map((text, at) => ({ sequence: from + at, payload: payload(text), timeMs: 0, cause: "Do" }));
}

/** See the file's header. */
export class MachineBench implements EntityActions {
  readonly machine: EntityMachine;
  /** What was asked for since the last `take`. */
  #done: string[] = [];
  readonly steps: LedgerStep[] = [];
  readonly fatals: string[] = [];
  #keys = 0;
  /** What `sendEvent` answers. */
  room = true;
  /** How many commands the function takes at once. */
  window = 1;
  /** Whether leave to load is given at once. */
  admit = true;
  newestFiring: Firing | undefined;
  watchedMs = Infinity;
  nowMs = 0;
  readonly #make: ReturnType<typeof envelopes>["make"];
  readonly told: Told[];

  constructor(kind: "eventSourced" | "value" = "eventSourced", limits: Partial<EngineLimits> = {}) {
    const { make, told } = envelopes();
    this.#make = make;
    this.told = told;
    this.machine = new EntityMachine(kind, "shop.Cart/1", 30_000, { ...engineDefaults, ...limits }, this);
  }

  /** What was asked for since the last call. */
  take(): string[] {
    const done = this.#done;
    this.#done = [];
    return done;
  }
  /** Outcomes since the last call: `body` or `body: code message`. */
  takeTold(): string[] {
    return this.told.splice(0).map(({ body, fault }) => (fault === undefined ? body : `${body}: ${fault.code} ${fault.message}`));
  }

  newKey(): string {
    return `~key${++this.#keys}`;
  }

  // ---- inputs ---------------------------------------------------------------------------------------------------------------------

  command(body: string): this {
    this.machine.command(this.#make(body, this.nowMs), this.nowMs);
    return this;
  }
  /** A command with an idempotency key. */
  keyed(key: string, body: string, context: Partial<CallContext> = {}): this {
    this.machine.command(this.#make(body, this.nowMs, context, key), this.nowMs);
    return this;
  }
  /** A timer's command. */
  firing(body: string): this {
    const address = { namespace: "default", service: "shop.Cart", persistenceId: "cart", entityId: "1" };
    const row = {
      id: 1,
      address,
      kind: "eventSourced",
      name: body,
      dueMs: 0,
      firings: 0,
      schedule: "",
      command: "Do",
      payload: payload(body),
    } as const;
    this.newestFiring = new Firing(row, "setting", undefined);
    const envelope = this.#make(body, this.nowMs, {}, this.newestFiring.commandId);
    envelope.firing = this.newestFiring;
    this.machine.command(envelope, this.nowMs);
    return this;
  }
  /** An effect or a forward. */
  internal(body: string): this {
    this.machine.command(this.#make(body, this.nowMs, { hops: 1 }), this.nowMs);
    return this;
  }
  opened(record: Partial<ReadBack> = {}): this {
    this.machine.opened({ handle: 1 as EntityHandle, sequence: 0, ...record }, this.nowMs);
    return this;
  }
  page(events: readonly StoredEvent[]): this {
    this.machine.page(events, this.nowMs);
    return this;
  }
  reply(parts: ReplyParts = {}, commandId = 1): this {
    this.machine.reply(replyOf(commandId, parts), this.nowMs, 0);
    return this;
  }
  /** The verdict of the step at `at` of all steps so far. */
  verdict(at: number, outcome: Outcome = { is: "committed" }): this {
    const step = this.steps[at];
    if (step === undefined) throw new Error(`there is no step ${at}`);
    this.machine.verdict(step, outcome, this.nowMs);
    return this;
  }
  closed(reason?: string, unreached = false): this {
    this.machine.closed(reason, unreached, this.nowMs);
    return this;
  }
  /** Moves time to `nowMs`; ticks when the machine asked for it. */
  at(nowMs: number): this {
    this.nowMs = nowMs;
    while (this.watchedMs <= this.nowMs) {
      this.watchedMs = Infinity;
      this.machine.tick(this.nowMs);
    }
    return this;
  }
  /** Active, with nothing stored, and command `a` at the function. */
  start(): this {
    this.command("a").opened();
    this.take();
    return this;
  }

  // ---- actions --------------------------------------------------------------------------------------------------------------------

  enter(): void {
    this.#done.push("enter");
    if (this.admit) this.machine.entered();
  }
  openStore(): void {
    this.#done.push("openStore");
  }
  readBack(): void {
    this.#done.push("readBack");
  }
  readPage(after: number): void {
    this.#done.push(`readPage ${after}`);
  }
  openStream(init: Parameters<EntityActions["openStream"]>[0]): number {
    const from = init.kind === "value" ? textOf(init.value) : init.snapshot && `${init.snapshot.sequence}:${textOf(init.snapshot.payload)}`;
    this.#done.push(from ? `openStream ${from}` : "openStream");
    return this.window;
  }
  sendEvent(sequence: number, event: Parameters<EntityActions["sendEvent"]>[1]): boolean {
    this.#done.push(`event ${sequence}:${textOf(event)}`);
    return this.room;
  }
  sendCommand(id: number, envelope: Parameters<EntityActions["sendCommand"]>[1]): void {
    this.#done.push(`command ${id} ${bodyOf(envelope.command)}`);
  }
  recall(envelope: Parameters<EntityActions["recall"]>[0]): void {
    this.#done.push(`recall ${bodyOf(envelope.command)}`);
  }
  halfClose(): void {
    this.#done.push("halfClose");
  }
  reset(): void {
    this.#done.push("reset");
  }
  activated(loaded: number): void {
    this.#done.push(`activated ${loaded}`);
  }
  streamFailed(reason: string): void {
    this.#done.push(`streamFailed ${reason}`);
  }
  commit(step: LedgerStep): void {
    this.steps.push(step);
    this.#done.push(`commit ${step.step?.expectedSequence}+${step.step?.events.length}`);
  }
  release(step: LedgerStep): void {
    this.#done.push(`release ${bodyOf(step.envelope.command)}`);
    step.envelope.finish(undefined, {});
  }
  repeat(envelope: Parameters<EntityActions["repeat"]>[0], action: ClientAction): void {
    this.#done.push(`repeat ${bodyOf(envelope.command)} ${action.do === "reply" ? textOf(action.payload) : action.do}`);
    envelope.finish(undefined, {});
  }
  plan(): undefined {
    return undefined;
  }
  wallMs(): number {
    return this.nowMs;
  }
  fail(envelope: Parameters<EntityActions["fail"]>[0], fault: Parameters<EntityActions["fail"]>[1]): void {
    this.#done.push(`fail ${bodyOf(envelope.command)}`);
    envelope.finish(fault, undefined);
  }
  rest(): void {
    this.#done.push("rest");
  }
  stir(): void {
    this.#done.push("stir");
  }
  watch(dueMs: number): void {
    this.watchedMs = dueMs;
  }
  waitingFor(): string {
    return "its function cannot be reached (refused)";
  }
  releaseHandle(): void {
    this.#done.push("releaseHandle");
  }
  ended(): void {
    this.watchedMs = Infinity;
    this.#done.push("ended");
  }
  reportError(message: string): void {
    this.#done.push(`reportError ${message}`);
  }
  warn(): void {
    // Texts for people: not what these tests are about.
  }
  fatal(fault: Parameters<EntityActions["fatal"]>[0]): void {
    this.fatals.push(fault.message);
  }
}
