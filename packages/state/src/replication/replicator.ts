/**
 * CRDTs among processes: every change is sent to every peer at once, and whenever a connection is made the two compare digests of all they know
 * (anti-entropy), so a cut of any length heals.
 *
 * Invariants
 * R1 a change is confirmed only when it is durable at the receiver
 * R2 what is heard is not passed on: every process is connected with every other
 * R3 a deletion heard or known is told to whoever still speaks of the entity
 */
import { type CancelTimer, type Clock, explain, type Fault, type Log } from "@mecha/kit";
import type { CallHandler, ServerCall } from "@mecha/wire";
import type { Change, Digests, Frame } from "@mecha/wire/gen/mecha/sidecar/v1/replication";
import { decodeState } from "../crdt/codec.ts";
import type { WriteConsistency } from "../crdt/delta.ts";
import { type Membership, type Replica, replicaName } from "../crdt/replica.ts";
import type { Replication } from "../crdt/replication.ts";
import type { Replicas, ReplicaUser, Resident } from "../crdt/residence.ts";
import type { CrdtState } from "../crdt/types/index.ts";
import type { EntityAddress } from "../model.ts";
import type { EntityListing, ReplicaId, Store } from "../store.ts";
import { digest } from "./digest.ts";
import { addressOf, changeFrame, decodeFrame, encodeFrame, exchangePath, type FrameInit, wholeFrame } from "./frames.ts";
import { Link, type Peer } from "./link.ts";

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
}

/** An answer that waits for other replicas. */
interface Waiter {
  readonly resident: Resident;
  /** Further confirmations it needs. */
  missing: number;
  /** The frame whose confirmation counts, by link. */
  readonly numbers: Map<Link, bigint>;
  readonly cancel: CancelTimer;
  readonly done: (reached: boolean) => void;
}

/** Where answers to a frame go. */
type Answer = (frame: FrameInit) => void;

/** See the file's header. */
export class Replicator implements Replication, Membership {
  readonly self: ReplicaId;
  readonly #ports: ReplicatorPorts;
  readonly #links: readonly Link[];
  readonly #waiters = new Set<Waiter>();
  readonly #visits = new Set<Visit>();
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
  }

  /** Begins to connect. */
  start(replicas: Replicas): void {
    this.#replicas = replicas;
    replicas.onChange = (resident, delta) => this.#push(resident, delta);
    for (const link of this.#links) link.start();
  }

  stop(): void {
    this.#stopped = true;
    for (const link of this.#links) link.stop();
    for (const waiter of [...this.#waiters]) this.#end(waiter, false);
    for (const visit of [...this.#visits]) visit.leave();
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
    for (const link of this.#links) if (link.remote !== undefined) link.send(changeFrame(resident.address, delta, 0n));
  }

  awaitSpread(resident: Resident, consistency: WriteConsistency, done: (reached: boolean) => void): boolean {
    const members = this.#links.length + 1;
    const wanted = consistency === "local" ? 1 : consistency === "all" ? members : Math.floor(members / 2) + 1;
    if (wanted <= 1) return false;
    const cancel = this.#ports.clock.after(spreadTimeoutMs, () => this.#end(waiter, false));
    const waiter: Waiter = { resident, missing: wanted - 1, numbers: new Map(), cancel, done };
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
    waiter.done(reached);
  }

  // ---- what others say ------------------------------------------------------------------------------------------------------------

  /** Serves the peers' streams. */
  handlers(): ReadonlyMap<string, CallHandler> {
    return new Map([[exchangePath, (call: ServerCall) => this.#serve(call)]]);
  }

  #serve(call: ServerCall): ReturnType<CallHandler> {
    let greeted = false;
    let over = false;
    const end = (problem: string): void => {
      if (over) return;
      over = true;
      this.#ports.log.warn("a peer was refused", { peer: call.peer, problem });
      call.end({ code: 9, message: problem });
    };
    return {
      message: (bytes) => {
        if (over) return;
        try {
          const frame = decodeFrame(bytes);
          if (greeted) this.#frame(frame, (answer) => over || call.send(encodeFrame(answer)), undefined);
          else if (frame.case !== "hello") end("the first frame is not a hello");
          else if (!this.#links.some(({ peer }) => peer.node === frame.value.node))
            end(`${frame.value.node} is none of the peers known here`);
          else {
            greeted = true;
            call.send(encodeFrame({ case: "hello", value: this.self }));
          }
        } catch (cause) {
          end(explain(cause));
        }
      },
      halfClose: () => {
        if (!over) call.end();
        over = true;
      },
      cancelled: () => {
        over = true;
      },
    };
  }

  /** @param link the own link it came on; answers on the peer's have none. @throws Fault("invalid") */
  #frame(frame: Frame["frame"], answer: Answer, link: Link | undefined): void {
    switch (frame.case) {
      case "change":
        this.#change(frame.value, answer);
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
      case undefined:
        return; // of a later version of this protocol
    }
  }

  #change({ entity, state, deleted, number }: Change, answer: Answer): void {
    const address = addressOf(entity);
    const heard = deleted ? undefined : decodeState(state);
    this.#visit(address, (visit, replica) => {
      const knew = replica.deleted;
      const news = heard === undefined ? replica.delete("replication") : replica.hear(heard, "replication");
      if (news) visit.resident?.heard();
      if (knew && heard !== undefined) answer(changeFrame(address, undefined, 0n)); // keeps R3
      if (number === 0n) visit.leave();
      else visit.whenDurable(() => answer({ case: "ack", value: { number } })); // keeps R1
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

/** A short use of a replica on behalf of a peer. */
class Visit implements ReplicaUser {
  readonly #run: (visit: Visit, replica: Replica) => void;
  readonly #ended: (cause: unknown) => void;
  resident: Resident | undefined = undefined;
  #until: { readonly version: number; readonly then: () => void } | undefined = undefined;
  #over = false;

  constructor(run: (visit: Visit, replica: Replica) => void, ended: (cause: unknown) => void) {
    this.#run = run;
    this.#ended = ended;
  }

  begin(replicas: Replicas, address: EntityAddress): void {
    this.resident = replicas.acquire(address, this);
  }

  opened(replica: Replica): void {
    if (!this.#over) this.#run(this, replica);
  }

  /** Leaves once everything so far is durable. */
  whenDurable(then: () => void): void {
    this.#until = { version: this.resident?.replica.version ?? 0, then };
    this.durable();
  }

  durable(): void {
    const until = this.#until;
    if (until === undefined || (this.resident?.replica.durable ?? 0) < until.version) return;
    this.#until = undefined;
    until.then();
    this.leave();
  }

  heard(): void {}

  openFailed(cause: unknown): void {
    this.leave(cause);
  }

  writeFailed(fault: Fault): void {
    this.leave(fault);
  }

  leave(cause?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#ended(cause);
    this.resident?.release(this);
  }
}
