/** Closing, in one place and in the right order. */
import { explain, Fault } from "./fault.ts";

/**
 * Owns things that must be closed. Closes in reverse order of `own`/`defer`, once; a failing close does not keep the others from
 * closing, and all failures are reported together.
 */
export class Scope implements AsyncDisposable {
  readonly #closers: (() => unknown)[] = [];
  readonly #abort = new AbortController();
  #closing: Promise<void> | undefined;

  /** Aborts when the scope begins to close, with Fault("cancelled"). */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Resolves when the scope begins to close. */
  get aborted(): Promise<void> {
    if (this.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  /** Takes ownership of `thing` and hands it back. On a scope that is already closing the thing is closed at once. */
  own<T extends AsyncDisposable | Disposable>(thing: T): T {
    this.defer(() => (Symbol.asyncDispose in thing ? thing[Symbol.asyncDispose]() : thing[Symbol.dispose]()));
    return thing;
  }

  /** Runs `close` when the scope closes. Last in, first out. */
  defer(close: () => unknown): void {
    if (this.#closing) {
      void Promise.resolve()
        .then(close)
        // The scope's own promise may have settled: nobody is left to tell.
        .catch(() => undefined);
      return;
    }
    this.#closers.push(close);
  }

  /** Closes everything; the second call returns the first one's promise. @throws AggregateError with every failure. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#abort.abort(new Fault("cancelled", "closing"));
    const failures: unknown[] = [];
    for (let close = this.#closers.pop(); close; close = this.#closers.pop()) {
      try {
        await close();
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, `close: ${failures.map(explain).join("; ")}`);
  }
}
