/** Logging as a port: a constant message plus fields. Field names are glossary words. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Field values. A `Secret` prints as `[secret]`; a Fault or Error prints as its `explain` chain. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose lines all carry `fields`. */
  with(fields: LogFields): Log;
}

/** Discards everything. */
export const noLog: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => noLog };

/** A string that is never printed by accident. */
export class Secret {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  /** The secret itself. Call it where it is used, never where it is stored. */
  reveal(): string {
    return this.#value;
  }
  toString(): string {
    return "[secret]";
  }
  toJSON(): string {
    return "[secret]";
  }
  /** What `console.log` and `util.inspect` of Node print. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "[secret]";
  }
}
