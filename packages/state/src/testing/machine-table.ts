/** Tables for the entity machine: what comes in, what is asked for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReplyParts } from "./function.ts";
import { MachineBench } from "./machine.ts";

/** A reply that fails its command. */
export const failed = (restart = false): ReplyParts => ({ action: { do: "fail", description: "no", restart } });
/** A reply with an event. */
export const event: ReplyParts = { events: ["e"] };

interface Row {
  readonly name: string;
  readonly kind?: "eventSourced" | "value";
  readonly limits?: ConstructorParameters<typeof MachineBench>[1];
  /** Not looked at. */
  readonly given?: (m: MachineBench) => unknown;
  readonly when: (m: MachineBench) => unknown;
  readonly then: readonly string[];
  readonly phase?: string;
  readonly told?: readonly string[];
}

/** A test for each row. */
export function rows(title: string, table: readonly Row[]): void {
  for (const row of table) {
    test(`${title}: ${row.name}`, () => {
      const m = new MachineBench(row.kind, row.limits);
      row.given?.(m);
      m.take();
      m.takeTold();
      row.when(m);
      assert.deepEqual(m.take(), row.then);
      if (row.phase !== undefined) assert.equal(m.machine.phase, row.phase);
      if (row.told !== undefined) assert.deepEqual(m.takeTold(), row.told);
      assert.deepEqual(m.fatals, []);
    });
  }
}
