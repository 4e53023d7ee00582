/** What running code needs from its process, and how errors nobody expected are told. */
import { explain, type Log } from "@mecha/kit";
import type { Method } from "../define/method.ts";
import { Mistake } from "../mistake.ts";
import { timersExtension } from "../protocol/timers.ts";
import { Crash } from "./answer.ts";

/** What the proxy said about itself at discovery. */
export interface ProxySeen {
  /** `mecha 0.1.0`; empty: it has not asked yet. */
  readonly name: string;
  /** Extensions of the protocol it understands. */
  readonly extensions: readonly string[];
}

export interface Surroundings {
  readonly log: Log;
  /** Explains more to callers and refuses changes of state outside event handlers, at some cost. Default: NODE_ENV is not `production`. */
  readonly development: boolean;
  /** The proxy that asked last. */
  readonly proxy: () => ProxySeen;
}

/** Why timers cannot be set; `undefined` = they can. A proxy that does not know them would pass over them in silence. */
export function timersProblem({ proxy }: Surroundings): string | undefined {
  const { name, extensions } = proxy();
  if (extensions.includes(timersExtension)) return undefined;
  if (name === "") return "no proxy has asked for this function's components yet, so nobody can be trusted with a timer";
  return `this function runs behind ${name}, which keeps no timers: it would be lost without a word. Run the function with Mecha, or keep time elsewhere`;
}

/** Logs an error nobody expected, and says to others only that there was one; in development also which. */
export function unexpected({ where }: Pick<Method, "where">, error: unknown, { log, development }: Surroundings): Crash {
  if (error instanceof Mistake) log.error(error.message);
  else log.error(`${where} threw`, { error, stack: error instanceof Error ? error.stack : undefined });
  return new Crash(development ? explain(error) : `${where} failed unexpectedly; the log of the function says why`);
}
