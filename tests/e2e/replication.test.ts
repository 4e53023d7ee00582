/** Three engines that hold the same CRDTs, over real sockets whose links can be cut. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type RequestActionSchema,
  RequestSchema,
  ResponseSchema,
  type UpdateSchema,
  UpdateWriteConsistency,
} from "../../conformance/src/gen/cloudstate/tck/model/crdt_pb.ts";
import { openModel } from "@mecha/conformance/model";
import { discover } from "@mecha/dialect-cloudstate";
import { hostClock, hostRandom } from "@mecha/host";
import { noLog, noMetrics, Scope } from "@mecha/kit";
import { connect, listen } from "@mecha/net";
import { openEngine, type Peer, type StateEngine } from "@mecha/state";
import { openMemoryStore } from "@mecha/store-memory";
import { eventually } from "../support/program.ts";

const clock = hostClock;
const names = ["a", "b", "c"] as const;
type Name = (typeof names)[number];

/** A TCP way to a port that can be cut. */
class CuttableWay implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #to = 0;
  #cut = false;

  constructor() {
    this.#server = createServer((from) => this.#carry(from));
  }
  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as { port: number }).port;
  }
  leadTo(port: number): void {
    this.#to = port;
  }
  #carry(from: Socket): void {
    if (this.#cut) {
      from.destroy();
      return;
    }
    const to = connectTcp(this.#to, "127.0.0.1");
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }
  heal(): void {
    this.#cut = false;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }
}

type Action = MessageInitShape<typeof RequestActionSchema>;
const act = (update: MessageInitShape<typeof UpdateSchema>): Action => ({ action: { case: "update", value: update } });
const increment = (by: bigint, writeConsistency: UpdateWriteConsistency = UpdateWriteConsistency.LOCAL): Action =>
  act({ update: { case: "gcounter", value: { increment: by } }, writeConsistency });
const drop: Action = { action: { case: "delete", value: {} } };

interface Cluster {
  /** Runs actions on an entity at one node; the state as text, or the failure. */
  ask(node: Name, id: string, ...actions: Action[]): Promise<string>;
  /** Cuts a node off from both others. */
  cut(node: Name): void;
  heal(node: Name): void;
  connected(node: Name): readonly string[];
}

async function cluster(scope: Scope): Promise<Cluster> {
  const model = scope.own(await openModel());
  const ways = new Map<string, CuttableWay>();
  const engines = new Map<Name, StateEngine>();
  const ports = new Map<string, number>();
  for (const from of names) {
    const peers: Peer[] = [];
    for (const node of names.filter((name) => name !== from)) {
      const way = scope.own(new CuttableWay());
      ways.set(`${from}>${node}`, way);
      const port = await way.listen();
      peers.push({ node, connect: () => connect({ host: "127.0.0.1", port, clock }) });
    }
    const store = scope.own(openMemoryStore());
    const options = { node: from, onFatal: (fault: Error) => assert.fail(fault) };
    const engine = scope.own(
      openEngine({ store, clock, random: hostRandom, log: noLog, metrics: noMetrics, options, cluster: { peers, catalog: store } }),
    );
    engines.set(from, engine);
    const handlers = engine.replication?.handlers();
    const http = (exchange: { respond(status: number, headers: object, body: string): void }) => exchange.respond(404, {}, "");
    const listener = scope.own(
      await listen({ host: "127.0.0.1", port: 0, clock, log: noLog }, { grpc: (path) => handlers?.get(path), http }),
    );
    const channel = scope.own(connect({ host: "127.0.0.1", port: model.port, clock }));
    engine.setComponents((await discover(channel, { proxyVersion: "1" })).components);
    ports.set(from, listener.port);
  }
  for (const [key, way] of ways) way.leadTo(ports.get(key.slice(2)) ?? 0);
  const connected = (node: Name): readonly string[] => engines.get(node)?.replication?.connected ?? [];
  await eventually("all are connected", () => names.every((node) => connected(node).length === 2));
  const each = (node: Name, run: (way: CuttableWay) => void): void => {
    for (const [key, way] of ways) if (key.startsWith(node) || key.endsWith(node)) run(way);
  };
  return {
    connected,
    cut: (node) => each(node, (way) => way.cut()),
    heal: (node) => each(node, (way) => way.heal()),
    ask: (node, id, ...actions) =>
      new Promise((resolve) => {
        const value = toBinary(RequestSchema, create(RequestSchema, { id, actions }));
        const payload = { typeUrl: "type.googleapis.com/cloudstate.tck.model.crdt.Request", value };
        engines.get(node)?.call("cloudstate.tck.model.crdt.CrdtTckModel", { name: "Process", payload }, { hops: 0 }, (fault, reply) => {
          resolve(fault === undefined ? stateText(reply?.payload?.value) : fault.message);
        });
      }),
  };
}

function stateText(bytes: Uint8Array | undefined): string {
  const value = fromBinary(ResponseSchema, bytes ?? new Uint8Array()).state?.value;
  switch (value?.case) {
    case "gcounter":
      return String(value.value.value);
    case "orset":
      return value.value.elements.join();
    case "vote":
      return `${value.value.votesFor}/${value.value.totalVoters}`;
    default:
      return value?.case ?? "none";
  }
}

const { MAJORITY: majority, ALL: all } = UpdateWriteConsistency;

test("increments at three nodes at once come to one sum everywhere", async () => {
  await using scope = new Scope();
  const three = await cluster(scope);
  await Promise.all(names.flatMap((node) => Array.from({ length: 50 }, () => three.ask(node, "GCounter-1", increment(1n)))));
  for (const node of names) await eventually(`${node} has them all`, async () => (await three.ask(node, "GCounter-1")) === "150");
});

test("a node that was cut off goes on alone, fails what wants a majority, and catches up when the cut heals", async () => {
  await using scope = new Scope();
  const three = await cluster(scope);
  assert.equal(await three.ask("a", "GCounter-2", increment(1n, all)), "1");
  assert.equal(await three.ask("c", "GCounter-2"), "1", "all means all");
  three.cut("c");
  await eventually("the cut is noticed", () => three.connected("a").join() === "b" && three.connected("c").length === 0);

  const failed =
    /^Failed to update CRDT at requested write consistency: (all|majority) wants [23] of 3 nodes and [12] confirmed within 5 s/;
  const [withMajority, withAll, alone, aloneWithMajority] = await Promise.all([
    three.ask("a", "GCounter-2", increment(10n, majority)),
    three.ask("b", "GCounter-2", increment(100n, all)),
    three.ask("c", "GCounter-2", increment(1_000n)),
    three.ask("c", "GCounter-3", increment(1n, majority)),
  ]);
  assert.match(withMajority, /^\d+$/);
  assert.match(withAll, failed);
  assert.equal(alone, "1001");
  assert.match(aloneWithMajority, failed);

  three.heal("c");
  for (const node of names) await eventually(`${node} has caught up`, async () => (await three.ask(node, "GCounter-2")) === "1111");
  for (const node of names) await eventually(`${node} knows what c made alone`, async () => (await three.ask(node, "GCounter-3")) === "1");
});

test("sets merge by what was seen: an addition survives a removal on the other side of a cut, and a deletion everything", async () => {
  await using scope = new Scope();
  const three = await cluster(scope);
  const add = (element: string): Action => act({ update: { case: "orset", value: { action: { case: "add", value: element } } } });
  const remove = (element: string): Action => act({ update: { case: "orset", value: { action: { case: "remove", value: element } } } });
  await three.ask("a", "ORSet-1", add("x"), add("y"));
  await three.ask("a", "GCounter-4", increment(1n));
  await eventually("c has both", async () => (await three.ask("c", "ORSet-1")) === "x,y" && (await three.ask("c", "GCounter-4")) === "1");
  three.cut("c");
  await eventually("the cut is noticed", () => three.connected("a").join() === "b");
  await three.ask("a", "ORSet-1", remove("x"), add("z"));
  await three.ask("c", "ORSet-1", remove("y"), remove("x"));
  await three.ask("c", "ORSet-1", add("x"));
  await three.ask("a", "GCounter-4", drop);
  assert.equal(await three.ask("c", "GCounter-4", increment(1n)), "2");
  three.heal("c");
  for (const node of names) await eventually(`${node} has merged`, async () => (await three.ask(node, "ORSet-1")) === "x,z");
  for (const node of names)
    await eventually(`${node} knows the deletion`, async () => (await three.ask(node, "GCounter-4")) === "Entity deleted");
});

test("votes count those who are there", async () => {
  await using scope = new Scope();
  const three = await cluster(scope);
  const vote = act({ update: { case: "vote", value: { selfVote: true } } });
  await Promise.all(names.map((node) => three.ask(node, "Vote-1", vote)));
  for (const node of names) await eventually(`${node} counts all`, async () => (await three.ask(node, "Vote-1")) === "3/3");
  three.cut("c");
  await eventually("a counts two", async () => (await three.ask("a", "Vote-1")) === "2/2");
  await eventually("c counts itself", async () => (await three.ask("c", "Vote-1")) === "1/1");
  three.heal("c");
  for (const node of names) await eventually(`${node} counts all again`, async () => (await three.ask(node, "Vote-1")) === "3/3");
});
