/** An engine with one CRDT component, a function and a store played by a test. */
import { assert, type Fault, type Metrics, noMetrics, type Tracer } from "@mecha/kit";
import { FakeClock, MemoryLog, SeededRandom } from "@mecha/kit/testing";
import type { CrdtDelta, WriteConsistency } from "../crdt/delta.ts";
import type { CrdtPort, CrdtStateChange, CrdtStream, CrdtStreamEvents } from "../crdt/port.ts";
import type { StateEngine, StreamedCall } from "../engine.ts";
import type { Change, EngineOptions } from "../limits.ts";
import type { ClientAction, Command, ComponentMethod, EntityAddress, SideEffect, StoredKind } from "../model.ts";
import { type EnginePorts, openEngine } from "../open.ts";
import type { EngineStore } from "../parts.ts";
import type { EntityHandle, EntityListing, EntityRecord, ReplicaRow, Step, Verdict } from "../store.ts";
import {
  type CallHandler,
  type CallOptions,
  type Channel,
  type ClientCall,
  type ClientCallEvents,
  Metadata,
  type RpcStatus,
  type ServerCallEvents,
  statusOk,
} from "@mecha/wire";
import { component, replies, ScriptedFunction, textOf } from "./function.ts";

/** A change as a short text: tests read what was told at a glance. */
export function showDelta(delta: CrdtDelta): string {
  switch (delta.type) {
    case "gcounter":
      return `+${delta.increment}`;
    case "pncounter":
      return `${delta.change < 0n ? "" : "+"}${delta.change}`;
    case "vote":
      return `vote ${delta.selfVote} ${delta.votesFor}/${delta.totalVoters}`;
    case "orset":
      return `${delta.cleared ? "clear " : ""}-[${delta.removed.map(textOf).join()}] +[${delta.added.map(textOf).join()}]`;
    case "countermap":
    case "registermap":
    case "multimap": {
      const updated = delta.updated.map(({ key, delta: change }) => `${textOf(key)}: ${showDelta(change)}`);
      return `${delta.type} ${delta.cleared ? "clear " : ""}-[${delta.removed.map(textOf).join()}] [${updated.join(", ")}]`;
    }
    default:
      return delta.type;
  }
}

/** Parts of an answer; what is left out is empty. */
export interface AnswerParts {
  readonly action?: ClientAction;
  readonly effects?: readonly SideEffect[];
  readonly update?: CrdtDelta;
  readonly deletes?: boolean;
  readonly consistency?: WriteConsistency;
  readonly streamed?: boolean;
}

/** One activation's stream, with what the engine sent on it. */
export class ScriptedCrdtStream implements CrdtStream {
  readonly init: string;
  readonly entityId: string;
  readonly to: CrdtStreamEvents;
  /** In order: `1 Do`, `2 Watch streamed`, `+3`, `cancel 2`, `delete`, `half-close`. */
  readonly sent: string[] = [];
  wasReset = false;

  constructor(address: EntityAddress, delta: CrdtDelta | undefined, to: CrdtStreamEvents) {
    this.entityId = address.entityId;
    this.init = delta === undefined ? "none" : showDelta(delta);
    this.to = to;
  }
  delta(delta: CrdtDelta): void {
    this.sent.push(showDelta(delta));
  }
  deleted(): void {
    this.sent.push("delete");
  }
  command(commandId: number, { name }: Command, streamed: boolean): void {
    this.sent.push(`${commandId} ${name}${streamed ? " streamed" : ""}`);
  }
  cancelCommand(commandId: number): void {
    this.sent.push(`cancel ${commandId}`);
  }
  halfClose(): void {
    this.sent.push("half-close");
  }
  reset(): void {
    this.wasReset = true;
  }

  reply(commandId: number, parts: AnswerParts = {}): void {
    const { action = replies("ok"), effects = [], streamed = false } = parts;
    this.to.reply({ commandId, action, effects, streamed, ...changeOf(parts) });
  }
  message(commandId: number, text: string, end = false, effects: readonly SideEffect[] = []): void {
    this.to.message({ commandId, action: replies(text), effects, end });
  }
  cancelled(commandId: number, parts: AnswerParts = {}): void {
    this.to.cancelled({ commandId, effects: parts.effects ?? [], ...changeOf(parts) });
  }
  end(reason?: string, unreached?: boolean): void {
    this.to.closed(reason, unreached);
  }
}

function changeOf({ update, deletes, consistency = "local" }: AnswerParts): CrdtStateChange {
  if (deletes === true) return { consistency, state: { do: "delete" } };
  return update === undefined ? { consistency } : { consistency, state: { do: "update", delta: update } };
}

interface Stored {
  sequence: number;
  rows: Map<string, ReplicaRow> | "deleted";
}

/** Rows of replicas in memory; outlives engines, as a store does. The contract's reference is store-memory. */
export class ReplicaStore implements EngineStore {
  readonly entities = new Map<string, Stored>();
  readonly commits: string[] = [];
  /** While set, commits wait for `answer`. */
  holding = false;
  /** Verdict of every step instead of applying it. */
  verdict: Verdict | undefined;
  opened = 0;
  readonly #held: (() => void)[] = [];
  readonly #handles = new Map<EntityHandle, Stored>();

  async open({ entityId }: EntityAddress, kind: StoredKind): Promise<EntityRecord> {
    assert(kind === "crdt", "only CRDTs are stored here");
    this.opened++;
    let entity = this.entities.get(entityId);
    if (entity === undefined) this.entities.set(entityId, (entity = { sequence: 0, rows: new Map() }));
    const handle = this.opened as EntityHandle;
    this.#handles.set(handle, entity);
    const { sequence, rows } = entity;
    return { handle, sequence, ...(rows === "deleted" ? { replicas: rows } : rows.size > 0 && { replicas: [...rows.values()] }) };
  }

  commit(steps: readonly Step[]): Promise<readonly Verdict[]> {
    const apply = (): readonly Verdict[] => steps.map((step) => this.verdict ?? this.#apply(step));
    if (!this.holding) return Promise.resolve(apply());
    return new Promise((resolve) => this.#held.push(() => resolve(apply())));
  }

  /** Answers the commits that wait. */
  answer(): void {
    for (const held of this.#held.splice(0)) held();
  }

  #apply({ entity: handle, expectedSequence, replicas, cause }: Step): Verdict {
    const entity = this.#handles.get(handle);
    assert(entity && replicas, "a step of an open CRDT");
    if (expectedSequence !== entity.sequence) return { is: "conflict", actualSequence: entity.sequence };
    entity.sequence++;
    this.commits.push(`${cause}${replicas.do === "delete" ? " deletes" : ""}`);
    if (replicas.do === "delete") entity.rows = "deleted";
    else if (entity.rows !== "deleted") {
      for (const row of replicas.rows) entity.rows.set(`${row.replica.node}/${row.replica.incarnation}`, row);
      for (const { node, incarnation } of replicas.gone) entity.rows.delete(`${node}/${incarnation}`);
    }
    return { is: "committed" };
  }

  release(handle: EntityHandle): void {
    assert(this.#handles.delete(handle), `handle ${handle} released twice`);
  }
  /** Handles not released. */
  get handles(): number {
    return this.#handles.size;
  }

  async readBack(): Promise<never> {
    throw new Error("CRDTs are not read back");
  }
  async events(): Promise<never> {
    throw new Error("CRDTs have no events");
  }
  async outbox(): Promise<readonly []> {
    return [];
  }
  settle(): void {}
  async timersDue(): Promise<readonly []> {
    return [];
  }
  async timers(): Promise<readonly []> {
    return [];
  }
  async list(): Promise<readonly EntityListing[]> {
    const stored = [...this.entities].filter(([, { rows, sequence }]) => rows !== "deleted" && sequence > 0);
    return stored.map(([entityId, { sequence }]) => ({
      address: { namespace: "default", service: "shop.Cart", persistenceId: "shop.cart", entityId },
      kind: "crdt",
      sequence,
    }));
  }
  async sweep(): Promise<number> {
    return 0;
  }
}

/** A wire between two engines of one process that can be cut. Everything arrives on a later turn. */
export class CuttableWire {
  readonly target: string;
  readonly #handlers: () => ReadonlyMap<string, CallHandler>;
  readonly #calls = new Set<LinkedCall>();
  #cut = false;

  constructor(target: string, handlers: () => ReadonlyMap<string, CallHandler>) {
    this.target = target;
    this.#handlers = handlers;
  }
  /** A channel over it. */
  connect(): Channel {
    const calls: LinkedCall[] = [];
    const open = (path: string, _options: CallOptions, events: ClientCallEvents): LinkedCall => {
      const call = this.#open(path, events);
      calls.push(call);
      return call;
    };
    const close = async (): Promise<void> => calls.forEach((call) => call.lose());
    return { target: this.target, open, [Symbol.asyncDispose]: close };
  }
  #open(path: string, events: ClientCallEvents): LinkedCall {
    const call = new LinkedCall(path, events, () => this.#calls.delete(call));
    this.#calls.add(call);
    queueMicrotask(() => {
      if (this.#cut) call.lose();
      else call.begin(this.#handlers().get(path));
    });
    return call;
  }
  cut(): void {
    this.#cut = true;
    for (const call of [...this.#calls]) call.lose();
  }
  /** Nothing arrives any more, and nobody is told. */
  mute(): void {
    for (const call of this.#calls) call.muted = true;
  }
  heal(): void {
    this.#cut = false;
  }
}

class LinkedCall implements ClientCall {
  readonly #path: string;
  readonly #client: ClientCallEvents;
  readonly #gone: () => void;
  #server: ServerCallEvents | undefined = undefined;
  #early: Uint8Array[] | undefined = [];
  #over = false;
  muted = false;

  constructor(path: string, client: ClientCallEvents, gone: () => void) {
    this.#path = path;
    this.#client = client;
    this.#gone = gone;
  }
  begin(handler: CallHandler | undefined): void {
    assert(handler, `nobody serves ${this.#path}`);
    if (this.#over) return;
    this.#server = handler({
      path: this.#path,
      metadata: Metadata.empty,
      deadlineMs: undefined,
      peer: "test",
      pause() {},
      resume() {},
      sendHeaders() {},
      send: (bytes) => {
        queueMicrotask(() => this.#over || this.muted || this.#client.message(bytes));
        return true;
      },
      end: (status = statusOk) => queueMicrotask(() => this.#end(status)),
    });
    for (const bytes of this.#early ?? []) this.#server.message(bytes);
    this.#early = undefined;
  }
  send(bytes: Uint8Array): boolean {
    if (this.#early) this.#early.push(bytes);
    else queueMicrotask(() => this.#over || this.muted || this.#server?.message(bytes));
    return true;
  }
  lose(): void {
    if (this.#over) return;
    this.#server?.cancelled?.("unavailable");
    this.#end({ code: 14, message: "connection lost" });
  }
  #end(status: RpcStatus): void {
    if (this.#over) return;
    this.#over = true;
    this.#gone();
    this.#client.end(status, Metadata.empty);
  }
  halfClose(): void {}
  cancel(): void {
    this.#server?.cancelled?.("cancelled");
    queueMicrotask(() => this.#end({ code: 1, message: "cancelled" }));
  }
  pause(): void {}
  resume(): void {}
}

/** A command and what came of it. */
export interface Told {
  outcome: string;
}

/** A streamed command and what its caller heard. */
export interface Watched {
  readonly call: StreamedCall;
  readonly heard: string[];
}

/** What benches may share. */
export interface BenchParts {
  readonly metrics?: Metrics;
  readonly tracer?: Tracer;
  readonly store?: ReplicaStore;
  readonly seed?: number;
  readonly clock?: FakeClock;
  readonly cluster?: EnginePorts["cluster"];
}

/** See the file's header. */
export class CrdtBench implements AsyncDisposable {
  readonly clock: FakeClock;
  readonly log = new MemoryLog();
  readonly store: ReplicaStore;
  readonly function: ScriptedFunction & { crdt: CrdtPort };
  readonly streams: ScriptedCrdtStream[] = [];
  readonly engine: StateEngine;
  readonly changes: Change[] = [];
  readonly fatal: Fault[] = [];

  constructor(options: EngineOptions = {}, parts: BenchParts = {}) {
    const { store = new ReplicaStore(), seed = 1, clock = new FakeClock(), cluster, metrics = noMetrics, tracer } = parts;
    this.store = store;
    this.clock = clock;
    const open: CrdtPort["open"] = (address, delta, events) => {
      const stream = new ScriptedCrdtStream(address, delta, events);
      this.streams.push(stream);
      return stream;
    };
    this.function = Object.assign(new ScriptedFunction(), { crdt: { open } });
    this.engine = openEngine({
      store,
      clock: this.clock,
      random: new SeededRandom(seed),
      ...(cluster && { cluster }),
      log: this.log,
      metrics,
      ...(tracer && { tracer }),
      options: { observe: (change) => this.changes.push(change), onFatal: (fault) => this.fatal.push(fault), ...options },
    });
    const cart = component(this.function, "shop.Cart", "crdt", { methodNames: ["Do", "Watch"] });
    const methods = new Map<string, ComponentMethod>();
    for (const [name, method] of cart.methods) methods.set(name, { ...method, streamedOut: name === "Watch" });
    this.engine.setComponents([{ ...cart, methods }]);
  }

  /** The newest stream. */
  get stream(): ScriptedCrdtStream {
    const stream = this.streams.at(-1);
    assert(stream, "no stream was opened");
    return stream;
  }

  /** Sends a command; `outcome` is the reply's text, or `code: message`, or `open`. */
  send(entityId = "1"): Told {
    const told: Told = { outcome: "open" };
    const command = { name: "Do", payload: { typeUrl: "type.googleapis.com/test.Text", value: new TextEncoder().encode(`${entityId}|`) } };
    this.engine.call("shop.Cart", command, { hops: 0 }, (fault, reply) => {
      assert(told.outcome === "open", "answered twice");
      told.outcome = fault === undefined ? textOf(reply?.payload) : `${fault.code}: ${fault.message}`;
    });
    return told;
  }

  /** Sends a streamed command. */
  watch(entityId = "1", signal?: AbortSignal): Watched {
    const heard: string[] = [];
    const context = signal === undefined ? { hops: 0 } : { hops: 0, signal };
    const call = this.engine.stream("shop.Cart", "Watch", context, {
      reply: (reply) => heard.push(textOf(reply.payload)),
      drain() {},
      closed: (fault) => heard.push(fault === undefined ? "end" : `${fault.code}: ${fault.message}`),
    });
    call.message(new TextEncoder().encode(`${entityId}|`));
    call.halfClose();
    return { call, heard };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
  }
}
