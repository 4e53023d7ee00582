/**
 * Which other Mecha processes hold the same CRDTs: a static list of members, this one among them. Pure.
 *
 * G1 a flag wins over the environment, that over the project file, field by field: members share one file, and each says by `--node` who it is
 * G2 beyond loopback there is mutual TLS, or somebody said `--insecure` (closed by default)
 */
import { UsageError } from "../exit.ts";
import { addressExpected, type HostPort, isLoopback, parseAddress } from "./address.ts";
import type { Given, TlsFiles } from "./tls.ts";

/** A process of the cluster and where its peers reach it. */
export interface Member {
  readonly name: string;
  /** `host:port` */
  readonly address: string;
}

/** What one source said. */
export interface ClusterGiven {
  readonly node?: Given<string> | undefined;
  readonly members?: Given<readonly Member[]> | undefined;
  /** `host:port` to listen on, when that is not this member's address. */
  readonly listen?: Given<string> | undefined;
  readonly tls?: TlsFiles | undefined;
}

/** What a run does about it. */
export interface ClusterSettings {
  readonly node: string;
  /** Where peers come in; `undefined` when there are none. */
  readonly listen: HostPort | undefined;
  readonly peers: readonly (HostPort & { readonly node: string })[];
  readonly tls: TlsFiles | undefined;
}

/** A node's name: part of stored rows, of metrics, and of its certificate. `retired` is taken (E13). */
export const nodePattern = /^(?!retired$)[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/u;
export const nodeExpected = "a name of 1 to 63 letters, digits, dots, - and _, that begins with a letter or digit";
/** Members in one list. Each is connected with each other. */
export const membersMax = 64;

/** `a=10.0.0.7:9003`; `undefined` when it is not that. */
export function parseMember(text: string): Member | undefined {
  const [, name = "", address = ""] = /^([^=]+)=(.+)$/u.exec(text.trim()) ?? [];
  return nodePattern.test(name) && parseAddress(address) !== undefined ? { name, address } : undefined;
}

/** @param sources the strongest first (G1). @throws UsageError naming the field. */
export function clusterSettings(sources: readonly ClusterGiven[], insecure: boolean): ClusterSettings | undefined {
  const first = <K extends keyof ClusterGiven>(key: K): ClusterGiven[K] => sources.find((source) => source[key] !== undefined)?.[key];
  const [node, members, listen, tls] = [first("node"), first("members"), first("listen"), first("tls")];
  if (members === undefined) {
    const idle = listen ?? tls?.certificate;
    if (idle !== undefined)
      throw new UsageError(`${idle.field} is set, and no members are: give --member, MECHA_CLUSTER_MEMBERS or spec.cluster.members`);
    return node && { node: node.value, listen: undefined, peers: [], tls: undefined };
  }
  checkMembers(members);
  if (node === undefined)
    throw new UsageError(
      `${members.field} lists members, and nothing says which of them this is: give --node, MECHA_CLUSTER_NODE or spec.cluster.node`,
    );
  const own = members.value.find(({ name }) => name === node.value);
  if (own === undefined) {
    const names = members.value.map(({ name }) => name).join(", ");
    throw new UsageError(`${node.field} is ${JSON.stringify(node.value)}, which is none of the members in ${members.field}: ${names}`);
  }
  const where = listen ?? { value: own.address, field: `${members.field} (${own.name})` };
  const peers = members.value
    .filter((one) => one !== own)
    .map(({ name, address }) => ({ node: name, ...addressIn(address, members.field) }));
  const settings = { node: node.value, listen: addressIn(where.value, where.field), peers, tls };
  if (tls === undefined && !insecure) checkLoopback(settings, where.field, members.field);
  return settings;
}

function checkMembers({ value, field }: Given<readonly Member[]>): void {
  if (value.length > membersMax) throw new UsageError(`${field} has ${value.length} members; at most ${membersMax} are taken`);
  for (const key of ["name", "address"] as const) {
    const seen = new Set<string>();
    for (const member of value) {
      if (seen.has(member[key])) throw new UsageError(`${field}: the ${key} ${member[key]} is given twice; each member has one of its own`);
      seen.add(member[key]);
    }
  }
}

function addressIn(text: string, field: string): HostPort {
  const address = parseAddress(text);
  if (address === undefined) throw new UsageError(`${field}: expected ${addressExpected}, got ${JSON.stringify(text)}`);
  return address;
}

/** keeps G2 */
function checkLoopback({ listen, peers }: ClusterSettings, listenField: string, membersField: string): void {
  const fix = "give certificates (MECHA_CLUSTER_TLS_CERT, _KEY and _CA, or spec.cluster.tls), or say --insecure if the network is trusted";
  if (listen !== undefined && !isLoopback(listen.host))
    throw new UsageError(`${listenField} is ${listen.host}, which other machines can reach, and peers would speak without TLS; ${fix}`);
  const far = peers.find(({ host }) => !isLoopback(host));
  if (far !== undefined) throw new UsageError(`${membersField}: ${far.node} is at ${far.host}, and peers would speak without TLS; ${fix}`);
}
