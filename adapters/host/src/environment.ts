import type { Environment } from "@mecha/kit";

/** A copy of this process's environment. Read it once, in `main`, and pass plain values on. */
export function hostEnvironment(): Environment {
  return { ...process.env };
}
