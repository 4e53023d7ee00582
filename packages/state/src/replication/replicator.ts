/**
 * CRDTs among processes: every change is sent to every peer at once, and whenever a connection is made the two compare digests of all they know
 * (anti-entropy), so a cut of any length heals.
 *
 * Invariants
 * R1 a change is confirmed only when it is durable at the receiver
 * R2 what is heard is not passed on: every process is connected with every other
 * R3 a deletion heard or known is told to whoever still speaks of the entity
 */
import type { CancelTimer, Clock, Log, Metrics } from "@mecha/kit";
import type { CallHandler, ServerCall } from "@mecha/wire";
import type { Change, Digests, Frame } from "@mecha/wire/gen/mecha/sidecar/v1/replication";
import { decodeState } from "../crdt/codec.ts";
import type { WriteConsistency } from "../crdt/delta.ts";
import { type Membership, type Replica, replicaName } from "../crdt/replica.ts";
import type { Replication } from "../crdt/replication.ts";
import type { Replicas, Resident } from "../crdt/residence.ts";
import type { CrdtState } from "../crdt/types/index.ts";
import type { EntityAddress } from "../model.ts";
import type { EntityListing, ReplicaId, Store } from "../store.ts";
import { digest } from "./digest.ts";
import { addressOf, changeFrame, exchangePath, type FrameInit, wholeFrame } from "./frames.ts";
import { Inbox, type InboxHost } from "./inbox.ts";
import { Link, type Peer } from "./link.ts";
import { PeerMeters } from "./meters.ts";
import { Visit } from "./visit.ts";

/** How long an answer may wait for other replicas (the reference's write timeout). */
export const spreadTimeoutMs = 5_000;
/** Entities compared in one frame; each is loaded for it. */
const digestsPerFrame = 100;

/** What replication runs on. */
export interface ReplicatorPorts {
  readonly alone: Membership;
  readonly peers: readonly Peer[];
  /** What is stored, to compare it. */
  readonly catalog: Pick<Store, "list">;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** An answer that waits for other replicas. */
interface Waiter {
  readonly resident: Resident;
  readonly consistency: WriteConsistency;
  readonly wanted: number;
  /** Further confirmations it needs. */
  missing: number;
  /** The frame whose confirmation counts, by link. */
  readonly numbers: Map<Link, bigint>;
  readonly cancel: CancelTimer;
  readonly done: (problem: string | undefined) => void;
}

/** Refusals that are logged before somebody is taken: a stranger that goes on must not fill the log. */
const refusedMax = 100;

/** Where answers to a frame go. */
type Answer = (frame: FrameInit) => void;

/** See the file's header. */
export class Replicator implements Replication, Membership, InboxHost {
  readonly self: ReplicaId;
  readonly #ports: ReplicatorPorts;
  readonly #links: readonly Link[];
  readonly #waiters = new Set<Waiter>();
  readonly #visits = new Set<Visit>();
  readonly #meters: PeerMeters;
  /** Who was refused, and why, as it was logged: once, until somebody is taken. */
  readonly #refused = new Set<string>();
  #replicas: Replicas | undefined = undefined;
  #live: readonly string[];
  #number = 0n;
  #stopped = false;

  constructor(ports: ReplicatorPorts) {
    this.#ports = ports;
    this.self = ports.alone.self;
    this.#live = [replicaName(this.self)];
    const events = {
      up: (link: Link) => this.#up(link),
      down: () => this.#membersChanged(),
      frame: (frame: Frame["frame"], link: Link) => this.#frame(frame, (answer) => link.send(answer), link),
      behind: (link: Link) => void this.#compare(link),
    };
    this.#links = ports.peers.map((peer) => new Link(peer, () => this.self, events, ports));
    this.#meters = new PeerMeters(ports.metrics, ports.clock, this.#links);
  }

  /** Begins to connect. */
  start(replicas: Replicas): void {
    this.#replicas = replicas;
    replicas.onChange = (resident, delta) => this.#push(resident, delta);
    for (const link of this.#links) link.start();
  }

  /** Resolves when no connection is left. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#meters.stop();
    const stopped = this.#links.map((link) => link.stop());
    for (const waiter of [...this.#waiters]) this.#end(waiter, false);
    for (const visit of [...this.#visits]) visit.leave();
    await Promise.all(stopped);
  }

  // ---- members --------------------------------------------------------------------------------------------------------------------

  live(): readonly string[] {
    return this.#live;
  }

  /** Names of the peers that are connected. */
  get connected(): readonly string[] {
    return this.#links.filter(({ remote }) => remote !== undefined).map(({ peer }) => peer.node);
  }

  #membersChanged(): void {
    const remotes = this.#links.flatMap(({ remote }) => (remote === undefined ? [] : [replicaName(remote)]));
    this.#live = [replicaName(this.self), ...remotes];
    for (const resident of [...(this.#replicas?.residents() ?? [])]) resident.membersChanged();
  }

  #up(link: Link): void {
    this.#membersChanged();
    for (const waiter of this.#waiters) this.#ask(waiter, link);
    void this.#compare(link);
  }

  // ---- own changes ----------------------------------------------------------------------------------------------------------------

  #push(resident: Resident, delta: CrdtState | undefined): void {
    for (const link of this.#links) link.send(changeFrame(resident.address, delta, 0n));
  }

  awaitSpread(resident: Resident, consistency: WriteConsistency, done: (problem: string | undefined) => void): boolean {
    const members = this.#links.length + 1;
    const wanted = consistency === "local" ? 1 : consistency === "all" ? members : Math.floor(members / 2) + 1;
    if (wanted <= 1) return false;
    const cancel = this.#ports.clock.after(spreadTimeoutMs, () => this.#end(waiter, false));
    const waiter: Waiter = { resident, consistency, wanted, missing: wanted - 1, numbers: new Map(), cancel, done };
    this.#waiters.add(waiter);
    for (const link of this.#links) if (link.remote !== undefined) this.#ask(waiter, link);
    return true;
  }

  /** Sends all that is known, to be confirmed. */
  #ask(waiter: Waiter, link: Link): void {
    const number = ++this.#number;
    const frame = wholeFrame(waiter.resident.address, waiter.resident.replica, number);
    if (frame === undefined) {
      this.#confirmed(waiter, link); // nothing there is to be had
      return;
    }
    waiter.numbers.set(link, number);
    link.send(frame);
  }

  #ack(number: bigint, link: Link): void {
    for (const waiter of this.#waiters) {
      if (waiter.numbers.get(link) === number) {
        this.#confirmed(waiter, link);
        return;
      }
    }
  }

  #confirmed(waiter: Waiter, link: Link): void {
    waiter.numbers.delete(link);
    if (--waiter.missing > 0) return;
    // On an empty stack: who waits may still be in the call that asked.
    queueMicrotask(() => this.#end(waiter, true));
  }

  #end(waiter: Waiter, reached: boolean): void {
    if (!this.#waiters.delete(waiter)) return;
    waiter.cancel();
    waiter.done(reached ? undefined : this.#shortOf(waiter));
  }

  #shortOf({ consistency, wanted, missing }: Waiter): string {
    const away = this.#links.filter(({ remote }) => remote === undefined).map(({ peer }) => peer.node);
    const who = away.length === 0 ? "all are connected" : `not connected: ${away.join(", ")}`;
    const counts = `${consistency} wants ${wanted} of ${this.#links.length + 1} nodes and ${wanted - missing} confirmed`;
    return `${counts} within ${spreadTimeoutMs / 1_000} s (${who}); the change is stored here and reaches the others when they can be reached`;
  }

  // ---- what others say ------------------------------------------------------------------------------------------------------------

  /** Serves the peers' streams. */
  handlers(): ReadonlyMap<string, CallHandler> {
    return new Map([[exchangePath, (call: ServerCall) => new Inbox(call, this)]]);
  }

  get clock(): Clock {
    return this.#ports.clock;
  }

  refusal(node: string): string | undefined {
    if (this.#links.some(({ peer }) => peer.node === node)) return undefined;
    return `${JSON.stringify(node)} is none of the peers known here`;
  }

  greeted(): void {
    this.#refused.clear();
  }

  refused(from: string, problem: string): void {
    const who = `${from.replace(/:\d+$/u, "")}: ${problem}`;
    if (this.#refused.has(who) || this.#refused.size >= refusedMax) return;
    this.#refused.add(who);
    this.#ports.log.warn("a peer was refused", { peer: from, problem });
  }

  take(frame: Frame["frame"], answer: Answer, stored: () => void): void {
    this.#frame(frame, answer, undefined, stored);
  }

  /** @param link the own link it came on; those on the peer's have none. @throws Fault("invalid") */
  #frame(frame: Frame["frame"], answer: Answer, link: Link | undefined, stored: () => void = () => undefined): void {
    switch (frame.case) {
      case "change":
        this.#change(frame.value, answer, stored);
        return;
      case "ack":
        if (link !== undefined) this.#ack(frame.value.number, link);
        return;
      case "digests":
        this.#digests(frame.value, answer);
        return;
      case "want": {
        const address = addressOf(frame.value.entity);
        this.#visit(address, (visit, replica) => {
          const whole = wholeFrame(address, replica, 0n);
          if (whole) answer(whole);
          visit.leave();
        });
        return;
      }
      case "hello":
      case "ping":
      case "pong":
      case undefined:
        return; // of a later version of this protocol
    }
  }

  #change({ entity, state, deleted, number }: Change, answer: Answer, stored: () => void): void {
    const address = addressOf(entity);
    const heard = deleted ? undefined : decodeState(state);
    this.#visit(address, (visit, replica) => {
      const knew = replica.deleted;
      const news = heard === undefined ? replica.delete("replication") : replica.hear(heard, "replication");
      if (news) visit.resident?.heard();
      if (knew && heard !== undefined) answer(changeFrame(address, undefined, 0n)); // keeps R3
      visit.whenDurable(() => {
        if (number !== 0n) answer({ case: "ack", value: { number } }); // keeps R1
        stored();
      });
    });
  }

  #digests({ digests }: Digests, answer: Answer): void {
    for (const { entity, hash, deleted } of digests) {
      const address = addressOf(entity);
      this.#visit(address, (visit, replica) => {
        const same = replica.deleted ? deleted : !deleted && replica.state !== undefined && digest(replica.state) === hash;
        const whole = same ? undefined : wholeFrame(address, replica, 0n);
        if (whole) answer(whole);
        if (!same && !replica.deleted) answer({ case: "want", value: { entity: address } });
        visit.leave();
      });
    }
  }

  /** @param ended called when it is over, however. */
  #visit(address: EntityAddress, run: (visit: Visit, replica: Replica) => void, ended: () => void = () => undefined): void {
    if (this.#stopped || this.#replicas === undefined) {
      ended();
      return;
    }
    const visit = new Visit(run, (cause) => {
      this.#visits.delete(visit);
      ended();
      if (cause !== undefined) this.#ports.log.warn("what a peer said of a CRDT was not taken", { entity: address.entityId, cause });
    });
    this.#visits.add(visit);
    visit.begin(this.#replicas, address);
  }

  // ---- anti-entropy ---------------------------------------------------------------------------------------------------------------

  /** Tells the peer what is known of every entity. */
  async #compare(link: Link): Promise<void> {
    const { remote } = link;
    const { catalog, log } = this.#ports;
    try {
      for (let after: EntityAddress | undefined; link.remote === remote && !this.#stopped;) {
        const page = await catalog.list({ limit: digestsPerFrame, ...(after && { after }) });
        const digests = await Promise.all(page.filter(({ kind }) => kind === "crdt").map((listing) => this.#digestOf(listing)));
        const known = digests.filter((one) => one !== undefined);
        if (known.length > 0 && link.remote === remote) link.send({ case: "digests", value: { digests: known } });
        after = page.at(-1)?.address;
        if (page.length < digestsPerFrame) return;
      }
    } catch (cause) {
      log.warn("what is known could not be compared with a peer", { peer: link.peer.node, cause });
    }
  }

  #digestOf({ address }: EntityListing): Promise<{ entity: EntityAddress; hash: bigint; deleted: boolean } | undefined> {
    return new Promise((resolve) => {
      const tell = (visit: Visit, replica: Replica): void => {
        const known = replica.deleted || replica.state !== undefined;
        resolve(known ? { entity: address, hash: replica.state ? digest(replica.state) : 0n, deleted: replica.deleted } : undefined);
        visit.leave();
      };
      this.#visit(address, tell, () => resolve(undefined));
    });
  }
}
