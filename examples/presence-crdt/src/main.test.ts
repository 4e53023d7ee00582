import assert from "node:assert/strict";
import { test } from "node:test";
import { testCrdt } from "mecha-sdk/testing";
import { Presence } from "./main.ts";

const room = "lobby";
const namesOf = (reply: unknown): string[] => (reply as { names: string[] }).names;

test("who enters is seen on every sidecar, until the stream is closed", async () => {
  const here = testCrdt(Presence, room);
  const there = here.replica();
  const ada = await here.open("enter", { room, name: "Ada" });
  assert.deepEqual(namesOf(ada.first.reply), ["Ada"]);
  const grace = await there.open("enter", { room, name: "Grace" });
  assert.deepEqual(ada.messages.map(({ reply }) => namesOf(reply)), [["Ada", "Grace"]]); // prettier-ignore
  await grace.cancel();
  assert.deepEqual(namesOf((await here.send("who", { room })).reply), ["Ada"]);
});

test("somebody sent away hears of it, and the stream ends", async () => {
  const here = testCrdt(Presence, room);
  const ada = await here.open("enter", { room, name: "Ada" });
  await here.replica().send("leave", { room, name: "Ada" });
  assert.deepEqual([ada.ended, namesOf(ada.messages.at(-1)?.reply)], [true, []]);
});

test("two sidecars that cannot reach each other go on, and agree afterwards", async () => {
  const here = testCrdt(Presence, room);
  const there = here.replica();
  there.disconnect();
  await here.open("enter", { room, name: "Ada" });
  await there.open("enter", { room, name: "Grace" });
  assert.deepEqual([[...here.state], [...there.state]], [["Ada"], ["Grace"]]);
  there.reconnect();
  for (const { state } of [here, there]) assert.deepEqual([...state].sort(), ["Ada", "Grace"]);
});

test("a room has no people without names", async () => {
  const sent = await testCrdt(Presence, room).open("enter", { room, name: "" });
  assert.deepEqual([sent.first.failure, sent.first.failureCode, sent.ended], ["name must not be empty", "invalid", true]);
});
