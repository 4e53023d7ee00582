/**
 * Runs one consumer group: carries out what its machine decides. One object for each group and source in a process that holds the store alone, so a group
 * has one consumer at a time.
 *
 * C1 after `stop` has resolved nothing is sent and nothing saved any more
 * C2 a failure is one line in the log, with who takes the event, the entity it is about and the cause: at the first attempt, and when the event is parked
 */
import { type CancelTimer, type Clock, explain, type Fault, type Log } from "@mecha/kit";
import type { BoundEvent, EventSourceReader } from "../event.ts";
import type { DeliveryLimits } from "./limits.ts";
import { type Action, DeliveryMachine } from "./machine.ts";

/** What became of one delivery. */
export type Outcome =
  | { readonly is: "delivered" }
  /** No method of the group takes its type. */
  | { readonly is: "skipped" }
  | { readonly is: "failed"; readonly fault: Fault }
  /** It could not be tried. */
  | { readonly is: "held" };

/** Hears what a consumer does. */
export interface ConsumerMeters {
  delivered(): void;
  skipped(): void;
  retried(): void;
  parked(): void;
  /** After every change. */
  lag(events: number): void;
}

export interface ConsumerPorts {
  readonly subscriber: string;
  readonly reader: EventSourceReader;
  readonly limits: DeliveryLimits;
  readonly clock: Clock;
  readonly log: Log;
  readonly meters: ConsumerMeters;
  /** Whether the consumer can be reached now. `wake` tells of a change. */
  ready(): boolean;
  /** For the log, who takes an event and what it is about: `service`, `command`, `entity`. */
  about(event: BoundEvent): Readonly<Record<string, unknown>>;
  /** Delivers; calls back once, also at once. */
  deliver(event: BoundEvent, done: (outcome: Outcome) => void): void;
}

/** See the file's header. */
export class Consumer {
  readonly #ports: ConsumerPorts;
  #machine: DeliveryMachine | undefined;
  #timer: CancelTimer | undefined;
  #timerMs = Infinity;
  #turning = false;
  #stopped: (() => void) | undefined;
  #over = false;

  /** Starts at the stored cursor. */
  constructor(ports: ConsumerPorts) {
    this.#ports = ports;
    this.#begin();
  }

  /** Events that are there and not done, at most; `undefined` before the cursor is read. */
  get lag(): number | undefined {
    return this.#machine?.lag;
  }
  /** Position of its cursor as it was stored last; `undefined` before it is read. */
  get position(): number | undefined {
    return this.#machine?.position;
  }
  /** Positions up to here it has read; 0 before its cursor is. */
  get readTo(): number {
    return this.#machine?.readTo ?? 0;
  }
  get sending(): number {
    return this.#machine?.sending ?? 0;
  }

  #begin(): void {
    const { reader, subscriber, limits, log, clock } = this.#ports;
    reader.cursors.cursor(subscriber).then(
      (cursor) => {
        this.#machine = new DeliveryMachine(cursor, limits);
        if (this.#stopped !== undefined) this.#machine.stop();
        this.#turn();
      },
      (cause: unknown) => {
        if (this.#over || this.#stopped !== undefined) return this.#end();
        log.warn("cursor of a consumer group could not be read; it is tried again", { subscriber, cause });
        this.#timer = clock.after(limits.storePauseMs, () => this.#begin());
      },
    );
  }

  /** There may be new events, or the consumer may be reachable again. */
  wake(): void {
    this.#machine?.wake();
    this.#turn();
  }

  /** Sends no more, waits for what is under way, saves the cursor. May be called twice. */
  stop(): Promise<void> {
    this.#machine?.stop();
    return new Promise((resolve) => {
      const before = this.#stopped;
      this.#stopped = () => {
        before?.();
        resolve();
      };
      this.#turn();
    });
  }

  /** Does what the machine asks, from an empty stack: deliveries may answer at once, and thousands of them must not nest. */
  #turn(): void {
    if (this.#turning) return;
    this.#turning = true;
    queueMicrotask(() => {
      this.#turning = false;
      this.#run();
    });
  }

  #run(): void {
    const machine = this.#machine;
    if (machine === undefined || this.#over) {
      if (this.#over) this.#end();
      return;
    }
    const { clock, meters } = this.#ports;
    for (const action of machine.next(clock.monotonic(), this.#ports.ready())) this.#do(machine, action);
    meters.lag(machine.lag);
    if (this.#stopped !== undefined && machine.settled) this.#end();
  }

  #end(): void {
    this.#over = true; // keeps C1
    this.#timer?.();
    this.#stopped?.();
    this.#stopped = undefined;
  }

  #do(machine: DeliveryMachine, action: Action): void {
    const { reader, subscriber, clock, log } = this.#ports;
    switch (action.do) {
      case "read":
        reader.read(action.after, action.limit).then(
          (page) => this.#heard(() => machine.page(page, clock.monotonic())),
          (cause: unknown) => this.#heard(() => this.#unread(machine, cause)),
        );
        return;
      case "send":
        this.#send(machine, action.event);
        return;
      case "save":
        reader.cursors.advance(subscriber, action.cursor, action.parked).then(
          () => this.#heard(() => machine.saved()),
          (cause: unknown) => {
            log.warn("cursor of a consumer group could not be saved; it is tried again", { subscriber, cause });
            this.#heard(() => this.#unsaved(machine));
          },
        );
        return;
      case "wait":
        this.#wait(action.untilMs);
    }
  }

  #heard(tell: () => void): void {
    tell();
    this.#turn();
  }

  #unread(machine: DeliveryMachine, cause: unknown): void {
    const { log, subscriber, clock } = this.#ports;
    machine.unread(clock.monotonic());
    if (this.#stopped === undefined) log.warn("events could not be read; it is tried again", { subscriber, cause });
  }

  /** While closing there is no later attempt: what was done is done again by the next process. */
  #unsaved(machine: DeliveryMachine): void {
    if (this.#stopped === undefined) machine.unsaved(this.#ports.clock.monotonic());
    else this.#end();
  }

  #wait(untilMs: number): void {
    const { clock } = this.#ports;
    if (this.#timer !== undefined && this.#timerMs <= untilMs) return;
    this.#timer?.();
    this.#timerMs = untilMs;
    this.#timer = clock.after(untilMs - clock.monotonic(), () => {
      this.#timer = undefined;
      this.#timerMs = Infinity;
      this.#turn();
    });
  }

  #send(machine: DeliveryMachine, event: BoundEvent): void {
    this.#ports.deliver(event, (outcome) => this.#heard(() => this.#came(machine, event, outcome)));
  }

  #came(machine: DeliveryMachine, event: BoundEvent, outcome: Outcome): void {
    const { clock, meters } = this.#ports;
    const nowMs = clock.monotonic();
    if (outcome.is === "failed") this.#failed(machine, event, outcome.fault);
    else if (outcome.is === "held") machine.held(event, nowMs);
    else {
      machine.delivered(event, nowMs);
      meters[outcome.is]();
    }
  }

  #failed(machine: DeliveryMachine, event: BoundEvent, fault: Fault): void {
    const { clock, log, meters, subscriber } = this.#ports;
    const failure = `${fault.code}: ${explain(fault)}`;
    const { attempts, parked } = machine.failed(event, { fault, failure }, { nowMs: clock.monotonic(), wallMs: clock.wall() });
    const fields = {
      subscriber,
      ...this.#ports.about(event),
      source: event.source,
      event: event.id,
      type: event.payload.typeUrl,
      attempts,
      cause: fault,
    };
    if (parked) {
      meters.parked();
      log.error("event was parked; `mecha events parked` shows it", fields);
    } else {
      meters.retried();
      if (attempts === 1) log.warn("event could not be delivered; it is tried again", fields); // keeps C2
    }
  }
}
