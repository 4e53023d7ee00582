/** Lines of several functions on one terminal: `cart | …`, each function in its colour. */
import type { OutputStream } from "@mecha/runtime-process";
import { type Io, printable } from "../io.ts";

/** ANSI colours, in the order functions get them. */
const colours = [36, 35, 33, 32, 34, 96, 95, 93] as const;
const own = "mecha";

export interface Console {
  /** One line of a function's output. A promise while the terminal is slow. */
  readonly line: (functionName: string, stream: OutputStream, text: string) => void | Promise<void>;
  /** One line of Mecha's own. */
  readonly say: (text: string) => void;
}

/** @param functionNames Those known from the start; others get their colour when they say something first. */
export function openConsole(io: Io, functionNames: readonly string[]): Console {
  const width = Math.max(own.length, ...functionNames.map((name) => name.length));
  const prefix = (name: string, colour: number): string => {
    const text = `${name.padEnd(width)} | `;
    return io.colour ? `\u001b[${colour}m${text}\u001b[0m` : text;
  };
  const prefixes = new Map<string, string>();
  const prefixOf = (name: string): string => {
    const known = prefixes.get(name) ?? prefix(name, colours[prefixes.size % colours.length] ?? 36);
    prefixes.set(name, known);
    return known;
  };
  functionNames.forEach(prefixOf);
  const ownPrefix = prefix(own, 90);
  return {
    // Colours of the function's own stay on a terminal; anything else a terminal would obey is shown instead.
    line: (name, _stream, text) => io.pour(`${prefixOf(name)}${io.colour ? keepColours(text) : printable(text)}\n`),
    say: (text) => io.out(`${ownPrefix}${printable(text)}\n`),
  };
}

/** Keeps colour sequences (ESC [ … m), shows all other control characters. */
function keepColours(text: string): string {
  return text
    .split(/(\u001b\[[\d;]*m)/u)
    .map((part, i) => (i % 2 === 1 ? part : printable(part)))
    .join("");
}
