/**
 * What differs between the protocols that come from Cloudstate: names, mostly. Their messages have the same field numbers, so one codec and one
 * state machine serve them all; a dialect states its protocol in these words.
 */
import type { ComponentMethod } from "../model.ts";

/** The four shapes of an action's call; each is an RPC of its own. */
export type ActionShape = "unary" | "streamedIn" | "streamedOut" | "streamed";

/** One protocol. Paths are `/package.Service/method`. */
export interface RemoteProtocol {
  /** The RPC whose stream is one activation. */
  readonly entityPaths: Readonly<Record<"eventSourced" | "value", string>>;
  readonly actionPaths: Readonly<Record<ActionShape, string>>;
  /** Takes a message whose field 1 is a text for the developer of the function. */
  readonly reportPath: string;
  /**
   * Where a streamed request names its service and method: in a message of their own before the first payload, or (Cloudstate 0.0) in every
   * message, beside its payload.
   */
  readonly streamedNames: "first" | "each";
  /**
   * A value entity that failed a command is loaded anew: its library keeps the value the handler set before it failed, and does not send it (Kalix).
   */
  readonly valueFailuresRestart: boolean;
  /** Whether commands can carry metadata. */
  readonly metadata: boolean;
}

/** The shape of a method's call. */
export function actionShape(method: Pick<ComponentMethod, "streamedIn" | "streamedOut">): ActionShape {
  if (method.streamedIn) return method.streamedOut ? "streamed" : "streamedIn";
  return method.streamedOut ? "streamedOut" : "unary";
}
