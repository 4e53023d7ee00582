/** The caller's side of a call, as the engine sees it. */
import { Fault } from "@mecha/kit";
import type { CallContext } from "@mecha/state";

/** A context whose signal is made only when somebody asks for it: most calls end before anybody does. */
export interface Caller {
  readonly context: CallContext;
  /** The caller went away. */
  leave(): void;
}

export function newCaller(deadlineMs: number | undefined, trace: string | undefined): Caller {
  let gone = false;
  let controller: AbortController | undefined;
  return {
    context: {
      hops: 0,
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      ...(trace === undefined ? {} : { trace }),
      // An own getter, so that `{...context}` keeps a working signal.
      get signal(): AbortSignal {
        if (!controller) {
          controller = new AbortController();
          if (gone) controller.abort(callerGone());
        }
        return controller.signal;
      },
    },
    leave() {
      if (gone) return;
      gone = true;
      controller?.abort(callerGone());
    },
  };
}

function callerGone(): Fault {
  return new Fault("cancelled", "the caller went away");
}
