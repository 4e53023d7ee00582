/** A register: one value, the last write wins. */
import { CrdtClock } from "@mecha/wire/gen/cloudstate/crdt";
import { shown } from "@mecha/wire/codec";
import { expect, listed, nearest } from "../mistake.ts";
import type { Payload } from "../protocol/common.ts";
import { readOnly } from "../run/read-only.ts";
import { Draft, type DraftHome } from "./draft.ts";
import { decoded, type ElementCodec } from "./element.ts";
import type { DeltaInit, Element, HeldRegister } from "./held.ts";

/** Which of two writes is the later one. */
export type RegisterClock =
  /** Default: by the sidecars' time. `reverse`: the first write wins. */
  | { readonly clock?: "default" | "reverse" }
  /** `custom`: the write with the highest `at` wins, such as a version number. `customAutoIncrement`: an `at` that is not above the last one becomes the last one plus 1. */
  | { readonly clock: "custom" | "customAutoIncrement"; readonly at: number | bigint };

const clocks = {
  default: CrdtClock.DEFAULT,
  reverse: CrdtClock.REVERSE,
  custom: CrdtClock.CUSTOM,
  customAutoIncrement: CrdtClock.CUSTOM_AUTO_INCREMENT,
} as const;

/** One value, replaced as a whole. Of two writes at the same time one is lost. */
export class LWWRegister<T> extends Draft {
  readonly #held: HeldRegister;
  readonly #codec: ElementCodec<T>;
  readonly #initial: Payload;
  #set: { readonly element: Element; readonly clock: CrdtClock; readonly at: bigint } | undefined;

  /** @internal */
  constructor(held: HeldRegister, codec: ElementCodec<T>, initial: Payload, home: DraftHome) {
    super(home);
    this.#held = held;
    this.#codec = codec;
    this.#initial = initial;
  }

  get value(): T {
    const value = decoded(this.#codec, this.#set?.element ?? this.#held.element ?? { payload: this.#initial });
    const { where, development } = this.home;
    return development
      ? readOnly(value, `${where}: the register's value`, "set a changed copy: ctx.state.set({ ...ctx.state.value, … })")
      : value;
  }

  /** Writes a value. */
  set(value: T, clock: RegisterClock = {}): this {
    this.home.checkChange("set");
    const where = `${this.home.where}: set`;
    const name = clock.clock ?? "default";
    expect(
      Object.hasOwn(clocks, name),
      () => `${where}: there is no clock ${shown(name)}${nearest(name, Object.keys(clocks))}; there are ${listed(Object.keys(clocks))}`,
    );
    this.#set = {
      element: { payload: this.#codec.encode(value, where) },
      clock: clocks[name],
      at: "at" in clock ? atOf(clock.at, where) : 0n,
    };
    return this;
  }

  /** @internal A register nobody has written is written with its first use: there is no such thing as an empty one. */
  change(): DeltaInit | undefined {
    if (this.#set === undefined && this.#held.element !== undefined) return undefined;
    const { element, clock, at } = this.#set ?? { element: { payload: this.#initial }, clock: clocks.default, at: 0n };
    return { delta: { case: "lwwregister", value: { value: element.payload, clock, customClockValue: at } } };
  }
}

function atOf(at: unknown, where: string): bigint {
  expect(
    typeof at === "bigint" ? BigInt.asIntN(64, at) === at : Number.isSafeInteger(at),
    () => `${where}: at: expected a whole number, or a bigint of 64 bits, got ${shown(at)}`,
  );
  return BigInt(at as bigint | number);
}
