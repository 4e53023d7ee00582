/**
 * The reference ObjectLog: what the port means, in the fewest lines. Nothing survives the object.
 *
 * A write decides and applies without yielding, so call order is revision order (O1), and whoever listens hears before the caller does (O3).
 */
import { Fault } from "@mecha/kit";
import type { ObjectChange, ObjectLog, ObjectWrite, StoredObject, WriteOutcome } from "@mecha/machinery";

export function openMemoryObjectLog(): ObjectLog {
  return new MemoryObjectLog();
}

class MemoryObjectLog implements ObjectLog {
  readonly #objects = new Map<string, StoredObject>();
  #changes: ObjectChange[] = [];
  #listener: ((change: ObjectChange) => void) | undefined;
  #closed = false;
  revision = 0;
  compactedRevision = 0;

  async write({ key, expected, value }: ObjectWrite): Promise<WriteOutcome> {
    if (this.#closed) throw new Fault("unavailable", "the object log is closed");
    const current = this.#objects.get(key);
    if ((current?.revision ?? 0) !== expected) return { outcome: "conflict", current };
    if (value === undefined && !current) return { outcome: "conflict", current };
    const revision = ++this.revision;
    if (value === undefined) this.#objects.delete(key);
    else this.#objects.set(key, { key, value, revision });
    const change: ObjectChange = { revision, key, value, previous: current?.value, previousRevision: current?.revision ?? 0 };
    this.#changes.push(change);
    this.#listener?.(change);
    return { outcome: "written", revision };
  }

  async load(): Promise<{ readonly revision: number; readonly objects: readonly StoredObject[] }> {
    const objects = [...this.#objects.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    return { revision: this.revision, objects };
  }

  async changesAfter(revision: number, limit: number): Promise<readonly ObjectChange[]> {
    if (revision < this.compactedRevision)
      throw new Fault("outOfRange", `changes up to revision ${this.compactedRevision} are forgotten; ${revision} was asked for`);
    return this.#changes.filter((change) => change.revision > revision).slice(0, limit);
  }

  async compact(revision: number): Promise<void> {
    const upTo = Math.min(revision, this.revision);
    if (upTo <= this.compactedRevision) return;
    this.compactedRevision = upTo;
    this.#changes = this.#changes.filter((change) => change.revision > upTo);
  }

  onCommit(listener: (change: ObjectChange) => void): void {
    this.#listener = listener;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
  }
}
