/**
 * What a command's reply asks for beside the answer, as messages to be stored with its step (E10). Decides only.
 *
 * R1 an asynchronous effect is always stored: nobody else remembers it
 * R2 synchronous effects and a forward are stored when the step is stored anyway: after a crash its events are there, so what they ask for must
 *    happen too. When nothing else is stored they are not either: the caller has no answer, and a crash is as if it had never called
 * R3 what nobody serves is not stored: the function is told at once (T2)
 */
import { effectKey, forwardKey, type KeySource } from "../keys/derive.ts";
import type { CallContext, ClientAction, Payload, SideEffect } from "../model.ts";
import type { OutboxMessage } from "../rows.ts";

/** Where a command of a service leads: to an entity, or to an action (`{}`); `undefined`: nobody serves it. */
export type FindTarget = (service: string, command: string, payload: Payload) => { readonly entityId?: string } | undefined;

/** The command that asks. */
export interface MessageSource extends KeySource {
  readonly commandName: string;
  readonly context: CallContext;
}

/** Messages of one step, and which effect each belongs to. */
export interface MessagePlan {
  readonly messages: readonly OutboxMessage[];
  /** By effect, and at the end for the forward: its index in `messages`, or -1. */
  readonly at: readonly number[];
}

/** See the file's header. `stored`: the step is stored anyway. `undefined`: there is nothing to store. */
export function planMessages(
  source: MessageSource,
  reply: { readonly action: ClientAction; readonly effects: readonly SideEffect[] },
  stored: boolean,
  find: FindTarget,
): MessagePlan | undefined {
  const { action, effects } = reply;
  const all = stored || effects.some((effect) => !effect.synchronous && find(effect.service, effect.command, effect.payload) !== undefined);
  if (!all) return undefined; // keeps R2
  const messages: OutboxMessage[] = [];
  const add = (key: string, by: string, to: Pick<SideEffect, "service" | "command" | "payload" | "metadata">): number => {
    const target = find(to.service, to.command, to.payload);
    return target === undefined ? -1 : messages.push(messageOf(source, key, by, to, target)) - 1; // keeps R3
  };
  const at = effects.map((effect, index) => add(effectKey(source, index), "side effect of", effect));
  at.push(action.do === "forward" ? add(forwardKey(source), "forwarded from", action) : -1);
  return messages.length === 0 ? undefined : { messages, at };
}

function messageOf(
  { service, commandName, context }: MessageSource,
  key: string,
  by: string,
  to: Pick<SideEffect, "service" | "command" | "payload" | "metadata">,
  { entityId }: { readonly entityId?: string },
): OutboxMessage {
  return {
    key,
    service: to.service,
    ...(entityId !== undefined && { entityId }),
    command: to.command,
    payload: to.payload,
    ...(to.metadata && { metadata: to.metadata }),
    hops: context.hops + 1,
    ...(context.trace !== undefined && { trace: context.trace }),
    origin: `${by} ${service}.${commandName}`,
  };
}
