/**
 * Leader election over a Lease object (coordination.k8s.io/v1), compatible with client-go's: of several processes one leads; another follows when the
 * leader stops renewing. Times of other machines are not trusted: a lease is old when this process has seen no change of it for its duration.
 *
 * Invariants
 * L1 `lead` runs only while this process holds the lease, by its own clock: it is ended `renewDeadlineMs` after the last renewal that succeeded
 * L2 the lease is taken over only after its duration passed here without a change of it
 */
import { type Clock, deadlineSignal, explain, Fault, type Log, type Random, sleep } from "@mecha/kit";
import type { KubeObject } from "@mecha/kinds";
import { type ApiClient, isReason, type ResourceRef } from "../api-client.ts";

export interface LeaseOptions {
  readonly namespace: string;
  readonly name: string;
  /** Who this process is; different for each, such as `host_uuid`. */
  readonly identity: string;
  /** How long others wait after the last renewal they saw. Default 15 s. */
  readonly durationMs?: number;
  /** How long the leader tries to renew before it gives up. Below the duration. Default 10 s. */
  readonly renewDeadlineMs?: number;
  /** Between two tries; up to 20 % are added. Default 2 s. */
  readonly retryMs?: number;
}

export interface LeasePorts {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export const leases: ResourceRef = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", plural: "leases", namespaced: true };

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

/** What was seen of the lease, and when by this process's clock. */
interface Sighting {
  readonly lease: KubeObject | undefined;
  readonly seenMs: number;
}

/** May `identity` take or renew the lease it sees? Decides only (L2). */
export function mayHold({ lease, seenMs }: Sighting, identity: string, nowMs: number): boolean {
  const spec = (lease?.["spec"] ?? {}) as LeaseSpec;
  if (!lease || !spec.holderIdentity || spec.holderIdentity === identity) return true;
  return nowMs - seenMs >= (spec.leaseDurationSeconds ?? 0) * 1000;
}

/** The lease's spec once `identity` holds it. */
export function heldSpec(lease: KubeObject | undefined, identity: string, durationMs: number, wallMs: number): LeaseSpec {
  const old = (lease?.["spec"] ?? {}) as LeaseSpec;
  const renewTime = microTime(wallMs);
  const mine = old.holderIdentity === identity;
  return {
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(durationMs / 1000),
    acquireTime: mine ? (old.acquireTime ?? renewTime) : renewTime,
    renewTime,
    leaseTransitions: (old.leaseTransitions ?? 0) + (mine || !lease ? 0 : 1),
  };
}

/** MicroTime: six digits of a second. */
function microTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace(/(\.\d{3})Z$/, "$1000Z");
}

/**
 * Waits for the lease, runs `lead` while it is held, gives it back when `lead` ends or `signal` aborts.
 * @throws Fault("aborted") when the lease was lost: the process must end, as what it did as leader may be another's by now.
 */
export async function runAsLeader(
  options: LeaseOptions,
  ports: LeasePorts,
  signal: AbortSignal,
  lead: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const election = new Election(options, ports);
  await election.acquire(signal);
  const leading = new AbortController();
  const both = AbortSignal.any([signal, leading.signal]);
  const renewing = election.renewUntil(both).catch((error: unknown) => {
    leading.abort(error); // keeps L1
    throw error;
  });
  try {
    await lead(both);
  } finally {
    if (!leading.signal.aborted) leading.abort(new Fault("cancelled", "no longer leading"));
    await renewing.finally(() => election.release());
  }
}

class Election {
  readonly #options: Required<LeaseOptions>;
  readonly #ports: LeasePorts;
  #seen: Sighting = { lease: undefined, seenMs: 0 };

  constructor(options: LeaseOptions, ports: LeasePorts) {
    this.#options = { durationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000, ...options };
    this.#ports = ports;
    const { durationMs, renewDeadlineMs, retryMs } = this.#options;
    if (!(retryMs < renewDeadlineMs && renewDeadlineMs < durationMs))
      throw new Fault("invalid", "leader election: retryMs must be below renewDeadlineMs, and that below durationMs");
  }

  async acquire(signal: AbortSignal): Promise<void> {
    const { log } = this.#ports;
    while (!(await this.#tryHold(signal))) await this.#pause(signal);
    log.info("leading", { lease: this.#label, identity: this.#options.identity });
  }

  /** @throws Fault("aborted") when no renewal succeeded for `renewDeadlineMs`. Resolves when `signal` aborts. */
  async renewUntil(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    let renewedMs = clock.monotonic();
    for (;;) {
      await this.#pause(signal).catch(() => undefined); // the signal is looked at below
      if (signal.aborted) return;
      const leftMs = renewedMs + this.#options.renewDeadlineMs - clock.monotonic();
      // The moment before the request counts: the server may have stored it any time after.
      const askedMs = clock.monotonic();
      using deadline = deadlineSignal(clock, Math.max(0, leftMs), "renew the lease", signal);
      if (leftMs > 0 && (await this.#tryHold(deadline.signal))) renewedMs = askedMs;
      else if (clock.monotonic() - renewedMs >= this.#options.renewDeadlineMs)
        throw new Fault("aborted", `lease ${this.#label} was lost: not renewed within ${String(this.#options.renewDeadlineMs)} ms`);
    }
  }

  /** Lets another lead at once. What fails here only costs that one the lease's duration. */
  async release(): Promise<void> {
    const { client, clock, log } = this.#ports;
    const { lease } = this.#seen;
    const spec = lease?.["spec"] as LeaseSpec | undefined;
    if (!lease || spec?.holderIdentity !== this.#options.identity) return;
    const { acquireTime: _, ...rest } = heldSpec(lease, this.#options.identity, 1_000, clock.wall());
    using deadline = deadlineSignal(clock, this.#options.retryMs, "give the lease back");
    try {
      await client.update(leases, { ...lease, spec: { ...rest, holderIdentity: "" } }, { signal: deadline.signal });
    } catch (error) {
      log.debug("lease not given back", { lease: this.#label, cause: explain(error) });
    }
  }

  get #label(): string {
    return `${this.#options.namespace}/${this.#options.name}`;
  }

  #pause(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#ports;
    return sleep(clock, this.#options.retryMs * (1 + random.below(200) / 1000), signal);
  }

  async #tryHold(signal: AbortSignal): Promise<boolean> {
    const { client, clock, log } = this.#ports;
    const { namespace, name, identity, durationMs } = this.#options;
    try {
      this.#saw(await client.find(leases, { namespace, name }, signal));
      const { lease } = this.#seen;
      if (!mayHold(this.#seen, identity, clock.monotonic())) return false;
      const spec = heldSpec(lease, identity, durationMs, clock.wall());
      const held: KubeObject = { ...(lease ?? { apiVersion: leases.apiVersion, kind: leases.kind, metadata: { namespace, name } }), spec };
      this.#saw(await (lease ? client.update(leases, held, { signal }) : client.create(leases, held, { signal })));
      return true;
    } catch (error) {
      if (signal.aborted && signal.reason instanceof Fault && signal.reason.code === "cancelled") throw error;
      const lost = isReason(error, "Conflict") || isReason(error, "AlreadyExists");
      log[lost ? "debug" : "warn"]("lease not held", { lease: this.#label, cause: explain(error) });
      return false;
    }
  }

  #saw(lease: KubeObject | undefined): void {
    const changed = lease?.metadata.resourceVersion !== this.#seen.lease?.metadata.resourceVersion;
    if (changed || !lease) this.#seen = { lease, seenMs: this.#ports.clock.monotonic() };
  }
}
