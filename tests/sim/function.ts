/**
 * Simulated user functions behind a simulated network: a ledger (event sourced) and a register (value entity), as in tests/crash. They answer late,
 * lose streams, crash alone or altogether, fail, hang, and ask for restarts, all from the seed.
 */
import { assert } from "@mecha/kit";
import {
  type Command,
  type Component,
  type ComponentMethod,
  type EntityAddress,
  type EntityInit,
  type EntityReply,
  type EntityStream,
  type EntityStreamEvents,
  firingMetadata,
  type FunctionPort,
  type Payload,
  type SideEffect,
  type TimerAction,
} from "@mecha/state";
import type { BellEvent } from "../crash/bells.ts";
import type { Held } from "../crash/registers.ts";
import type { Chance } from "./chance.ts";
import type { SimProcess } from "./process.ts";

export const ledgerService = "sim.Ledger";
export const registerService = "sim.Register";
export const bellService = "sim.Bell";

/** What can be asked of an entity. */
export type Ask =
  | {
      readonly do: "append";
      readonly entity: string;
      readonly commandId: string;
      /** An effect: another ledger is to append too. */
      readonly tell?: { readonly entity: string; readonly commandId: string; readonly synchronous: boolean };
    }
  /** A forward: another ledger appends and answers in its place. */
  | { readonly do: "pass"; readonly entity: string; readonly to: string; readonly commandId: string }
  | { readonly do: "read"; readonly entity: string }
  | { readonly do: "set"; readonly entity: string; readonly value: Held }
  | { readonly do: "get"; readonly entity: string }
  /** A timer of the bell, due at a wall time, then every so often. */
  | { readonly do: "setTimer"; readonly entity: string; readonly timer: string; readonly dueMs: number; readonly everyMs?: number }
  | { readonly do: "cancelTimer"; readonly entity: string; readonly timer: string }
  /** What its timers send. */
  | { readonly do: "ring"; readonly entity: string; readonly firing?: Pick<Ring, "timer" | "dueMs" | "number"> };

type Ring = Extract<BellEvent, { did: "ring" }>;

/** What is answered: `place` to an append, `list` to a read, `held` to a get, and what a set replaced. */
export interface Told {
  readonly place?: number;
  readonly list?: readonly string[];
  readonly held?: Held;
}

/** A failure by the function itself. */
export const functionSaysNo = "the function says no";

const utf8 = new TextEncoder();
const text = new TextDecoder();

function packed(value: unknown): Payload {
  return { typeUrl: "type.googleapis.com/sim.Text", value: utf8.encode(JSON.stringify(value)) };
}
export function unpacked<T>(payload: Payload | undefined): T {
  return JSON.parse(text.decode(payload?.value)) as T;
}
/** `key`: idempotency key (E9). */
export function commandOf(ask: Ask, key: string | undefined): Command {
  return { name: "Do", payload: packed(ask), ...(key !== undefined && { id: key }) };
}
/** What a command asks, with the firing it is. */
function askOf({ payload, about }: Command): Ask {
  const ask = unpacked<Ask>(payload);
  if (ask.do !== "ring" || about === undefined) return ask;
  const told = Object.fromEntries(about);
  const dueMs = Date.parse(String(told[firingMetadata.due]));
  return { ...ask, firing: { timer: String(told[firingMetadata.timer]), dueMs, number: Number(told[firingMetadata.number]) } };
}

export function serviceOf(ask: Ask): string {
  if (ask.do === "setTimer" || ask.do === "cancelTimer" || ask.do === "ring") return bellService;
  return ask.do === "set" || ask.do === "get" ? registerService : ledgerService;
}

/** The components of a function. */
export function componentsOf(port: FunctionPort): Component[] {
  const method: ComponentMethod = {
    name: "Do",
    streamedIn: false,
    streamedOut: false,
    inputTypeUrl: "type.googleapis.com/sim.Text",
    outputTypeUrl: "type.googleapis.com/sim.Text",
    entityId: (message) => (JSON.parse(text.decode(message)) as Ask).entity,
  };
  const common = { methods: new Map([[method.name, method]]), passivationMs: undefined, function: port };
  return [
    { ...common, kind: "eventSourced", service: ledgerService, persistenceId: "ledger" },
    { ...common, kind: "value", service: registerService, persistenceId: "register" },
    { ...common, kind: "eventSourced", service: bellService, persistenceId: "bell" },
  ];
}

/** The function's process. */
export class SimFunction implements FunctionPort {
  readonly #streams = new Map<string, SimStream>();
  readonly window: number;
  /** The process of the engine that talks to it: what it hears arrives there. */
  readonly #peer: SimProcess;
  readonly #chance: Chance;
  #down = false;

  constructor(peer: SimProcess, chance: Chance) {
    this.#peer = peer;
    this.#chance = chance;
    this.window = chance.pick(1, 2, 3, 8);
  }

  get liveStreams(): number {
    return [...this.#streams.values()].filter(({ live }) => live).length;
  }

  openEntity(address: EntityAddress, init: EntityInit, events: EntityStreamEvents): EntityStream {
    const key = `${address.service}/${address.entityId}`;
    assert(this.#streams.get(key)?.live !== true, `two streams for ${key} (E8)`);
    const stream = new SimStream(this.#peer, this.#chance, init, events, () => this.crash());
    this.#streams.set(key, stream);
    if (this.#down) this.#peer.after(0, () => stream.refuse());
    return stream;
  }
  openAction(): never {
    throw new Error("assertion failed: the simulation has no actions");
  }
  reportError(): void {}

  /** The process ends, every stream with it, and comes back a little later. */
  crash(): void {
    if (this.#down) return;
    this.#down = true;
    for (const stream of this.#streams.values()) stream.lose();
    this.#peer.after(this.#chance.below(120), () => (this.#down = false));
  }
}

class SimStream implements EntityStream {
  readonly #peer: SimProcess;
  readonly #chance: Chance;
  readonly #events: EntityStreamEvents;
  readonly #crash: () => void;
  readonly #isLedger: boolean;
  readonly #list: string[] = [];
  /** Commands without an answer, in the order they came; it works on the first. */
  readonly #commands: { readonly id: number; readonly ask: Ask }[] = [];
  #sequence = 0;
  #held: Held = null;
  live = true;

  constructor(peer: SimProcess, chance: Chance, init: EntityInit, events: EntityStreamEvents, crash: () => void) {
    this.#peer = peer;
    this.#chance = chance;
    this.#events = events;
    this.#crash = crash;
    this.#isLedger = init.kind === "eventSourced";
    if (init.kind === "value") this.#held = init.value === undefined ? null : unpacked<string>(init.value);
    else if (init.snapshot) {
      this.#sequence = init.snapshot.sequence;
      this.#list.push(...unpacked<string[]>(init.snapshot.payload));
    }
  }

  event(sequence: number, payload: Payload): boolean {
    assert(this.live && this.#isLedger, "an event on a dead stream, or for a value");
    assert(sequence === ++this.#sequence, `event ${sequence} is not the next`);
    this.#list.push(unpacked<string>(payload)); // of a bell: what it noted
    if (!this.#chance.oneIn(4)) return true;
    this.#later(() => this.#events.drain());
    return false;
  }

  command(id: number, command: Command): void {
    assert(this.live, "a command on a dead stream");
    if (this.#commands.push({ id, ask: askOf(command) }) === 1) this.#work();
  }

  /** Works on the first command, and on those behind it that are quick in the same turn. */
  #work(): void {
    this.#later(() => {
      do {
        const command = this.#commands[0];
        if (command === undefined || !this.#answer(command.id, command.ask)) return;
        this.#commands.shift();
      } while (this.live && this.#chance.oneIn(2));
      if (this.#commands.length > 0) this.#work();
    });
  }

  halfClose(): void {
    if (this.#chance.oneIn(this.#chance.weather.functionFault)) return; // never ends its side
    this.#later(() => this.#end(undefined));
  }

  reset(): void {
    this.live = false;
  }

  /** The connection was lost. */
  lose(): void {
    if (this.live) this.#end("connection lost");
  }

  /** Nobody listens: nothing reached the function. */
  refuse(): void {
    if (!this.live) return;
    this.live = false;
    this.#events.closed("refused", true);
  }

  #later(what: () => void): void {
    this.#peer.after(this.#chance.below(10), () => {
      if (this.live) what();
    });
  }

  #end(reason: string | undefined): void {
    this.live = false;
    this.#peer.deliver(() => this.#events.closed(reason));
  }

  /** `false`: it does no more on this stream. */
  #answer(id: number, ask: Ask): boolean {
    const misbehaves = this.#chance.oneIn(this.#chance.weather.functionFault);
    if (misbehaves) this.#misbehave(id, ask);
    else this.#events.reply({ commandId: id, ...this.#handle(ask) });
    return !misbehaves;
  }

  #misbehave(id: number, ask: Ask): void {
    switch (this.#chance.below(6)) {
      case 0:
        this.#end("stream lost");
        return;
      case 1:
        this.#crash();
        return;
      case 2:
        this.#events.failure({ commandId: id, description: "failed" });
        return;
      case 3:
        this.live = false;
        this.#events.violation("nonsense");
        return;
      case 4:
        // Changes something, then says no: what it changed must not be kept, and its memory is wrong.
        this.#events.reply({
          ...this.#handle(ask),
          commandId: id,
          action: { do: "fail", description: functionSaysNo, restart: true },
          effects: [],
          timers: [],
        });
        return;
      default: // hangs
    }
  }

  #handle(ask: Ask): Omit<EntityReply, "commandId"> {
    switch (ask.do) {
      case "setTimer": {
        const { entity, timer: name, dueMs, everyMs } = ask;
        const schedule = { atMs: dueMs, ...(everyMs !== undefined && { everyMs }) };
        const timer = { do: "set", name, schedule, command: "Do", payload: packed({ do: "ring", entity } satisfies Ask) } as const;
        return this.#note({ did: "set", timer: name, dueMs, everyMs }, timer);
      }
      case "cancelTimer":
        return this.#note({ did: "cancel", timer: ask.timer }, { do: "cancel", name: ask.timer });
      case "ring":
        return this.#note({ did: "ring", timer: "nobody's", dueMs: 0, number: 0, ...ask.firing, atMs: this.#peer.wall() });
      case "append":
        return this.#append(ask);
      case "pass": {
        const { commandId, to } = ask;
        const payload = packed({ do: "append", entity: to, commandId } satisfies Ask);
        return { action: { do: "forward", service: ledgerService, command: "Do", payload }, effects: [], events: [] };
      }
      case "read":
        return reply({ list: this.#list });
      case "get":
        return reply({ held: this.#held });
      case "set": {
        const before = this.#held;
        this.#held = ask.value;
        return {
          ...reply({ held: before }),
          state: ask.value === null ? { do: "delete" } : { do: "update", value: packed(ask.value) },
        };
      }
    }
  }

  /** A bell's event, and what it does to its timers. */
  #note(event: BellEvent, timer?: TimerAction): Omit<EntityReply, "commandId"> {
    this.#sequence++;
    return { ...reply({}), events: [packed(event)], ...(timer && { timers: [timer] }) };
  }

  #append({ commandId, tell }: Extract<Ask, { readonly do: "append" }>): Omit<EntityReply, "commandId"> {
    this.#list.push(commandId);
    this.#sequence++;
    return {
      ...reply({ place: this.#list.length }),
      effects: tell ? [effectOf(tell)] : [],
      events: [packed(commandId)],
      ...(this.#chance.oneIn(5) ? { snapshot: packed(this.#list) } : {}),
    };
  }
}

function reply(told: Told): Omit<EntityReply, "commandId"> {
  return { action: { do: "reply", payload: packed(told) }, effects: [], events: [] };
}

function effectOf({ entity, commandId, synchronous }: NonNullable<Extract<Ask, { readonly do: "append" }>["tell"]>): SideEffect {
  const payload = packed({ do: "append", entity, commandId } satisfies Ask);
  return { service: ledgerService, command: "Do", payload, synchronous };
}
