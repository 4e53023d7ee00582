/**
 * Certificates that are replaced while Mecha runs: their files are read again, and what is new is used for new connections.
 *
 * W1 only what fits together is used: certificate, key and authorities as they are in one look, checked as at the start. Files that are being replaced one after
 *    the other do not fit for a moment, and are looked at again
 * W2 files that still do not fit at the next look are said once; those in use stay
 */
import { type CancelTimer, type Clock, explain, type Log } from "@mecha/kit";
import { type LoadedTls, loadTls, type TlsFiles } from "./tls.ts";

/**
 * Pause between two looks. Files are compared by what is in them, not watched: secrets are mounted as links that change (Kubernetes), copied over (certbot) or
 * moved into place, and each looks different to a watcher. Three small reads in 5 s cost nothing, and certificates are replaced days before they end.
 */
const lookEveryMs = 5_000;

export interface Renewal {
  /** For the log: whose certificates they are. */
  readonly of: string;
  readonly files: TlsFiles;
  /** What is in use. */
  readonly loaded: LoadedTls;
  /** Uses what is new. @throws Fault when it cannot. */
  readonly renew: (tls: LoadedTls) => void;
}

/** Begins to look; ends when disposed. */
export function watchCertificates(renewals: readonly Renewal[], ports: { readonly clock: Clock; readonly log: Log }): Disposable {
  const watches = renewals.map((renewal) => new Watch(renewal, ports));
  return {
    [Symbol.dispose]() {
      for (const watch of watches) watch.stop();
    },
  };
}

class Watch {
  readonly #renewal: Renewal;
  readonly #clock: Clock;
  readonly #log: Log;
  #loaded: LoadedTls;
  /** What was wrong at the last look; `said`: it is in the log. */
  #wrong: { readonly problem: string; readonly said: boolean } | undefined;
  #timer: CancelTimer;
  #stopped = false;

  constructor(renewal: Renewal, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#renewal = renewal;
    this.#clock = clock;
    this.#log = log;
    this.#loaded = renewal.loaded;
    this.#timer = this.#later();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer();
  }

  #later(): CancelTimer {
    return this.#clock.after(lookEveryMs, () => {
      void this.#look().then(() => {
        if (!this.#stopped) this.#timer = this.#later();
      });
    });
  }

  async #look(): Promise<void> {
    const { of, files, renew } = this.#renewal;
    try {
      const found = await loadTls(files); // keeps W1
      this.#wrong = undefined;
      if (this.#stopped || sameTls(found, this.#loaded)) return;
      renew(found);
      this.#loaded = found;
      this.#log.info("certificates were read again; new connections use them", { of, file: files.certificate.value });
    } catch (error) {
      this.#doesNotFit(error);
    }
  }

  /** keeps W2 */
  #doesNotFit(error: unknown): void {
    const problem = explain(error);
    const isKnown = this.#wrong?.problem === problem;
    if (isKnown && this.#wrong?.said === false)
      this.#log.warn("new certificates cannot be used; those in use stay", { of: this.#renewal.of, problem });
    this.#wrong = { problem, said: isKnown };
  }
}

function sameTls(a: LoadedTls, b: LoadedTls): boolean {
  return a.certificate === b.certificate && a.key === b.key && a.authorities === b.authorities;
}
