/**
 * Time travel: what an event-sourced entity would have answered at an earlier sequence. Its events up to there are replayed to the function
 * on a stream of their own, one command is asked, and everything the function wants done is dropped.
 *
 * T1 nothing is written, sent or told to anybody: events, snapshot, effects and timers of the reply are thrown away
 * T2 the live activation is not touched: it keeps its own stream and its own record
 * A handler that talks to other systems by itself cannot be kept from doing so; asking a command that only reads is the caller's part.
 */
import { type Clock, Fault } from "@mecha/kit";
import { Replay } from "./entity/replay.ts";
import type { ClientAction, Command, Component, EntityAddress, EntityReply, EntityStream, EntityStreamEvents } from "./model.ts";
import { type EntityRecord, eventsMax, type Store } from "./store.ts";

/** What to ask, of whom, when. */
export interface ShadowQuestion {
  readonly component: Component;
  readonly address: EntityAddress;
  /** The last event the entity knows; 0 = before its first. */
  readonly sequence: number;
  readonly command: Command;
}

/** What is needed to ask. */
export interface ShadowPorts {
  readonly store: Pick<Store, "open" | "events" | "release">;
  readonly clock: Clock;
}

/** Longest a shadow stream may take, replay included: as long as the engine gives a command. */
export const shadowMaxMs = 60_000;

/**
 * Asks and answers what the function said the caller should get.
 * @throws Fault("outOfRange") when the entity has not come that far; Fault("precondition") for a component without events;
 *   Fault("unavailable" | "deadline" | "unknown") when the function does not answer, with its words.
 */
export async function askShadow(question: ShadowQuestion, ports: ShadowPorts): Promise<ClientAction> {
  const { component, address, sequence } = question;
  if (component.kind !== "eventSourced") throw new Fault("precondition", `${component.service} keeps no events, so it has no past to show`);
  const record = await ports.store.open(address, "eventSourced");
  try {
    if (sequence > record.sequence)
      throw new Fault("outOfRange", `${address.entityId} has ${record.sequence} events; there is no ${sequence} to go to`);
    return await new Shadow(question, record, ports).run();
  } finally {
    ports.store.release(record.handle);
  }
}

/** One shadow stream, from its opening to its only reply. */
class Shadow implements EntityStreamEvents {
  readonly #question: ShadowQuestion;
  readonly #record: EntityRecord;
  readonly #ports: ShadowPorts;
  readonly #answered = Promise.withResolvers<ClientAction>();
  #room = Promise.withResolvers<void>();

  constructor(question: ShadowQuestion, record: EntityRecord, ports: ShadowPorts) {
    this.#question = question;
    this.#record = record;
    this.#ports = ports;
    // Settled failures are heard through `run`; one that comes while events are still read must not count as unhandled.
    this.#answered.promise.catch(() => undefined);
  }

  async run(): Promise<ClientAction> {
    const { component, address, sequence, command } = this.#question;
    const { snapshot } = this.#record;
    const from = snapshot && snapshot.sequence <= sequence ? snapshot : undefined;
    const init = { kind: "eventSourced" as const, ...(from && { snapshot: from }) };
    const stream = component.function.openEntity(address, init, this);
    const cancelTimer = this.#ports.clock.after(shadowMaxMs, () =>
      this.#fail(new Fault("deadline", `${address.entityId} did not answer from its past within ${shadowMaxMs} ms`)),
    );
    try {
      await Promise.race([this.#replay(stream, from?.sequence ?? 0), this.#answered.promise]);
      stream.command(1, command);
      return await this.#answered.promise;
    } finally {
      cancelTimer();
      stream.reset();
    }
  }

  async #replay(stream: EntityStream, from: number): Promise<void> {
    const { sequence } = this.#question;
    const replay = new Replay(from, sequence);
    const sink = { sendEvent: (at: number, payload: Parameters<EntityStream["event"]>[1]) => stream.event(at, payload) };
    for (let state = replay.state; state !== "done";) {
      if (state === "broken") throw new Fault("dataLoss", `replay of ${this.#question.address.entityId}: ${replay.problem}`);
      if (state === "blocked") {
        await Promise.race([this.#room.promise, this.#answered.promise]);
        this.#room = Promise.withResolvers();
        replay.drained();
      }
      if (replay.state === "needsPage") {
        const limit = Math.min(eventsMax, sequence - replay.replayed);
        replay.take(await this.#ports.store.events(this.#record.handle, replay.replayed, limit));
      }
      state = replay.feed(sink);
    }
  }

  #fail(fault: Fault): void {
    this.#answered.reject(fault);
  }

  reply({ action }: EntityReply): void {
    this.#answered.resolve(action); // keeps T1: the rest of the reply is dropped here
  }

  failure({ description }: { readonly description: string }): void {
    this.#fail(new Fault("unknown", description));
  }

  violation(problem: string): void {
    this.#fail(new Fault("internal", problem));
  }

  drain(): void {
    this.#room.resolve();
  }

  closed(reason?: string): void {
    this.#fail(new Fault("unavailable", reason ?? "the function ended the stream before it answered"));
  }
}
