/**
 * Finds the body of an HTTP/1.1 request among the bytes of its connection, by length or in chunks (RFC 9112 §6.2, §7.1).
 *
 * Invariants
 * B1 every byte is looked at once; what is given out are views of what came in
 * B2 chunk sizes are 1 to 8 hexadecimal digits and nothing else; lines end in CR LF
 * B3 what is neither body nor size (extensions, trailers) is thrown away, and there may be `overheadMaxBytes` of it
 */

/** Extensions and trailers of one body together. Nobody uses either much; without a limit they are work for nothing. */
export const overheadMaxBytes = 16 * 1024;
/** Largest chunk: 8 hexadecimal digits. */
const sizeDigitsMax = 8;

/** Where in a chunked body the reader stands. */
const at = { size: 0, extension: 1, sizeLf: 2, data: 3, dataCr: 4, dataLf: 5, lineStart: 6, trailer: 7, trailerLf: 8, endLf: 9 } as const;

const cr = 13;
const lf = 10;
const semicolon = 59;

/** Reads one body. */
export class BodyReader {
  /** All of it has been read. */
  done: boolean;
  /** The bytes are no body: nothing more is read, and the connection cannot be used again. */
  broken = false;
  readonly #chunked: boolean;
  /** Bytes of the body, or of the chunk, still to come. */
  #left: number;
  #state: number = at.size;
  #sizeDigits = 0;
  #overhead = 0;

  constructor(length: number | "chunked") {
    this.#chunked = length === "chunked";
    this.#left = length === "chunked" ? 0 : length;
    this.done = length === 0;
  }

  /**
   * Reads from `bytes`, beginning at `from`, until the body ends or they do. Gives out its pieces.
   * @returns Where it stopped; what follows belongs to the next request.
   */
  read(bytes: Uint8Array, from: number, piece: (view: Uint8Array) => void): number {
    let position = from;
    while (position < bytes.length && !this.done && !this.broken) {
      if (!this.#chunked || this.#state === at.data) position = this.#data(bytes, position, piece);
      else this.#control(bytes[position++] as number);
    }
    return position;
  }

  #data(bytes: Uint8Array, from: number, piece: (view: Uint8Array) => void): number {
    const end = Math.min(bytes.length, from + this.#left);
    this.#left -= end - from;
    if (this.#left === 0) {
      if (this.#chunked) this.#state = at.dataCr;
      else this.done = true;
    }
    piece(from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end));
    return end;
  }

  /** One byte that is not of the body itself. */
  #control(byte: number): void {
    switch (this.#state) {
      case at.size:
        this.#size(byte);
        break;
      case at.extension:
        if (byte === cr) this.#state = at.sizeLf;
        else this.#skip(byte);
        break;
      case at.sizeLf:
        this.#expect(byte, lf, this.#left === 0 ? at.lineStart : at.data);
        this.#sizeDigits = 0;
        break;
      case at.dataCr:
        this.#expect(byte, cr, at.dataLf);
        break;
      case at.dataLf:
        this.#expect(byte, lf, at.size);
        break;
      case at.lineStart:
        if (byte === cr) this.#state = at.endLf;
        else {
          this.#state = at.trailer;
          this.#skip(byte);
        }
        break;
      case at.trailer:
        if (byte === cr) this.#state = at.trailerLf;
        else this.#skip(byte);
        break;
      case at.trailerLf:
        this.#expect(byte, lf, at.lineStart);
        break;
      default:
        this.done = byte === lf;
        this.broken = !this.done;
    }
  }

  /** Keeps B2. */
  #size(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0 && this.#sizeDigits < sizeDigitsMax) {
      this.#sizeDigits++;
      this.#left = this.#left * 16 + digit;
    } else if (this.#sizeDigits > 0 && byte === cr) this.#state = at.sizeLf;
    else if (this.#sizeDigits > 0 && byte === semicolon) this.#state = at.extension;
    else this.broken = true;
  }

  #expect(byte: number, wanted: number, then: number): void {
    if (byte === wanted) this.#state = then;
    else this.broken = true;
  }

  /** Keeps B3. */
  #skip(byte: number): void {
    const control = (byte < 0x20 && byte !== 0x09) || byte === 0x7f;
    if (control || ++this.#overhead > overheadMaxBytes) this.broken = true;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
