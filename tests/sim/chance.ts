/** What goes wrong, and how often: drawn from the seed for each schedule, so that some see one fault alone and some see all at once. */
import type { Random } from "@mecha/kit";

/** One in `n` of each thing goes wrong; Infinity = never. */
export interface Weather {
  /** Of replies of a function. */
  readonly functionFault: number;
  /** Of calls of the store. */
  readonly storeFault: number;
  /** Of operations of clients: a fault of the whole is drawn beside them. */
  readonly trouble: number;
}

export const calm: Weather = { functionFault: Infinity, storeFault: Infinity, trouble: Infinity };

export class Chance {
  readonly #random: Random;
  weather: Weather;

  constructor(random: Random) {
    this.#random = random;
    this.weather = {
      functionFault: this.pick(Infinity, 40, 12),
      storeFault: this.pick(Infinity, 40, 15),
      trouble: this.pick(Infinity, 30, 12),
    };
  }
  below(limit: number): number {
    return this.#random.below(limit);
  }
  oneIn(count: number): boolean {
    return count !== Infinity && this.#random.below(count) === 0;
  }
  pick<T>(...of: readonly T[]): T {
    return of[this.#random.below(of.length)] as T;
  }
}
