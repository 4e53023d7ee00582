/**
 * A command's view of a CRDT: the held value with the command's own changes over it. Many commands may run at a time; each sees its own changes,
 * and those of others once they have succeeded.
 *
 * D1 `change` says what this command would do to the held value as it is now: adding what is there, or removing what is not, is no change
 * D2 a command that fails leaves its draft behind, and with it everything it changed
 */
import type { DeltaInit } from "./held.ts";

/** Where a draft belongs. */
export interface DraftHome {
  /** `shop.Cart`, for messages to people. */
  readonly where: string;
  /** Elements refuse to be changed in place. */
  readonly development: boolean;
  /** @throws Mistake when this is not the time to change anything. */
  checkChange(method: string): void;
}

/** What all eight have. Its members are no part of what handlers work with. */
export abstract class Draft {
  readonly #home: DraftHome;

  /** @internal */
  constructor(home: DraftHome) {
    this.#home = home;
  }

  /** @internal D1; `undefined` = nothing. */
  abstract change(): DeltaInit | undefined;

  /** @internal */
  protected get home(): DraftHome {
    return this.#home;
  }
}
