/**
 * Clients of the simulation: each sends one operation after the other and writes down what it sees, in the words of the judges of tests/crash.
 * A time is a count of what happened: no two are equal, so "before" is never in doubt.
 */
import type { Fault } from "@mecha/kit";
import type { StateEngine } from "@mecha/state";
import type { Operation } from "../crash/history.ts";
import type { Held, RegisterOperation } from "../crash/registers.ts";
import type { Chance } from "./chance.ts";
import type { SimClock } from "./clock.ts";
import { type Ask, commandOf, functionSaysNo, serviceOf, type Told, unpacked } from "./function.ts";
import type { SimProcess } from "./process.ts";

/** Where a client sends to. */
export interface Target {
  readonly engine: StateEngine;
  readonly process: SimProcess;
}

/** Ledgers and registers that exist: few, so that clients meet. */
export const ledgers = ["l0", "l1", "l2", "l3", "l4"];
export const registers = ["r0", "r1", "r2"];
export const bells = ["b0", "b1"];
const timers = ["t0", "t1", "t2"];
/** Longest pause between two operations of a client, ms. */
const thinkMaxMs = 30;

/** How often a command with a key is sent again while nobody knows whether it was applied. */
const triesMax = 6;

/** What a client hears: an answer, a refusal, or nothing. */
type Heard = { readonly is: "told"; readonly told: Told } | { readonly is: "notApplied" } | { readonly is: "nothing" };

interface Open {
  readonly ask: Ask;
  readonly target: Target;
  answers: number;
  readonly done: (heard: Heard) => void;
}

/**
 * Failures that promise that nothing happened: such an operation must leave no trace. A function that says no takes back what it did to a
 * ledger (restart=true); to a value it cannot. Of a forward that is stored nobody says so: it is sent again (E10).
 */
function saysNotApplied({ message }: Fault, { do: what }: Ask): boolean {
  return (
    message.includes("not applied") ||
    (message === functionSaysNo && what !== "set") ||
    /^Unexpected (Value )?entity/.test(message) ||
    /^(Value e|E)ntity terminated$/.test(message) ||
    message === "Error recovering event log"
  );
}

export class Clients {
  readonly history: Operation[] = [];
  readonly registerHistory: RegisterOperation[] = [];
  /** What broke, in words, that no judge of histories sees. */
  readonly problems: string[] = [];
  /** Effects of acknowledged commands: each must come about, in the end (E10). */
  readonly told: { readonly ledger: string; readonly commandId: string }[] = [];
  acknowledged = 0;
  timersSet = 0;
  refused = 0;
  readonly #clock: SimClock;
  readonly #chance: Chance;
  readonly #open = new Set<Open>();
  #events = 0;
  #commands = 0;

  constructor(clock: SimClock, chance: Chance) {
    this.#clock = clock;
    this.#chance = chance;
  }

  get waiting(): number {
    return this.#open.size;
  }

  /** One client: asks `operations` times, of whatever `target` says then. */
  async run(operations: number, target: () => Target): Promise<void> {
    for (let left = operations; left > 0; left--) {
      await this.#think();
      await this.#perform(this.#plan(), target);
    }
  }

  /** Reads everything once, as the last of all. */
  async readAll(target: () => Target): Promise<void> {
    for (const entity of ledgers) await this.#perform({ do: "read", entity }, target);
    for (const entity of registers) await this.#perform({ do: "get", entity }, target);
  }

  /** The process is gone: who waits for it hears nothing any more. */
  cutOff(process: SimProcess): void {
    for (const open of this.#open) {
      if (open.target.process === process) this.#end(open);
    }
  }

  #think(): Promise<void> {
    return new Promise((resolve) => this.#clock.after(this.#chance.below(thinkMaxMs), resolve));
  }

  #plan(): Ask {
    const entity = this.#chance.pick(...ledgers);
    const commandId = `c${String(this.#commands++)}`;
    switch (this.#chance.below(12)) {
      case 10:
        return this.#planTimer(this.#chance.pick(...bells), this.#chance.pick(...timers));
      case 11:
        if (this.#chance.oneIn(3)) return { do: "cancelTimer", entity: this.#chance.pick(...bells), timer: this.#chance.pick(...timers) };
        return this.#planTimer(this.#chance.pick(...bells), this.#chance.pick(...timers));
      case 0:
      case 1:
        return { do: "read", entity };
      case 2:
        return { do: "get", entity: this.#chance.pick(...registers) };
      case 3:
      case 4:
        return { do: "set", entity: this.#chance.pick(...registers), value: this.#chance.oneIn(8) ? null : commandId };
      case 5:
        return { do: "pass", entity, to: this.#chance.pick(...ledgers), commandId };
      case 6: {
        const tell = { entity: this.#chance.pick(...ledgers), commandId: `${commandId}/e`, synchronous: this.#chance.oneIn(2) };
        return { do: "append", entity, commandId, tell };
      }
      default:
        return { do: "append", entity, commandId };
    }
  }

  /** Due soon, or a little past; one in three goes on. */
  #planTimer(entity: string, timer: string): Ask {
    const dueMs = this.#clock.wall() + this.#chance.below(400);
    const everyMs = this.#chance.oneIn(3) ? { everyMs: 2_000 + this.#chance.below(4_000) } : {};
    return { do: "setTimer", entity, timer, dueMs, ...everyMs };
  }

  /** One operation. With a key it is sent again, as often as it takes, and must happen once all the same (E9). */
  async #perform(ask: Ask, target: () => Target): Promise<void> {
    const startedMs = ++this.#events;
    const key = this.#keyOf(ask);
    let unsure = false;
    for (let left = key === undefined ? 1 : triesMax; left > 0; left--) {
      const heard = await this.#send(ask, key, target());
      if (heard.is === "told") {
        this.#note(ask, startedMs, heard.told);
        return;
      }
      // Said not to be applied, and never sent before: as if it had not been sent. Its trace would be one "nobody sent".
      if (heard.is === "notApplied" && !unsure) return;
      unsure = true;
      await this.#think();
    }
    this.#note(ask, startedMs, undefined);
  }

  /** Of most commands that change something. */
  #keyOf(ask: Ask): string | undefined {
    if (ask.do === "read" || ask.do === "get" || this.#chance.oneIn(3)) return undefined;
    return !("commandId" in ask) ? `s${String(this.#commands++)}` : ask.commandId;
  }

  #send(ask: Ask, key: string | undefined, target: Target): Promise<Heard> {
    return new Promise((resolve) => {
      const open: Open = { ask, target, answers: 0, done: resolve };
      this.#open.add(open);
      const deadline = this.#chance.oneIn(8) ? { deadlineMs: this.#clock.nowMs + 1 + this.#chance.below(150) } : {};
      const answered = (fault: Fault | undefined, payload: Told | undefined): void => {
        if (!target.process.dead) this.#answered(open, fault, payload);
      };
      target.process.deliver(() =>
        target.engine.call(serviceOf(ask), commandOf(ask, key), { hops: 0, ...deadline }, (fault, reply) =>
          answered(fault, reply && unpacked<Told>(reply.payload)),
        ),
      );
    });
  }

  #answered(open: Open, fault: Fault | undefined, told: Told | undefined): void {
    if (++open.answers > 1) this.problems.push(`${JSON.stringify(open.ask)} was answered ${String(open.answers)} times`);
    if (!this.#open.delete(open)) return;
    if (told) this.acknowledged++;
    if (fault) this.refused++;
    if (told) open.done({ is: "told", told });
    else open.done({ is: fault && saysNotApplied(fault, open.ask) ? "notApplied" : "nothing" });
  }

  /** No answer, ever. */
  #end(open: Open): void {
    this.#open.delete(open);
    open.done({ is: "nothing" });
  }

  /** `told` undefined: nobody knows whether it happened. */
  #note(ask: Ask, startedMs: number, told: Told | undefined): void {
    const endedMs = told ? ++this.#events : undefined;
    switch (ask.do) {
      case "append":
        this.#noteAppend(ask.entity, ask.commandId, startedMs, endedMs, told?.place);
        // Whether and when the other ledger was told is not answered.
        if (ask.tell && told) this.told.push({ ledger: ask.tell.entity, commandId: ask.tell.commandId });
        if (ask.tell) this.#noteAppend(ask.tell.entity, ask.tell.commandId, startedMs, undefined, undefined);
        return;
      case "pass":
        this.#noteAppend(ask.to, ask.commandId, startedMs, endedMs, told?.place);
        return;
      case "read":
        if (told) this.history.push({ do: "read", ledger: ask.entity, startedMs, endedMs, seen: told.list });
        return;
      case "set":
        this.registerHistory.push({ do: "set", register: ask.entity, value: ask.value, replaced: told?.held, startedMs, endedMs });
        return;
      case "setTimer":
        if (told) this.timersSet++;
        return;
      case "cancelTimer":
      case "ring":
        return;
      case "get":
        if (endedMs !== undefined) this.#noteGet(ask.entity, told?.held ?? null, startedMs, endedMs);
        return;
    }
  }

  #noteAppend(ledger: string, commandId: string, startedMs: number, endedMs: number | undefined, place: number | undefined): void {
    this.history.push({ do: "append", ledger, commandId, startedMs, endedMs, place });
  }

  #noteGet(register: string, seen: Held, startedMs: number, endedMs: number): void {
    this.registerHistory.push({ do: "get", register, seen, startedMs, endedMs });
  }
}
