/**
 * One line of an export (docs/reference/export-format.md): its shape, and reading it with every mistake named by its field. Pure; the command line
 * checks a whole file with it before anything is sent, the server reads each line with it again.
 */
import { Fault } from "@mecha/kit";
import { checkAddress, type CommandMetadata, type EntityAddress, type StoredKind } from "@mecha/state";

/** Format of the file; raised when a reader of an older one would go wrong. */
export const exportVersion = 1;
/** Longest line, bytes. Two payloads of 4 MiB are about 11 MiB in base64; JSON that escapes everything takes six times its bytes. */
export const lineMaxBytes = 64 * 1024 * 1024;

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A payload in a file: as JSON where exactly its bytes come back from that, else in base64. */
export type FilePayload = { readonly type: string } & ({ readonly json: Json } | { readonly base64: string });

/** A timer of an entity, stored with the record it stands in. */
export interface FileTimer {
  readonly name: string;
  /** ISO 8601. */
  readonly due: string;
  /** How it goes on, in the engine's own words. */
  readonly schedule: string;
  readonly command: string;
  readonly payload: FilePayload;
  /** Why it was given up for good; it does not fire any more. */
  readonly parked?: string;
  /** Values that are bytes are `{"base64": …}`. */
  readonly metadata?: readonly (readonly [name: string, value: string | { readonly base64: string }])[];
}

/** Who a record is about. */
export interface FileEntity {
  /** Absent: `default`. */
  readonly namespace?: string;
  readonly service: string;
  readonly persistenceId: string;
  readonly id: string;
}

export type FileRecord = FileEntity &
  (
    | {
        readonly record: "event";
        readonly sequence: number;
        readonly time: string;
        readonly cause: string;
        readonly commandId?: string;
        readonly trace?: string;
        readonly payload: FilePayload;
        /** The state after this event, so that a replay may begin here. */
        readonly snapshot?: FilePayload;
        readonly timers?: readonly FileTimer[];
      }
    | { readonly record: "value"; readonly version: number; readonly payload: FilePayload; readonly timers?: readonly FileTimer[] }
    | { readonly record: "crdt"; readonly state: string; readonly timers?: readonly FileTimer[] }
    /** An entity of which nothing but timers is stored. */
    | { readonly record: "timers"; readonly kind: StoredKind; readonly timers: readonly FileTimer[] }
  );

/** The first line. */
export interface FileStart {
  readonly record: "export";
  readonly version: number;
  readonly project: string;
  readonly time: string;
}

/** The last line: without it the file is cut short. */
export interface FileEnd {
  readonly record: "end";
  readonly records: number;
}

export type FileLine = FileStart | FileRecord | FileEnd;

/** Which kind of entity a record is of. */
export function kindOf(record: FileRecord): StoredKind {
  if (record.record === "timers") return record.kind;
  return record.record === "event" ? "eventSourced" : record.record;
}

export function addressOf({ namespace = "default", service, persistenceId, id }: FileEntity): EntityAddress {
  return { namespace, service, persistenceId, entityId: id };
}

/** Reads a line. @throws Fault("invalid") naming the field and what was expected of it. */
export function readLine(text: string): FileLine {
  const line = new Fields(parsed(text), "");
  const record = line.text("record");
  switch (record) {
    case "export":
      return line.done(startOf(line));
    case "end":
      return line.done({ record, records: line.whole("records", 0) });
    case "event":
    case "value":
    case "crdt":
    case "timers":
      return line.done(recordOf(line, record));
    default:
      throw new Fault("invalid", `\`record\`: expected export, event, value, crdt, timers or end, got ${shown(record)}`);
  }
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw new Fault("invalid", `it is not JSON: ${shown(text)}`, { cause });
  }
}

function startOf(line: Fields): FileStart {
  const version = line.whole("version", 1);
  if (version !== exportVersion)
    throw new Fault("invalid", `\`version\`: the file has format ${version}, this Mecha reads ${exportVersion}; use a Mecha that is as new as the one it came from`); // prettier-ignore
  return { record: "export", version, project: line.text("project"), time: line.time("time") };
}

function recordOf(line: Fields, record: FileRecord["record"]): FileRecord {
  const entity = entityOf(line);
  switch (record) {
    case "event":
      return {
        record,
        ...entity,
        sequence: line.whole("sequence", 1),
        time: line.time("time"),
        cause: line.text("cause"),
        ...line.optional("commandId", (name) => line.text(name)),
        ...line.optional("trace", (name) => line.text(name)),
        payload: line.payload("payload"),
        ...line.optional("snapshot", (name) => line.payload(name)),
        ...line.optional("timers", (name) => line.timers(name)),
      };
    case "value":
      return {
        record,
        ...entity,
        version: line.whole("version", 1),
        payload: line.payload("payload"),
        ...line.optional("timers", (name) => line.timers(name)),
      };
    case "crdt":
      return { record, ...entity, state: line.base64("state"), ...line.optional("timers", (name) => line.timers(name)) };
    case "timers":
      return { record, ...entity, kind: line.kind("kind"), timers: line.timers("timers") };
  }
}

function entityOf(line: Fields): FileEntity {
  const entity = {
    ...line.optional("namespace", (name) => line.text(name)),
    service: line.text("service"),
    persistenceId: line.text("persistenceId"),
    id: line.text("id"),
  };
  checkAddress(addressOf(entity));
  return entity;
}

/** The fields of a JSON object, each asked for once; `done` finds those nobody asked for. */
class Fields {
  readonly #fields: Readonly<Record<string, Json>>;
  /** `timers[0].`, for texts. */
  readonly #where: string;
  readonly #left: Set<string>;

  constructor(json: Json, where: string) {
    if (typeof json !== "object" || json === null || Array.isArray(json))
      throw new Fault("invalid", `${where === "" ? "the line" : `\`${where.slice(0, -1)}\``}: expected a JSON object, got ${shown(json)}`);
    this.#fields = json as Readonly<Record<string, Json>>;
    this.#where = where;
    this.#left = new Set(Object.keys(json));
  }

  /** @throws Fault("invalid") for a field that is none: a misspelt one would be left out in silence. */
  done<T>(value: T): T {
    const [unknown] = this.#left;
    if (unknown === undefined) return value;
    throw new Fault("invalid", `\`${this.#where}${unknown.slice(0, 60)}\` is no field of this record`);
  }

  #take(name: string): Json | undefined {
    this.#left.delete(name);
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
  }

  #expected(name: string, what: string, got: Json | undefined): Fault {
    return new Fault("invalid", `\`${this.#where}${name}\`: expected ${what}, got ${got === undefined ? "nothing" : shown(got)}`);
  }

  optional<Name extends string, T>(name: Name, read: (name: Name) => T): { readonly [key in Name]?: T } {
    return Object.hasOwn(this.#fields, name) ? ({ [name]: read(name) } as { readonly [key in Name]: T }) : {};
  }

  text(name: string): string {
    const value = this.#take(name);
    if (typeof value === "string") return value;
    throw this.#expected(name, "text", value);
  }

  whole(name: string, min: number): number {
    const value = this.#take(name);
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= min) return value;
    throw this.#expected(name, `a whole number from ${min}`, value);
  }

  time(name: string): string {
    const value = this.#take(name);
    if (typeof value === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/u.test(value) && Number.isFinite(Date.parse(value))) return value;
    throw this.#expected(name, "a time like 2026-11-20T13:45:00.000Z", value);
  }

  kind(name: string): StoredKind {
    const value = this.#take(name);
    if (value === "eventSourced" || value === "value" || value === "crdt") return value;
    throw this.#expected(name, "eventSourced, value or crdt", value);
  }

  base64(name: string): string {
    const value = this.#take(name);
    if (typeof value === "string" && isBase64(value)) return value;
    throw this.#expected(name, "base64", value);
  }

  payload(name: string): FilePayload {
    const payload = new Fields(this.#take(name) ?? null, `${this.#where}${name}.`);
    const type = payload.text("type");
    if (Object.hasOwn(payload.#fields, "json") === Object.hasOwn(payload.#fields, "base64"))
      throw new Fault("invalid", `\`${this.#where}${name}\`: expected one of \`json\` and \`base64\``);
    const json = payload.#take("json");
    return payload.done(json === undefined ? { type, base64: payload.base64("base64") } : { type, json });
  }

  timers(name: string): readonly FileTimer[] {
    return this.#list(name, (one, where) => {
      const timer = new Fields(one, `${where}.`);
      return timer.done({
        name: timer.text("name"),
        due: timer.time("due"),
        schedule: timer.text("schedule"),
        command: timer.text("command"),
        payload: timer.payload("payload"),
        ...timer.optional("parked", (field) => timer.text(field)),
        ...timer.optional("metadata", (field) => timer.metadata(field)),
      });
    });
  }

  metadata(name: string): NonNullable<FileTimer["metadata"]> {
    return this.#list(name, (one, where) => {
      const [key, value, ...rest] = Array.isArray(one) ? (one as Json[]) : [];
      if (typeof key === "string" && rest.length === 0) {
        if (typeof value === "string") return [key, value] as const;
        if (value !== undefined && value !== null) {
          const bytes = new Fields(value, `${where}[1].`);
          return [key, bytes.done({ base64: bytes.base64("base64") })] as const;
        }
      }
      throw new Fault("invalid", `\`${where}\`: expected a name and a value, got ${shown(one)}`);
    });
  }

  #list<T>(name: string, read: (one: Json, where: string) => T): readonly T[] {
    const value = this.#take(name);
    if (!Array.isArray(value)) throw this.#expected(name, "a list", value);
    return (value as Json[]).map((one, at) => read(one, `${this.#where}${name}[${at}]`));
  }
}

const base64Text = /^[A-Za-z0-9+/]*={0,2}$/u;

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && base64Text.test(text);
}

/** A piece of foreign text, for a message. */
function shown(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** Metadata as files have it, and back. */
export function fileMetadata(metadata: CommandMetadata): NonNullable<FileTimer["metadata"]> {
  return metadata.map(([name, value]) => [name, typeof value === "string" ? value : { base64: Buffer.from(value).toString("base64") }]);
}

export function metadataOf(metadata: NonNullable<FileTimer["metadata"]>): CommandMetadata {
  return metadata.map(([name, value]) => [name, typeof value === "string" ? value : bytesOf(value.base64)]);
}

export function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, "base64"));
}
