/**
 * Tells the user function about a mistake of its own; the text ends up in the function's log. Best effort: a function that does not answer
 * costs nothing but a bounded number of open calls.
 */
import { type Log, noLog } from "@mecha/kit";
import { type Channel, unary } from "@mecha/wire";
import { scalarSize, textBytes, Writer } from "./codec/writer.ts";

/** Reports under way at once; a function that breaks the protocol on every stream is told often enough by these. */
export const reportsOpenMax = 8;
/** A report nobody takes in this time is dropped, ms. */
export const reportTimeoutMs = 5_000;
/** Longest text, in characters: it is for a person. */
export const reportTextMax = 4_096;

export interface Reporter {
  /** Sends `message` and forgets about it. */
  readonly report: (message: string) => void;
  /** Resolves when `message` was taken, refused or timed out; never rejects. */
  readonly reported: (message: string) => Promise<void>;
}

/** Reports over `channel` to the RPC `path`; what could not be delivered is logged. */
export function reporter(channel: Channel, path: string, log: Log = noLog): Reporter {
  let open = 0;
  const reported = (message: string): Promise<void> => {
    if (open >= reportsOpenMax) {
      log.warn("report to the user function dropped, too many are open", { target: channel.target, report: message });
      return Promise.resolve();
    }
    open++;
    return send(channel, path, message.slice(0, reportTextMax), log).finally(() => open--);
  };
  return { reported, report: (message) => void reported(message) };
}

async function send(channel: Channel, path: string, message: string, log: Log): Promise<void> {
  try {
    await unary(channel, path, encodeReport(message), { timeoutMs: reportTimeoutMs });
  } catch (error) {
    log.warn("report to the user function failed", { target: channel.target, report: message, error });
  }
}

/** A message with the text in field 1, which is all the protocols' error messages have in common. */
function encodeReport(message: string): Uint8Array {
  const text = textBytes(message);
  const out = new Writer(scalarSize(text.length));
  out.scalar(1, text);
  return out.finish();
}
