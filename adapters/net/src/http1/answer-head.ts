/** The head of an HTTP/1.1 answer, as text. */
import { type Clock, Fault } from "@mecha/kit";
import { STATUS_CODES } from "../node-http.ts";

const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const badValue = /[^\t\x20-\x7e]/;

/** Names seen to be good, so that they need no second look. The limit is for handlers that make names up. */
const goodNames = new Set<string>();
const goodNamesMax = 512;

export function reasonOf(status: number): string {
  return STATUS_CODES[status] ?? "Unknown";
}

/** Status lines by status. */
const statusLines = new Map<number, string>();

function statusLine(status: number): string {
  let line = statusLines.get(status);
  if (line !== undefined) return line;
  if (!Number.isInteger(status) || status < 200 || status > 999) throw new Fault("internal", `status ${status} is no final HTTP status`);
  line = `HTTP/1.1 ${status} ${reasonOf(status)}\r\n`;
  statusLines.set(status, line);
  return line;
}

/**
 * Status line and headers, without the empty line at the end.
 * @throws Fault("internal") naming the header when a name or value cannot be one: a line break in it would be somebody else's answer.
 */
export function answerHead(status: number, headers: Readonly<Record<string, string>>, clock: Clock): string {
  let head = statusLine(status);
  let dated = false;
  for (const name in headers) {
    const value = headers[name] as string;
    if (!goodNames.has(name)) checkName(name);
    if (badValue.test(value)) throw new Fault("internal", `answer header ${name}: only printable ASCII may be in it`);
    if (name === "date") dated = true;
    head += `${name}: ${value}\r\n`;
  }
  return dated ? head : head + dateLine(clock.wall());
}

function checkName(name: string): void {
  if (!headerName.test(name)) throw new Fault("internal", `answer header ${JSON.stringify(name)}: no such name is possible`);
  if (goodNames.size < goodNamesMax) goodNames.add(name);
}

let datedSecond = -1;
let dated = "";

/** Formatted once a second. */
function dateLine(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== datedSecond) {
    datedSecond = second;
    dated = `date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return dated;
}
