/** What the clients of a trial share: how they ask, and the list of what was acknowledged to them. */
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../support/program.ts";
import { openHttp } from "./http.ts";

/** A command that changed something and was acknowledged. */
export interface Acknowledged {
  readonly entity: string;
  /** It is in what the command stored. */
  readonly id: string;
  /** Where: in an event, which stays, or in a value, until the next one. */
  readonly stored: "event" | "value";
}

/** Longest a call is waited for: past it the client notes "no answer" and goes on. */
export const callMaxMs = 20_000;
/** Pause after a call without an answer. */
export const pauseMs = 20;

export class Asking implements Disposable {
  /** In the order of hearing. */
  readonly acknowledged: Acknowledged[] = [];
  readonly #http: ReturnType<typeof openHttp>;
  #closed = false;
  #commands: number;
  /** Commands with a key that were asked more than once. */
  repeated = 0;

  /** @param firstCommand Number of the first command; others that ask the same entities have others. */
  constructor(port: number, firstCommand = 0) {
    this.#commands = firstCommand;
    this.#http = openHttp(port, callMaxMs);
  }

  /** A name for a command that no other has, with what it is for. */
  nextId(entity: string): string {
    return `${entity}.${String(this.#commands++)}.`;
  }

  /** One command that changes something; with a key it is asked again until it is answered. @returns undefined = no answer. */
  async change<T>(path: string, body: unknown, key: string | undefined): Promise<T | undefined> {
    let answer = await this.#http.ask<T>("POST", path, body, key);
    if (key !== undefined && !answer) this.repeated++;
    while (key !== undefined && !answer && !this.#closed) {
      await delay(pauseMs);
      answer = await this.#http.ask<T>("POST", path, body, key);
    }
    return answer;
  }

  read<T>(path: string): Promise<T | undefined> {
    return this.#http.ask<T>("GET", path);
  }
  /** @throws when it cannot be read for long. */
  untilRead<T>(path: string): Promise<T> {
    return eventually(`${path} can be read`, () => this.read<T>(path));
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#http.close();
  }
}
