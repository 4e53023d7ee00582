/** CRDTs survive kill -9 of the sidecar: `mecha sidecar` as a process, a function on a foreign gRPC library, clients over HTTP. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openModel } from "@mecha/conformance/model";
import { SeededRandom } from "@mecha/kit/testing";
import { mechaMain } from "../support/cart.ts";
import { tempDir } from "../support/files.ts";
import { eventually, freePort, startNode } from "../support/program.ts";

const counters = ["GCounter-a", "GCounter-b", "PNCounter-c"] as const;
type Counter = (typeof counters)[number];
const clients = 8;
const kills = 4;
const seed = Number(process.env["MECHA_CRASH_SEED"] ?? 20_261_120);

interface Tally {
  asked: number;
  acknowledged: number;
}

test("counters keep every acknowledged increment through kill -9, and none twice; what was deleted stays deleted", async (t) => {
  t.diagnostic(`seed ${seed}`);
  const random = new SeededRandom(seed);
  await using dir = await tempDir("crdt");
  await using fn = await openModel();
  const port = await freePort();
  const start = () => {
    const env = { HTTP_PORT: String(port), USER_FUNCTION_PORT: String(fn.port) };
    return startNode(mechaMain, ["sidecar", "--state", dir.path, "--admin-port", "0"], { env });
  };
  const post = async (id: string, actions: unknown[]): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/tck/model/crdt/${id}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ actions }),
      signal: AbortSignal.timeout(10_000),
    });
  const valueOf = async (id: Counter): Promise<number> => {
    const answer = await post(id, []);
    assert.equal(answer.status, 200);
    const { state } = (await answer.json()) as { state: Record<string, { value: string }> };
    return Number(Object.values(state)[0]?.value);
  };
  const tally = new Map<Counter, Tally>(counters.map((id) => [id, { asked: 0, acknowledged: 0 }]));
  const incrementOf = (id: Counter): unknown =>
    id.startsWith("PN") ? { update: { pncounter: { change: "1" } } } : { update: { gcounter: { increment: "1" } } };

  let stopping = false;
  const client = async (): Promise<void> => {
    while (!stopping) {
      const id = counters[random.below(counters.length)] as Counter;
      const counts = tally.get(id) as Tally;
      counts.asked++;
      try {
        const { status } = await post(id, [incrementOf(id)]);
        if (status === 200) counts.acknowledged++;
        else await new Promise((resolve) => setTimeout(resolve, 20));
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20)); // killed: whether it was applied nobody knows
      }
    }
  };

  let sidecar = start();
  try {
    await eventually("the sidecar serves", async () => (await post("GCounter-a", [])).status === 200);
    assert.equal((await post("GSet-dead", [{ update: { gset: { add: "x" } } }])).status, 200);
    assert.equal((await post("GSet-dead", [{ delete: {} }])).status, 200);
    const running = Array.from({ length: clients }, client);
    for (let kill = 0; kill < kills; kill++) {
      const before = total(tally);
      await eventually("the clients get work done", () => total(tally) > before + 50 + random.below(100));
      sidecar.kill("SIGKILL");
      await sidecar.exit;
      await sidecar[Symbol.asyncDispose]();
      sidecar = start();
    }
    const before = total(tally);
    await eventually("the clients get work done", () => total(tally) > before + 50);
    stopping = true;
    await Promise.all(running);
    for (const id of counters) {
      const value = await valueOf(id);
      const { asked, acknowledged } = tally.get(id) as Tally;
      t.diagnostic(`${id}: ${acknowledged} acknowledged <= ${value} <= ${asked} asked`);
      assert.ok(value >= acknowledged, `${id} lost increments`);
      assert.ok(value <= asked, `${id} counted some twice`);
    }
    const late = await post("GSet-dead", [{ update: { gset: { add: "y" } } }]);
    assert.notEqual(late.status, 200);
    assert.match(await late.text(), /Entity deleted/);
  } finally {
    stopping = true;
    await sidecar[Symbol.asyncDispose]();
  }
});

function total(tally: ReadonlyMap<Counter, Tally>): number {
  return [...tally.values()].reduce((sum, { acknowledged }) => sum + acknowledged, 0);
}
