/** A function of npm `cloudstate` 0.0.3, the oldest Cloudstate library, unmodified, under `mecha up`. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { hostClock } from "@mecha/host";
import { connect } from "@mecha/net";
import type { Channel } from "@mecha/wire";
import { mechaMain, startUp } from "../support/cart.ts";
import { tempDir } from "../support/files.ts";
import { installForeign } from "../support/foreign.ts";
import { type JsonAnswer, post, request } from "../support/http.ts";
import { eventually, isAlive, startNode } from "../support/program.ts";

let folder: string;
before(async () => {
  folder = await installForeign({
    name: "cloudstate-0.0",
    proto: "cart.proto",
    library: "node_modules/cloudstate/proto",
    copies: { "node_modules/protobufjs/google": "node_modules/cloudstate/protoc/include/google" },
  });
});

const lines = (ingress: string, id: string): Promise<unknown> => request(`${ingress}/old/carts/${id}`);
const add = (ingress: string, id: string, product: string, quantity: number): Promise<unknown> =>
  post(`${ingress}/old/carts/${id}/lines`, { product, quantity });
const ok = (body: unknown): unknown => ({ status: 200, body });

test("a cart keeps its lines through kill -9, snapshots included", async () => {
  await using state = await tempDir("old-state");
  const five = ["tea", "cup", "tea", "pot", "tin"];
  const expected = ok({
    lines: [
      { product: "tea", quantity: 2 },
      { product: "cup", quantity: 1 },
      { product: "pot", quantity: 1 },
      { product: "tin", quantity: 1 },
    ],
  });
  {
    await using up = await startUp(folder, ["--state", state.path]);
    for (const product of five) assert.deepEqual(await add(up.ingress, "7", product, 1), ok({}));
    assert.deepEqual(await lines(up.ingress, "7"), expected);
    const [functionPid = 0] = await up.program.descendants();
    up.program.kill("SIGKILL");
    await eventually("the function dies with Mecha", async () => !(await isAlive(functionPid)));
  }
  await using again = await startUp(folder, ["--state", state.path]);
  assert.deepEqual(await lines(again.ingress, "7"), expected);
  assert.deepEqual(await add(again.ingress, "7", "tin", 2), ok({}));
});

test("a failure is the caller's answer; a handler that breaks costs its command only", async () => {
  await using state = await tempDir("old-state");
  await using up = await startUp(folder, ["--state", state.path]);
  await add(up.ingress, "8", "tea", 1);
  assert.deepEqual(await add(up.ingress, "8", "tea", -1), {
    status: 500,
    body: { code: 2, message: "a quantity of -1 tea makes no sense", details: [] },
  });
  // The library answers with a failure of the stream and ends it; the entity is loaded anew.
  assert.deepEqual(await add(up.ingress, "8", "bomb", 1), {
    status: 500,
    body: { code: 2, message: "Unexpected entity failure", details: [] },
  });
  assert.deepEqual(await lines(up.ingress, "8"), ok({ lines: [{ product: "tea", quantity: 1 }] }));
});

test("a stateless function: unary, and streamed although the library never ends its side", async () => {
  await using state = await tempDir("old-state");
  await using up = await startUp(folder, ["--state", state.path]);
  const cart = { lines: [{ product: "tea", quantity: 2 }, { quantity: 3 }] };
  assert.deepEqual(await post(`${up.ingress}/shop.old.Counting/Pieces`, cart), ok({ pieces: 5 }));

  const { hostname, port } = new URL(up.ingress);
  await using channel = connect({ host: hostname, port: Number(port), clock: hostClock });
  const heard: number[][] = [];
  const twice = Promise.withResolvers<void>();
  const call = channel.open("/shop.old.Counting/EachPieces", {}, {
    message(bytes) {
      heard.push([...bytes]);
      if (heard.length === 2) twice.resolve();
    },
    end: () => undefined,
  }); // prettier-ignore
  // Cart { lines = 1 { quantity = 2: n } } in, Count { pieces = 1: n } out
  for (const n of [4, 9]) call.send(Uint8Array.of(0x0a, 2, 0x10, n));
  await twice.promise;
  call.cancel();
  assert.deepEqual(heard, [[0x08, 4], [0x08, 9]]); // prettier-ignore
});

/** Watches a thing through the proxy. */
function watch(channel: Channel, id: string, name = "") {
  const texts: string[] = [];
  const ended = Promise.withResolvers<number>();
  const call = channel.open("/shop.old.OldThings/Watch", {}, {
    message(bytes) {
      const text = Buffer.from(bytes.subarray(2)).toString(); // Seen { text = 1 }
      // The library tells whoever watches of its own change, too, and then answers with the same.
      if (texts.at(-1) !== text) texts.push(text);
    },
    end: ({ code }) => ended.resolve(code),
  }); // prettier-ignore
  const field = (number: number, text: string): Buffer => Buffer.from([(number << 3) | 2, text.length, ...Buffer.from(text)]);
  call.send(Buffer.concat([field(1, id), ...(name === "" ? [] : [field(2, name)])]));
  call.halfClose();
  const heard = (...expected: string[]): Promise<true> =>
    eventually(`${name} hears ${expected.join(", then ")}`, () => texts.join("|") === expected.join("|"));
  return { heard, ended: ended.promise, cancel: () => call.cancel() };
}

/** Streamed commands are told of every change, ended by the function, called off by the caller. */
async function streamedCommands(ingress: string): Promise<void> {
  const { hostname, port } = new URL(ingress);
  await using channel = connect({ host: hostname, port: Number(port), clock: hostClock });
  const change = (name: string): Promise<unknown> => post(`${ingress}/old/things/ORSet-room`, { name });

  const ada = watch(channel, "ORSet-room", "ada");
  await ada.heard("ada");
  const grace = watch(channel, "ORSet-room", "grace");
  await grace.heard("ada,grace");
  await ada.heard("ada", "ada,grace");
  grace.cancel();
  await ada.heard("ada", "ada,grace", "ada");
  // The library has no word for the end of this one: the next command is not kept waiting for it.
  const silent = watch(channel, "ORSet-room");
  await silent.heard("ada");
  silent.cancel();
  assert.deepEqual(await change("closing time"), ok({ text: "ada,closing time" }));
  await ada.heard("ada", "ada,grace", "ada", "ada,closing time");
  assert.equal(await ada.ended, 0);
}

test("CRDTs of every type, told and created as whole states, survive kill -9; deleted stays deleted; commands are streamed", async () => {
  await using state = await tempDir("old-state");
  const seen = (answer: JsonAnswer): unknown => (answer.status === 200 ? (answer.body as { text: string }).text : answer.body);
  const change = async (ingress: string, id: string, body: object): Promise<unknown> =>
    seen(await post(`${ingress}/old/things/${id}`, body));
  const expected: Readonly<Record<string, string>> = {
    "GCounter-1": "5",
    "PNCounter-1": "-1",
    "GSet-1": "cup,tea",
    "ORSet-1": "tea",
    "LWWRegister-1": "tea",
    "Flag-1": "true",
    "ORMap-1": "cup=2,tea=4",
  };
  const shown = async (ingress: string): Promise<unknown> => {
    const all = Object.keys(expected).map(async (id) => [id, seen(await request(`${ingress}/old/things/${id}`))] as const);
    return Object.fromEntries(await Promise.all(all));
  };
  {
    await using up = await startUp(folder, ["--state", state.path]);
    const { ingress } = up;
    assert.equal(seen(await request(`${ingress}/old/things/GCounter-1`)), "nothing");
    for (const by of [2, 3]) await change(ingress, "GCounter-1", { by });
    for (const by of [2, -3]) await change(ingress, "PNCounter-1", { by });
    for (const id of ["GSet-1", "ORSet-1", "LWWRegister-1"]) for (const name of ["cup", "tea"]) await change(ingress, id, { name });
    await change(ingress, "ORSet-1", { name: "cup", by: -1 });
    await change(ingress, "Flag-1", {});
    for (const [name, by] of [["tea", 1], ["cup", 2], ["tea", 3]] as const) await change(ingress, "ORMap-1", { name, by }); // prettier-ignore
    assert.equal(await change(ingress, "Vote-1", { by: 1 }), "1/1");
    assert.deepEqual(await shown(ingress), expected);
    await change(ingress, "GSet-gone", { name: "x" });
    assert.equal(seen(await request(`${ingress}/old/things/GSet-gone`, { method: "DELETE" })), "gone");
    up.program.kill("SIGKILL");
    await up.program.exit;
  }
  await using again = await startUp(folder, ["--state", state.path]);
  assert.deepEqual(await shown(again.ingress), expected);
  assert.equal(await change(again.ingress, "ORMap-1", { name: "tea", by: 1 }), "cup=2,tea=5");
  assert.deepEqual(await change(again.ingress, "GSet-gone", { name: "y" }), { code: 2, message: "Entity deleted", details: [] });
  await streamedCommands(again.ingress);
});

test("without `protocol: any` the function is refused, and told how to be taken", async () => {
  await using project = await tempDir("old-strict");
  await project.write({
    "mecha.yaml": [
      "apiVersion: mecha.dev/v1alpha1",
      "kind: Project",
      "metadata: { name: strict }",
      "spec:",
      `  functions: [{ name: old, directory: ${JSON.stringify(folder)}, command: node main.cjs }]`,
    ].join("\n"),
  });
  await using up = startNode(mechaMain, ["up", project.path, "--port", "0", "--admin-port", "0", "--state", join(project.path, "state")]);
  assert.equal((await up.exit).code, 1);
  assert.match(up.output, /Error reported from sidecar: .*reports no protocol version, and 0\.2 is needed/u);
  assert.match(up.output, /set the function's protocol to "any"/u);
});
