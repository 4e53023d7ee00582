/** What the contexts of both kinds of entity have: their id, and timers. */
import { explain, parseDuration } from "@mecha/kit";
import { type CatchUp, type Schedule, scheduleProblem } from "@mecha/schedule";
import { compileEntityKey, type EntityKey } from "@mecha/wire";
import { shown } from "@mecha/wire/codec";
import type { DescMessage } from "@bufbuild/protobuf";
import type { CommandRef, ComponentBase, Method } from "../define/method.ts";
import { expect, listed, Mistake, nearest } from "../mistake.ts";
import type { CommandIn } from "../protocol/common.ts";
import type { TimerChange } from "../protocol/timers.ts";
import { BaseContext } from "./answer.ts";
import { type Surroundings, timersProblem } from "./surroundings.ts";

/** When a timer fires. Durations are milliseconds, or texts such as `90s` and `1h30m`. */
export interface TimerOptions {
  /** The first time: a Date, or ms since 1970. One that is past fires at once. */
  readonly at?: Date | number;
  /** The first time, from now. */
  readonly after?: number | string;
  /** Then again and again, counted from the first time: it does not drift. At least 100 ms. Without `at` and `after` the first time is one interval from now. */
  readonly every?: number | string;
  /** Instead: minute, hour, day of month, month, day of week, such as `0 9 * * MON-FRI`. */
  readonly cron?: string;
  /** Of `cron`, such as `Europe/Berlin`. Default `UTC`. */
  readonly timeZone?: string;
  /**
   * What becomes of firings that fell due while Mecha or the function was down: the timer fires `once` for them (default), for `all` of them, the
   * newest 1,000 of an interval, or those of the last 7 days of a cron expression, or they are left out when more than a minute late (`skip`).
   */
  readonly catchUp?: CatchUp;
}

/** Longest name of a timer, in bytes of UTF-8. */
export const timerNameBytesMax = 256;

/** Where a context belongs. */
export interface EntityHome {
  readonly entityId: string;
  readonly definition: ComponentBase;
  readonly surroundings: Surroundings;
}

/** Which firing of which timer a command is. */
export interface Firing {
  /** The timer's name, as `ctx.schedule` got it. */
  readonly timer: string;
  /** When it was due; after a downtime or a retry that is earlier than now. */
  readonly due: Date;
  /** 1 for the first since the timer was set, then 2, 3 … Due times that were left out or given up count; those that `once` joined into one count as one. */
  readonly number: number;
}

/** `Inputs`: what the entity's own commands take, by their names. */
export class EntityContext<Reply, Inputs = Record<string, unknown>> extends BaseContext<Reply> {
  /** Id of this entity. */
  readonly entityId: string;
  readonly #home: EntityHome;
  #timers: TimerChange[] = [];

  /** @internal */
  constructor(home: EntityHome, method: Method, command: CommandIn) {
    super(method, command.metadata);
    this.#home = home;
    this.entityId = home.entityId;
  }

  /**
   * The firing this command is; `undefined`: somebody sent it. A firing is tried again until it is stored, so its handler may run more than once: then it
   * is the same firing each time.
   */
  get firing(): Firing | undefined {
    return firingOf(this.metadata);
  }

  /**
   * Has Mecha send this entity one of its own commands later, again and again if asked to. The timer is stored with this command, or not at all, and
   * fires also after a crash. It belongs to this entity; one of the same name is replaced.
   * @param name What to call the timer, for `cancelTimer` and people.
   * @param command Name of a command of this entity; to reach another component, let that command `ctx.effect` it.
   * @param input What the command gets, this entity's key included.
   * @throws Mistake for a time, a command or an input that is wrong, and where the proxy is not Mecha and would lose the timer.
   * @example ctx.schedule("expire", "expire", { cartId }, { after: "30m" })
   * @example ctx.schedule("report", "report", { shopId }, { cron: "0 9 * * MON-FRI", timeZone: "Europe/Berlin" })
   */
  schedule<K extends keyof Inputs & string>(name: string, command: K, input: NoInfer<Inputs[K]>, when: TimerOptions): void;
  schedule<In>(name: string, command: CommandRef<In>, input: NoInfer<In>, when: TimerOptions): void;
  schedule(name: string, command: string | CommandRef, input: unknown, when: TimerOptions): void {
    const what = `${this.where}: schedule(${quoted(name)})`;
    this.#checkTimer("schedule", name, what);
    const method = ownMethod(this.#home.definition, command, what);
    const payload = { typeUrl: method.input.typeUrl, value: encodeInput(method, input, what), codec: method.input.codec };
    const id = keyOf(method.input.codec.desc)?.(payload.value);
    expect(
      id === this.entityId,
      () =>
        `${what}: the input leads to entity ${quoted(id)}, but a timer fires at its own entity, ${quoted(this.entityId)}; give its own key`,
    );
    this.#timers.push({ do: "set", name, command: method.name, payload, schedule: scheduleOf(when, what) });
  }

  /** Forgets a timer of this entity, stored with this command. One that does not exist is no mistake. */
  cancelTimer(name: string): void {
    this.#checkTimer("cancelTimer", name, `${this.where}: cancelTimer(${quoted(name)})`);
    this.#timers.push({ do: "cancel", name });
  }

  #checkTimer(called: string, name: string, what: string): void {
    this.checkOpen(called);
    const problem = timersProblem(this.#home.surroundings);
    expect(problem === undefined, () => `${what}: ${problem}`);
    expect(typeof name === "string" && name !== "", () => `${what}: give the timer a name`);
    const bytes = Buffer.byteLength(name);
    expect(bytes <= timerNameBytesMax, () => `${what}: the name is ${bytes} bytes, the most is ${timerNameBytesMax}`);
    expect(name.isWellFormed() && !name.includes("\0"), () => `${what}: the name holds a character that cannot be stored`);
  }

  /** @internal */
  takeTimers(): readonly TimerChange[] {
    return this.#timers;
  }
}

/** As the proxy writes it (packages/state/src/timers/firing.ts); it takes these names from nobody else. */
function firingOf(metadata: CommandIn["metadata"]): Firing | undefined {
  const text = (name: string): string | undefined => {
    const value = metadata.find(([key]) => key === name)?.[1];
    return typeof value === "string" ? value : undefined;
  };
  const [timer, due, number] = [text("mecha-timer"), text("mecha-timer-due"), text("mecha-timer-firing")];
  if (timer === undefined || due === undefined || number === undefined) return undefined;
  return { timer, due: new Date(due), number: Number(number) };
}

/** Names are shown in front, where a long one would hide what is wrong. */
function quoted(name: unknown): string {
  const text = String(name);
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

function ownMethod({ service, methods }: ComponentBase, command: string | CommandRef, what: string): Method {
  const all = [...methods.values()];
  if (typeof command === "string") {
    const keys = all.map(({ key }) => key);
    const found = all.find(({ key }) => key === command);
    expect(found !== undefined, () => `${what}: ${service} has no command ${command}${nearest(command, keys)}; it has ${listed(keys)}`);
    return found;
  }
  const own = (command as Partial<CommandRef> | undefined)?.service === service ? methods.get(command.command) : undefined;
  const target = `${(command as Partial<CommandRef> | undefined)?.service}.${(command as Partial<CommandRef> | undefined)?.command}`;
  expect(
    own !== undefined,
    () =>
      `${what}: ${target} is no command of ${service}; a timer fires at its own entity: schedule a command of this one and let it ctx.effect the other`,
  );
  return own;
}

function encodeInput(method: Method, input: unknown, what: string): Uint8Array {
  try {
    return method.input.codec.encode(input);
  } catch (error) {
    throw new Mistake(`${what} of ${method.key}: ${explain(error)}`);
  }
}

const keys = new WeakMap<DescMessage, EntityKey>();

function keyOf(desc: DescMessage): EntityKey | undefined {
  const key = keys.get(desc) ?? compileEntityKey(desc);
  if (key !== undefined) keys.set(desc, key);
  return key;
}

function scheduleOf(when: TimerOptions, what: string): Schedule {
  expect(typeof when === "object" && when !== null, () => `${what}: say when: { after: "30m" }, { every: "1h" } or { cron: "0 9 * * *" }`);
  const { at, after, every, cron, timeZone, catchUp } = when;
  const known = ["at", "after", "every", "cron", "timeZone", "catchUp"];
  for (const name of Object.keys(when))
    expect(known.includes(name), () => `${what}: there is no option ${name}${nearest(name, known)}; there are ${listed(known)}`);
  const schedule: Schedule = {
    ...(at !== undefined && { atMs: at instanceof Date ? at.getTime() : at }),
    ...(after !== undefined && { afterMs: duration(after, `${what}: after`) }),
    ...(every !== undefined && { everyMs: duration(every, `${what}: every`) }),
    ...(cron !== undefined && { cron }),
    ...(timeZone !== undefined && { timeZone }),
    ...(catchUp !== undefined && { catchUp }),
  };
  const problem = scheduleProblem(schedule);
  expect(problem === undefined, () => `${what}: ${problem}`);
  return whole(schedule);
}

function duration(value: number | string, what: string): number {
  const ms = typeof value === "string" ? parseDuration(value) : value;
  expect(typeof ms === "number", () => `${what}: expected milliseconds or a duration such as 90s, 30m or 1h30m, got ${shown(value)}`);
  return ms;
}

/** Whole milliseconds, as they travel. */
function whole({ atMs, afterMs, everyMs, ...rest }: Schedule): Schedule {
  return {
    ...rest,
    ...(atMs !== undefined && { atMs: Math.floor(atMs) }),
    ...(afterMs !== undefined && { afterMs: Math.floor(afterMs) }),
    ...(everyMs !== undefined && { everyMs: Math.floor(everyMs) }),
  };
}
