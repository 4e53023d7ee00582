/** Undelivered effects and forwards as the admin API shows them, and what people may do about them. */
import { createRegistry } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import type { OutboxRow } from "@mecha/state";
import { anyToJson } from "@mecha/wire";
import type { EntitySource } from "./entities.ts";
import type { MessageJson, MessagePageJson } from "./model.ts";

/** A page of messages, in the order they were asked for. */
export async function listMessages(
  source: EntitySource,
  query: { readonly state: OutboxRow["state"]; readonly after?: number; readonly limit: number },
): Promise<MessagePageJson> {
  const { state, after, limit } = query;
  const messages: OutboxRow[] = [];
  // The store pages by bytes too.
  for (let afterId = after ?? 0; messages.length <= limit;) {
    const page = await source.engine.outbox({ state, afterId, limit: limit + 1 - messages.length });
    const last = page.at(-1);
    if (!last) break;
    messages.push(...page);
    afterId = last.id;
  }
  const shown = messages.slice(0, limit);
  const last = shown.at(-1);
  return { messages: shown.map((row) => messageJson(row, source)), ...(messages.length > limit && last && { next: String(last.id) }) };
}

/** @throws Fault("notFound") when no message with that number was given up. */
export async function retryMessage(source: EntitySource, id: number): Promise<{ readonly retried: true }> {
  if ((await source.engine.retryMessages([id])) > 0) return { retried: true };
  throw new Fault(
    "notFound",
    `no message ${id} was given up; \`mecha outbox list\` shows which were. Those that wait are tried again by themselves`,
  );
}

/** @throws Fault("notFound") when there is no message with that number. */
export async function discardMessage(source: EntitySource, id: number): Promise<{ readonly discarded: true }> {
  if ((await source.engine.discardMessages([id])) > 0) return { discarded: true };
  throw new Fault(
    "notFound",
    `there is no message ${id} in the outbox; \`mecha outbox list\` shows what is. It may just have been delivered`,
  );
}

function messageJson(row: OutboxRow, source: EntitySource): MessageJson {
  const { id, state, service, entityId, command, origin, attempts, failure, dueMs, timeMs, key, payload } = row;
  return {
    id,
    state,
    ...(row.source && { source: { service: row.source.service, id: row.source.entityId } }),
    target: { service, ...(entityId !== undefined && { id: entityId }), command },
    origin,
    time: new Date(timeMs).toISOString(),
    attempts,
    ...(state === "waiting" && dueMs > 0 && { due: new Date(dueMs).toISOString() }),
    ...(failure !== undefined && { failure }),
    key,
    payload: anyToJson(payload, source.descriptors(service)?.registry ?? createRegistry()),
  };
}
