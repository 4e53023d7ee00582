/** The stream that carries, as the calls on it see it; the same at both ends. */
import type { Carried, CarrierLine } from "./carried.ts";

export class Line implements CarrierLine {
  readonly messageMaxBytes: number;
  readonly #stream: { send(frame: Uint8Array): boolean };
  readonly #waiting = new Set<Carried>();

  constructor(stream: { send(frame: Uint8Array): boolean }, messageMaxBytes: number) {
    this.#stream = stream;
    this.messageMaxBytes = messageMaxBytes;
  }

  write(frame: Uint8Array): boolean {
    return this.#stream.send(frame);
  }

  awaitDrain(call: Carried): void {
    this.#waiting.add(call);
  }

  /** The stream has room again. Who fills it waits for the next time. */
  drained(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const call of waiting) call.lineDrained();
  }
}
