/** What running code needs from its process, and how errors nobody expected are told. */
import { explain, type Log } from "@mecha/kit";
import type { Method } from "../define/method.ts";
import { Mistake } from "../mistake.ts";
import { Crash } from "./answer.ts";

export interface Surroundings {
  readonly log: Log;
  /** Explains more to callers and refuses changes of state outside event handlers, at some cost. Default: NODE_ENV is not `production`. */
  readonly development: boolean;
}

/** Logs an error nobody expected, and says to others only that there was one; in development also which. */
export function unexpected({ where }: Pick<Method, "where">, error: unknown, { log, development }: Surroundings): Crash {
  if (error instanceof Mistake) log.error(error.message);
  else log.error(`${where} threw`, { error, stack: error instanceof Error ? error.stack : undefined });
  return new Crash(development ? explain(error) : `${where} failed unexpectedly; the log of the function says why`);
}
