/** How the server refuses a patch: which code and words go with which mistake. */
import { StatusError } from "../status.ts";

/** The patch itself is not well-formed: 400. */
export function badPatch(message: string): StatusError {
  return new StatusError("BadRequest", message);
}

/** The patch is well-formed and does not fit this object: 422. The server hides the reason behind a general sentence; `cause` is for logs. */
export function unfitting(cause: string): StatusError {
  const refused = new StatusError("Invalid", "the server rejected our request due to an error in our request", {});
  refused.cause = cause;
  return refused;
}

/** A list or map of the patch does not have the form its type asks for. The server answers these with code 500 and no reason. */
export function misshapen(message: string): StatusError {
  return new StatusError("Unknown", message);
}
