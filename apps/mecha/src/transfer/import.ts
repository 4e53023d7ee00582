/**
 * Lines of an export on their way into the store.
 *
 * I1 nothing is written over: an event goes in only as the next one, a value only where none is; what is there already must be the same. A CRDT is
 *    joined with what is there, which can lose nothing
 * I2 the same lines again change nothing, so an import that was broken off is run again from the start
 * I3 a record and its timers are one step: a record that is there already leaves the timers alone, for they may have fired since
 * I4 a line is wrong by its number; lines before it stay
 */
import { createRegistry } from "@bufbuild/protobuf";
import { explain, Fault } from "@mecha/kit";
import {
  type EntityAddress,
  type EntityHandle,
  importedRow,
  type Payload,
  rowsMax,
  type Step,
  type StoredEvent,
  storedTimerProblem,
  type StoredKind,
  type TimerChange,
} from "@mecha/state";
import { anyFromJson } from "@mecha/wire";
import type { EntitySource } from "../admin/entities.ts";
import type { ImportJson } from "../admin/model.ts";
import { addressOf, bytesOf, type FilePayload, type FileRecord, type FileTimer, kindOf, metadataOf, readLine } from "./line.ts";

/** Steps stored in one go; the engine's own groups are no larger. */
const groupStepsMax = 1_024;
/** Their payload bytes. */
const groupBytesMax = 8 * 1024 * 1024;
/** Stored events read at once to compare with. */
const compareEvents = 512;
/** Entities whose steps wait, at most: each has an open handle. */
const leavingMax = 1_024;
/** Active entities looked at; the engine keeps at most 50,000. */
const activeMax = 50_000;

/** Imports the lines of `text`; the first of them has the number `firstLine`. @throws Fault with the number of the line that is wrong. */
export async function importLines(source: EntitySource, text: string, firstLine: number, nowMs: number): Promise<ImportJson> {
  using running = new Import(source, nowMs);
  let number = firstLine;
  for (const line of text.split("\n")) {
    try {
      if (line.trim() !== "") await running.take(line, number);
    } catch (problem) {
      if (!(problem instanceof Fault) || problem instanceof LineFault) throw problem;
      await running.finish();
      throw new LineFault(problem, number); // keeps I4
    }
    number++;
  }
  return await running.finish();
}

class LineFault extends Fault {
  constructor(problem: Fault, line: number) {
    super(problem.code, `line ${line}: ${explain(problem)}`);
  }
}

/** The entity whose records are being read. */
interface Current {
  readonly key: string;
  readonly name: string;
  readonly handle: EntityHandle;
  readonly kind: StoredKind;
  /** What is durable. */
  readonly stored: number;
  /** The same with what waits to be stored. */
  sequence: number;
  value: Payload | undefined;
  readonly replicas: Parameters<typeof importedRow>[0] | "deleted" | undefined;
  readonly isActive: boolean;
  compared: readonly StoredEvent[];
}

class Import implements Disposable {
  readonly #source: EntitySource;
  readonly #nowMs: number;
  readonly #active: ReadonlySet<string>;
  readonly #none = createRegistry();
  #current: Current | undefined;
  /** Entities whose steps wait to be stored, the current one left aside. */
  readonly #leaving = new Map<string, EntityHandle>();
  #group: { readonly step: Step; readonly line: number; readonly name: string }[] = [];
  #groupBytes = 0;
  #imported = 0;
  #unchanged = 0;
  #hasTimers = false;

  constructor(source: EntitySource, nowMs: number) {
    this.#source = source;
    this.#nowMs = nowMs;
    this.#active = new Set(source.engine.active(activeMax).map(({ service, entityId }) => `${service}\0${entityId}`));
  }

  async take(text: string, line: number): Promise<void> {
    const read = readLine(text);
    if (read.record === "export" || read.record === "end") return;
    const entity = await this.#entity(read);
    const step = await this.#stepOf(entity, read);
    if (!step) {
      this.#unchanged++;
      return;
    }
    if (entity.isActive)
      throw new Fault("precondition", `${entity.name} is active; import before calls reach it, or wait until it is passivated (30 s without calls)`); // prettier-ignore
    this.#imported++;
    this.#group.push({ step, line, name: entity.name });
    this.#groupBytes += bytesOfStep(step);
    if (this.#group.length >= groupStepsMax || this.#groupBytes >= groupBytesMax) await this.#store();
  }

  async finish(): Promise<ImportJson> {
    await this.#store();
    return { imported: this.#imported, unchanged: this.#unchanged };
  }

  [Symbol.dispose](): void {
    if (this.#current) this.#source.store.release(this.#current.handle);
    this.#releaseLeft();
    if (this.#hasTimers) this.#source.engine.timersImported();
  }

  // ---- the entity -----------------------------------------------------------------------------------------------------------------

  async #entity(record: FileRecord): Promise<Current> {
    const address = addressOf(record);
    const kind = kindOf(record);
    const key = [address.service, address.entityId, address.persistenceId, address.namespace, kind].join("\0");
    if (this.#current?.key === key) return this.#current;
    this.#leave();
    if (this.#leaving.has(key) || this.#leaving.size >= leavingMax) await this.#store(); // it is read as it will be
    this.#checkComponent(address, kind);
    const { handle, sequence, value, replicas } = await this.#source.store.open(address, kind);
    const isActive = this.#active.has(`${address.service}\0${address.entityId}`);
    const name = `${address.service} ${JSON.stringify(address.entityId)}`;
    return (this.#current = { key, name, handle, kind, stored: sequence, sequence, value, replicas, isActive, compared: [] });
  }

  /** Its handle goes when its steps are stored. */
  #leave(): void {
    if (this.#current) this.#leaving.set(this.#current.key, this.#current.handle);
    this.#current = undefined;
    if (this.#group.length === 0) this.#releaseLeft();
  }

  #releaseLeft(): void {
    for (const handle of this.#leaving.values()) this.#source.store.release(handle);
    this.#leaving.clear();
  }

  /** What a function serves under other terms could be stored, but never reached. */
  #checkComponent({ service, persistenceId }: EntityAddress, kind: StoredKind): void {
    const component = this.#source.engine.component(service);
    if (!component) return;
    if (component.kind !== kind)
      throw new Fault("precondition", `the record is of kind ${kind}, and ${service} is served as ${component.kind}`);
    if (component.persistenceId !== persistenceId)
      throw new Fault(
        "precondition",
        `\`persistenceId\` is ${JSON.stringify(persistenceId)}, and ${service} keeps its records under ${JSON.stringify(component.persistenceId)}`,
      );
  }

  // ---- the record -----------------------------------------------------------------------------------------------------------------

  /** @returns nothing when the record is there already. */
  async #stepOf(entity: Current, record: FileRecord): Promise<Step | undefined> {
    switch (record.record) {
      case "event":
        return this.#eventStep(entity, record);
      case "value":
        return this.#valueStep(entity, record);
      case "crdt":
        return this.#crdtStep(entity, record);
      case "timers":
        return this.#timersStep(entity, record);
    }
  }

  async #eventStep(entity: Current, record: FileRecord & { readonly record: "event" }): Promise<Step | undefined> {
    const { sequence, time, cause, commandId, trace } = record;
    const payload = this.#payload(record.service, record.payload);
    const timeMs = Date.parse(time);
    if (sequence <= entity.sequence) {
      const stored = await this.#storedEvent(entity, sequence);
      if (stored && sameEvent(stored, { payload, timeMs, cause })) return undefined;
      throw new Fault("alreadyExists", `${entity.name} has another event ${sequence} already; an import writes over nothing`);
    }
    if (sequence !== entity.sequence + 1)
      throw new Fault("precondition", `${entity.name} has events up to ${entity.sequence}, and this is ${sequence}: those between are missing`); // prettier-ignore
    entity.sequence = sequence;
    return {
      entity: entity.handle,
      expectedSequence: sequence - 1,
      events: [payload],
      ...(record.snapshot && { snapshot: this.#payload(record.service, record.snapshot) }),
      ...this.#timers(record),
      cause,
      ...(commandId !== undefined && { commandId }),
      ...(trace !== undefined && { trace }),
      timeMs,
    };
  }

  async #storedEvent(entity: Current, sequence: number): Promise<StoredEvent | undefined> {
    if (sequence > entity.stored) await this.#store();
    const known = entity.compared.find((event) => event.sequence === sequence);
    if (known) return known;
    entity.compared = await this.#source.store.events(entity.handle, sequence - 1, compareEvents);
    return entity.compared[0];
  }

  #valueStep(entity: Current, record: FileRecord & { readonly record: "value" }): Step | undefined {
    const value = this.#payload(record.service, record.payload);
    if (entity.sequence > 0) {
      if (entity.value && samePayload(entity.value, value)) return undefined;
      const what = entity.value ? "another value" : "been deleted";
      throw new Fault("alreadyExists", `${entity.name} has ${what} already (version ${entity.sequence}); an import writes over nothing`);
    }
    entity.sequence++;
    entity.value = value;
    return { ...this.#plainStep(entity, 0), value: { do: "update", value }, ...this.#timers(record) };
  }

  #crdtStep(entity: Current, record: FileRecord & { readonly record: "crdt" }): Step | undefined {
    if (entity.replicas === "deleted")
      throw new Fault("alreadyExists", `${entity.name} was deleted here, and the deletion of a CRDT is for ever`);
    const row = importedRow(entity.replicas ?? [], bytesOf(record.state));
    if (!row) return undefined;
    if (entity.sequence > entity.stored) throw new Fault("invalid", `${entity.name} stands in the file twice`);
    entity.sequence++;
    const isNew = entity.stored === 0;
    return { ...this.#plainStep(entity, entity.stored), replicas: { do: "write", rows: [row], gone: [] }, ...(isNew && this.#timers(record)) }; // prettier-ignore
  }

  async #timersStep(entity: Current, record: FileRecord & { readonly record: "timers" }): Promise<Step | undefined> {
    const { service, id } = record;
    const known = await this.#source.store.timers({ service, entityId: id, limit: rowsMax });
    const timers = record.timers.filter(({ name }) => known.every((row) => row.name !== name));
    if (timers.length === 0 || entity.sequence > 0) return undefined; // it went on since
    return { ...this.#plainStep(entity, 0), ...this.#timers({ ...record, timers }) };
  }

  #plainStep({ handle }: Current, expectedSequence: number): Step {
    return { entity: handle, expectedSequence, events: [], cause: "import", timeMs: this.#nowMs };
  }

  #timers({ service, timers }: { readonly service: string; readonly timers?: readonly FileTimer[] }): Pick<Step, "timers"> {
    if (!timers || timers.length === 0) return {};
    this.#hasTimers = true;
    return {
      timers: timers.flatMap((timer) => this.#timer(service, timer)),
    };
  }

  /** One that was given up is set, and given up again. */
  #timer(service: string, { name, due, schedule, command, payload, metadata, parked }: FileTimer): TimerChange[] {
    const stored = this.#payload(service, payload);
    const problem = storedTimerProblem({ name, command, schedule, payload: stored });
    if (problem !== undefined) throw new Fault("invalid", `timer ${JSON.stringify(name.slice(0, 60))}: ${problem}`);
    const rest = { schedule, command, payload: stored, ...(metadata && { metadata: metadataOf(metadata) }) };
    const dueMs = Date.parse(due);
    const set: TimerChange = { do: "set", name, dueMs, ...rest };
    return parked === undefined ? [set] : [set, { do: "failed", name, dueMs, failure: parked }];
  }

  #payload(service: string, payload: FilePayload): Payload {
    if ("base64" in payload) return { typeUrl: payload.type, value: bytesOf(payload.base64) };
    const registry = this.#source.descriptors(service)?.registry ?? this.#none;
    return anyFromJson(payload.type, payload.json as Parameters<typeof anyFromJson>[1], registry);
  }

  // ---- storing --------------------------------------------------------------------------------------------------------------------

  async #store(): Promise<void> {
    const group = this.#group;
    this.#group = [];
    this.#groupBytes = 0;
    if (group.length === 0) return;
    const verdicts = await this.#source.store.commit(group.map(({ step }) => step));
    this.#releaseLeft();
    for (const [at, { is }] of verdicts.entries()) {
      const { line, name } = group[at] as (typeof group)[number];
      if (is !== "committed") throw new LineFault(new Fault("aborted", `${name} changed meanwhile (${is}); import again`), line);
    }
  }
}

function bytesOfStep({ events, snapshot, value }: Step): number {
  const payloads = [...events, ...(snapshot ? [snapshot] : []), ...(value?.do === "update" ? [value.value] : [])];
  return payloads.reduce((sum, payload) => sum + payload.value.byteLength, 0);
}

function sameEvent(stored: StoredEvent, event: Pick<StoredEvent, "payload" | "timeMs" | "cause">): boolean {
  return stored.timeMs === event.timeMs && stored.cause === event.cause && samePayload(stored.payload, event.payload);
}

function samePayload(a: Payload, b: Payload): boolean {
  return a.typeUrl === b.typeUrl && a.value.length === b.value.length && a.value.every((byte, at) => byte === b.value[at]);
}
