/** How a command ends. Documented in docs/reference/cli.md; scripts branch on it. */
import { explain, Fault } from "@mecha/kit";

export const exitCodes = {
  ok: 0,
  /** It was tried and failed: not running, not found, refused. */
  failure: 1,
  /** It was not tried: wrong arguments, a mistake in the project file or environment. */
  usage: 2,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** A mistake of whoever typed the command; `fix` is a line to type or do. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** One or more lines for standard error, and the code. */
export function verdictOf(error: unknown): {
  readonly code: ExitCode;
  readonly lines: string;
  readonly json: { readonly code: string; readonly message: string };
} {
  const message = explain(error);
  if (error instanceof UsageError) return { code: exitCodes.usage, lines: message, json: { code: "usage", message } };
  const code = error instanceof Fault ? error.code : "internal";
  return { code: exitCodes.failure, lines: message, json: { code, message } };
}
