/**
 * Which failures are the user's code's own: they are answers, and final (E10). All others are ours or the world's: a lost stream, a full queue.
 * The code alone does not tell: a function may fail a command with any code, and a lost stream is `unknown` as in the reference.
 */
import { Fault, type FaultCode } from "@mecha/kit";

const chosen = new WeakSet<Fault>();

/** Makes a Fault that the user's code chose. */
export function chosenFault(code: FaultCode, message: string): Fault {
  const fault = new Fault(code, message);
  chosen.add(fault);
  return fault;
}

export function isChosen(fault: Fault): boolean {
  return chosen.has(fault);
}
