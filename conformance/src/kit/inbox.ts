/** Things that arrive, taken one by one by somebody who waits for them, but not for ever. */
import { type Clock, Fault } from "@mecha/kit";

/** How long the kit waits for anything, ms: what the TCK allows. */
export const awaitMs = 3_000;

export class Inbox<T> {
  readonly #clock: Clock;
  readonly #items: T[] = [];
  readonly #takers: ((item: T) => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  put(item: T): void {
    const taker = this.#takers.shift();
    if (taker === undefined) this.#items.push(item);
    else taker(item);
  }

  /** The next one. @throws Fault("deadline") saying that `what` did not come within `withinMs`. */
  take(what: string, withinMs = awaitMs): Promise<T> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve, reject) => {
      const taker = (item: T): void => {
        cancel();
        resolve(item);
      };
      const cancel = this.#clock.after(withinMs, () => {
        this.#takers.splice(this.#takers.indexOf(taker), 1);
        reject(new Fault("deadline", `expected ${what}; nothing came within ${withinMs} ms`));
      });
      this.#takers.push(taker);
    });
  }

  /** Those that nobody has taken. */
  get left(): readonly T[] {
    return this.#items;
  }
}
