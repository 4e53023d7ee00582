import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock, MemoryLog, SeededRandom } from "@mecha/kit/testing";
import { allKinds, type KubeObject } from "@mecha/kinds";
import { ApiClient, eventRecorder, inProcessTransport, KubeServer, mastersGroup, resourceRef } from "@mecha/machinery";
import { openMemoryObjectLog } from "@mecha/store-memory";

const events = resourceRef("v1", "Event");

test("news is an Event of the object; the same news again is counted; what cannot be written is logged", async () => {
  const clock = new FakeClock();
  const server = await KubeServer.open({
    log: openMemoryObjectLog(),
    clock,
    random: new SeededRandom(1),
    definitions: allKinds(),
  });
  const client = new ApiClient(inProcessTransport(server, { name: "op", groups: [mastersGroup] }), { fieldManager: "op" });
  const log = new MemoryLog();
  const recorder = eventRecorder(client, "op", () => clock.wall(), log);
  const object: KubeObject = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", namespace: "default", uid: "u" } };
  await recorder.record(object, "Normal", "Made", "it is there");
  await recorder.record(object, "Warning", "Lost", "it is not");
  await recorder.record(object, "Normal", "Made", "it is there");
  const { items } = await client.listAll<KubeObject & { reason: string; count: number }>(events, { namespace: "default" });
  assert.deepEqual(items.map(({ reason, count }) => [reason, count]).toSorted(), [
    ["Lost", 1],
    ["Made", 2],
  ]);
  await recorder.record(
    { ...object, metadata: { ...object.metadata, namespace: "nowhere", uid: "other" } },
    "Normal",
    "Made",
    "it is there",
  );
  assert.deepEqual(
    log.lines.map(({ message, fields }) => [message, fields["cause"]]),
    [["event not recorded", 'namespaces "nowhere" not found']],
  );
});
