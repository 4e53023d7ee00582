/** In development, the state a command handler sees throws when it is written to, with the reason: only events change state. */
import { Mistake } from "../mistake.ts";

/** Objects whose methods need the object itself, not a proxy around it. */
const unproxied = [Map, Set, Date, RegExp, ArrayBuffer, Promise];

/**
 * A view of `value` that refuses changes at any depth.
 * @param advice How to change it properly; ends the error's text.
 */
export function readOnly<T>(value: T, what: string, advice: string): T {
  if (typeof value !== "object" || value === null) return value;
  return ArrayBuffer.isView(value) || unproxied.some((type) => value instanceof type) ? value : (guarded(value, what, advice) as T);
}

function guarded(value: object, what: string, advice: string): object {
  const refuse = (name?: string | symbol): never => {
    throw new Mistake(`${what} was changed in a command handler${name === undefined ? "" : ` (property ${String(name)})`}; ${advice}`);
  };
  return new Proxy(value, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name);
      const fixed = Reflect.getOwnPropertyDescriptor(target, name);
      if (fixed?.configurable === false && fixed.writable === false) return found; // a proxy must not differ there
      return readOnly(found, what, advice);
    },
    set: (_, name) => refuse(name),
    deleteProperty: (_, name) => refuse(name),
    defineProperty: (_, name) => refuse(name),
    setPrototypeOf: () => refuse(),
    preventExtensions: () => refuse(),
  });
}
