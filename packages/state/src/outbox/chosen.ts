/**
 * What a failure means to whoever would ask again, where its code alone does not tell: a function may fail a command with any code, a lost stream is
 * `unknown` as in the reference, and `exhausted` may be a full queue or a reply that is too large each time.
 *
 * chosen: by the user's code. It is an answer, and final (E10)
 * lasting: no later attempt fares better, until somebody changes the code
 * accepted: the target has stored what was asked of it and sees to it itself; only how that ends is not known yet
 */
import { Fault, type FaultCode, type FaultFacts } from "@mecha/kit";

const chosen = new WeakSet<Fault>();
const lasting = new WeakSet<Fault>();
const accepted = new WeakSet<Fault>();

/** Makes a Fault that the user's code chose. */
export function chosenFault(code: FaultCode, message: string): Fault {
  return marked(chosen, new Fault(code, message));
}

export function isChosen(fault: Fault): boolean {
  return chosen.has(fault);
}

/** Makes a Fault that no later attempt is spared. */
export function lastingFault(code: FaultCode, message: string): Fault {
  return marked(lasting, new Fault(code, message));
}

export function isLasting(fault: Fault): boolean {
  return lasting.has(fault);
}

/** Makes the answer to a caller whose command is stored and whose outcome is still open. `unknown`: asking again without a key would do it twice. */
export function acceptedFault(message: string, more: { readonly cause?: unknown; readonly facts?: FaultFacts } = {}): Fault {
  return marked(accepted, new Fault("unknown", message, more));
}

export function isAccepted(fault: Fault): boolean {
  return accepted.has(fault);
}

function marked(marks: WeakSet<Fault>, fault: Fault): Fault {
  marks.add(fault);
  return fault;
}
