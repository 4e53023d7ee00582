/** For tests: any record a file may hold. */
import fc from "fast-check";
import type { FilePayload, FileRecord } from "./line.ts";

const id = fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" }).filter((text) => !text.includes("\0") && text.isWellFormed());
const base64 = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString("base64"));
const payload: fc.Arbitrary<FilePayload> = fc.oneof(
  fc.record({ type: fc.string(), json: fc.jsonValue() as fc.Arbitrary<never> }),
  fc.record({ type: fc.string(), base64 }),
);
const time = fc.date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true }).map((date) => date.toISOString());
const timer = fc.record(
  {
    name: fc.string(),
    due: time,
    schedule: fc.string(),
    command: fc.string(),
    payload,
    parked: fc.string(),
    metadata: fc.array(fc.tuple(fc.string(), fc.oneof(fc.string(), fc.record({ base64 }))), { maxLength: 3 }),
  },
  { requiredKeys: ["name", "due", "schedule", "command", "payload"] },
);
const entity = { namespace: id, service: id, persistenceId: id, id };
const named = ["service", "persistenceId", "id", "payload"] as const;
const timers = fc.array(timer, { maxLength: 3 });
/** Any record that can be written. */
export const anyRecord: fc.Arbitrary<FileRecord> = fc.oneof(
  fc.record(
    {
      record: fc.constant("event" as const),
      ...entity,
      sequence: fc.integer({ min: 1 }),
      time,
      cause: fc.string(),
      commandId: fc.string(),
      trace: fc.string(),
      payload,
      snapshot: payload,
      timers,
    },
    { requiredKeys: ["record", ...named, "sequence", "time", "cause"] },
  ),
  fc.record({ record: fc.constant("value" as const), ...entity, version: fc.integer({ min: 1 }), payload, timers }, { requiredKeys: ["record", ...named, "version"] }), // prettier-ignore
  fc.record({ record: fc.constant("crdt" as const), ...entity, state: base64, timers }, { requiredKeys: ["record", "service", "persistenceId", "id", "state"] }), // prettier-ignore
  fc.record({ record: fc.constant("timers" as const), ...entity, kind: fc.constantFrom("eventSourced" as const, "value" as const, "crdt" as const), timers }), // prettier-ignore
);
