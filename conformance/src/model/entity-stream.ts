/** What the model's two kinds of entity streams share: how a command's actions become an answer. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ClientActionSchema, SideEffectSchema } from "@mecha/wire/gen/cloudstate/entity";
import type { AnyFields } from "./any.ts";

export type ClientActionInit = MessageInitShape<typeof ClientActionSchema>;
export type SideEffectInit = MessageInitShape<typeof SideEffectSchema>;

/** An answer as it grows while the actions of a request run. */
export class Answer {
  #forward: ClientActionInit | undefined;
  #effects: SideEffectInit[] = [];
  failure: string | undefined;

  forward(serviceName: string, payload: AnyFields): void {
    this.#forward = { action: { case: "forward", value: { serviceName, commandName: "Call", payload } } };
  }

  effect(serviceName: string, payload: AnyFields, synchronous: boolean): void {
    this.#effects.push({ serviceName, commandName: "Call", payload, synchronous });
  }

  /** Effects of a failed command are dropped. */
  get effects(): SideEffectInit[] {
    return this.failure === undefined ? this.#effects : [];
  }

  /** The client's action: the failure, else the forward, else `reply`. */
  clientAction(commandId: bigint, reply: () => AnyFields, restart: boolean): ClientActionInit {
    if (this.failure !== undefined) {
      return { action: { case: "failure", value: { commandId, description: this.failure, restart } } };
    }
    return this.#forward ?? { action: { case: "reply", value: { payload: reply() } } };
  }
}
