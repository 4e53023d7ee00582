/** Copies of a file its worker holds, asked for from the main thread; the worker's side is backup.ts. The same for all files of a state. */
import { rmSync } from "node:fs";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { Fault } from "@mecha/kit";
import type { BackupNews, BackupOrder } from "./backup.ts";

/** How a copy is made. */
export interface CopyOptions {
  /** Pages copied, of all. */
  readonly progress?: (pages: number, of: number) => void;
  /**
   * Called once everything but a last bit is copied, and awaited; nothing is committed from then on until it has ended, so that what it finds elsewhere
   * belongs to the same moment as the copy. Commits wait as long: keep it to some ms. When it fails, so does the copy.
   */
  readonly whileStill?: () => Promise<void>;
}

/** A file that can be copied while it is in use. */
export interface Copied {
  /**
   * Copies it, as it is at the end of copying, into a new file of mode 0600, while it goes on being used.
   * @throws Fault("unavailable") when the copy cannot be written, or the file is closed meanwhile; nothing is left of it then.
   */
  backup(file: string, options?: CopyOptions): Promise<void>;
}

export class Copies {
  /** For the worker, to be transferred. */
  readonly workerPort: MessagePort;
  readonly #port: MessagePort;
  readonly #file: string;
  readonly #hear = new Map<number, (news: BackupNews) => void>();
  #ids = 0;
  #ended = false;

  /** @param file For people. */
  constructor(file: string) {
    const { port1, port2 } = new MessageChannel();
    this.#file = file;
    this.#port = port1;
    this.workerPort = port2;
    port1.on("message", (news: BackupNews) => this.#hear.get(news.id)?.(news));
    port1.unref(); // the worker keeps the process alive, until it ends
  }

  /** As `Copied.backup`. `mark`: what the worker needs to complete the copy. */
  async make(file: string, { progress, whileStill }: CopyOptions, mark?: string): Promise<void> {
    if (this.#ended) throw new Fault("unavailable", `${this.#file} is closed`);
    const id = ++this.#ids;
    let looked: Promise<void> = Promise.resolve();
    const copied = new Promise<void>((resolve, reject) => {
      this.#hear.set(id, (news) => {
        if (news.is === "copying") progress?.(news.pages, news.of);
        else if (news.is === "still") {
          looked = this.#look(id, whileStill);
          looked.catch(() => undefined); // told when the copy has ended
        } else if (news.is === "done") resolve();
        else reject(new Fault("unavailable", `copy ${this.#file} to ${file}: ${news.why}`));
      });
      this.#port.postMessage({ id, file, holds: whileStill !== undefined, ...(mark !== undefined && { mark }) } satisfies BackupOrder);
    });
    try {
      await copied;
      await looked;
    } catch (error) {
      await looked.catch(() => rmSync(file, { force: true })); // then the copy itself may well be there
      throw error;
    } finally {
      this.#hear.delete(id);
    }
  }

  async #look(id: number, whileStill: CopyOptions["whileStill"]): Promise<void> {
    try {
      await whileStill?.();
    } finally {
      if (!this.#ended) this.#port.postMessage({ id, goOn: true } satisfies BackupOrder);
    }
  }

  /** The worker is gone. */
  end(): void {
    this.#ended = true;
    this.#port.close();
    for (const [id, hear] of this.#hear) hear({ id, is: "failed", why: "it was closed" });
  }
}
