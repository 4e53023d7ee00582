import { StringDecoder } from "node:string_decoder";

/** A longer line is delivered in pieces of this many characters: output of a function must not fill Mecha's memory. */
export const lineMaxChars = 16_384;

/** Cuts a stream of bytes into lines without their line ends. UTF-8 that is split between chunks is put together again. */
export class LineSplitter {
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";

  /** Lines completed by `chunk`. */
  push(chunk: Uint8Array): string[] {
    const parts = (this.#rest + this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))).split("\n");
    this.#rest = parts.pop() ?? "";
    const lines = parts.flatMap((line) => pieces(withoutReturn(line)));
    while (this.#rest.length > lineMaxChars) {
      lines.push(this.#rest.slice(0, lineMaxChars));
      this.#rest = this.#rest.slice(lineMaxChars);
    }
    return lines;
  }

  /** The last line, when the stream ended without a line end. */
  end(): string[] {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = "";
    return rest === "" ? [] : pieces(withoutReturn(rest));
  }
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

function pieces(line: string): string[] {
  if (line.length <= lineMaxChars) return [line];
  return Array.from({ length: Math.ceil(line.length / lineMaxChars) }, (_, i) => line.slice(i * lineMaxChars, (i + 1) * lineMaxChars));
}
