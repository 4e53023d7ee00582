/**
 * Who may be active and who may load, for all entities of one engine.
 *
 * Invariants
 * A1 at most `activeEntitiesMax` entities hold a place; one gets it in the order of asking
 * A2 at most `activationsMax` of them load or replay at once
 * A3 when no place is free, one more resting entity is passivated for each that waits, least recently used first; when none rests, who
 *    asks is refused (E8)
 */
import { Fault } from "@mecha/kit";
import { type Member, MemberList } from "../list.ts";

/** An entity, as far as places go. */
export interface Occupant extends Member<Occupant> {
  /** Holds one of the `activeEntitiesMax` places. */
  hasPlace: boolean;
  /** Holds one of the `activationsMax` places. */
  hasLoadPlace: boolean;
  /** Told to passivate for somebody who waits. */
  leaving: boolean;
  /** It may load now. `false`: it does not want to any more, or not yet; it will ask again if so. */
  admitted(): boolean;
  /** It may not. */
  refused(fault: Fault): void;
  /** Make it end its activation. It is resting. */
  passivate(): void;
}

/** See the file's header. */
export class Activations {
  readonly #activeMax: number;
  readonly #loadingMax: number;
  readonly #resting = new MemberList<Occupant>();
  readonly #waitingForPlace = new MemberList<Occupant>();
  readonly #waitingToLoad = new MemberList<Occupant>();
  #active = 0;
  #loading = 0;
  /** Occupants told to passivate for somebody who waits. */
  #leaving = 0;

  constructor(activeMax: number, loadingMax: number) {
    this.#activeMax = activeMax;
    this.#loadingMax = loadingMax;
  }

  /** Places taken. */
  get active(): number {
    return this.#active;
  }
  /** Entities loading or replaying. */
  get loading(): number {
    return this.#loading;
  }

  /** Asks for leave to load. */
  enter(occupant: Occupant): void {
    // Commands came while it was on its way out: its place is promised, it asks anew.
    if (occupant.leaving && this.#waitingForPlace.size > 0) this.leave(occupant);
    if (occupant.hasPlace) {
      this.#forget(occupant);
      this.#load(occupant);
    } else if (this.#active < this.#activeMax) {
      this.#take(occupant);
      this.#load(occupant);
    } else if (this.#makeRoom()) {
      this.#waitingForPlace.add(occupant);
    } else {
      occupant.refused(
        new Fault("exhausted", `${this.#activeMax} entities are active and none is idle (activeEntitiesMax); retry later or raise it`),
      );
    }
  }

  /** Whether an occupant is on its way out for one more who waits (A3). */
  #makeRoom(): boolean {
    if (this.#leaving > this.#waitingForPlace.size) return true;
    const victim = this.#resting.first;
    if (victim === undefined) return false;
    this.#leaving++;
    victim.leaving = true;
    victim.passivate();
    return true;
  }

  #forget(occupant: Occupant): void {
    if (!occupant.leaving) return;
    occupant.leaving = false;
    this.#leaving--;
  }

  #take(occupant: Occupant): void {
    occupant.hasPlace = true;
    this.#active++;
  }

  #load(occupant: Occupant): void {
    if (this.#loading >= this.#loadingMax) {
      this.#waitingToLoad.add(occupant);
      return;
    }
    this.#loading++;
    occupant.hasLoadPlace = true;
    if (occupant.admitted()) return;
    occupant.hasLoadPlace = false;
    this.#loading--;
  }

  /** It has loaded, or failed to. */
  loaded(occupant: Occupant): void {
    if (!occupant.hasLoadPlace) return;
    occupant.hasLoadPlace = false;
    this.#loading--;
    while (this.#loading < this.#loadingMax) {
      const next = this.#waitingToLoad.shift();
      if (next === undefined) return;
      this.#load(next);
    }
  }

  /** It has nothing to do: the most recently used of those that rest. */
  rest(occupant: Occupant): void {
    this.#resting.add(occupant);
  }

  stir(occupant: Occupant): void {
    this.#resting.remove(occupant);
  }

  /** It gives up waiting, or its place. */
  leave(occupant: Occupant): void {
    this.#waitingForPlace.remove(occupant);
    this.#waitingToLoad.remove(occupant);
    this.#resting.remove(occupant);
    this.loaded(occupant);
    if (!occupant.hasPlace) return;
    occupant.hasPlace = false;
    this.#active--;
    this.#forget(occupant);
    const next = this.#active < this.#activeMax ? this.#waitingForPlace.shift() : undefined;
    if (next === undefined) return;
    this.#take(next);
    this.#load(next);
  }
}
