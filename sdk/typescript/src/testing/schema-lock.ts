/**
 * Guards stored data against careless changes of messages. `schema.lock.json`, committed beside the code, holds the names and numbers of
 * every field; a test compares. Adding is free; renumbering, retyping or removing what is stored is an error that says what to do.
 */
import { readFileSync, writeFileSync } from "node:fs";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { Component } from "../component.ts";
import type { CrdtDefinition } from "../define/crdt.ts";
import type { EventSourcedDefinition } from "../define/definitions.ts";
import { Mistake } from "../mistake.ts";

/** Messages by full name, fields by number: `{ "shop.CartItemAdded": { "1": "sku string" } }`. */
export interface SchemaLock {
  readonly [message: string]: Readonly<Record<string, string>>;
}

/** The messages of `components`: commands, replies, events, elements of CRDTs and what they contain. */
export function schemaLock(components: readonly Component[]): SchemaLock {
  const lock: Record<string, Record<string, string>> = {};
  const add = (desc: DescMessage): void => {
    if (lock[desc.typeName] !== undefined || desc.typeName.startsWith("google.protobuf.")) return;
    lock[desc.typeName] = Object.fromEntries(desc.fields.map((field) => [String(field.number), describe(field)]));
    for (const field of desc.fields) if (field.message !== undefined) add(field.message);
  };
  for (const { definition } of components) {
    for (const { input, output } of definition.methods.values()) {
      add(input.codec.desc);
      add(output.codec.desc);
    }
    const { events, state, messages } = definition as Partial<EventSourcedDefinition & CrdtDefinition>;
    for (const { message } of events?.values() ?? []) if (message.codec.desc !== undefined) add(message.codec.desc);
    if (state?.desc !== undefined) add(state.desc);
    for (const message of messages ?? []) add(message);
  }
  return Object.fromEntries(Object.entries(lock).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function describe(field: DescField): string {
  const single = field.message?.typeName ?? field.enum?.typeName ?? scalarNames[field.scalar as number] ?? "";
  if (field.fieldKind === "list") return `${field.localName} repeated ${single}`;
  if (field.fieldKind === "map") return `${field.localName} map ${single}`;
  return `${field.localName} ${single}`;
}

/** google.protobuf.FieldDescriptorProto.Type by number. */
const scalarNames: Readonly<Record<number, string>> = {
  1: "double",
  2: "float",
  3: "int64",
  4: "uint64",
  5: "int32",
  6: "fixed64",
  7: "fixed32",
  8: "bool",
  9: "string",
  12: "bytes",
  13: "uint32",
  15: "sfixed32",
  16: "sfixed64",
  17: "sint32",
  18: "sint64",
};

/** What of `before` could no longer be read, in words; empty when nothing. */
export function schemaChanges(before: SchemaLock, after: SchemaLock): string[] {
  return Object.entries(before).flatMap(([name, fields]) => {
    const now = after[name];
    if (now === undefined)
      return [`message ${name} is gone; was it renamed? Give it its old name: message("${name.slice(name.lastIndexOf(".") + 1)}", { … })`];
    return Object.entries(fields).flatMap(([number, was]) => changeOf(name, number, was, now));
  });
}

function changeOf(message: string, number: string, was: string, now: Readonly<Record<string, string>>): string[] {
  const is = now[number];
  if (is === was) return [];
  const name = was.slice(0, was.indexOf(" "));
  const moved = Object.entries(now).find(([, text]) => text === was)?.[0];
  if (moved !== undefined)
    return [`${message}.${name} had number ${number}, now it has ${moved}; add fields at the end, or pin it: ${name}: ….at(${number})`];
  if (is === undefined) return []; // removed, and the number is free: old data is skipped
  return [`${message} number ${number} was "${was}", now it is "${is}"; use a new number for the new field: ….at(${nextNumber(now)})`];
}

const nextNumber = (fields: Readonly<Record<string, string>>): number => Math.max(...Object.keys(fields).map(Number)) + 1;

/**
 * Compares `components` with the lock file, for a test. Writes it when it does not exist, and takes additions into it when UPDATE_SCHEMA=1.
 * @throws Mistake naming each change that old data does not survive, or that additions are not in the file yet.
 * @example test("stored data stays readable", () => checkSchema([Cart], "schema.lock.json"));
 */
export function checkSchema(components: readonly Component[], path: string): void {
  const after = schemaLock(components);
  const before = readLock(path);
  const changes = before === undefined ? [] : schemaChanges(before, after);
  if (changes.length > 0)
    throw new Mistake(
      `${path}: ${changes.length === 1 ? "a change" : `${changes.length} changes`} that stored data does not survive:\n  ${changes.join("\n  ")}`,
    );
  const merged = withRemoved(before ?? {}, after);
  const isOld = before !== undefined && JSON.stringify(merged) !== JSON.stringify(before);
  if (isOld && process.env["UPDATE_SCHEMA"] !== "1") {
    throw new Mistake(`${path}: there are new fields; that is fine, take them in with UPDATE_SCHEMA=1`);
  }
  if (isOld || before === undefined) writeFileSync(path, `${JSON.stringify(merged, undefined, 2)}\n`);
}

/** Removed fields stay in the file, so that their numbers are not used again for something else. */
function withRemoved(before: SchemaLock, after: SchemaLock): SchemaLock {
  return Object.fromEntries(Object.entries(after).map(([name, fields]) => [name, { ...before[name], ...fields }]));
}

function readLock(path: string): SchemaLock | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as SchemaLock;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Mistake(`${path} cannot be read; restore it from version control`, { cause: error });
  }
}
