/** How calls and answers of the store are written into batches and read from them, on the main thread's side; the worker's is in the files that work on them. */
import { Fault, type FaultCode } from "@mecha/kit";
import type {
  DeduplicationRecord,
  EntityHandle,
  EntityRecord,
  KnownKeys,
  OutboxChange,
  OutboxMessage,
  Payload,
  ReplicaChange,
  ReplicaRow,
  Step,
  StoredEvent,
  TimerChange,
  Verdict,
} from "@mecha/state/store";
import { metadataBytes, metadataOf } from "./metadata.ts";
import { eventHas, messageHas, type Reader, recordHas, settledTo, stepHas, timerDoes, verdictIs, type Writer } from "./protocol.ts";

export function writeStep(out: Writer, step: Step): void {
  const { commandId, trace, snapshot, value, deduplication, outbox, timers } = step;
  out.u32(step.entity);
  out.f64(step.expectedSequence);
  out.f64(step.timeMs);
  out.u8(
    (commandId === undefined ? 0 : stepHas.commandId) |
      (trace === undefined ? 0 : stepHas.trace) |
      (snapshot ? stepHas.snapshot : 0) |
      (value ? stepHas[value.do] : 0) |
      (step.replicas ? stepHas[step.replicas.do === "write" ? "update" : "delete"] : 0) |
      (deduplication ? stepHas.key : 0) |
      (outbox?.length ? stepHas.outbox : 0) |
      (timers?.length ? stepHas.timers : 0),
  );
  out.word(step.cause);
  if (commandId !== undefined) out.text(commandId);
  if (trace !== undefined) out.text(trace);
  if (deduplication) writeKey(out, deduplication);
  out.u32(step.events.length);
  for (const event of step.events) writePayload(out, event);
  if (snapshot) writePayload(out, snapshot);
  if (value?.do === "update") writePayload(out, value.value);
  if (step.replicas?.do === "write") writeReplicas(out, step.replicas);
  if (outbox?.length) {
    out.u32(outbox.length);
    for (const message of outbox) writeMessage(out, message);
  }
  if (timers?.length) {
    out.u32(timers.length);
    for (const timer of timers) writeTimer(out, timer);
  }
}

function writeReplicas(out: Writer, { rows, gone }: Extract<ReplicaChange, { do: "write" }>): void {
  out.u32(rows.length);
  for (const { replica, state } of rows) {
    out.text(replica.node);
    out.text(replica.incarnation);
    out.bytes(state);
  }
  out.u32(gone.length);
  for (const { node, incarnation } of gone) {
    out.text(node);
    out.text(incarnation);
  }
}

function writeKey(out: Writer, { key, payloadHash, answer: recorded, expiresMs }: DeduplicationRecord): void {
  out.text(key);
  out.bytes(payloadHash);
  out.bytes(recorded);
  out.f64(expiresMs);
}

function readKey(reader: Reader): DeduplicationRecord {
  return { key: reader.text(), payloadHash: reader.bytes(), answer: reader.bytes(), expiresMs: reader.f64() };
}

function writeMessage(out: Writer, message: OutboxMessage): void {
  const { entityId, metadata, trace } = message;
  out.u8(
    (entityId === undefined ? 0 : messageHas.entityId) |
      (metadata ? messageHas.metadata : 0) |
      (trace === undefined ? 0 : messageHas.trace),
  );
  out.text(message.key);
  out.word(message.service);
  if (entityId !== undefined) out.text(entityId);
  out.word(message.command);
  out.text(message.origin);
  out.u16(message.hops);
  if (trace !== undefined) out.text(trace);
  if (metadata) out.bytes(metadataBytes(metadata));
  writePayload(out, message.payload);
}

function writeTimer(out: Writer, change: TimerChange): void {
  out.u8(timerDoes[change.do]);
  out.text(change.name);
  if (change.do === "cancel") return;
  out.f64(change.dueMs);
  if (change.do === "fired" || change.do === "failed") {
    out.f64(change.nextDueMs ?? NaN);
    if (change.do === "failed") out.text(change.failure);
    return;
  }
  out.text(change.schedule);
  out.word(change.command);
  out.bytes(change.metadata ? metadataBytes(change.metadata) : nothing);
  writePayload(out, change.payload);
}

export function writeChange(out: Writer, change: OutboxChange): void {
  out.f64(change.id);
  out.u8(settledTo[change.to]);
  if (change.to === "removed") return;
  out.u32(change.attempts);
  out.f64(change.to === "waiting" ? change.dueMs : 0);
  out.text(change.failure ?? "");
}

const nothing = new Uint8Array(0);

/** Rows as row-reads.ts writes them. */
export function readRows<T extends { readonly payload: Payload }>(reader: Reader): readonly T[] {
  return Array.from({ length: reader.u32() }, () => {
    const scalars = JSON.parse(reader.text()) as Omit<T, "payload">;
    const metadata = reader.view();
    const more = metadata.length === 0 ? {} : { metadata: metadataOf(metadata) };
    return { ...scalars, ...more, payload: readPayload(reader) } as unknown as T;
  });
}

function writePayload(out: Writer, payload: Payload): void {
  out.word(payload.typeUrl);
  out.bytes(payload.value);
}

function readPayload(reader: Reader): Payload {
  const typeUrl = reader.word();
  return { typeUrl, value: reader.bytes() };
}

export function readRecord(reader: Reader, handle: EntityHandle): EntityRecord {
  const sequence = reader.f64();
  const flags = reader.u8();
  const snapshot = flags & recordHas.snapshot ? { sequence: reader.f64(), payload: readPayload(reader) } : undefined;
  const value = flags & recordHas.value ? readPayload(reader) : undefined;
  const keys = flags & (recordHas.keys | recordHas.moreKeys) ? readKeys(reader, flags) : undefined;
  const rows = flags & recordHas.replicas ? Array.from({ length: reader.u32() }, () => readReplica(reader)) : undefined;
  const replicas = flags & recordHas.tombstone ? "deleted" : rows;
  return {
    handle,
    sequence,
    ...(snapshot && { snapshot }),
    ...(value && { value }),
    ...(keys && { keys }),
    ...(replicas && { replicas }),
  };
}

function readReplica(reader: Reader): ReplicaRow {
  return { replica: { node: reader.text(), incarnation: reader.text() }, state: reader.bytes() };
}

function readKeys(reader: Reader, flags: number): KnownKeys {
  const records = Array.from({ length: reader.u32() }, () => readKey(reader));
  return { records, complete: (flags & recordHas.moreKeys) === 0 };
}

export function readEvents(reader: Reader): readonly StoredEvent[] {
  const after = reader.f64();
  const count = reader.u32();
  return Array.from({ length: count }, (_, at) => readEvent(reader, after + 1 + at));
}

function readEvent(reader: Reader, sequence: number): StoredEvent {
  const payload = readPayload(reader);
  const timeMs = reader.f64();
  const cause = reader.word();
  const flags = reader.u8();
  return {
    sequence,
    payload,
    timeMs,
    cause,
    ...(flags & eventHas.commandId && { commandId: reader.text() }),
    ...(flags & eventHas.trace && { trace: reader.text() }),
  };
}

const committed: Verdict = Object.freeze({ is: "committed" });

export function readVerdicts(reader: Reader, steps: number): readonly Verdict[] {
  const verdicts = Array<Verdict>(steps).fill(committed);
  for (let told = reader.u32(); told > 0; told--) verdicts[reader.u32()] = readVerdict(reader);
  return verdicts;
}

function readVerdict(reader: Reader): Verdict {
  const is = reader.u8();
  if (is === verdictIs.duplicate) return { is: "duplicate", record: readKey(reader) };
  return is === verdictIs.sent ? { is: "committed", outboxId: reader.f64() } : { is: "conflict", actualSequence: reader.f64() };
}

export function readFault(reader: Reader): Fault {
  const code = reader.text() as FaultCode;
  const message = reader.text();
  const cause = reader.text();
  return new Fault(code, message, cause === "" ? {} : { cause });
}
