/**
 * `mecha entities export` and `mecha entities import`.
 *
 * C1 memory holds a piece of the file, never the file
 * C2 a file is read to its end before anything is sent, so that one that is cut short or holds a wrong line changes nothing. Standard input cannot
 *    be read twice: there the lines before a wrong one are imported
 */
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { explain, Fault } from "@mecha/kit";
import type { AdminClient } from "../admin/client.ts";
import type { Io } from "../io.ts";
import { type FileLine, lineMaxBytes, readLine } from "../transfer/line.ts";
import { type ClientOptions, openClient, printJson } from "./client-options.ts";

/** Text sent at once, unless one line is longer. */
const batchChars = 1024 * 1024;
/** Lines sent at once. */
const batchLines = 10_000;

interface ExportOptions extends ClientOptions {
  readonly service?: string;
  readonly base64?: boolean;
}

/** `mecha entities export`: JSON lines on standard output, what there is to say on standard error. */
export async function entitiesExport(io: Io, options: ExportOptions): Promise<void> {
  const client = await openClient(io, options);
  const body = await client.export({ service: options.service, base64: options.base64 === true ? "true" : undefined });
  let last = "";
  const utf8 = new TextDecoder();
  for await (const bytes of body) {
    const piece = utf8.decode(bytes, { stream: true });
    last = (last + piece).slice(-tailChars);
    await io.pour(piece);
  }
  const ended = endOf(last);
  if (ended.record === "failed") throw new Fault("unavailable", `the export is not whole: ${ended.message}`);
  io.err(`${ended.records} ${ended.records === 1 ? "record" : "records"} exported\n`);
}

/** Characters kept of what went by, to see how it ended: a last line is short. */
const tailChars = 4_096;

type End = { readonly record: "end"; readonly records: number } | { readonly record: "failed"; readonly message: string };

function endOf(tail: string): End {
  const line = tail.trimEnd().split("\n").at(-1) ?? "";
  try {
    const end = JSON.parse(line) as End | { readonly record?: undefined } | null;
    if (end?.record === "end" || end?.record === "failed") return end;
  } catch {
    // falls through to the one message
  }
  return { record: "failed", message: "it broke off; Mecha may have ended" };
}

/** `mecha entities import` */
export async function entitiesImport(io: Io, options: ClientOptions, file: string): Promise<void> {
  const path = file === "-" ? undefined : resolve(io.cwd, file);
  if (path !== undefined) await checkFile(path); // keeps C2
  const client = await openClient(io, options);
  const done = await sendLines(client, linesOf(path));
  if (options.output === "json") printJson(io, done);
  else io.out(`${done.imported} ${done.imported === 1 ? "record" : "records"} imported, ${done.unchanged} were there already\n`);
}

/** @throws Fault with the number of the first line that is wrong, or when the file is cut short. */
async function checkFile(path: string): Promise<void> {
  const whole = new Wholeness();
  for await (const { text, number } of linesOf(path)) whole.line(text, number);
  whole.end();
}

/** Whether a file has all its lines. One without the export's first line is a selection somebody made, of which that cannot be said. */
class Wholeness {
  #started = false;
  #ended = false;

  line(text: string, number: number): void {
    let line: FileLine;
    try {
      line = readLine(text);
    } catch (problem) {
      if (problem instanceof Fault) throw new Fault(problem.code, `line ${number}: ${explain(problem)}`);
      throw problem;
    }
    if (line.record === "export") this.#started = true;
    if (line.record === "end") this.#ended = true;
  }

  end(): void {
    if (this.#started && !this.#ended)
      throw new Fault("invalid", "the file is cut short: it begins as an export and lacks its last line; export again (or remove its first line, to import what there is)"); // prettier-ignore
  }
}

interface NumberedLine {
  readonly text: string;
  /** From 1. */
  readonly number: number;
}

/** The lines that are not empty. `undefined`: standard input. @throws Fault when the file cannot be read, or a line is too long to be one. */
async function* linesOf(path: string | undefined): AsyncGenerator<NumberedLine> {
  let number = 1;
  let rest = "";
  for await (const piece of piecesOf(path)) {
    const lines = piece.split("\n");
    for (const [at, text] of lines.entries()) {
      rest += text; // a rope: not copied for each piece of a long line
      if (at === lines.length - 1) break;
      if (rest.trim() !== "") yield { text: rest, number };
      rest = "";
      number++;
    }
    if (rest.length > lineMaxBytes) throw new Fault("invalid", `line ${number} is longer than ${lineMaxBytes} characters`); // keeps C1
  }
  if (rest.trim() !== "") yield { text: rest, number };
}

async function* piecesOf(path: string | undefined): AsyncGenerator<string> {
  const input = path === undefined ? createReadStream("", { fd: 0, autoClose: false }) : createReadStream(path);
  try {
    for await (const piece of input.setEncoding("utf8")) yield String(piece);
  } catch (cause) {
    throw new Fault("notFound", `${path ?? "standard input"} cannot be read`, { cause });
  }
}

async function sendLines(client: AdminClient, lines: AsyncIterable<NumberedLine>): Promise<{ imported: number; unchanged: number }> {
  const done = { imported: 0, unchanged: 0 };
  const batch = new Batch(client, done);
  for await (const line of lines) await batch.add(line);
  await batch.send();
  return done;
}

/** Lines on their way. Those left out as empty are sent as empty ones, so that numbers stay right. */
class Batch {
  readonly #client: AdminClient;
  readonly #done: { imported: number; unchanged: number };
  #text: string[] = [];
  #chars = 0;
  #first = 1;
  #next = 1;

  constructor(client: AdminClient, done: { imported: number; unchanged: number }) {
    this.#client = client;
    this.#done = done;
  }

  async add({ text, number }: NumberedLine): Promise<void> {
    const lines = this.#text.length + number - this.#next;
    if (this.#chars + text.length > batchChars || lines >= batchLines) await this.send();
    if (this.#text.length === 0) this.#first = number;
    else for (let missing = this.#next; missing < number; missing++) this.#text.push("");
    this.#text.push(text);
    this.#chars += text.length;
    this.#next = number + 1;
  }

  async send(): Promise<void> {
    if (this.#text.length === 0) return;
    const text = this.#text.join("\n");
    this.#text = [];
    this.#chars = 0;
    const { imported, unchanged } = await this.#sent(text);
    this.#done.imported += imported;
    this.#done.unchanged += unchanged;
  }

  async #sent(text: string): ReturnType<AdminClient["import"]> {
    try {
      return await this.#client.import(text, this.#first);
    } catch (problem) {
      if (!(problem instanceof Fault) || problem.code !== "unavailable") throw problem;
      throw new Fault(
        "unavailable",
        `broken off at line ${this.#first}; import the same file again, what is there already stays as it is`,
        {
          cause: problem,
        },
      );
    }
  }
}
