/** Every answer over HTTP waits for the disk; and the check that says so objects when durability is relaxed (synchronous=NORMAL). */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { tempDir } from "../support/files.ts";
import { skipUnless } from "../support/skip.ts";
import { judge, traceAcknowledgements } from "./acknowledge.ts";

const commands = 150;
const skip = skipUnless("strace");

test("through the whole stack, each acknowledgement follows an fdatasync that covers it", { skip }, async (t) => {
  await using dir = await tempDir("ack");
  const { seen, early } = await traceAcknowledgements(join(dir.path, "state"), "tests/crash/ledger", commands);
  t.diagnostic(`${String(seen)} acknowledgements seen`);
  assert.deepEqual(early, []);
  assert.ok(seen >= commands * 0.8, `only ${String(seen)} of ${String(commands)} acknowledgements were seen`);
});

test("planted: with synchronous=NORMAL the same check finds acknowledgements that did not wait", { skip }, async (t) => {
  await using dir = await tempDir("ack");
  const { seen, early } = await traceAcknowledgements(join(dir.path, "state"), "tests/crash/relaxed", commands);
  t.diagnostic(`${String(early.length)} of ${String(seen)} came early`);
  assert.ok(early.length > seen / 2, `only ${String(early.length)} of ${String(seen)}`);
});

test("the reading of traces: written, synced, answered, in that order", () => {
  const write = '7 pwrite64(9</s/state.db-wal>, "..tl1.1...", 4096, 0) = 4096';
  const begun = "7 fdatasync(9</s/state.db-wal> <unfinished ...>";
  const ended = "7 <... fdatasync resumed>) = 0";
  const whole = "7 fdatasync(9</s/state.db-wal>) = 0";
  const answer = String.raw`5 writev(30<TCP:[127.0.0.1:9000->127.0.0.1:5555]>, [{iov_base="{\"place\":1,\"commandId\":\"tl1.1.\"}"}], 1) = 9`;
  const toFunction = answer.replace("127.0.0.1:9000->", "127.0.0.1:4444->");
  const early = (...lines: readonly string[]): number => judge(lines.join("\n"), 9000).early.length;
  assert.equal(early(write, whole, answer), 0);
  assert.equal(early(write, begun, ended, answer), 0);
  assert.equal(early(toFunction, write, whole, answer), 0, "what goes to the function is no answer");
  assert.equal(early(write, answer, whole), 1);
  assert.equal(early(begun, write, ended, answer), 1, "a sync that began before covers nothing");
  assert.equal(early(write, begun, answer, ended), 1);
  assert.equal(early(write, whole.replace("= 0", "= -1 EIO"), answer), 1);
});
