/**
 * Sends what durable steps asked for, until it is done (E10). Messages are rows of the store; what is in memory only says which are on their way.
 *
 * Invariants
 * O1 a message has one sender: the tail that began it, or its lane. Tails hold their messages; what nobody holds and no lane knows, because an
 *    earlier process wrote it or memory was short, is found by a look through the store ("discovery")
 * O2 a message is settled only when its target has answered: done, refused by the user's code, or given up
 * O3 memory is bounded (`outboxBytesMax`, `outboxLanesMax`): past that messages wait in the store, in order
 * O4 a message that a tail passes on reaches an entity with its key, so sending it twice does it once (E9). Actions: at least once
 */
import { explain, type Clock, type Fault, type Log } from "@mecha/kit";
import type { Answer } from "../engine.ts";
import type { Origin } from "../envelope.ts";
import type { EngineLimits } from "../limits.ts";
import type { CallContext, EntityAddress } from "../model.ts";
import type { OutboxLane, OutboxMessage, OutboxRow } from "../rows.ts";
import type { Store } from "../store.ts";
import type { Dispatcher } from "../tail.ts";
import { type TimerWheel, WheelTimer } from "../timing/wheel.ts";
import { Lane, laneKey, laneQueueMax, type Waiting } from "./lane.ts";
import { afterFailure } from "./retry.ts";

/** Bookkeeping of a message in memory beside its payload; an estimate. */
const messageOverheadBytes = 512;
/** Rows of one look through the store. */
const discoveryRows = 256;
const unserved = "no function serves it now";
/** Pause before the store is asked again after it could not be read. */
const rereadPauseMs = 1_000;

/** What an outbox works with. */
export interface OutboxParts {
  readonly store: Pick<Store, "outbox" | "settle">;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
  readonly limits: EngineLimits;
  readonly dispatcher: Dispatcher;
  /** No new work: only what somebody waits for is still sent. */
  draining(): boolean;
}

class Pause extends WheelTimer {
  readonly #over: () => void;
  constructor(over: () => void) {
    super();
    this.#over = over;
  }
  override expired(): void {
    this.#over();
  }
}

/** See the file's header. */
export class Outbox {
  readonly #parts: OutboxParts;
  readonly #lanes = new Map<string, Lane>();
  readonly #pauses = new Map<Lane, Pause>();
  /** Messages that running tails will begin or settle themselves (O1). */
  readonly #held = new Set<number>();
  #bytes = 0;
  /** The store may hold messages of lanes not known here. */
  #undiscovered = true;
  #discovering = false;
  #started = false;
  #stopped = false;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /** Lanes with something to do. */
  get lanes(): number {
    return this.#lanes.size;
  }
  /** Payload bytes in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Targets can be reached from now on, or others than before: looks for what earlier processes left, and tries what waits. */
  wake(): void {
    if (this.#stopped) return;
    this.#started = true;
    for (const lane of [...this.#lanes.values()]) this.#release(lane);
    this.#discover();
  }

  /** Sends no more. What is under way may still be answered; nothing is settled by it: the next process goes on. */
  stop(): void {
    this.#stopped = true;
    for (const pause of this.#pauses.values()) this.#parts.wheel.cancel(pause);
    this.#pauses.clear();
  }

  // ---- tails ----------------------------------------------------------------------------------------------------------------------

  /** A tail will see to messages `firstId` and on. */
  hold(firstId: number, count: number): void {
    for (let id = firstId; id < firstId + count; id++) this.#held.add(id);
  }

  /** The tail is done with a message of its own. */
  done(id: number): void {
    this.#held.delete(id);
    this.#settleRemoved(id);
  }

  /** As `done`, and `told` whether that outlasts a crash: removing a row is not durable by itself. */
  forget(id: number, told: (durable: boolean) => void): void {
    this.done(id);
    if (this.#stopped) {
      told(false);
      return;
    }
    this.#parts.store.outbox({ state: "waiting", afterId: id - 1, limit: 1 }).then(
      () => told(true),
      () => told(false),
    );
  }

  /** Whether the message with `key` is still to be sent, or on its way. In doubt it is. */
  async waits(lane: OutboxLane, key: string): Promise<boolean> {
    try {
      for (let afterId = 0; ;) {
        const page = await this.#parts.store.outbox({ state: "waiting", lane, afterId, limit: discoveryRows });
        const last = page.at(-1);
        if (last === undefined || page.some((row) => row.key === key)) return last !== undefined;
        afterId = last.id;
      }
    } catch {
      return true; // the store cannot be read: nobody knows
    }
  }

  /** The tail passes a message on. `tried`: called after the first attempt, or at once when there is none soon. */
  send(id: number, message: OutboxMessage, source: EntityAddress | undefined, origin: Origin | undefined, tried?: () => void): void {
    this.#held.delete(id);
    const key = laneKey({ ...message, ...(source && { source }) });
    const lane = this.#lanes.get(key) ?? this.#newLane(key, message, source, false);
    const waiting: Waiting = { id, message, source, origin, attempts: 0, tried };
    if (lane === undefined) {
      this.#undiscovered = true;
      tried?.();
      return;
    }
    if (!lane.add(waiting, this.#bytes < this.#parts.limits.outboxBytesMax)) tried?.();
    else {
      this.#bytes += sizeOf(message);
      // Behind one that cannot be delivered now: nobody knows how long that takes.
      if (lane.held) this.#tell(waiting);
    }
    this.#work(lane);
  }

  /** A step may have been stored, and nobody knows the numbers of its messages. */
  lost(): void {
    this.#undiscovered = true;
    if (this.#started) this.#discover();
  }

  // ---- people ---------------------------------------------------------------------------------------------------------------------

  /** Tries messages again that were given up. @returns how many of `ids` there are. */
  async retry(ids: readonly number[]): Promise<number> {
    const dead = await this.#stored(ids, "dead");
    this.#parts.store.settle(dead.map((id) => ({ id, to: "waiting", attempts: 0, dueMs: 0 })));
    this.lost();
    return dead.length;
  }

  /** Gives up messages for good. @returns how many of `ids` there are. */
  async discard(ids: readonly number[]): Promise<number> {
    const stored = [...(await this.#stored(ids, "dead")), ...(await this.#stored(ids, "waiting"))];
    this.#parts.store.settle(stored.map((id) => ({ id, to: "removed" })));
    const gone = new Set(stored);
    for (const lane of [...this.#lanes.values()]) this.#drop(lane, gone);
    return stored.length;
  }

  async #stored(ids: readonly number[], state: OutboxRow["state"]): Promise<readonly number[]> {
    const found: number[] = [];
    for (const id of ids) {
      const [row] = await this.#parts.store.outbox({ state, afterId: id - 1, limit: 1 });
      if (row?.id === id) found.push(id);
    }
    return found;
  }

  /** Takes messages out of a lane's memory; the one on its way stays until it is answered. */
  #drop(lane: Lane, ids: ReadonlySet<number>): void {
    const dropped = lane.queue.filter(({ id }, at) => ids.has(id) && !(at === 0 && lane.sending));
    if (dropped.length === 0) return;
    for (const waiting of dropped) {
      lane.queue.splice(lane.queue.indexOf(waiting), 1);
      this.#bytes -= sizeOf(waiting.message);
      this.#tell(waiting);
    }
    this.#release(lane);
  }

  // ---- lanes ----------------------------------------------------------------------------------------------------------------------

  #newLane(key: string, message: OutboxMessage, source: EntityAddress | undefined, found: boolean): Lane | undefined {
    if (this.#lanes.size >= this.#parts.limits.outboxLanesMax) return undefined; // keeps O3
    const { service, entityId } = message;
    const of = { service, ...(entityId !== undefined && { entityId }), ...(source && { source }) };
    const lane = new Lane(key, of, found || this.#undiscovered || this.#discovering);
    this.#lanes.set(key, lane);
    return lane;
  }

  #work(lane: Lane): void {
    if (this.#stopped) return;
    if (lane.empty) this.#forget(lane);
    else if (lane.need === "send") this.#sendFirst(lane);
    else if (lane.need === "read" && this.#started) this.#read(lane);
  }

  #forget(lane: Lane): void {
    if (this.#lanes.get(lane.key) !== lane) return;
    this.#lanes.delete(lane.key);
    if (this.#undiscovered && this.#started && this.#lanes.size <= this.#parts.limits.outboxLanesMax / 2) this.#discover();
  }

  #sendFirst(lane: Lane): void {
    const waiting = lane.queue[0] as Waiting;
    if (this.#parts.draining() && waiting.tried === undefined) return;
    lane.sending = true;
    let inline = true;
    const answer: Answer = (fault) => {
      if (!inline) this.#answered(lane, waiting, fault);
      // From an empty stack: an answer at once would make a long queue a deep one.
      else queueMicrotask(() => this.#answered(lane, waiting, fault));
    };
    const { message, origin } = waiting;
    const { service, command: name, payload, metadata, key: id, hops, trace } = message;
    const context: CallContext = trace === undefined ? { hops } : { hops, trace };
    const command = metadata === undefined ? { name, payload, id } : { name, payload, id, metadata };
    if (!this.#parts.dispatcher.dispatch(service, command, context, origin, answer)) queueMicrotask(() => this.#unserved(lane, waiting));
    inline = false;
  }

  /** Nobody serves the target now. It was served when the message was written, or a function is still starting. */
  #unserved(lane: Lane, waiting: Waiting): void {
    if (this.#stopped) return;
    lane.sending = false;
    const { limits } = this.#parts;
    if (++waiting.attempts < limits.outboxAttemptsMax) this.#retry(lane, waiting, unserved, limits.outboxBackoffMaxMs);
    else this.#bury(lane, waiting, unserved);
  }

  #answered(lane: Lane, waiting: Waiting, fault: Fault | undefined): void {
    if (this.#stopped) return; // keeps O2
    lane.sending = false;
    const { limits, log } = this.#parts;
    const after = fault === undefined ? undefined : afterFailure(fault, ++waiting.attempts, limits);
    if (fault === undefined || after === undefined || after.do === "done") this.#finish(lane, waiting);
    else if (after.do === "drop") {
      log.info("effect was refused by its target", { ...fieldsOf(waiting), failure: explain(fault) });
      this.#finish(lane, waiting);
    } else if (after.do === "retry") this.#retry(lane, waiting, `${fault.code}: ${explain(fault)}`, after.pauseMs);
    else this.#bury(lane, waiting, `${fault.code}: ${explain(fault)}`);
  }

  #finish(lane: Lane, waiting: Waiting): void {
    this.#settleRemoved(waiting.id);
    this.#shift(lane, waiting);
  }

  #bury(lane: Lane, waiting: Waiting, failure: string): void {
    this.#parts.log.error("effect was given up; `mecha outbox list` shows it", { ...fieldsOf(waiting), failure });
    this.#parts.store.settle([{ id: waiting.id, to: "dead", attempts: waiting.attempts, failure }]);
    this.#shift(lane, waiting);
  }

  #shift(lane: Lane, waiting: Waiting): void {
    if (lane.queue[0] === waiting) {
      lane.queue.shift();
      this.#bytes -= sizeOf(waiting.message);
    }
    this.#tell(waiting);
    this.#work(lane);
  }

  #retry(lane: Lane, waiting: Waiting, failure: string, pauseMs: number): void {
    const { store, clock, wheel, log } = this.#parts;
    if (waiting.attempts === 1) log.warn("effect could not be delivered; it is tried again", { ...fieldsOf(waiting), failure });
    store.settle([{ id: waiting.id, to: "waiting", attempts: waiting.attempts, dueMs: clock.wall() + pauseMs, failure }]);
    lane.held = true;
    const pause = new Pause(() => this.#release(lane));
    this.#pauses.set(lane, pause);
    wheel.arm(pause, clock.monotonic() + pauseMs);
    for (const other of [...lane.queue]) this.#tell(other);
  }

  /** Ends a lane's pause. */
  #release(lane: Lane): void {
    const pause = this.#pauses.get(lane);
    if (pause !== undefined) this.#parts.wheel.cancel(pause);
    this.#pauses.delete(lane);
    lane.held = false;
    this.#work(lane);
  }

  #tell(waiting: Waiting): void {
    const { tried } = waiting;
    waiting.tried = undefined;
    tried?.();
  }

  #settleRemoved(id: number): void {
    if (!this.#stopped) this.#parts.store.settle([{ id, to: "removed" }]);
  }

  // ---- the store ------------------------------------------------------------------------------------------------------------------

  #read(lane: Lane): void {
    lane.beginRead();
    const { cursor: afterId, of } = lane;
    this.#parts.store.outbox({ state: "waiting", lane: of, afterId, limit: laneQueueMax }).then(
      (rows) => this.#page(lane, rows),
      (cause: unknown) => this.#unread(cause, () => this.#retryRead(lane)),
    );
  }

  #page(lane: Lane, rows: readonly OutboxRow[]): void {
    const taken = rows.filter(({ id }) => !this.#held.has(id)).map(waitingOf); // keeps O1
    for (const { message } of taken) this.#bytes += sizeOf(message);
    lane.endRead(taken, rows.at(-1)?.id);
    this.#work(lane);
  }

  #retryRead(lane: Lane): void {
    lane.reading = false;
    this.#work(lane);
  }

  /** Looks through the store for messages of lanes not known (O1). */
  #discover(): void {
    if (!this.#undiscovered || this.#discovering || this.#stopped || this.#parts.draining()) return;
    this.#discovering = true;
    this.#undiscovered = false;
    this.#discoverAfter(0);
  }

  #discoverAfter(afterId: number): void {
    this.#parts.store.outbox({ state: "waiting", afterId, limit: discoveryRows }).then(
      (rows) => this.#found(rows),
      (cause: unknown) => this.#unread(cause, () => this.#discoverAfter(afterId)),
    );
  }

  #found(rows: readonly OutboxRow[]): void {
    const fresh: Lane[] = [];
    for (const row of rows) {
      const key = laneKey(row);
      if (this.#held.has(row.id)) continue;
      const known = this.#lanes.get(key);
      if (known?.queue.some(({ id }) => id === row.id)) continue;
      known?.leave(row.id);
      const lane = known ?? this.#newLane(key, row, row.source, true);
      if (lane === undefined) this.#undiscovered = true;
      else fresh.push(lane);
    }
    for (const lane of fresh) this.#work(lane);
    const last = rows.at(-1);
    // Lanes are full: what is behind is found when half of them are done.
    if (last === undefined || this.#undiscovered || this.#stopped) this.#discovering = false;
    else this.#discoverAfter(last.id);
  }

  #unread(cause: unknown, again: () => void): void {
    if (this.#stopped) return;
    this.#parts.log.warn("outbox could not be read; it is tried again", { cause });
    this.#parts.clock.after(rereadPauseMs, () => {
      if (!this.#stopped) again();
    });
  }
}

function waitingOf(row: OutboxRow): Waiting {
  return { id: row.id, message: row, source: row.source, origin: undefined, attempts: row.attempts, tried: undefined };
}

function sizeOf({ payload }: OutboxMessage): number {
  return payload.value.length + messageOverheadBytes;
}

function fieldsOf({ id, message, attempts }: Waiting): Readonly<Record<string, unknown>> {
  const target = `${message.service}.${message.command}`;
  return { message: id, target, entity: message.entityId, origin: message.origin, attempts };
}
