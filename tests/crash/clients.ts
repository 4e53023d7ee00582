/**
 * Clients that append to ledgers, set registers, add to counters and set timers without pause, and write down what they see.
 *
 * C1 they note what they ask before asking and what they hear as soon as they hear it; a call that got no answer stays "may have happened"
 * C2 every other client sends an idempotency key (not to counters, E13) and asks again until it is answered: then the command must be there exactly once
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "@mecha/kit";
import { eventually } from "../support/program.ts";
import { type Acknowledged, Asking, callMaxMs, pauseMs } from "./asking.ts";
import { BellClients, judgeBells } from "./bell-clients.ts";
import { CounterClients } from "./counter-clients.ts";
import { type Breach, check, checkMirrors, type Operation } from "./history.ts";
import { openHttp } from "./http.ts";
import { checkRegisters, type Held, type RegisterOperation } from "./registers.ts";

/** Who asks whom. Names must be unused before. */
export interface ClientPlan {
  readonly port: number;
  readonly random: Random;
  readonly ledgers: readonly string[];
  readonly registers: readonly string[];
  readonly bells?: readonly string[];
  readonly counters?: readonly string[];
  readonly clients: number;
  /** Number of the first command; default 0. Clients beside others that use the same names have another. */
  readonly firstCommand?: number;
}

export class Clients implements Disposable {
  readonly history: Operation[] = [];
  readonly registerHistory: RegisterOperation[] = [];
  readonly #plan: ClientPlan;
  readonly #asking: Asking;
  readonly #bells: BellClients;
  readonly #counters: CounterClients;
  #running: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(plan: ClientPlan) {
    this.#plan = plan;
    this.#asking = new Asking(plan.port, plan.firstCommand);
    this.#bells = new BellClients(this.#asking, plan.random, plan.bells ?? []);
    this.#counters = new CounterClients(this.#asking, plan.random, plan.counters ?? []);
  }

  /** Commands with an id that changed something and were acknowledged, in the order of hearing. */
  get acknowledgedIds(): readonly Acknowledged[] {
    return this.#asking.acknowledged;
  }
  get acknowledged(): number {
    return this.#asking.acknowledged.length + this.#counters.acknowledged;
  }
  get unanswered(): number {
    const noted = [...this.history, ...this.registerHistory].filter(({ endedMs }) => endedMs === undefined).length;
    return noted + this.#bells.unanswered + this.#counters.unanswered;
  }
  /** Commands with a key that were asked more than once. */
  get repeated(): number {
    return this.#asking.repeated;
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
    this.#asking[Symbol.dispose]();
  }

  /** Waits until so many more commands have been acknowledged. */
  more(count: number): Promise<unknown> {
    const enough = this.acknowledged + count;
    return eventually(`${String(count)} more commands are acknowledged`, () => this.acknowledged >= enough);
  }

  /** All breaches but those of bells, by what can be read at the end. */
  async judge(): Promise<readonly Breach[]> {
    const stored = new Map<string, readonly string[]>();
    for (const ledger of this.#plan.ledgers) stored.set(ledger, await this.readLedger(ledger));
    const held = new Map<string, Held>();
    for (const register of this.#plan.registers) {
      const answer = await this.#asking.untilRead<{ held: string }>(`/registers/${register}`);
      held.set(register, answer.held === "" ? null : answer.held);
    }
    const mirrors = new Map<string, readonly string[]>();
    for (const [ledger, list] of stored) mirrors.set(ledger, await this.#readMirror(ledger, list.length));
    const counters = await this.#counters.judge();
    return [...check(this.history, stored), ...checkMirrors(stored, mirrors), ...checkRegisters(this.registerHistory, held), ...counters];
  }

  /** Breaches of bells: once what is due has fired, so at any time from the clients' end on, also after `dispose`. */
  judgeBells(): Promise<readonly Breach[]> {
    return judgeBells(this.#plan.port, this.#bells.bells, this.acknowledgedIds);
  }

  async readLedger(ledger: string): Promise<readonly string[]> {
    return (await this.#asking.untilRead<{ commandIds: string[] }>(`/ledgers/${ledger}`)).commandIds;
  }

  /** A ledger's mirror, once it has as many entries, or nothing comes any more. */
  async #readMirror(ledger: string, entries: number): Promise<readonly string[]> {
    const read = async (): Promise<readonly string[]> =>
      (await this.#asking.untilRead<{ commandIds: string[] }>(`/mirrors/${ledger}`)).commandIds;
    const complete = async (): Promise<readonly string[] | undefined> => {
      const list = await read();
      return list.length >= entries ? list : undefined;
    };
    return eventually(`the mirror of ${ledger} is complete`, complete).catch(read);
  }

  async #client(keyed: boolean): Promise<void> {
    while (!this.#stopped) {
      // Nobody is there right after a kill: do not spin on refused connections.
      if (!(await this.#once(keyed))) await delay(pauseMs);
    }
  }

  #once(keyed: boolean): Promise<boolean> {
    const { random, ledgers, registers, bells = [], counters = [] } = this.#plan;
    const other = random.below(6);
    if (other === 0 && bells.length > 0) return this.#bells.once(keyed);
    if (other === 1 && counters.length > 0) return this.#counters.once();
    const register = registers[random.below(Math.max(1, registers.length))];
    const ledger = ledgers[random.below(ledgers.length)] ?? "";
    const reads = random.below(5) === 0;
    if (register !== undefined && random.below(3) === 0) return reads ? this.#get(register) : this.#set(register, keyed);
    return reads ? this.#read(ledger) : this.#append(ledger, keyed);
  }

  async #append(ledger: string, keyed: boolean): Promise<boolean> {
    const commandId = this.#asking.nextId(ledger);
    const startedMs = performance.now();
    const index = this.history.push({ do: "append", ledger, commandId, startedMs, endedMs: undefined, place: undefined }) - 1; // C1
    const answer = await this.#asking.change<{ place: number }>(`/ledgers/${ledger}/append`, { commandId }, keyed ? commandId : undefined);
    if (!answer) return false;
    this.history[index] = { do: "append", ledger, commandId, startedMs, endedMs: performance.now(), place: answer.place };
    this.#asking.acknowledged.push({ entity: ledger, id: commandId, stored: "event" });
    return true;
  }

  async #read(ledger: string): Promise<boolean> {
    const startedMs = performance.now();
    const answer = await this.#asking.read<{ commandIds: string[] }>(`/ledgers/${ledger}`);
    if (answer) this.history.push({ do: "read", ledger, startedMs, endedMs: performance.now(), seen: answer.commandIds });
    return answer !== undefined;
  }

  async #set(register: string, keyed: boolean): Promise<boolean> {
    const id = this.#asking.nextId(register);
    const value: Held = this.#plan.random.below(10) === 0 ? null : id;
    const startedMs = performance.now();
    const operation = { do: "set", register, value, startedMs } as const;
    const index = this.registerHistory.push({ ...operation, endedMs: undefined }) - 1; // C1
    const answer = await this.#asking.change<{ replaced: string }>(
      `/registers/${register}/set`,
      { value: value ?? "" },
      keyed ? id : undefined,
    );
    if (!answer) return false;
    const replaced = answer.replaced === "" ? null : answer.replaced;
    this.registerHistory[index] = { ...operation, replaced, endedMs: performance.now() };
    if (value !== null) this.#asking.acknowledged.push({ entity: register, id, stored: "value" });
    return true;
  }

  async #get(register: string): Promise<boolean> {
    const startedMs = performance.now();
    const answer = await this.#asking.read<{ held: string }>(`/registers/${register}`);
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
