import assert from "node:assert/strict";
import { test } from "node:test";
import { testAction, testEntity } from "mecha-sdk/testing";
import { Counter, Greeter } from "./main.ts";

const valueOf = (reply: unknown): bigint => (reply as { value: bigint }).value;

test("the counter counts, keeps its value over a reload, and is reset", async () => {
  const counter = testEntity(Counter, "Ada");
  await counter.send("increase", { name: "Ada", by: 2 });
  counter.reload();
  assert.equal(valueOf((await counter.send("increase", { name: "Ada", by: 3 })).reply), 5n);
  await counter.send("reset", { name: "Ada" });
  assert.equal(valueOf((await counter.send("get", { name: "Ada" })).reply), 0n);
  assert.equal((await counter.send("increase", { name: "Ada", by: 0 })).failure, "by must be more than 0");
});

test("a greeting is counted as a side effect", async () => {
  const [sent] = await testAction(Greeter, "greet", [{ name: "Ada" }]);
  assert.equal((sent?.reply as { text: string }).text, "Hello, Ada!");
  const [effect] = sent?.effects ?? [];
  assert.deepEqual([effect?.service, effect?.command, effect?.synchronous], ["demo.Counter", "Increase", false]);
  assert.deepEqual({ ...(effect?.message as object) }, { $typeName: "demo.IncreaseRequest", name: "Ada", by: 1 });
});

test("the countdown ends at zero", async () => {
  const sent = await testAction(Greeter, "countdown", [{ from: 3 }]);
  assert.deepEqual(sent.map(({ reply }) => valueOf(reply)), [3n, 2n, 1n, 0n]); // prettier-ignore
});
