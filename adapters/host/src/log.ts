/**
 * The log of a process: one line an entry on standard error, so that standard output stays free for results.
 * For people (`12:04:05.123 warn  function restarted  function=cart`) or, with `MECHA_LOG=json`, one JSON object a line.
 */
import { type Environment, explain, Fault, type Log, type LogFields, type LogLevel, Secret } from "@mecha/kit";

const rank: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };
const colours: Record<LogLevel, string> = { debug: "\u001b[2m", info: "\u001b[36m", warn: "\u001b[33m", error: "\u001b[31m" };
const dim = "\u001b[2m";
const plain = "\u001b[0m";

export interface ConsoleLogOptions {
  /** Entries below it are dropped. Default `info`. */
  readonly level?: LogLevel;
  /** One JSON object a line. Default false. */
  readonly json?: boolean;
  /** ANSI colours in lines for people. Default false. */
  readonly colour?: boolean;
  /** Takes one line, line feed included. Default: standard error. */
  readonly write?: (line: string) => void;
  /** Wall ms. Default `Date.now`. */
  readonly wallMs?: () => number;
}

/** Log options from `MECHA_LOG` (`json` or `text`), `MECHA_LOG_LEVEL`, `NO_COLOR` and whether standard error is a terminal. */
export function logOptionsFrom(environment: Environment): ConsoleLogOptions {
  const level = environment.MECHA_LOG_LEVEL;
  const json = environment.MECHA_LOG === "json";
  return {
    json,
    colour: !json && process.stderr.isTTY && !environment.NO_COLOR,
    ...(level !== undefined && level in rank ? { level: level as LogLevel } : {}),
  };
}

/** A log that writes lines. */
export function consoleLog(options: ConsoleLogOptions = {}): Log {
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const wallMs = options.wallMs ?? Date.now;
  const format = options.json ? jsonLine : options.colour ? colourLine : textLine;
  const lowest = rank[options.level ?? "info"];
  const make = (carried: LogFields): Log => {
    const at =
      (level: LogLevel) =>
      (message: string, fields: LogFields = {}): void => {
        if (rank[level] >= lowest) write(`${format(level, wallMs(), message, { ...carried, ...fields })}\n`);
      };
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      with: (fields) => make({ ...carried, ...fields }),
    };
  };
  return make({});
}

function jsonLine(level: LogLevel, timeMs: number, message: string, fields: LogFields): string {
  const values = Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, printable(value)]));
  return JSON.stringify({ time: new Date(timeMs).toISOString(), level, message, ...values }, bigintsAsText);
}

function textLine(level: LogLevel, timeMs: number, message: string, fields: LogFields): string {
  return `${timeOfDay(timeMs)} ${level.padEnd(5)} ${oneLine(message)}${textFields(fields)}`;
}

function colourLine(level: LogLevel, timeMs: number, message: string, fields: LogFields): string {
  return `${dim}${timeOfDay(timeMs)}${plain} ${colours[level]}${level.padEnd(5)}${plain} ${oneLine(message)}${dim}${textFields(fields)}${plain}`;
}

function timeOfDay(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(11, 23);
}

function textFields(fields: LogFields): string {
  const parts = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${quoted(printable(value))}`);
  return parts.length === 0 ? "" : `  ${parts.join(" ")}`;
}

/** Text of a field; quoted when it would not read as one word. */
function quoted(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value, bigintsAsText) ?? "undefined");
  return typeof value === "string" && !/^[\w./:@+,-]+$/u.test(text) ? JSON.stringify(text) : text;
}

function printable(value: unknown): unknown {
  if (value instanceof Secret) return value.toString();
  if (value instanceof Fault) return `${value.code}: ${explain(value)}`;
  if (value instanceof Error) return explain(value);
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
  return value;
}

function bigintsAsText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}

/** A message is constant text; should one carry foreign text after all, it cannot forge a second line or move the cursor. */
function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f]/gu, " ");
}
