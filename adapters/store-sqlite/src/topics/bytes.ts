/** How many bytes of payloads a log holds from a position on, without reading it: sums over runs of positions. */

/** Positions of one sum, as a power of two: 1 M messages take 1,000 sums. */
const runBits = 10;

/** The run a position belongs to, as SQL of `position`. */
export const runSql = `position >> ${runBits}`;

export class PayloadBytes {
  readonly #runs = new Map<number, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** `bytes` of a whole run; at opening. */
  addRun(run: number, bytes: number): void {
    this.#runs.set(run, (this.#runs.get(run) ?? 0) + bytes);
    this.#total += bytes;
  }

  /** A message came, or with negative `bytes` went. */
  add(position: number, bytes: number): void {
    const run = runOf(position);
    this.addRun(run, bytes);
    if (bytes < 0 && this.#runs.get(run) === 0) this.#runs.delete(run);
  }

  /** From a position on; with those of its run that lie before it. */
  from(position: number): number {
    let bytes = 0;
    for (const [run, inRun] of this.#runs) if (run >= runOf(position)) bytes += inRun;
    return bytes;
  }
}

/** As SQLite shifts: positions may be larger than 32 bits. */
function runOf(position: number): number {
  return Math.floor(position / 2 ** runBits);
}
