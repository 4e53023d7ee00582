/**
 * Configuration, declared once: environment variable, default, range, unit and one sentence of meaning. `readConfig` turns the
 * environment into plain values in `main`; the reference page (docs/reference/configuration.md) is rendered from the same table.
 *
 * C1 all mistakes of a run are reported together, in one Fault
 * C2 the text of a secret appears in no message, page or log line
 * C3 an empty variable counts as not set, as with `docker run -e NAME=`
 */
import { Fault } from "./fault.ts";
import { type Log, Secret } from "./log.ts";
import { formatBytes, formatDuration, parseBytes, parseDuration } from "./units.ts";

/** One declared variable. Made by the functions below, read by `readConfig`. */
export interface Option<T> {
  /** Name of the environment variable. */
  readonly env: string;
  /** What it does, in a sentence or two. */
  readonly doc: string;
  /** What a value looks like and its range, for people: "duration, 0 to 5m". */
  readonly shape: string;
  /** The default as it would be written, or `undefined` when there is none. */
  readonly defaultText: string | undefined;
  /** Whether leaving it out is a mistake. */
  readonly required: boolean;
  readonly fallback: T;
  /** The value of `text`, or what was expected instead. */
  readonly parse: (text: string) => { readonly value: T } | { readonly expected: string };
  /** Its text is never repeated in a message (C2). */
  readonly sensitive: boolean;
}

/** A table of options by the name code uses. */
export type Options = Readonly<Record<string, Option<unknown>>>;

/** The plain values of a table of options. */
export type Config<O extends Options> = { readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never };

/** What every declaration says. `default: undefined` means: not set unless given. */
interface Declaration<D> {
  readonly env: string;
  readonly default: D;
  readonly doc: string;
}

interface Kind<T> {
  readonly shape: string;
  /** The value, or `undefined` when the text is not one. */
  readonly read: (text: string) => T | undefined;
  /** "a duration like 15s" */
  readonly expected: string;
  /** How a value is written in the reference. */
  readonly write: (value: T) => string;
  readonly sensitive?: boolean;
}

function option<T, D extends T | undefined>(declaration: Declaration<D>, kind: Kind<T>): Option<T | D> {
  const { env, doc, default: fallback } = declaration;
  return {
    env,
    doc,
    shape: kind.shape,
    defaultText: fallback === undefined ? undefined : kind.write(fallback),
    required: false,
    fallback,
    sensitive: kind.sensitive ?? false,
    parse: (text) => {
      const value = kind.read(text);
      return value === undefined ? { expected: kind.expected } : { value };
    },
  };
}

interface Range {
  readonly min?: number;
  readonly max?: number;
}

/** A kind of number: `read` gives any number; the range is checked here, once for all of them. The default serves as the example. */
function ranged(
  noun: string,
  range: Range & { readonly default: number | undefined },
  text: { readonly example: string; readonly read: (text: string) => number | undefined; readonly write: (value: number) => string },
): Kind<number> {
  const { min = 0, max } = range;
  const { read, write } = text;
  const span = max !== undefined ? `${write(min)} to ${write(max)}` : min !== 0 ? `at least ${write(min)}` : "";
  return {
    shape: span === "" ? noun : `${noun}, ${span}`,
    expected: `a ${noun} like ${range.default === undefined ? text.example : write(range.default)}${span === "" ? "" : ` (${span})`}`,
    read: (input) => {
      const value = read(input);
      return value === undefined || value < min || (max !== undefined && value > max) ? undefined : value;
    },
    write,
  };
}

/** A duration in milliseconds, written `15s`, `1h30m`, `250ms`. Range in ms; 0 or more unless `min` says otherwise. */
export function durationMs<D extends number | undefined>(declaration: Declaration<D> & Range): Option<number | D> {
  return option<number, D>(declaration, ranged("duration", declaration, { example: "15s", read: parseDuration, write: formatDuration }));
}

/** A size in bytes, written `4MiB`, `64KiB`, `10MB` or as a plain number. */
export function bytes<D extends number | undefined>(declaration: Declaration<D> & Range): Option<number | D> {
  return option<number, D>(declaration, ranged("size", declaration, { example: "4MiB", read: parseBytes, write: formatBytes }));
}

const wholeNumber = (text: string): number | undefined => (/^-?\d{1,15}$/.test(text) ? Number(text) : undefined);

/** A whole number; 0 or more unless `min` says otherwise. */
export function integer<D extends number | undefined>(declaration: Declaration<D> & Range): Option<number | D> {
  return option<number, D>(declaration, ranged("whole number", declaration, { example: "10", read: wholeNumber, write: String }));
}

/** A TCP port; 0 asks the system for a free one. */
export function port<D extends number | undefined>(declaration: Declaration<D>): Option<number | D> {
  return option<number, D>(
    declaration,
    ranged("port", { min: 0, max: 65_535, ...declaration }, { example: "8080", read: wholeNumber, write: String }),
  );
}

/** Text. `pattern` must match as a whole and comes with a description of what it asks for: "a host name". */
export function text<D extends string | undefined>(
  declaration: Declaration<D> & { readonly pattern?: RegExp; readonly expected?: string },
): Option<string | D> {
  const { pattern, expected = "text" } = declaration;
  return option<string, D>(declaration, {
    shape: expected,
    expected,
    read: (value) => (pattern === undefined || pattern.test(value) ? value : undefined),
    write: (value) => value,
  });
}

const flagWords: Readonly<Record<string, boolean>> = { true: true, "1": true, false: false, "0": false };

/** Yes or no: `true`, `1`, `false`, `0`. */
export function flag<D extends boolean | undefined>(declaration: Declaration<D>): Option<boolean | D> {
  return option<boolean, D>(declaration, {
    shape: "true or false",
    expected: "true or false",
    read: (value) => flagWords[value],
    write: String,
  });
}

/** One of a closed list of words. */
export function oneOf<const V extends string, D extends V | undefined>(
  declaration: Declaration<D> & { readonly values: readonly V[] },
): Option<V | D> {
  const { values } = declaration;
  const list = values.join(", ");
  return option<V, D>(declaration, {
    shape: `one of ${list}`,
    expected: `one of ${list}`,
    read: (value) => values.find((candidate) => candidate === value),
    write: (value) => value,
  });
}

/** Text that is never printed (C2). It has no default: a secret in the source is none. */
export function secret(declaration: Omit<Declaration<undefined>, "default">): Option<Secret | undefined> {
  return option<Secret, undefined>(
    { ...declaration, default: undefined },
    { shape: "secret text", expected: "text", read: (value) => new Secret(value), write: String, sensitive: true },
  );
}

/** The same option, but leaving it out is a mistake. */
export function required<T>(from: Option<T | undefined>): Option<T> {
  return { ...from, required: true } as Option<T>;
}

/** An environment: `process.env` or a test's table. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads every option from `env`. With a `log`, variables that begin with MECHA_ and are not in the table are warned about, with the
 * nearest known name: pass the whole table of the process at once.
 * @throws Fault("invalid") naming every variable that is missing or wrong (C1).
 */
export function readConfig<O extends Options>(options: O, env: Environment, more: { readonly log?: Log } = {}): Config<O> {
  const mistakes: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, declared] of Object.entries(options)) {
    const text = env[declared.env];
    if (text === undefined || text === "") {
      if (declared.required) mistakes.push(`${declared.env}: is required (${declared.shape}). ${declared.doc}`);
      values[name] = declared.fallback;
      continue;
    }
    const outcome = declared.parse(text);
    if ("value" in outcome) values[name] = outcome.value;
    else mistakes.push(`${declared.env}: expected ${outcome.expected}${declared.sensitive ? "" : `, got ${JSON.stringify(text)}`}`);
  }
  for (const { name, nearest } of unknownVariables(options, env)) {
    more.log?.warn("unknown configuration variable", { variable: name, ...(nearest === undefined ? {} : { didYouMean: nearest }) });
  }
  if (mistakes.length > 0) throw new Fault("invalid", `configuration: ${mistakes.join("; ")}`, { facts: { mistakes: mistakes.length } });
  return values as Config<O>;
}

/** Variables that begin with MECHA_ and mean nothing to `options`, each with the nearest known name when one is near. */
export function unknownVariables(
  options: Options,
  env: Environment,
): readonly { readonly name: string; readonly nearest: string | undefined }[] {
  const known = Object.values(options).map((declared) => declared.env);
  return Object.keys(env)
    .filter((name) => name.startsWith("MECHA_") && !name.startsWith("MECHA_TEST_") && !known.includes(name))
    .sort()
    .map((name) => ({ name, nearest: nearest(name, known) }));
}

/** The candidate with the fewest single-letter edits from `word`, if at most a third of the word would change. For "did you mean". */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: { readonly candidate: string; readonly distance: number } | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (!best || distance < best.distance) best = { candidate, distance };
  }
  return best && best.distance <= Math.ceil(word.length / 3) ? best.candidate : undefined;
}

/** Levenshtein distance: insertions, deletions and replacements of one letter. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The Markdown table of `options`, one row each, in the order of declaration. */
export function optionsTable(options: Options): string {
  const cell = (content: string): string => content.replaceAll("|", "\\|").replaceAll("\n", " ");
  const rows = Object.values(options).map(({ env, shape, defaultText, required: isRequired, doc }) => {
    const fallback = isRequired ? "required" : defaultText === undefined ? "not set" : defaultText === "" ? "empty" : `\`${defaultText}\``;
    return `| \`${env}\` | ${cell(shape)} | ${cell(fallback)} | ${cell(doc)} |`;
  });
  return ["| Variable | Value | Default | Meaning |", "| --- | --- | --- | --- |", ...rows, ""].join("\n");
}
