/** Who owns whom, of everything the server has. Kept by informers; holds metadata only. */
import type { KubeObject } from "@mecha/kinds";
import type { ResourceRef } from "@mecha/machinery";

/** One object and what it is an object of. */
export interface Vertex {
  readonly resource: ResourceRef;
  readonly object: KubeObject;
}

export class OwnerGraph {
  readonly #byUid = new Map<string, Vertex>();
  /** Owner's uid → uids of objects that name it, whether or not the owner is known. */
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): Vertex | undefined {
    return this.#byUid.get(uid);
  }

  /** Objects that name `uid` as an owner. */
  dependentsOf(uid: string): readonly Vertex[] {
    return [...(this.#dependents.get(uid) ?? [])].map((one) => this.#byUid.get(one)).filter((vertex) => vertex !== undefined);
  }

  set(vertex: Vertex): void {
    const uid = uidOf(vertex.object);
    this.remove(uid);
    this.#byUid.set(uid, vertex);
    for (const owner of vertex.object.metadata.ownerReferences ?? []) {
      const dependents = this.#dependents.get(owner.uid) ?? new Set();
      dependents.add(uid);
      this.#dependents.set(owner.uid, dependents);
    }
  }

  remove(uid: string): void {
    for (const owner of this.#byUid.get(uid)?.object.metadata.ownerReferences ?? []) {
      const dependents = this.#dependents.get(owner.uid);
      dependents?.delete(uid);
      if (dependents?.size === 0) this.#dependents.delete(owner.uid);
    }
    this.#byUid.delete(uid);
  }
}

/** Stored objects always have one. */
export function uidOf({ metadata }: KubeObject): string {
  return metadata.uid ?? "";
}
