import { Fault } from "@mecha/kit";
import type { AdminClient } from "../admin/client.ts";
import type { MessageJson } from "../admin/model.ts";
import { type Io, printable, table } from "../io.ts";
import { ask, type ClientOptions, printJson } from "./client-options.ts";

/** Messages asked for at once; the API's largest page. */
const pageMax = 500;

type State = MessageJson["state"];

interface ListOptions extends ClientOptions {
  readonly waiting?: true;
  readonly limit: number;
}

interface ChangeOptions extends ClientOptions {
  readonly all?: true;
}

/** `mecha outbox list` */
export async function outboxList(io: Io, options: ListOptions): Promise<void> {
  const state: State = options.waiting === true ? "waiting" : "dead";
  const { messages, more } = await ask(io, options, (client) => gather(client, state, options.limit));
  if (options.output === "json") printJson(io, { messages, more });
  else io.out(printable(listText(messages, state, more)));
}

async function gather(
  client: AdminClient,
  state: State,
  limit: number,
): Promise<{ readonly messages: MessageJson[]; readonly more: boolean }> {
  const messages: MessageJson[] = [];
  let after: string | undefined;
  do {
    const page = await client.messages({ state, limit: String(Math.min(pageMax, limit - messages.length)), after });
    messages.push(...page.messages);
    after = page.next;
  } while (after !== undefined && messages.length < limit);
  return { messages, more: after !== undefined };
}

function listText(messages: readonly MessageJson[], state: State, more: boolean): string {
  if (messages.length === 0) return state === "dead" ? "no effect was given up\n" : "no effect waits\n";
  const rows = messages.map((m) => [String(m.id), sourceText(m), targetText(m), m.time, String(m.attempts), m.failure ?? "–"]);
  const list = table([["MESSAGE", "FROM", "TO", "TIME", "ATTEMPTS", "LAST FAILURE"], ...rows]);
  return more ? `${list}there are more; --limit shows more\n` : list;
}

function sourceText({ source, origin }: MessageJson): string {
  return source ? `${source.service} ${source.id}` : origin.replace(/^side effect of |^forwarded from /u, "");
}

function targetText({ target }: MessageJson): string {
  return target.id === undefined ? `${target.service}.${target.command}` : `${target.service} ${target.id} ${target.command}`;
}

/** `mecha outbox retry` */
export async function outboxRetry(io: Io, options: ChangeOptions, ids: readonly number[]): Promise<void> {
  const changed = await change(io, options, ids, (client, id) => client.retryMessage(id));
  if (options.output === "json") printJson(io, { retried: changed });
  else io.out(`${countText(changed)} tried again\n`);
}

/** `mecha outbox discard` */
export async function outboxDiscard(io: Io, options: ChangeOptions, ids: readonly number[]): Promise<void> {
  const changed = await change(io, options, ids, (client, id) => client.discardMessage(id));
  if (options.output === "json") printJson(io, { discarded: changed });
  else io.out(`${countText(changed)} discarded\n`);
}

/** @returns the numbers of the messages changed. With `--all`: those that were given up. */
async function change(
  io: Io,
  options: ChangeOptions,
  ids: readonly number[],
  one: (client: AdminClient, id: number) => Promise<unknown>,
): Promise<readonly number[]> {
  if ((options.all === true) === ids.length > 0)
    throw new Fault("invalid", "give the numbers of messages, or --all for all that were given up");
  return ask(io, options, async (client) => {
    const chosen = options.all === true ? (await gather(client, "dead", Infinity)).messages.map(({ id }) => id) : ids;
    for (const id of chosen) await one(client, id);
    return chosen;
  });
}

function countText(ids: readonly number[]): string {
  return ids.length === 1 ? `message ${ids[0]} is` : `${ids.length} messages are`;
}
