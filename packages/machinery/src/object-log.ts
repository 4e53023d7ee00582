/**
 * Port: where API objects are kept, in one order (ENGINE E14). Its contract suite is the definition; memory is the reference, SQLite (`control.db`) the durable one.
 *
 * Invariants
 * O1 revisions rise by one per committed write, over all keys; none is used twice, also across restarts
 * O2 a write answered is durable; one that is not answered happened whole or not at all
 * O3 `changesAfter` and `onCommit` tell every write once, in order, without gaps
 */

/** One write. */
export interface ObjectWrite {
  /** `/group/plural/namespace/name`, or `/group/plural//name` without a namespace; parts hold no `/`. */
  readonly key: string;
  /** Revision of the key's last write that this one is computed on; 0: the key must not exist. */
  readonly expected: number;
  /** JSON of the object, without resourceVersion; `undefined` deletes. */
  readonly value: string | undefined;
}

/** What was written. */
export interface ObjectChange {
  readonly revision: number;
  readonly key: string;
  /** After the write; `undefined` = deleted. */
  readonly value: string | undefined;
  /** Before the write; `undefined` = created. */
  readonly previous: string | undefined;
  /** Revision of the key's write before; 0 = created. */
  readonly previousRevision: number;
}

export interface StoredObject {
  readonly key: string;
  readonly value: string;
  /** Of the key's last write. */
  readonly revision: number;
}

export type WriteOutcome =
  | { readonly outcome: "written"; readonly revision: number }
  /** Somebody else wrote first; `current` is what stands there now. */
  | { readonly outcome: "conflict"; readonly current: StoredObject | undefined };

export interface ObjectLog extends AsyncDisposable {
  /** Of the last committed write; 0 in an empty log. */
  readonly revision: number;
  /** The oldest revision from which on changes are kept. */
  readonly compactedRevision: number;
  /** Durable when it resolves. @throws Fault("unavailable") when the disk fails: the process must end. */
  write(write: ObjectWrite): Promise<WriteOutcome>;
  /** Everything there is, in key order, of one revision. Called at start: the server then keeps a watch cache. */
  load(): Promise<{ readonly revision: number; readonly objects: readonly StoredObject[] }>;
  /** Changes after `revision`, oldest first, at most `limit`. @throws Fault("outOfRange") when they are compacted away. */
  changesAfter(revision: number, limit: number): Promise<readonly ObjectChange[]>;
  /** Forgets changes up to and including `revision`; objects stay. */
  compact(revision: number): Promise<void>;
  /** Called for each committed write in order, before its `write` resolves. One listener: the watch cache. */
  onCommit(listener: (change: ObjectChange) => void): void;
}
