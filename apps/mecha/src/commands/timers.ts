import { formatDuration } from "@mecha/kit";
import type { AdminClient } from "../admin/client.ts";
import type { TimerJson } from "../admin/model.ts";
import { type Io, printable, table } from "../io.ts";
import { ask, type ClientOptions, printJson } from "./client-options.ts";

/** Timers asked for at once; the API's largest page. */
const pageMax = 500;

interface ListOptions extends ClientOptions {
  readonly service?: string;
  readonly id?: string;
  readonly limit: number;
}

/** `mecha timers list` */
export async function timerList(io: Io, options: ListOptions): Promise<void> {
  const { timers, more } = await ask(io, options, (client) => gather(client, options));
  if (options.output === "json") printJson(io, { timers, more });
  else io.out(printable(listText(timers, more)));
}

async function gather(client: AdminClient, options: ListOptions): Promise<{ readonly timers: TimerJson[]; readonly more: boolean }> {
  const timers: TimerJson[] = [];
  let after: string | undefined;
  do {
    const limit = String(Math.min(pageMax, options.limit - timers.length));
    const page = await client.timers({ service: options.service, id: options.id, limit, after });
    timers.push(...page.timers);
    after = page.next;
  } while (after !== undefined && timers.length < options.limit);
  return { timers, more: after !== undefined };
}

function listText(timers: readonly TimerJson[], more: boolean): string {
  if (timers.length === 0) return "no timers are set; entities set them with ctx.schedule\n";
  const rows = timers.map((timer) => [
    timer.service,
    timer.id,
    timer.name,
    dueText(timer),
    repeatText(timer),
    timer.command,
    timer.failure ?? "–",
  ]);
  const list = table([["SERVICE", "ID", "TIMER", "DUE", "REPEATS", "COMMAND", "LAST FAILURE"], ...rows]);
  return more ? `${list}more are set; --limit shows more, --service shows fewer\n` : list;
}

function dueText({ due, state }: TimerJson): string {
  return state === "parked" ? `parked (was due ${due})` : due;
}

function repeatText({ everyMs, cron, timeZone, catchUp }: TimerJson): string {
  const rule = everyMs !== undefined ? `every ${formatDuration(everyMs)}` : cron !== undefined ? `${cron} (${timeZone ?? "UTC"})` : "no";
  return catchUp === "once" ? rule : `${rule}, catches up: ${catchUp}`;
}

/** `mecha timers cancel` */
export async function timerCancel(io: Io, options: ClientOptions, service: string, id: string, name: string): Promise<void> {
  const answer = await ask(io, options, (client) => client.cancelTimer(service, id, name));
  if (options.output === "json") printJson(io, answer);
  else io.out(printable(`timer ${name} of ${service} ${id} is cancelled\n`));
}
