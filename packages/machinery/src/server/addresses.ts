/**
 * Addresses and node ports of Services: which are taken is read from the Services themselves, so nothing else is stored that could disagree with them.
 *
 * P1 taken is what a stored Service has, and what a write under way holds; both are known before the next request looks
 * P2 a write holds what it took until it has ended, whichever way: then the stored Service has it, or it is free again
 */
import type { Random } from "@mecha/kit";
import { type AddressPools, type IpFamily, ipFamily, ipv4Number, ipv4Text, type KubeObject, takenByService } from "@mecha/kinds";
import { StatusError } from "../status.ts";
import type { WatchCache } from "../watch/cache.ts";
import type { Shelf } from "../watch/shelf.ts";

/** What Services get theirs from. */
export interface ServiceRanges {
  /** IPv4 in CIDR form, /8 to /28. */
  readonly addresses: string;
  /** `30000-32767`, both included. */
  readonly ports: string;
}

/** As kube-apiserver and kubeadm have them. */
export const defaultServiceRanges: ServiceRanges = { addresses: "10.96.0.0/12", ports: "30000-32767" };

const services = "/services";

/** Numbers that are handed out, each to one. The lower part is for those that ask for a certain one, as long as the upper has any. */
class NumberPool {
  readonly first: number;
  readonly last: number;
  /** Numbers below it are handed out last. */
  readonly #upper: number;
  /** How often each is taken: data of before may have one twice. */
  readonly #taken = new Map<number, number>();
  readonly #random: Random;

  constructor(range: { readonly first: number; readonly last: number; readonly kept: number }, random: Random) {
    this.first = range.first;
    this.last = range.last;
    this.#upper = range.first + range.kept;
    this.#random = random;
  }

  has(number: number): boolean {
    return this.#taken.has(number);
  }

  take(number: number): void {
    this.#taken.set(number, (this.#taken.get(number) ?? 0) + 1);
  }

  release(number: number): void {
    const left = (this.#taken.get(number) ?? 0) - 1;
    if (left > 0) this.#taken.set(number, left);
    else this.#taken.delete(number);
  }

  /** A free one, from anywhere in the range. @returns `undefined` when all are taken */
  free(): number | undefined {
    return this.#freeIn(this.#upper, this.last) ?? this.#freeIn(this.first, this.#upper - 1);
  }

  #freeIn(first: number, last: number): number | undefined {
    const size = last - first + 1;
    if (size <= 0) return undefined;
    const start = this.#random.below(size);
    // At most one step more than there are taken ones.
    for (let step = 0; step < size; step++) {
      const number = first + ((start + step) % size);
      if (!this.#taken.has(number)) return number;
    }
    return undefined;
  }
}

/** What one write takes; dispose when it has ended (keeps P2). */
export interface Taking extends AddressPools, Disposable {}

export class ServiceAddresses implements Disposable {
  readonly #ranges: ServiceRanges;
  readonly #addresses: NumberPool;
  readonly #ports: NumberPool;
  readonly #stop: () => void;

  /** @throws Error when a range is none. */
  constructor(cache: WatchCache, random: Random, ranges: ServiceRanges) {
    this.#ranges = ranges;
    this.#addresses = new NumberPool(addressRange(ranges.addresses), random);
    this.#ports = new NumberPool(portRange(ranges.ports), random);
    const shelf: Shelf = cache.shelf(services);
    for (const { object } of shelf.list()) this.#count(object, "take");
    this.#stop = shelf.subscribe(({ entry, deleted, previous }) => {
      if (!deleted) this.#count(entry.object, "take");
      if (previous) this.#count(previous.object, "release");
    });
  }

  /** The first address there is: the API server's own. */
  get firstAddress(): string {
    return ipv4Text(this.#addresses.first);
  }

  /** For one write of the Service `name`. A dry run gets numbers nobody holds, and holds none; like the real server's it does not ask whether a port is in the range. */
  begin(name: string, dryRun: boolean): Taking {
    const held: (() => void)[] = [];
    const hold = (pool: NumberPool, number: number): void => {
      if (dryRun) return;
      pool.take(number);
      held.push(() => pool.release(number));
    };
    return {
      family: "IPv4" satisfies IpFamily,
      nextAddress: () => {
        if (dryRun) return ipv4Text(this.#addresses.first - 1); // the range's own: stands for one that will be found
        const number = mustBeFree(this.#addresses.free(), `failed to allocate a serviceIP for Service ${JSON.stringify(name)}`);
        hold(this.#addresses, number);
        return ipv4Text(number);
      },
      takeAddress: (address) => {
        const why = this.#refusesAddress(address, dryRun);
        if (why === undefined) hold(this.#addresses, ipv4Number(address));
        return why;
      },
      nextPort: () => {
        const number = mustBeFree(this.#ports.free(), "failed to allocate a nodePort");
        hold(this.#ports, number);
        return number;
      },
      takePort: (port) => {
        const { first, last } = this.#ports;
        if ((port < first || port > last) && !dryRun)
          return `provided port is not in the valid range. The range of valid ports is ${this.#ranges.ports}`;
        if (this.#ports.has(port)) return "provided port is already allocated";
        hold(this.#ports, port);
        return undefined;
      },
      [Symbol.dispose]: () => {
        for (const release of held.splice(0)) release();
      },
    };
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  #refusesAddress(address: string, dryRun: boolean): string | undefined {
    const { first, last } = this.#addresses;
    const number = ipFamily(address) === "IPv4" ? ipv4Number(address) : -1;
    // Of another network; or the first and the last of this one, which are no machine's.
    if (number < first || number > last)
      return `the provided IP (${address}) is not in the valid range. The range of valid IPs is ${this.#ranges.addresses}`;
    return this.#addresses.has(number) && !dryRun ? "provided IP is already allocated" : undefined;
  }

  #count(service: KubeObject, change: "take" | "release"): void {
    const { addresses, ports } = takenByService(service);
    for (const address of addresses) if (ipFamily(address) === "IPv4") this.#addresses[change](ipv4Number(address));
    for (const port of ports) this.#ports[change](port);
  }
}

function mustBeFree(number: number | undefined, what: string): number {
  if (number === undefined) throw new StatusError("InternalError", `Internal error occurred: ${what}: range is full`);
  return number;
}

/** Between 16 and 256 addresses, a sixteenth of them, are kept for those who ask for a certain one. */
function addressRange(cidr: string): { readonly first: number; readonly last: number; readonly kept: number } {
  const [address = "", bits = ""] = cidr.split("/");
  const size = 2 ** (32 - Number(bits));
  const network = ipFamily(address) === "IPv4" ? ipv4Number(address) : -1;
  if (!/^\d+$/u.test(bits) || Number(bits) < 8 || Number(bits) > 28 || network < 0 || network % size !== 0)
    throw new Error(`addresses of services: ${JSON.stringify(cidr)} is no IPv4 network of /8 to /28, such as 10.96.0.0/12`);
  return { first: network + 1, last: network + size - 2, kept: size <= 16 ? 0 : Math.min(Math.max(16, Math.floor(size / 16)), 256) };
}

/** Between 16 and 128 ports, a thirty-second of them, are kept for those who ask for a certain one. */
function portRange(range: string): { readonly first: number; readonly last: number; readonly kept: number } {
  const [first = 0, last = 0] = range.split("-").map(Number);
  if (!/^\d+-\d+$/u.test(range) || first < 1 || last > 65_535 || first > last)
    throw new Error(`node ports: ${JSON.stringify(range)} is no range of ports, such as 30000-32767`);
  const size = last - first + 1;
  return { first, last, kept: size <= 16 ? 0 : Math.min(Math.max(16, Math.floor(size / 32)), 128) };
}
