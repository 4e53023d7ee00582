/** The other sidecars that hold the same CRDTs: channels to them, and the listener they reach. */
import { type Clock, Fault, type Log } from "@mecha/kit";
import { type ClientTls, connect, listen, type Listener, type TlsIdentity } from "@mecha/net";
import type { Peer, StateEngine } from "@mecha/state";

/** What a sidecar is told about them. */
export interface ClusterConfig {
  /** This one's name; it stays over restarts, and no other has it. */
  readonly node: string;
  /** Where peers come in; `undefined`: nowhere, there are none. */
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  readonly peers: readonly { readonly node: string; readonly host: string; readonly port: number }[];
  /** PEM. With it both sides show a certificate of these authorities that has their node's name as a DNS name. Absent: no TLS. */
  readonly tls?: ClusterTls;
}

export type ClusterTls = TlsIdentity & { readonly authorities: string };

/** A peer that takes this long to answer a connection is tried again; the engine's own patience for its first word is the same. */
const connectTimeoutMs = 5_000;
/** A stream from each peer, its successor while that one ends, and as much again. */
const connectionsPerPeer = 4;

/** @param tls What a connection is made with; asked for each. */
export function peersOf({ peers }: ClusterConfig, tls: () => ClusterTls | undefined, clock: Clock): Peer[] {
  return peers.map(({ node, host, port }) => {
    const current = (): ClientTls => {
      const own = tls() as ClusterTls;
      return { serverAuthorities: own.authorities, serverName: node, identity: own };
    };
    const secured = tls() === undefined ? {} : { tls: current };
    return { node, connect: () => connect({ host, port, clock, ...secured, limits: { connectTimeoutMs, connectionsMax: 1 } }) };
  });
}

/** @throws Fault("precondition") when the port is taken, other Faults of `listen`. */
export async function listenToPeers(
  { listen: at, peers, tls }: ClusterConfig & { readonly listen: NonNullable<ClusterConfig["listen"]> },
  engine: StateEngine,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<Listener> {
  const handlers = engine.replication?.handlers();
  const limits = { connectionsMax: Math.max(16, peers.length * connectionsPerPeer) };
  const opened = listen(
    { ...at, clock, log, limits, ...(tls && { tls: { ...tls, callerAuthorities: tls.authorities } }) },
    {
      grpc: (path) => handlers?.get(path),
      http: (exchange) => exchange.respond(404, { "content-type": "text/plain; charset=utf-8" }, "for Mecha's own processes\n"),
    },
  );
  return opened.catch((cause: unknown) => {
    if (!(cause instanceof Fault) || cause.code !== "alreadyExists") throw cause;
    throw new Fault(
      "precondition",
      `the address for peers, ${at.host}:${at.port}, is in use by another program; end it, or choose another`,
    );
  });
}
