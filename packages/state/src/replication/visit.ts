/** A short use of a replica on behalf of a peer. */
import type { Fault } from "@mecha/kit";
import type { Replica } from "../crdt/replica.ts";
import type { Replicas, ReplicaUser, Resident } from "../crdt/residence.ts";
import type { EntityAddress } from "../model.ts";

/** See the file's header. */
export class Visit implements ReplicaUser {
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
