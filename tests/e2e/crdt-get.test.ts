/** What people see of CRDTs: `mecha entities get`, for every type, deleted ones included, and which replicas there are after a restart. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openModel } from "@mecha/conformance/model";
import { mechaMain } from "../support/cart.ts";
import { tempDir } from "../support/files.ts";
import { post, request } from "../support/http.ts";
import { eventually, freePort, startNode } from "../support/program.ts";

const service = "cloudstate.tck.model.crdt.CrdtTckModel";

test("a CRDT is shown with its type, its value decoded, its replicas; a deleted one as deleted", { timeout: 120_000 }, async () => {
  await using dir = await tempDir("crdt-get");
  await using fn = await openModel();
  const port = await freePort();
  const start = () =>
    startNode(mechaMain, ["sidecar", "--state", dir.path, "--admin-port", "0", "--node", "n1"], {
      env: { HTTP_PORT: String(port), USER_FUNCTION_PORT: String(fn.port) },
    });
  const act = async (id: string, ...actions: unknown[]): Promise<void> => {
    const { status, body } = await post(`http://127.0.0.1:${port}/tck/model/crdt/${id}`, { actions });
    assert.equal(status, 200, JSON.stringify(body));
  };
  const get = async (id: string, ...args: readonly string[]): Promise<string> => {
    await using shown = startNode(mechaMain, ["entities", "get", service, id, "--state", dir.path, ...args]);
    assert.equal((await shown.exit).code, 0, shown.output);
    return shown.stdout;
  };
  // The same answer as `-o json`, without a process for each.
  const crdtOf = async (id: string): Promise<any> => {
    const [{ url }, token] = [JSON.parse(await file("admin.json")) as { url: string }, await file("admin.token")];
    const headers = { authorization: `Bearer ${token.trim()}` };
    return ((await request(`${url}/v1/entities/${service}/${id}`, { headers })).body as { crdt: unknown }).crdt;
  };
  const file = (name: string): Promise<string> => readFile(join(dir.path, name), "utf8");

  {
    await using sidecar = start();
    await sidecar.waitFor(/Ctrl-C stops/u);
    await act("GCounter-1", { update: { gcounter: { increment: "5" } } });
  }
  await using sidecar = start();
  await sidecar.waitFor(/Ctrl-C stops/u);
  await act("GCounter-1", { update: { gcounter: { increment: "2" } } });
  await act("ORSet-1", { update: { orset: { add: "tea" } } }, { update: { orset: { add: "cup" } } });
  await act("LWWRegister-1", { update: { lwwregister: { value: "hello" } } });
  await act("Flag-1", { update: { flag: {} } });
  await act("ORMap-1", { update: { ormap: { add: "GCounter-x" } } });
  await act("GSet-1", { update: { gset: { add: "x" } } });
  await act("GSet-1", { delete: {} });
  await act("Vote-1", { update: { vote: { selfVote: true } } });

  const text = await get("GCounter-1");
  assert.match(text, /kind +CRDT\n/u);
  assert.match(text, /type +gcounter\n/u);
  assert.match(text, /value +7\n/u);
  assert.match(text, /owner +function\n/u);
  assert.match(text, /active +active, 0 queued\n/u);
  assert.match(text, /replica n1 +[0-9a-f]{24}, \d+ bytes\n.*replica n1 +retired, \d+ bytes/su, "what the run before left");
  assert.match(await get("GSet-1"), /state +deleted, for good/u);
  assert.equal((JSON.parse(await get("ORSet-1", "-o", "json")) as { crdt: { type: string } }).crdt.type, "orset");

  const set = await crdtOf("ORSet-1");
  assert.deepEqual([set.type, set.value.map(({ json }: { json: unknown }) => json), set.replicas.length], ["orset", ["cup", "tea"], 1]);
  assert.equal((await crdtOf("LWWRegister-1")).value.json, "hello");
  assert.equal((await crdtOf("Flag-1")).value, true);
  const [entry] = (await crdtOf("ORMap-1")).value;
  assert.deepEqual([entry.key.json, entry.type, entry.value], ["GCounter-x", "gcounter", "0"]);
  assert.deepEqual(await crdtOf("GSet-1"), { deleted: true, replicas: [] });
  await eventually("a vote is there", async () => (await crdtOf("Vote-1")).type === "vote");

  await using history = startNode(mechaMain, ["entities", "history", service, "GCounter-1", "--state", dir.path]);
  await history.exit;
  assert.match(history.output, /a CRDT keeps its value, not its history/u);
});
