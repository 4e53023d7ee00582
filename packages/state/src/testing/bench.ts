/** An engine on a fake clock with one scripted function, and what tests ask of it. */
import { FakeClock, MemoryLog, SeededRandom, settle } from "@mecha/kit/testing";
import { type Fault, type Metrics, noMetrics } from "@mecha/kit";
import type { StateEngine } from "../engine.ts";
import type { Change, EngineOptions } from "../limits.ts";
import type { CallContext, Command, Component, Reply } from "../model.ts";
import { openEngine } from "../open.ts";
import { command, component, type Script, ScriptedFunction, textOf } from "./function.ts";
import { ScriptedStore } from "./store.ts";

/** A call and what came of it. */
export interface Asked {
  fault: Fault | undefined;
  reply: Reply | undefined;
  answers: number;
  /** The reply's text, or `code: message`, or `open`. */
  readonly outcome: string;
}

/** See the file's header. */
export class Bench implements AsyncDisposable {
  readonly clock: FakeClock;
  readonly log = new MemoryLog();
  readonly store: ScriptedStore;
  readonly function: ScriptedFunction;
  readonly engine: StateEngine;
  readonly changes: Change[] = [];
  readonly fatal: Fault[] = [];

  /** @param before whose store and clock go on: the process after that one; and where metrics go. */
  constructor(
    script: Script = {},
    options: EngineOptions = {},
    components?: (port: ScriptedFunction) => readonly Component[],
    before?: Partial<Pick<Bench, "clock" | "store">> & { readonly metrics?: Metrics },
  ) {
    this.clock = before?.clock ?? new FakeClock();
    this.store = before?.store ?? new ScriptedStore();
    this.function = new ScriptedFunction(script);
    this.engine = openEngine({
      store: this.store,
      clock: this.clock,
      random: new SeededRandom(1),
      log: this.log,
      metrics: before?.metrics ?? noMetrics,
      options: { observe: (change) => this.changes.push(change), onFatal: (fault) => this.fatal.push(fault), ...options },
    });
    this.engine.setComponents(components?.(this.function) ?? [component(this.function)]);
  }

  /** Sends a command; does not wait. */
  send(sent: Command, context: Partial<CallContext> = {}, service = "shop.Cart"): Asked {
    const asked = {
      fault: undefined as Fault | undefined,
      reply: undefined as Reply | undefined,
      answers: 0,
      get outcome(): string {
        if (this.fault !== undefined) return `${this.fault.code}: ${this.fault.message}`;
        return this.answers === 0 ? "open" : textOf(this.reply?.payload);
      },
    };
    this.engine.call(service, sent, { hops: 0, ...context }, (fault, reply) => {
      asked.fault = fault;
      asked.reply = reply;
      asked.answers++;
    });
    return asked;
  }

  /** Sends `body` to an entity of shop.Cart and lets everything settle. */
  async ask(entityId: string, body: string, context: Partial<CallContext> = {}): Promise<Asked> {
    const asked = this.send(command(entityId, body), context);
    await settle();
    return asked;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
  }
}
