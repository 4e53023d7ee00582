/** Options of a benchmark: declared once, `--help` made of them, one clear error for what is none. */
import { basename } from "node:path";

/** One option: how its text is read. `read` throws with what was expected. */
export interface Option<T> {
  readonly initial: string | undefined;
  readonly what: string;
  readonly read: (text: string) => T;
}

/** A whole number, `least` or more. */
export function number(initial: number, what: string, least = 1): Option<number> {
  return { initial: String(initial), what, read: (text) => wholeNumber(text, least) };
}

/** Whole numbers, with commas between. */
export function numbers(initial: string, what: string, least = 1): Option<number[]> {
  return { initial, what, read: (text) => text.split(",").map((each) => wholeNumber(each, least)) };
}

/** Some of `all`, with commas between. */
export function some<const C extends string>(all: readonly C[], initial: string, what: string): Option<C[]> {
  const known = (text: string): C => {
    if (!(all as readonly string[]).includes(text)) throw new Error(`there is no ${JSON.stringify(text)}; there are ${all.join(", ")}`);
    return text as C;
  };
  return { initial, what: `${what}; of ${all.join(", ")}`, read: (text) => text.split(",").map(known) };
}

/** A text, such as a file's name. */
export function text(initial: string, what: string): Option<string> {
  return { initial, what, read: (given) => given };
}

/** A text that may be left out. */
export function maybe(what: string): Option<string> & { readonly initial: undefined } {
  return { initial: undefined, what, read: (given) => given };
}

type Values<T extends Record<string, Option<unknown>>> = {
  readonly [K in keyof T]: T[K] extends Option<infer V> ? (T[K] extends { readonly initial: undefined } ? V | undefined : V) : never;
};

/** The values on the command line. Prints help and ends the process when asked to; says what is wrong and ends it with 2 for a mistake. */
export function readOptions<const T extends Record<string, Option<unknown>>>(about: string, table: T): Values<T> {
  const args = process.argv.slice(2);
  if (args.includes("--help") || args.includes("-h")) {
    console.log(help(about, table));
    process.exit(0);
  }
  try {
    return valuesOf(table, args);
  } catch (error) {
    console.error(`${benchmark()}: ${(error as Error).message}\n\n${help(about, table)}`);
    process.exit(2);
  }
}

function valuesOf<const T extends Record<string, Option<unknown>>>(table: T, args: readonly string[]): Values<T> {
  const given = new Map<string, string>();
  for (let at = 0; at < args.length; at++) {
    const [, name = "", inline] = /^--([a-z-]+)(?:=(.*))?$/.exec(args[at] ?? "") ?? [];
    if (!Object.hasOwn(table, name)) throw new Error(`${args[at]} is no option; there are ${names(table).join(", ")}`);
    const value = inline ?? args[++at];
    if (value === undefined || value === "") throw new Error(`--${name}: a value is missing`);
    given.set(name, value);
  }
  const read = (name: string, { initial, read }: Option<unknown>): unknown => {
    const value = given.get(name) ?? initial;
    try {
      return value === undefined ? undefined : read(value);
    } catch (error) {
      throw new Error(`--${name}: ${(error as Error).message}`);
    }
  };
  return Object.fromEntries(Object.entries(table).map(([name, option]) => [name, read(name, option)])) as Values<T>;
}

function help(about: string, table: Record<string, Option<unknown>>): string {
  const width = Math.max(...names(table).map(({ length }) => length));
  const lines = Object.entries(table).map(
    ([name, { initial, what }]) => `  ${`--${name}`.padEnd(width)}  ${what}${initial === undefined ? "" : ` (default ${initial})`}`,
  );
  return `${about}\n\nOptions:\n${lines.join("\n")}`;
}

function names(table: Record<string, unknown>): string[] {
  return Object.keys(table).map((name) => `--${name}`);
}

function wholeNumber(text: string, least: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least)
    throw new Error(`expected a whole number, ${String(least)} or more, got ${JSON.stringify(text)}`);
  return value;
}

/** As the user called it. */
function benchmark(): string {
  return process.env["MECHA_BENCHMARK"] ?? basename(process.argv[1] ?? "");
}
