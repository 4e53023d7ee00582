/** Exactly once in effect, as callers see it: real processes, HTTP and gRPC, `kill -9` in between. The ledger and its mirror are those of tests/crash. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { mechaMain, type RunningMecha, startUp } from "../support/cart.ts";
import { repository, tempDir, type TempDir } from "../support/files.ts";
import { eventually, runProgram } from "../support/program.ts";

const project = join(repository, "tests/crash/ledger");
const start = (dir: TempDir): Promise<RunningMecha> => startUp(project, ["--state", dir.path]);

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function append(mecha: RunningMecha, ledger: string, commandId: string, key?: string): Promise<Answer> {
  const response = await fetch(`${mecha.ingress}/ledgers/${ledger}/append`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(key !== undefined && { "idempotency-key": key }) },
    body: JSON.stringify({ commandId }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function list(mecha: RunningMecha, what: "ledgers" | "mirrors", id: string): Promise<unknown> {
  const response = await fetch(`${mecha.ingress}/${what}/${id}`);
  return ((await response.json()) as { readonly commandIds: unknown }).commandIds;
}

/** `append` over gRPC, written by hand: fields 1 (ledgerId) and 2 (commandId); the answer's field 1 is the place. */
function appendOverGrpc(mecha: RunningMecha, ledger: string, commandId: string, key: string): Promise<number> {
  const field = (number: number, text: string): Buffer => Buffer.concat([Buffer.of((number << 3) | 2, text.length), Buffer.from(text)]);
  const client = new Client(mecha.ingress.replace("http://", ""), credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set("idempotency-key", key);
  const same = (bytes: Buffer): Buffer => bytes;
  return new Promise<number>((resolve, reject) => {
    const request = Buffer.concat([field(1, ledger), field(2, commandId)]);
    client.makeUnaryRequest("/crash.Ledger/Append", same, same, request, metadata, (error, answer) => {
      if (error) reject(error);
      else resolve(answer?.[1] ?? 0);
    });
  }).finally(() => client.close());
}

test("the same idempotency key: done once and answered the same, over HTTP and gRPC, and across kill -9", async () => {
  await using dir = await tempDir("once");
  const first = { status: 200, body: { place: 1, commandId: "a" } };
  {
    await using mecha = await start(dir);
    assert.deepEqual(await append(mecha, "x", "a", "k-1"), first);
    assert.deepEqual(await append(mecha, "x", "b"), { status: 200, body: { place: 2, commandId: "b" } });
    assert.deepEqual(await append(mecha, "x", "a", "k-1"), first);
    assert.equal(await appendOverGrpc(mecha, "x", "a", "k-1"), 1, "one key space for both transports");
    assert.equal(await appendOverGrpc(mecha, "x", "c", "k-2"), 3);
    mecha.program.kill("SIGKILL");
    await mecha.program.exit;
  }
  await using mecha = await start(dir);
  assert.deepEqual(await append(mecha, "x", "a", "k-1"), first);
  assert.equal(await appendOverGrpc(mecha, "x", "c", "k-2"), 3);
  assert.deepEqual(await append(mecha, "x", "c", "k-2"), { status: 200, body: { place: 3, commandId: "c" } });
  assert.deepEqual(await list(mecha, "ledgers", "x"), ["a", "b", "c"]);
});

test("a key used for another command: 422 over HTTP, INVALID_ARGUMENT over gRPC; a key too long or with spaces: 400", async () => {
  await using dir = await tempDir("once");
  await using mecha = await start(dir);
  await append(mecha, "x", "a", "k");
  const other = await append(mecha, "x", "b", "k");
  assert.equal(other.status, 422);
  const text = 'crash.Ledger/x: the idempotency key "k" was used for another command than this Append; give each command a key of its own';
  assert.deepEqual(other.body, { code: 3, message: text, details: [] });
  await assert.rejects(appendOverGrpc(mecha, "x", "b", "k"), (error: ServiceError) => String(error.code) === "3" && error.details === text);
  for (const key of ["k".repeat(257), "a b"]) {
    const refused = await append(mecha, "x", "c", key);
    assert.equal(refused.status, 400);
    assert.match(String(refused.body["message"]), /the idempotency-key must be 1 to 256 visible ASCII characters/);
  }
  assert.deepEqual(await list(mecha, "ledgers", "x"), ["a"]);
  assert.deepEqual(await append(mecha, "y", "b", "k"), { status: 200, body: { place: 1, commandId: "b" } }, "a key is its entity's own");
});

test("concurrent duplicates wait for the first", async () => {
  await using dir = await tempDir("once");
  await using mecha = await start(dir);
  const ids = Array.from({ length: 200 }, (_, at) => `c${at % 10}`);
  const answers = await Promise.all(
    ids.map((id, at) => (at % 3 === 0 ? appendOverGrpc(mecha, "x", id, id) : append(mecha, "x", id, id).then(({ body }) => body["place"]))),
  );
  const places = new Map<string, unknown>();
  for (const [at, id] of ids.entries()) {
    if (!places.has(id)) places.set(id, answers[at]);
    assert.equal(answers[at], places.get(id));
  }
  const stored = (await list(mecha, "ledgers", "x")) as string[];
  assert.deepEqual(stored.toSorted(), [...places.keys()].toSorted());
});

test("an effect from one entity to another survives kill -9 between the two, and happens once", async () => {
  await using dir = await tempDir("once");
  const sent = Array.from({ length: 60 }, (_, at) => `e${at}`);
  const acknowledged: string[] = [];
  {
    await using mecha = await start(dir);
    await append(mecha, "l1", "warm", "warm");
    // Killed while answers come in: some effects are done, some on their way, some not begun.
    const killed = (async () => {
      await eventually("a third is answered", async () => acknowledged.length >= 20);
      mecha.program.kill("SIGKILL");
      await mecha.program.exit;
    })();
    const calls = sent.map(async (id) => {
      const answer = await append(mecha, "l1", id, id).catch(() => undefined);
      if (answer?.status === 200) acknowledged.push(id);
    });
    await Promise.all([killed, ...calls]);
  }
  await using mecha = await start(dir);
  for (const id of sent) assert.equal((await append(mecha, "l1", id, id)).status, 200);
  const ledger = (await list(mecha, "ledgers", "l1")) as string[];
  assert.deepEqual(ledger.toSorted(), ["warm", ...sent].toSorted(), "each command once, those without an answer too");
  const outbox = await runProgram(process.execPath, [mechaMain, "outbox", "list", "-C", project, "--state", dir.path], { cwd: repository });
  assert.deepEqual([outbox.code, outbox.output], [0, "no effect was given up\n"]);
  await eventually("the mirror is complete", async () => ((await list(mecha, "mirrors", "l1")) as string[]).length >= ledger.length);
  assert.deepEqual(await list(mecha, "mirrors", "l1"), ledger, "each effect once, in order");
});
