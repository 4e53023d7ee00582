/** The caller's side of a call, as the engine sees it. */
import { Fault } from "@mecha/kit";
import type { CallContext } from "@mecha/state";

/** A caller and its call's context. */
export interface Caller {
  readonly context: CallContext;
  /** The caller went away. */
  leave(): void;
}

export function newCaller(deadlineMs: number | undefined, trace: string | undefined): Caller {
  return new CallerContext(deadlineMs, trace);
}

/** Both in one object, whose signal is made only when somebody asks for it: most calls end before anybody does. */
class CallerContext implements Caller, CallContext {
  readonly hops = 0;
  declare readonly deadlineMs?: number;
  declare readonly trace?: string;
  gone = false;
  #controller: AbortController | undefined;

  constructor(deadlineMs: number | undefined, trace: string | undefined) {
    if (deadlineMs !== undefined) this.deadlineMs = deadlineMs;
    if (trace !== undefined) this.trace = trace;
  }

  get context(): CallContext {
    return this;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.gone) this.#controller.abort(callerGone());
    }
    return this.#controller.signal;
  }

  leave(): void {
    if (this.gone) return;
    this.gone = true;
    this.#controller?.abort(callerGone());
  }
}

function callerGone(): Fault {
  return new Fault("cancelled", "the caller went away");
}
