/** `mecha tck` as users run it: against a function, and against the shipped sidecar as a process of its own. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { openModel } from "@mecha/conformance/model";
import { noLog } from "@mecha/kit";
import { type Component, serve } from "mecha-sdk";
import { model } from "../sdk/model.ts";
import { mechaMain } from "../support/cart.ts";
import { tempDir } from "../support/files.ts";
import { freePort, startNode } from "../support/program.ts";

/** A function made with our SDK, in this process. */
async function served(components: readonly Component[]): Promise<AsyncDisposable & { readonly address: string }> {
  const server = await serve(components, { port: 0, host: "127.0.0.1", handleSignals: false, log: noLog });
  return { address: `127.0.0.1:${server.port}`, [Symbol.asyncDispose]: () => server.close(0) };
}

/** Runs `mecha tck` to its end. */
async function tck(
  ...args: readonly string[]
): Promise<{ readonly code: number | null; readonly stdout: string; readonly output: string }> {
  await using program = startNode(mechaMain, ["tck", ...args]);
  const { code } = await program.exit;
  return { code, stdout: program.stdout, output: program.output };
}

test("our SDK's model passes; the report names every case, the JUnit file too", async () => {
  await using dir = await tempDir("tck");
  await using fn = await served(model);
  const junit = join(dir.path, "tck.xml");
  const ended = await tck("--function", fn.address, "--junit", junit);
  assert.equal(ended.code, 0, ended.output);
  assert.match(ended.stdout, /^ok {3}MA1 {3}action: action entity discovery \(\d+ ms\)$/m);
  assert.match(ended.stdout, /\n156 passed, 0 failed, 0 skipped\n$/);
  const xml = await readFile(junit, "utf8");
  assert.equal(xml.match(/<testcase /g)?.length, 156);
  assert.match(xml, /<testsuites [^>]*tests="156" failures="0"/);
});

test("a function without value entities has those cases skipped; one that differs fails, in every form of report", async () => {
  await using dir = await tempDir("tck");
  const actions = model.filter(({ definition }) => definition.service.startsWith("cloudstate.tck.model.action."));
  await using fn = await served(actions);
  const skipped = await tck("--function", fn.address, "--only", "MA1,MV2");
  assert.equal(skipped.code, 0, skipped.output);
  assert.match(skipped.stdout, /skip MV2 .*\n +the function does not serve cloudstate\.tck\.model\.valueentity\.ValueEntityTckModel/);

  const [first] = actions;
  assert.ok(first);
  await using half = await served([first]);
  const nothing = await tck("--function", half.address);
  assert.equal(nothing.code, 1);
  assert.match(nothing.output, /no case could be run/);

  const es = model.filter(({ definition }) => definition.service.startsWith("cloudstate.tck.model.EventSourced"));
  const wrong = es.map((one) =>
    one.definition.service.endsWith("TckModel") ? { ...one, definition: { ...one.definition, snapshotEvery: 4 } } : one,
  );
  await using off = await served(wrong as unknown as readonly Component[]);
  const junit = join(dir.path, "off.xml");
  const failed = await tck("--function", off.address, "--only", "ME6", "-o", "json", "--junit", junit);
  assert.equal(failed.code, 1);
  const report = JSON.parse(failed.stdout) as { failed: number; cases: { id: string; outcome: string; detail: string }[] };
  assert.deepEqual([report.failed, report.cases[0]?.id, report.cases[0]?.outcome], [1, "ME6", "failed"]);
  assert.match(report.cases[0]?.detail ?? "", /EventSourcedStreamOut differs/);
  assert.match(await readFile(junit, "utf8"), /<failure message="cloudstate\.eventsourced\.EventSourcedStreamOut differs\.">/);
});

test("mistakes are said before anything is tried", async () => {
  const mistakes: readonly [args: readonly string[], text: RegExp][] = [
    [[], /required option '--function <host:port>'/],
    [["--function", "nonsense"], /--function: expected HOST:PORT/],
    [["--function", "127.0.0.1:1", "--only", "MA1,MX"], /no case or group is called MX; groups are action/],
    [["--function", "127.0.0.1:1", "--types", "a"], /--types is for --proxy/],
  ];
  for (const [args, text] of mistakes) {
    const ended = await tck(...args);
    assert.equal(ended.code, 2, ended.output);
    assert.match(ended.output, text);
  }
});

/** `mecha sidecar` with these arguments, started when the kit listens, before a model on a foreign gRPC library; how `mecha tck --proxy` ended. */
async function tckOfSidecar(only: readonly string[], ...sidecarArgs: readonly string[]): Promise<Awaited<ReturnType<typeof tck>>> {
  await using fn = await openModel();
  const port = await freePort();
  const args = ["--function", `127.0.0.1:${fn.port}`, "--proxy", `127.0.0.1:${port}`, "--listen", "0"];
  await using kit = startNode(mechaMain, ["tck", ...args, ...only]);
  const [, functionPort] = await kit.waitFor(/on port (\d+); start the proxy/);
  const env = { HTTP_PORT: String(port), USER_FUNCTION_PORT: functionPort };
  await using sidecar = startNode(mechaMain, ["sidecar", ...sidecarArgs], { env });
  const { code } = await kit.exit;
  return { code, stdout: kit.stdout, output: `${kit.output}\n--- sidecar\n${sidecar.output}` };
}

test("the shipped sidecar passes every proxy case with --strict cloudstate-0.2", async () => {
  const ended = await tckOfSidecar([], "--strict", "cloudstate-0.2");
  assert.equal(ended.code, 0, ended.output);
  assert.match(ended.stdout, /^ok {3}P20 {3}event sourced: /m);
  assert.match(ended.stdout, / 0 failed, 0 skipped\n$/);
});

test("without --strict the cases about the reference's own words fail, alone", async () => {
  const ended = await tckOfSidecar(["--only", "P2,P10"]);
  assert.equal(ended.code, 1, ended.output);
  assert.match(ended.stdout, /^ok {3}P2 /m);
  assert.match(ended.stdout, /^FAIL P10 /m);
});
