/**
 * How an entity's state is stored. Declared as a function it is any JSON value and is stored as JSON, type URL
 * `json.cloudstate.io/<service>.State`; declared as a message it is stored as that message.
 */
import type { DescMessage } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import { packJson, unpackJson } from "@mecha/wire";
import { expect, Mistake } from "../mistake.ts";
import type { Payload } from "../protocol/common.ts";
import { type MessageSchema } from "../schema/fields.ts";
import type { MessageType } from "./method.ts";

/** The state of an entity that has none yet: made by a function, or an empty message. */
export type StateSource<S> = (() => S) | MessageSchema<S>;

export interface StateCodec<S = unknown> {
  /** The message it is stored as; `undefined`: JSON. */
  readonly desc: DescMessage | undefined;
  initial(): S;
  /** @throws Mistake when the state cannot be stored. */
  encode(state: S): Payload;
  /** @throws Fault("invalid") for a foreign type or malformed bytes. */
  decode(payload: Payload): S;
}

/** State as a message. */
export function messageState<S>(where: string, type: MessageType<S>): StateCodec<S> {
  return {
    desc: type.codec.desc,
    initial: () => type.codec.decode(new Uint8Array(0)),
    encode(state) {
      try {
        return { typeUrl: type.typeUrl, value: type.codec.encode(state) };
      } catch (error) {
        throw new Mistake(`${where}: the state cannot be stored: ${(error as Error).message}`);
      }
    },
    decode(payload) {
      if (payload.typeUrl !== type.typeUrl) throw foreign(where, payload.typeUrl, type.typeUrl);
      return type.codec.decode(payload.value);
    },
  };
}

/** State as JSON. */
export function jsonState<S>(service: string, initial: () => S): StateCodec<S> {
  const type = `${service}.State`;
  return {
    desc: undefined,
    initial() {
      const state = initial();
      expect(
        state !== undefined && !isThenable(state),
        () =>
          `${service}: state() must return the state of a new entity, such as { items: {} }; it returned ${state === undefined ? "undefined" : "a Promise"}`,
      );
      return state;
    },
    encode(state) {
      const problem = jsonProblem(state, "state");
      expect(problem === undefined, () => `${service}: the state cannot be stored as JSON: ${problem}`);
      return packJson(type, state);
    },
    decode(payload) {
      const json = unpackJson(payload);
      if (json?.type !== type) throw foreign(service, payload.typeUrl, `json.cloudstate.io/${type}`);
      return json.value as S;
    },
  };
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

function foreign(where: string, got: string, want: string): Fault {
  return new Fault(
    "invalid",
    `${where}: the stored state has type ${got}, this code expects ${want}; was the state's message renamed, or its kind changed?`,
  );
}

/** Deepest state that is checked; a cycle ends here. */
const depthMax = 200;

/** Why `value` would not come back from JSON as it is. */
function jsonProblem(value: unknown, path: string, depth = 0): string | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined;
    case "number":
      return Number.isFinite(value) ? undefined : `${path} is ${value}, which JSON has no word for`;
    case "undefined":
      return undefined; // a property that is not there
    case "bigint":
      return `${path} is a bigint; store it as a string, or declare the state as a message`;
    case "object":
      break;
    default:
      return `${path} is a ${typeof value}`;
  }
  if (value === null) return undefined;
  if (depth > depthMax) return `${path} is nested deeper than ${depthMax}; does it contain itself?`;
  if (Array.isArray(value)) return firstProblem(value.entries(), (index) => `${path}[${index}]`, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    return `${path} is a ${value.constructor.name}; JSON keeps plain objects, arrays, strings, numbers, booleans and null`;
  }
  return firstProblem(Object.entries(value), (key) => `${path}.${key}`, depth);
}

function firstProblem<K>(entries: Iterable<[K, unknown]>, pathOf: (key: K) => string, depth: number): string | undefined {
  for (const [key, value] of entries) {
    const problem = jsonProblem(value, pathOf(key), depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
