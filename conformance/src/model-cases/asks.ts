/** What the cases of both kinds of entity ask for, and the parts of an answer that do not depend on the kind. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ClientActionSchema, SideEffectSchema } from "@mecha/wire/gen/cloudstate/entity";
import type { AnyFields } from "../model/any.ts";

/** A part of what a command asks for, as the TCK's messages have it. */
export interface Wanted {
  readonly case: string;
  readonly value: { readonly id?: string; readonly message?: string; readonly synchronous?: boolean; readonly value?: string };
}

/** What one command asks for. None: it reads. */
export type Ask = readonly Wanted[];
export const look: Ask = [];

export const forward = (id: string) => ({ case: "forward" as const, value: { id } });
export const effect = (id: string) => ({ case: "effect" as const, value: { id } });
/** An effect that is to finish before the reply. */
export const awaited = (id: string) => ({ case: "effect" as const, value: { id, synchronous: true } });
export const fail = (message: string) => ({ case: "fail" as const, value: { message } });

type ClientActionInit = Exclude<MessageInitShape<typeof ClientActionSchema>, { $typeName: string }>;
type SideEffectInit = MessageInitShape<typeof SideEffectSchema>;

/** How the model's messages of a kind are made. */
interface Messages {
  /** Full name of the service that forwards and effects go to. */
  readonly second: string;
  readonly request: (id: string) => AnyFields;
  readonly response: (message: string) => AnyFields;
}

/** Works out answers. A failure is all that a failed command answers; a forward takes the place of the reply. */
export class Answers {
  readonly #messages: Messages;

  constructor(messages: Messages) {
    this.#messages = messages;
  }

  #toSecond(id = ""): { readonly serviceName: string; readonly commandName: string; readonly payload: AnyFields } {
    return { serviceName: this.#messages.second, commandName: "Call", payload: this.#messages.request(id) };
  }

  /** `undefined`: it does not fail. */
  failure(commandId: bigint, ask: Ask): { readonly commandId: bigint; readonly clientAction: ClientActionInit } | undefined {
    const failing = ask.find((wanted) => wanted.case === "fail");
    if (!failing) return undefined;
    return { commandId, clientAction: { action: { case: "failure", value: { commandId, description: failing.value.message ?? "" } } } };
  }

  clientAction(ask: Ask, message: string): ClientActionInit {
    const forwarded = ask.find((wanted) => wanted.case === "forward");
    if (forwarded) return { action: { case: "forward", value: this.#toSecond(forwarded.value.id) } };
    return { action: { case: "reply", value: { payload: this.#messages.response(message) } } };
  }

  sideEffects(ask: Ask): SideEffectInit[] {
    const wanted = ask.filter((one) => one.case === "effect");
    return wanted.map(({ value: { id, synchronous = false } }) => ({ ...this.#toSecond(id), synchronous }));
  }
}
