/** Secrets that do not leak, and the log tests read. */
import assert from "node:assert/strict";
import test from "node:test";
import { format, inspect } from "node:util";
import { noLog, Secret } from "./log.ts";
import { MemoryLog } from "./testing.ts";

test("a secret is printed by nothing that prints, and given by reveal", () => {
  const token = new Secret("hunter2");
  const printed = [
    `${token.toString()} ${String(token)}`,
    JSON.stringify({ token }),
    inspect({ token }, { showHidden: true, depth: 9 }),
    format("%s %o %j", token, token, token),
    Object.entries(token).join(),
    JSON.stringify(structuredClone(token)),
  ].join("\n");
  assert.doesNotMatch(printed, /hunter2/);
  assert.match(printed, /\[secret\]/);
  assert.equal(token.reveal(), "hunter2");
});

test("a log made by `with` writes its fields into the same lines", () => {
  const log = new MemoryLog();
  log.with({ entity: "cart/1" }).with({ attempt: 2 }).warn("retry", { attempt: 3 });
  log.info("ready");
  assert.deepEqual(log.lines, [
    { level: "warn", message: "retry", fields: { entity: "cart/1", attempt: 3 } },
    { level: "info", message: "ready", fields: {} },
  ]);
  assert.equal(noLog.with({ entity: "cart/1" }), noLog);
});
