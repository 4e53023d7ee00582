/**
 * Watches: what one client sees of one resource, event by event.
 *
 * V1 events come in revision order, each once; together with the list before they give the present
 * V2 an object that begins or ceases to match the selectors is ADDED or DELETED for this watcher
 * V3 a watcher that does not read is ended when `backlogMaxBytes` wait for it: it lists again, and costs nobody memory
 * V4 the ring is read and the shelf subscribed without yielding in between, so no change falls through
 */
import type { CancelTimer } from "@mecha/kit";
import { apiVersionOf, decodeByType, type JsonObject, type KubeObject, type ResourceDefinition } from "@mecha/kinds";
import type { WatchEvent } from "../client.ts";
import { StatusError } from "../status.ts";
import type { Shelved, ShelfChange } from "../watch/shelf.ts";
import { presented, type ServerParts, shelfOf, type Target } from "./context.ts";
import type { WatchOptions } from "./options.ts";
import { checkFuture, parseRevision, selects, unknownFailure } from "./read.ts";

/** Waiting for one slow watcher, bytes of JSON (D7). */
export const backlogMaxBytes = 4 << 20;
/** Between two bookmarks: the client's resourceVersion is at most so old when it has to begin again. */
const bookmarkEveryMs = 60_000;
/** A watch without `timeoutSeconds` ends after 30 to 60 minutes, so that clients spread over servers anew. */
const lifeMs = 30 * 60_000;
/** Longest `timeoutSeconds` taken, ms. */
const timeoutMaxMs = 24 * 60 * 60_000;
/** What a bookmark or an error weighs in the backlog. */
const smallEventBytes = 256;

/** Events of one watch; read it until it ends, or close it. */
export class Watching implements Disposable {
  readonly #parts: ServerParts;
  readonly #target: Target;
  readonly #options: WatchOptions;
  readonly #matches: (object: KubeObject) => boolean;
  readonly #backlogMax: number;
  readonly #closers: (() => void)[] = [];
  #backlog: WatchEvent[] = [];
  #bytes = 0;
  #wake: (() => void) | undefined;
  #ended = false;
  /** Of the last change looked at, whether it was told or not. */
  #revision: number;
  /** Ended because it did not read. */
  slow = false;

  /** @throws StatusError Timeout for a revision of the future */
  constructor(parts: ServerParts, target: Target, options: WatchOptions, backlogMax = backlogMaxBytes) {
    this.#parts = parts;
    this.#target = target;
    this.#options = options;
    this.#matches = selects(target, options);
    this.#backlogMax = backlogMax;
    this.#revision = parts.cache.revision;
    const from = parseRevision(options.resourceVersion ?? "0", unknownFailure);
    checkFuture(parts, from, "");
    this.#begin(from);
  }

  /** What has come since the last call; waits for something. `undefined`: the watch is over. */
  async read(): Promise<readonly WatchEvent[] | undefined> {
    while (this.#backlog.length === 0) {
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const events = this.#backlog;
    this.#backlog = [];
    this.#bytes = 0;
    return events;
  }

  /** Ends it; what is in the backlog can still be read. Twice is once. */
  [Symbol.dispose](): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const close of this.#closers) close();
    this.#wake?.();
  }

  #begin(from: number): void {
    const shelf = shelfOf(this.#parts, this.#target.definition);
    const { sendInitialEvents, allowWatchBookmarks } = this.#options;
    // Without a version, and with "0", a watch begins with what there is; sendInitialEvents says it in so many words.
    if (sendInitialEvents ?? from === 0) {
      for (const entry of shelf.list(this.#target.namespace === "" ? undefined : this.#target.namespace))
        if (this.#sees(entry)) this.#push({ type: "ADDED", object: presented(entry, this.#target.definition) }, 0);
      if (sendInitialEvents && allowWatchBookmarks) this.#bookmark(true);
    } else if (from > 0) {
      const missed = shelf.changesAfter(from);
      if (!missed) {
        this.#push({ type: "ERROR", object: tooOld(from, shelf.forgotten).status() }, smallEventBytes);
        this.#ended = true;
        return;
      }
      // What it missed is in memory anyway; only what piles up afterwards counts.
      for (const change of missed) this.#tell(change, 0);
    }
    this.#closers.push(shelf.subscribe((change) => this.#tell(change, change.entry.weight))); // keeps V4
    this.#arm();
  }

  #arm(): void {
    const { clock, random } = this.#parts;
    const { timeoutSeconds, allowWatchBookmarks } = this.#options;
    const endMs = timeoutSeconds ? Math.min(timeoutSeconds * 1_000, timeoutMaxMs) : lifeMs + random.below(lifeMs);
    this.#closers.push(
      clock.after(endMs, () => {
        if (allowWatchBookmarks) this.#bookmark(false);
        this[Symbol.dispose]();
      }),
    );
    if (!allowWatchBookmarks) return;
    let cancel: CancelTimer = () => undefined;
    const again = (): void => {
      cancel = clock.after(bookmarkEveryMs, () => {
        this.#bookmark(false);
        again();
      });
    };
    again();
    this.#closers.push(() => cancel());
  }

  #sees(entry: Shelved): boolean {
    return this.#matches(presented(entry, this.#target.definition));
  }

  /** keeps V2 */
  #tell(change: ShelfChange, weight: number): void {
    this.#revision = change.revision;
    const { definition } = this.#target;
    const { entry, previous } = change;
    const before = previous !== undefined && this.#sees(previous);
    const now = !change.deleted && this.#sees(entry);
    if (now) this.#push({ type: before ? "MODIFIED" : "ADDED", object: presented(entry, definition) }, weight);
    else if (before) {
      const { object } = change.deleted
        ? entry
        : { object: { ...previous.object, metadata: { ...previous.object.metadata, resourceVersion: String(change.revision) } } };
      this.#push({ type: "DELETED", object: presented({ ...entry, object }, definition) }, weight);
    }
  }

  #bookmark(initialEnd: boolean): void {
    const { definition } = this.#target;
    // The newest revision of all: every change of this resource up to it has been told.
    const metadata = {
      resourceVersion: String(Math.max(this.#revision, this.#parts.cache.revision)),
      ...(initialEnd && { annotations: { "k8s.io/initial-events-end": "true" } }),
    };
    const object = { ...nothingOf(definition), kind: definition.kind, apiVersion: apiVersionOf(definition), metadata };
    this.#push({ type: "BOOKMARK", object }, smallEventBytes);
  }

  #push(event: WatchEvent, weight: number): void {
    if (this.#ended) return;
    this.#backlog.push(event);
    this.#bytes += weight;
    if (this.#bytes > this.#backlogMax) {
      this.slow = true;
      this.#backlog = []; // keeps V3
      this[Symbol.dispose]();
    }
    this.#wake?.();
    this.#wake = undefined;
  }
}

/** What a built-in kind writes when nothing was said: `spec: {}` and the like. */
function nothingOf({ strategicPatch, types, type }: ResourceDefinition): JsonObject {
  return strategicPatch ? decodeByType(types, type, {}).object : {};
}

function tooOld(from: number, oldest: number): StatusError {
  return new StatusError("Expired", `too old resource version: ${from} (${oldest})`);
}
