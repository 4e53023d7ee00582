/** What a command may touch of its surroundings; tests pass their own. */
import type { Clock, Environment, Random } from "@mecha/kit";

export interface Io {
  /** Results, on standard output. */
  readonly out: (text: string) => void;
  /** The same for output without end; a promise while the reader is slow: wait for it before writing more. */
  readonly pour: (text: string) => void | Promise<void>;
  /** Everything else, on standard error: errors, progress. */
  readonly err: (text: string) => void;
  /** Standard error is a terminal: progress may be drawn over. */
  readonly terminal: boolean;
  readonly colour: boolean;
  readonly env: Environment;
  /** Working directory, absolute. */
  readonly cwd: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Calls `stop` for each SIGINT and SIGTERM. @returns what ends that. */
  readonly onSignal: (stop: (signal: "SIGINT" | "SIGTERM") => void) => () => void;
  /** Ends the process at once. */
  readonly exit: (code: number) => never;
}

export type OutputFormat = "text" | "json";

/** Work longer than this says that it goes on, ms. */
const quietMs = 2_000;

/** Runs `work`; from two seconds on it says every two seconds that it goes on, on standard error. */
export async function withProgress<T>(io: Io, label: string, work: Promise<T>): Promise<T> {
  const startedMs = io.clock.monotonic();
  let cancel = (): void => undefined;
  const again = (): void => {
    cancel = io.clock.after(quietMs, () => {
      io.err(`${label} (${Math.round((io.clock.monotonic() - startedMs) / 1_000)} s)…\n`);
      again();
    });
  };
  again();
  try {
    return await work;
  } finally {
    cancel();
  }
}

/** Columns of text, the first row being the heading. Widths count characters. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>((all, row) => row.map((cell, i) => Math.max(all[i] ?? 0, lengthOf(cell))), []);
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell + " ".repeat((widths[i] ?? 0) - lengthOf(cell))))
      .join("  ")
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join("");
}

/** Code points: what a terminal shows as one column, wide and combining ones aside. */
function lengthOf(text: string): number {
  return Array.from(text).length;
}

/** Text of foreign origin for a terminal: control characters are shown, not obeyed. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
