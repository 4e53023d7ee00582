/**
 * The messages of a client-streaming method in an HTTP body: JSON lines, one message a line. What path and query say is part of every message.
 *
 * L1 a line is read when the function has room for its message, so that a long body costs no more memory than its bytes
 * L2 what is wrong with a line is said with its number, counted from 1; lines before it have been delivered by then
 */
import { Fault } from "@mecha/kit";
import { type HttpExchange, HttpFault, type HttpRoute, type NextMessage } from "@mecha/wire";

/** Whether the route's body brings messages line by line. Raw bytes, and methods whose fields are all in path and query, are one message. */
export function isByLines(route: HttpRoute): boolean {
  return route.takesBody && !route.takesRawBody;
}

/** Names in use for newline-delimited JSON; none is registered with IANA. */
const linesType = /^application\/(x-ndjson|ndjson|jsonl|x-jsonlines)[ \t]*(;[ \t]*charset="?utf-8"?[ \t]*)?$/i;

/** @throws HttpFault 415 for other types: a body that is one JSON document would be cut where its lines end. */
export function checkLinesType(headers: HttpExchange["headers"]): void {
  const type = headers["content-type"];
  if (type !== undefined && linesType.test(type)) return;
  const got = type === undefined ? "none is given" : `it is ${JSON.stringify(type.slice(0, 100))}`;
  throw new HttpFault(
    415,
    new Fault("invalid", `the method takes a stream: send one JSON message a line, with content-type application/x-ndjson; ${got}`),
  );
}

const newline = 0x0a;

/** Reads the body line by line; empty lines are passed over. @param request Makes the message of a line. */
export function messagesOfLines(body: Uint8Array, request: (line: Uint8Array) => Uint8Array): NextMessage {
  let from = 0;
  let lineNumber = 0;
  return () => {
    while (from < body.length) {
      const end = body.indexOf(newline, from);
      const line = body.subarray(from, end < 0 ? body.length : end);
      from = end < 0 ? body.length : end + 1;
      lineNumber++;
      if (!isBlank(line)) return numbered(lineNumber, () => request(line)); // keeps L1
    }
    return undefined;
  };
}

function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

/** keeps L2 */
function numbered(lineNumber: number, read: () => Uint8Array): Uint8Array {
  try {
    return read();
  } catch (problem) {
    if (problem instanceof Fault) throw new Fault(problem.code, `line ${lineNumber}: ${problem.message}`);
    throw problem;
  }
}
