/** Export and import over the admin API: JSON lines, a page at a time, as slowly as the other side takes or gives them. */
import { type Clock, explain, Fault } from "@mecha/kit";
import type { HttpBody, HttpExchange } from "@mecha/wire";
import { exportLines, type ExportQuery } from "../transfer/export.ts";
import { importLines } from "../transfer/import.ts";
import { lineMaxBytes } from "../transfer/line.ts";
import type { EntitySource } from "./entities.ts";
import type { ImportJson } from "./model.ts";

export const exportPath = "/v1/export";
export const importPath = "/v1/import";

/** Text gathered before it is written: a write for each short line would cost more than the line. */
const pieceChars = 64 * 1024;

interface ExportContext {
  readonly project: string;
  readonly clock: Clock;
  readonly headers: Readonly<Record<string, string>>;
}

/** Answers with every line. A failure on the way is a last line `{"record":"failed","message":…}`. */
export async function serveExport(source: EntitySource, exchange: HttpExchange, query: ExportQuery, context: ExportContext): Promise<void> {
  const writer = new LineWriter(exchange, context.headers);
  const start = { project: context.project, time: new Date(context.clock.wall()).toISOString() };
  try {
    for await (const line of exportLines(source, query, start)) {
      if (writer.isGone) return;
      await writer.write(`${JSON.stringify(line)}\n`);
    }
  } catch (problem) {
    if (!(problem instanceof Fault)) {
      writer.abort();
      throw problem;
    }
    await writer.write(`${JSON.stringify({ record: "failed", message: explain(problem) })}\n`);
  }
  writer.end();
}

/** Writes while there is room, and waits otherwise. */
class LineWriter {
  readonly #body: HttpBody;
  #gathered = "";
  #room: PromiseWithResolvers<void> | undefined;
  /** The reader went away. */
  isGone = false;

  constructor(exchange: HttpExchange, headers: Readonly<Record<string, string>>) {
    this.#body = exchange.stream(200, { ...headers, "content-type": "application/x-ndjson" });
    const on = (): void => {
      this.#room?.resolve();
      this.#room = undefined;
    };
    this.#body.onDrain(on);
    exchange.onClose(() => {
      this.isGone = true;
      on();
    });
  }

  async write(text: string): Promise<void> {
    this.#gathered += text;
    if (this.#gathered.length >= pieceChars) await this.#flush();
  }

  async #flush(): Promise<void> {
    const piece = this.#gathered;
    this.#gathered = "";
    if (this.isGone || piece === "" || this.#body.write(piece)) return;
    this.#room = Promise.withResolvers();
    await this.#room.promise;
  }

  end(): void {
    if (this.isGone) return;
    if (this.#gathered !== "") this.#body.write(this.#gathered);
    this.#body.end();
  }

  abort(): void {
    if (!this.isGone) this.#body.abort();
  }
}

/** Takes some lines. @throws Fault with the number of the line that is wrong. */
export async function serveImport(source: EntitySource, exchange: HttpExchange, firstLine: number, clock: Clock): Promise<ImportJson> {
  const body = await exchange.body(lineMaxBytes);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch (cause) {
    throw new Fault("invalid", `line ${firstLine} or one behind it is not UTF-8`, { cause });
  }
  return importLines(source, text, firstLine, clock.wall());
}
