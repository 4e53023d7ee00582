/** Events stored as JSON, `json.cloudstate.io/<type>`: for consumers that know no protobuf, and events that other services have stored so. */
import { explain } from "@mecha/kit";
import { jsonPrefix, packJson, unpackJson } from "@mecha/wire";
import { shown } from "@mecha/wire/codec";
import { expect, Mistake } from "../mistake.ts";
import type { StoredType } from "./definitions.ts";

/** An event type that is JSON. `T`: what it holds; nothing checks it but the compiler. */
export class JsonEvent<T> {
  declare readonly phantom?: T;
  readonly type: string;

  constructor(type: string) {
    expect(
      typeof type === "string" && /^[\w.-]+$/.test(type),
      () => `jsonEvent(…): expected a name made of letters, digits, ".", "-" and "_", like "cart-created", got ${shown(type)}`,
    );
    this.type = type;
  }
}

/**
 * Declares an event stored as JSON instead of as a protobuf message. The name is stored with each event: do not change it.
 * @example events: { created: jsonEvent<{ sku: string }>("cart-created") }
 */
export function jsonEvent<T>(type: string): JsonEvent<T> {
  return new JsonEvent<T>(type);
}

/** Its bytes. */
export function jsonEventType({ type }: JsonEvent<unknown>): StoredType {
  const typeUrl = jsonPrefix + type;
  return {
    typeUrl,
    codec: {
      encode(value) {
        try {
          return packJson(type, value).value;
        } catch (cause) {
          throw new Mistake(`the event cannot be written as JSON: ${explain(cause)}`);
        }
      },
      decode: (bytes) => unpackJson({ typeUrl, value: bytes })?.value,
    },
  };
}
