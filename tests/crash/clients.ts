/**
 * Clients that append to ledgers and set registers without pause, and write down what they see.
 *
 * C1 they note what they ask before asking and what they hear as soon as they hear it; a call that got no answer stays "may have happened"
 * C2 every other client sends an idempotency key and asks again until it is answered: then the command must be there exactly once
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "@mecha/kit";
import { eventually } from "../support/program.ts";
import { type Breach, check, checkMirrors, type Operation } from "./history.ts";
import { openHttp } from "./http.ts";
import { checkRegisters, type Held, type RegisterOperation } from "./registers.ts";

/** Who asks whom. Names must be unused before. */
export interface ClientPlan {
  readonly port: number;
  readonly random: Random;
  readonly ledgers: readonly string[];
  readonly registers: readonly string[];
  readonly clients: number;
}

/** Longest a call is waited for: past it the client notes "no answer" and goes on. */
const callMaxMs = 20_000;
/** Pause after a call without an answer. */
const pauseMs = 20;

export class Clients implements Disposable {
  readonly history: Operation[] = [];
  readonly registerHistory: RegisterOperation[] = [];
  /** Commands that changed something and were acknowledged: ledger or register → ids, in the order of hearing. */
  readonly acknowledgedIds: { readonly entity: string; readonly id: string }[] = [];
  readonly #plan: ClientPlan;
  readonly #http: ReturnType<typeof openHttp>;
  #running: Promise<unknown> = Promise.resolve();
  #stopped = false;
  #closed = false;
  #commands = 0;
  /** Commands with a key that were asked more than once. */
  repeated = 0;

  constructor(plan: ClientPlan) {
    this.#plan = plan;
    this.#http = openHttp(plan.port, callMaxMs);
  }

  get acknowledged(): number {
    return this.acknowledgedIds.length;
  }
  get unanswered(): number {
    return [...this.history, ...this.registerHistory].filter(({ endedMs }) => endedMs === undefined).length;
  }

  /** Acknowledged values of registers, each begun after every other write had been answered: they must be what is stored. */
  untouchedSince(): ReadonlySet<string> {
    const writes = this.registerHistory.filter((operation) => operation.do === "set");
    const isLast = (one: RegisterOperation): boolean =>
      one.endedMs !== undefined &&
      writes.every((o) => o === one || o.register !== one.register || (o.endedMs !== undefined && o.endedMs < one.startedMs));
    return new Set(writes.flatMap((one) => (one.value !== null && isLast(one) ? [one.value] : [])));
  }

  start(): void {
    this.#running = Promise.all(Array.from({ length: this.#plan.clients }, (_, at) => this.#client(at % 2 === 0)));
  }
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#closed = true;
    this.#http.close();
  }

  /** Waits until so many more commands have been acknowledged. */
  more(count: number): Promise<unknown> {
    const enough = this.acknowledged + count;
    return eventually(`${String(count)} more commands are acknowledged`, () => this.acknowledged >= enough);
  }

  /** All breaches, by what can be read at the end. */
  async judge(): Promise<readonly Breach[]> {
    const stored = new Map<string, readonly string[]>();
    for (const ledger of this.#plan.ledgers) stored.set(ledger, await this.readLedger(ledger));
    const held = new Map<string, Held>();
    for (const register of this.#plan.registers) {
      const answer = await this.#untilRead<{ held: string }>(`/registers/${register}`);
      held.set(register, answer.held === "" ? null : answer.held);
    }
    const mirrors = new Map<string, readonly string[]>();
    for (const [ledger, list] of stored) mirrors.set(ledger, await this.#readMirror(ledger, list.length));
    return [...check(this.history, stored), ...checkMirrors(stored, mirrors), ...checkRegisters(this.registerHistory, held)];
  }

  async readLedger(ledger: string): Promise<readonly string[]> {
    return (await this.#untilRead<{ commandIds: string[] }>(`/ledgers/${ledger}`)).commandIds;
  }

  /** A ledger's mirror, once it has as many entries, or nothing comes any more. */
  async #readMirror(ledger: string, entries: number): Promise<readonly string[]> {
    const read = async (): Promise<readonly string[]> => (await this.#untilRead<{ commandIds: string[] }>(`/mirrors/${ledger}`)).commandIds;
    const complete = async (): Promise<readonly string[] | undefined> => {
      const list = await read();
      return list.length >= entries ? list : undefined;
    };
    return eventually(`the mirror of ${ledger} is complete`, complete).catch(read);
  }

  #untilRead<T>(path: string): Promise<T> {
    return eventually(`${path} can be read`, () => this.#http.ask<T>("GET", path));
  }

  async #client(keyed: boolean): Promise<void> {
    while (!this.#stopped) {
      // Nobody is there right after a kill: do not spin on refused connections.
      if (!(await this.#once(keyed))) await delay(pauseMs);
    }
  }

  #once(keyed: boolean): Promise<boolean> {
    const { random, ledgers, registers } = this.#plan;
    const register = registers[random.below(Math.max(1, registers.length))];
    const ledger = ledgers[random.below(ledgers.length)] ?? "";
    const reads = random.below(5) === 0;
    if (register !== undefined && random.below(3) === 0) return reads ? this.#get(register) : this.#set(register, keyed);
    return reads ? this.#read(ledger) : this.#append(ledger, keyed);
  }

  /** A command that changes something. keeps C2 */
  async #change<T>(path: string, body: unknown, key: string | undefined): Promise<T | undefined> {
    let answer = await this.#http.ask<T>("POST", path, body, key);
    if (key !== undefined && !answer) this.repeated++;
    while (key !== undefined && !answer && !this.#closed) {
      await delay(pauseMs);
      answer = await this.#http.ask<T>("POST", path, body, key);
    }
    return answer;
  }

  async #append(ledger: string, keyed: boolean): Promise<boolean> {
    const commandId = `${ledger}.${String(this.#commands++)}.`;
    const startedMs = performance.now();
    const index = this.history.push({ do: "append", ledger, commandId, startedMs, endedMs: undefined, place: undefined }) - 1; // C1
    const answer = await this.#change<{ place: number }>(`/ledgers/${ledger}/append`, { commandId }, keyed ? commandId : undefined);
    if (!answer) return false;
    this.history[index] = { do: "append", ledger, commandId, startedMs, endedMs: performance.now(), place: answer.place };
    this.acknowledgedIds.push({ entity: ledger, id: commandId });
    return true;
  }

  async #read(ledger: string): Promise<boolean> {
    const startedMs = performance.now();
    const answer = await this.#http.ask<{ commandIds: string[] }>("GET", `/ledgers/${ledger}`);
    if (answer) this.history.push({ do: "read", ledger, startedMs, endedMs: performance.now(), seen: answer.commandIds });
    return answer !== undefined;
  }

  async #set(register: string, keyed: boolean): Promise<boolean> {
    const id = `${register}.${String(this.#commands++)}.`;
    const value: Held = this.#plan.random.below(10) === 0 ? null : id;
    const startedMs = performance.now();
    const operation = { do: "set", register, value, startedMs } as const;
    const index = this.registerHistory.push({ ...operation, endedMs: undefined }) - 1; // C1
    const answer = await this.#change<{ replaced: string }>(`/registers/${register}/set`, { value: value ?? "" }, keyed ? id : undefined);
    if (!answer) return false;
    const replaced = answer.replaced === "" ? null : answer.replaced;
    this.registerHistory[index] = { ...operation, replaced, endedMs: performance.now() };
    if (value !== null) this.acknowledgedIds.push({ entity: register, id });
    return true;
  }

  async #get(register: string): Promise<boolean> {
    const startedMs = performance.now();
    const answer = await this.#http.ask<{ held: string }>("GET", `/registers/${register}`);
    if (!answer) return false;
    const seen = answer.held === "" ? null : answer.held;
    this.registerHistory.push({ do: "get", register, seen, startedMs, endedMs: performance.now() });
    return true;
  }
}

/** One append to each of `count` entities, so that they are active while things are killed. @throws when one is not acknowledged. */
export async function touchBystanders(port: number, count: number): Promise<void> {
  const http = openHttp(port, callMaxMs);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      const name = bystander(next++);
      const answer = await http.ask<{ place: number }>("POST", `/ledgers/${name}/append`, { commandId: name });
      if (answer?.place !== 1) throw new Error(`${name} was answered ${JSON.stringify(answer)}`);
    }
  };
  await Promise.all(Array.from({ length: 64 }, worker));
  http.close();
}

export function bystander(number: number): string {
  return `b${String(number)}`;
}
