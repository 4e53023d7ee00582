/** A timer of the wheel that calls a function. */
import { WheelTimer } from "./wheel.ts";

export class CallbackTimer extends WheelTimer {
  readonly #fire: () => void;
  constructor(fire: () => void) {
    super();
    this.#fire = fire;
  }
  override expired(): void {
    this.#fire();
  }
}
