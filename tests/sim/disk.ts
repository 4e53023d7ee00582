/**
 * A disk with a page cache, and a store on it as one process uses it.
 *
 * What is written is seen at once by everybody and survives the death of a process; what is synced survives a power cut too, and of what is
 * written after it a prefix may. Behind it is the reference store, built anew from the surviving steps after a power cut. The store keeps S1 to S6,
 * unless it is told to have a flaw: then the proof has to notice.
 */
import { Fault } from "@mecha/kit";
import type {
  EnginePorts,
  EntityAddress,
  EntityHandle,
  EntityListing,
  EntityRecord,
  OutboxChange,
  OutboxQuery,
  OutboxRow,
  ReadBack,
  Step,
  Store,
  StoredEvent,
  TimerChange,
  TimerQuery,
  TimerRow,
  Verdict,
} from "@mecha/state";
import { openMemoryStore } from "@mecha/store-memory";
import type { Chance } from "./chance.ts";
import type { SimProcess } from "./process.ts";

/** The store, as the engine uses it. */
type EngineStore = EnginePorts["store"];
type Kind = EntityListing["kind"];

/** Bugs that can be planted in the store; each is one the engine's guarantees rest on. */
export interface Flaws {
  /** Steps of an owner that was taken over from are not refused (E5). */
  readonly ignoresFence?: boolean;
  /** A step is taken whatever sequence it was computed on (S3). */
  readonly ignoresExpectedSequence?: boolean;
  /** A step is judged by its sequence alone, although one before it on the same handle was lost (S3). */
  readonly forgetsLostHandles?: boolean;
  /** Keys are neither recorded nor remembered (E9). */
  readonly forgetsKeys?: boolean;
  /** What a step asks to be done is not stored with it (E10). */
  readonly forgetsMessages?: boolean;
  /** That a timer has fired is not stored with the step that says so, its key neither (E12). */
  readonly forgetsFirings?: boolean;
  /** A timer that is set is not stored with its step. */
  readonly losesTimers?: boolean;
  /** `committed` is answered before anything is written. */
  readonly answersBeforeWriting?: boolean;
  /** `committed` is answered when it is written, and synced some time later: synchronous=NORMAL. */
  readonly answersBeforeSyncing?: boolean;
  /** An owner that was taken over from is not told so when it reads back what became of its steps: what it finds may be the new owner's (E4). */
  readonly readsBackWithoutFence?: boolean;
}

/** No bug: the store is simpler than it might be, so that one bug can be looked at alone. */
export interface Simplified {
  /** Verdicts are never `unknown`, as SQLite's. */
  readonly certain?: boolean;
}

/** Something to carry out again after a power cut. */
type Written = Stored | { readonly settled: readonly OutboxChange[] };

interface Stored {
  readonly address: EntityAddress;
  readonly kind: Kind;
  readonly step: Omit<Step, "entity">;
}

/** What lies on the disk. */
export class SimDisk {
  #memory: Store = openMemoryStore();
  #log: Written[] = [];
  #synced = 0;
  /** Raised by each owner that begins: the fence (E5). */
  epoch = 0;

  get memory(): Store {
    return this.#memory;
  }

  /** Something is written and not synced. */
  get dirty(): boolean {
    return this.#synced < this.#log.length;
  }

  /** One step into the page cache. */
  async write(address: EntityAddress, kind: Kind, step: Step): Promise<Verdict> {
    const [verdict] = await this.#memory.commit([step]);
    if (verdict?.is === "committed") this.#log.push({ address, kind, step });
    return verdict as Verdict;
  }

  /** Like a write: seen at once, safe with the next sync. */
  settle(changes: readonly OutboxChange[]): void {
    this.#memory.settle(changes);
    this.#log.push({ settled: changes });
  }

  /** fsync: what has been written by now is safe. */
  sync(): void {
    this.#synced = this.#log.length;
  }

  /** Everything synced survives, and a prefix of the rest. Handles of before are gone. */
  async powerCut(chance: Chance): Promise<void> {
    this.#log = this.#log.slice(0, this.#synced + chance.below(this.#log.length - this.#synced + 1));
    this.#synced = this.#log.length;
    this.#memory = openMemoryStore();
    for (const written of this.#log) {
      if ("settled" in written) {
        this.#memory.settle(written.settled);
        continue;
      }
      const { address, kind, step } = written;
      const { handle } = await this.#memory.open(address, kind);
      await this.#memory.commit([{ ...step, entity: handle }]);
      this.#memory.release(handle);
    }
  }

  /** Everything stored of one entity. */
  async read(address: EntityAddress, kind: Kind): Promise<{ readonly record: EntityRecord; readonly events: readonly StoredEvent[] }> {
    const record = await this.#memory.open(address, kind);
    const events: StoredEvent[] = [];
    for (let page = await this.#memory.events(record.handle, 0, 500); page.length > 0;) {
      events.push(...page);
      page = await this.#memory.events(record.handle, events.length, 500);
    }
    this.#memory.release(record.handle);
    return { record, events };
  }
}

/** Longest each part of a call takes, ms. */
const writeMaxMs = 4;
const syncMaxMs = 6;
const answerMaxMs = 6;
/** A store that syncs behind its answers does so this much later. */
const lateSyncMs = 400;

/** One process's store on the disk. */
export class SimStore implements EngineStore {
  readonly #disk: SimDisk;
  readonly #memory: Store;
  readonly #process: SimProcess;
  readonly #chance: Chance;
  readonly #flaws: Flaws & Simplified;
  #epoch: number;
  readonly #open = new Map<EntityHandle, { readonly address: EntityAddress; readonly kind: Kind; lost?: Verdict }>();
  readonly #released = new Set<EntityHandle>();
  #queue: Promise<unknown> = Promise.resolve();
  #broken: Fault | undefined;
  /** Groups handed over and not answered; the engine has a limit for it. */
  inFlight = 0;
  inFlightMost = 0;
  groupMost = 0;

  constructor(disk: SimDisk, process: SimProcess, chance: Chance, flaws: Flaws & Simplified) {
    this.#disk = disk;
    this.#memory = disk.memory;
    this.#process = process;
    this.#chance = chance;
    this.#flaws = flaws;
    this.#epoch = ++disk.epoch;
  }

  /** Handles not released. */
  get handles(): number {
    return this.#open.size - this.#released.size;
  }

  /** What the operating system does for a process that is gone. */
  forget(): void {
    for (const handle of this.#open.keys()) this.#memory.release(handle);
    this.#open.clear();
    this.#released.clear();
  }

  open(address: EntityAddress, kind: Kind, nowMs?: number): Promise<EntityRecord> {
    return this.#inOrder(() => this.#opened(address, kind, nowMs));
  }

  async #opened(address: EntityAddress, kind: Kind, nowMs?: number): Promise<EntityRecord> {
    this.#mayFail();
    await this.#settled();
    const { keys, ...record } = await this.#memory.open(address, kind, nowMs);
    this.#open.set(record.handle, { address, kind });
    return keys && this.#flaws.forgetsKeys !== true ? { ...record, keys } : record;
  }

  /** Whoever owns the disk keeps it, and nothing of before can arrive any more; whoever does not is told (E4). */
  async readBack(address: EntityAddress, kind: Kind, nowMs?: number): Promise<ReadBack> {
    let fenced = false;
    const record = await this.#inOrder(async () => {
      fenced = this.#epoch < this.#disk.epoch && this.#flaws.readsBackWithoutFence !== true;
      if (!fenced) this.#epoch = Math.max(this.#epoch, ++this.#disk.epoch);
      return this.#opened(address, kind, nowMs);
    });
    return fenced ? { ...record, fenced } : record;
  }

  events(handle: EntityHandle, after: number, limit: number): Promise<readonly StoredEvent[]> {
    return this.#inOrder(async () => {
      this.#mayFail();
      await this.#settled();
      return this.#memory.events(handle, after, Math.min(limit, 1 + this.#chance.below(5)));
    });
  }

  timersDue(nowMs: number, limit: number, after?: Pick<TimerRow, "dueMs" | "id">): Promise<readonly TimerRow[]> {
    return this.#inOrder(async () => {
      this.#mayFail();
      await this.#settled();
      return this.#memory.timersDue(nowMs, limit, after);
    });
  }

  timers(query: TimerQuery): Promise<readonly TimerRow[]> {
    return this.#inOrder(async () => {
      this.#mayFail();
      await this.#settled();
      return this.#memory.timers(query);
    });
  }

  outbox(query: OutboxQuery): Promise<readonly OutboxRow[]> {
    return this.#inOrder(async () => {
      this.#mayFail();
      await this.#settled();
      return this.#memory.outbox(query);
    });
  }

  settle(changes: readonly OutboxChange[]): void {
    void this.#inOrder(async () => {
      const isOwner = this.#epoch >= this.#disk.epoch || this.#flaws.ignoresFence === true;
      if (!this.#process.dead && isOwner) this.#disk.settle(changes);
    });
  }

  sweep(nowMs: number, limit: number): Promise<number> {
    return this.#inOrder(async () => this.#memory.sweep(nowMs, limit));
  }

  /** What was called before is carried out first. */
  release(handle: EntityHandle): void {
    this.#released.add(handle);
    void this.#inOrder(async () => {
      this.#released.delete(handle);
      this.#open.delete(handle);
      this.#memory.release(handle);
    });
  }

  async commit(steps: readonly Step[]): Promise<readonly Verdict[]> {
    const alone = steps[0]?.cause === "timer"; // a timer that moves on without its entity is no group of the committer
    if (!alone) this.inFlight++;
    this.inFlightMost = Math.max(this.inFlightMost, this.inFlight);
    this.groupMost = Math.max(this.groupMost, steps.length);
    try {
      const written = this.#inOrder(() => this.#group(steps));
      if (!this.#flaws.answersBeforeWriting) return await this.#answered(written);
      written.catch(() => undefined);
      return await this.#answered(Promise.resolve(steps.map(() => ({ is: "committed" as const }))));
    } finally {
      if (!alone) this.inFlight--;
    }
  }

  async #group(steps: readonly Step[]): Promise<readonly Verdict[]> {
    if (this.#chance.oneIn(this.#chance.weather.storeFault * 8)) {
      this.#broken = new Fault("unavailable", "the disk failed earlier");
      throw new Fault("dataLoss", "the disk failed");
    }
    const verdicts: Verdict[] = [];
    for (const step of steps) {
      if (this.#process.dead) return new Promise(() => undefined); // killed between two writes
      verdicts.push(await this.#step(step));
    }
    if (this.#flaws.answersBeforeSyncing) this.#process.after(lateSyncMs, () => this.#disk.sync());
    else {
      await this.#pause(syncMaxMs);
      this.#disk.sync();
    }
    return verdicts;
  }

  async #step(step: Step): Promise<Verdict> {
    const open = this.#open.get(step.entity);
    if (!open) throw new Error("assertion failed: a step of an entity that is not open");
    if (this.#epoch < this.#disk.epoch && this.#flaws.ignoresFence !== true) return { is: "fenced" };
    if (open.lost) return open.lost;
    if (this.#chance.oneIn(this.#chance.weather.storeFault)) {
      const unsure: Verdict = { is: this.#flaws.certain === true ? "fenced" : "unknown" };
      const verdict = this.#chance.pick<Verdict>({ is: "fenced" }, unsure, unsure);
      // What is lost stays lost until the entity is opened again: a later step never survives without the earlier (S2).
      open.lost = verdict;
      if (verdict.is === "unknown" && this.#chance.oneIn(2)) await this.#write(open, step);
      return verdict;
    }
    return this.#write(open, step);
  }

  async #write({ address, kind }: { readonly address: EntityAddress; readonly kind: Kind }, whole: Step): Promise<Verdict> {
    const { deduplication, outbox, timers, ...rest } = whole;
    const kept = timers?.filter((change) => !this.#forgets(change));
    const forgotten = this.#flaws.forgetsKeys === true || (this.#flaws.forgetsFirings === true && kept?.length !== timers?.length);
    const step: Step = {
      ...rest,
      ...(kept && { timers: kept }),
      ...(deduplication && !forgotten && { deduplication }),
      ...(outbox && this.#flaws.forgetsMessages !== true && { outbox }),
    };
    if (!this.#flaws.ignoresExpectedSequence && !this.#flaws.forgetsLostHandles) return this.#disk.write(address, kind, step);
    const verdict = await this.#onNewHandle(address, kind, step);
    if (verdict.is !== "conflict" || !this.#flaws.ignoresExpectedSequence) return verdict;
    return this.#onNewHandle(address, kind, { ...step, expectedSequence: verdict.actualSequence });
  }

  #forgets({ do: what }: TimerChange): boolean {
    return (what === "fired" && this.#flaws.forgetsFirings === true) || (what === "set" && this.#flaws.losesTimers === true);
  }

  /** Nobody remembers what became of the steps before. */
  async #onNewHandle(address: EntityAddress, kind: Kind, step: Step): Promise<Verdict> {
    const { handle } = await this.#memory.open(address, kind);
    const verdict = await this.#disk.write(address, kind, { ...step, entity: handle });
    this.#memory.release(handle);
    return verdict;
  }

  /** Only what is durable is read (S6): another process may have written without having synced yet. */
  async #settled(): Promise<void> {
    if (this.#disk.dirty && !this.#flaws.answersBeforeSyncing) {
      await this.#pause(syncMaxMs);
      this.#disk.sync();
    }
  }

  #mayFail(): void {
    if (this.#broken) throw this.#broken;
    if (this.#chance.oneIn(this.#chance.weather.storeFault)) throw new Fault("unavailable", "busy");
  }

  /** Calls are carried out one after the other, each after a pause (S2, S6). */
  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(async () => {
      await this.#pause(writeMaxMs);
      return work();
    });
    this.#queue = done.catch(() => undefined);
    return done;
  }

  /** Answers may overtake each other. */
  async #answered<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } finally {
      await this.#pause(answerMaxMs);
    }
  }

  #pause(maxMs: number): Promise<void> {
    return new Promise((resolve) => this.#process.after(this.#chance.below(maxMs + 1), resolve));
  }
}
