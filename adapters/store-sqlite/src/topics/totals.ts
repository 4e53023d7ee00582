/** How much a log holds, without reading it: by topic, and from a position on. Kept in memory; the file is summed up once, when it is opened. */

/** Positions of one sum, as a power of two: 1 M messages take 1,000 sums. */
const runBits = 10;

/** A file's sums: `topic`, `run`, `messages`, `bytes`. */
export const totalsSql = `SELECT topic, position >> ${runBits} AS run, count(*) AS messages, sum(length(payload)) AS bytes FROM message GROUP BY topic, run`;

/** A row of `totalsSql`. */
export interface TotalsRow {
  readonly topic: string;
  readonly run: number;
  readonly messages: number;
  readonly bytes: number;
}

interface OfTopic {
  messages: number;
  bytes: number;
}

export class Totals {
  /** Bytes of all topics. */
  bytes = 0;
  readonly #topics = new Map<string, OfTopic>();
  /** Bytes by run of positions. */
  readonly #runs = new Map<number, number>();

  constructor(rows: Iterable<TotalsRow>) {
    for (const { topic, run, messages, bytes } of rows) this.#add(topic, run, messages, bytes);
  }

  came(topic: string, position: number, bytes: number): void {
    this.#add(topic, runOf(position), 1, bytes);
  }

  went(topic: string, position: number, bytes: number): void {
    this.#add(topic, runOf(position), -1, -bytes);
  }

  /** Topics that hold something, by name. */
  topics(limit: number): (readonly [topic: string, OfTopic])[] {
    return [...this.#topics].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, limit);
  }

  /** Bytes from a position on; with those of its run that lie before it. */
  from(position: number): number {
    let bytes = 0;
    for (const [run, inRun] of this.#runs) if (run >= runOf(position)) bytes += inRun;
    return bytes;
  }

  #add(topic: string, run: number, messages: number, bytes: number): void {
    this.bytes += bytes;
    const inRun = (this.#runs.get(run) ?? 0) + bytes;
    if (inRun === 0) this.#runs.delete(run);
    else this.#runs.set(run, inRun);
    const of = this.#topics.get(topic) ?? { messages: 0, bytes: 0 };
    of.messages += messages;
    of.bytes += bytes;
    if (of.messages === 0) this.#topics.delete(topic);
    else this.#topics.set(topic, of);
  }
}

/** As SQLite shifts: positions may be larger than 32 bits. */
function runOf(position: number): number {
  return Math.floor(position / 2 ** runBits);
}
