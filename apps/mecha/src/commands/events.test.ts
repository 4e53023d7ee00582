/** What `mecha events list` says of groups and what their topics keep; the whole way is in tests/e2e/eventing.test.ts. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hostClock } from "@mecha/host";
import { noLog } from "@mecha/kit";
import { SeededRandom } from "@mecha/kit/testing";
import { listen } from "@mecha/net";
import type { SubscriptionJson } from "../admin/model.ts";
import { run } from "../cli.ts";

/** Prints what the command says when the admin API answers this. */
async function printed(subscriptions: readonly SubscriptionJson[], ...more: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "mecha-events-"));
  const answer = { "content-type": "application/json" };
  await using listener = await listen(
    { host: "127.0.0.1", port: 0, clock: hostClock, log: noLog },
    { grpc: () => undefined, http: (exchange) => exchange.respond(200, answer, JSON.stringify({ subscriptions })) },
  );
  try {
    await writeFile(join(folder, "admin.json"), JSON.stringify({ url: `http://127.0.0.1:${listener.port}`, pid: process.pid }));
    await writeFile(join(folder, "admin.token"), "token\n");
    let out = "";
    const code = await run(["events", "list", "--state", folder, ...more], {
      ...{ terminal: false, colour: false, env: {}, cwd: folder, clock: hostClock, random: new SeededRandom(1) },
      out: (text) => void (out += text),
      pour: (text) => void (out += text),
      err: (text) => assert.fail(text),
      onSignal: () => () => undefined,
      exit: (status) => assert.fail(String(status)),
    });
    assert.equal(code, 0);
    return out;
  } finally {
    await rm(folder, { recursive: true });
  }
}

const group: SubscriptionJson = {
  group: "shop.Stock",
  source: { topic: "sold" },
  methods: ["shop.Stock.Sold"],
  sending: 0,
  lag: 3,
  connected: true,
};
const lostTime = "2026-01-02T03:04:05.000Z";

test("a group that is about to lose messages, and one that lost some, are said in words below the list", async () => {
  const text = await printed([
    { ...group, retention: { used: 0.859, soon: true, lost: 0 } },
    { ...group, group: "late", connected: false, retention: { used: 0, soon: false, lost: 12, lostTime } },
    { ...group, group: "one", retention: { used: 0.9, soon: true, lost: 1, lostTime } },
    { ...group, group: "well", source: { eventLog: "carts" } },
  ]);
  const [head, ...lines] = text.trimEnd().split("\n");
  assert.match(head ?? "", /^GROUP +SOURCE +BEHIND +LOST +STATE +METHODS$/u);
  assert.deepEqual(lines.map((line) => line.replaceAll(/ {2,}/gu, "  ")), [
    "shop.Stock  topic sold  3  0  connected  shop.Stock.Sold",
    "late  topic sold  3  12  waits for its function  shop.Stock.Sold",
    "one  topic sold  3  1  connected  shop.Stock.Sold",
    "well  log carts  3  –  connected  shop.Stock.Sold",
    "shop.Stock of topic sold is about to lose messages: the oldest it has not had is 85 % on its way out (MECHA_TOPIC_AGE, MECHA_TOPIC_BYTES)",
    `late of topic sold lost 12 messages that the topic did not keep long enough, the last at ${lostTime}`,
    "one of topic sold is about to lose messages: the oldest it has not had is 90 % on its way out (MECHA_TOPIC_AGE, MECHA_TOPIC_BYTES)",
    `one of topic sold lost 1 message that the topic did not keep long enough, the last at ${lostTime}`,
  ]); // prettier-ignore
});

test("programs get it as it is", async () => {
  const retention = { used: 0.859, soon: true, lost: 0 };
  assert.deepEqual(JSON.parse(await printed([{ ...group, retention }], "-o", "json")), { subscriptions: [{ ...group, retention }] });
  assert.equal(await printed([]), "nobody consumes events\n");
});
