/**
 * Runs the whole stack under strace and looks at its system calls: an HTTP answer that acknowledges a command must follow an fdatasync that began after
 * the command was written to the WAL. kill -9 cannot show this, as the page cache survives it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { SeededRandom } from "@mecha/kit/testing";
import { Clients } from "./clients.ts";
import { Platform } from "./platform.ts";

/** What the trace shows. */
export interface Acknowledgements {
  /** Answers seen. */
  readonly seen: number;
  /** Commands that were answered before they were durable. */
  readonly early: readonly string[];
}

/** `stateDir` holds the trace too. */
export async function traceAcknowledgements(stateDir: string, project: string, commands: number): Promise<Acknowledgements> {
  const trace = join(stateDir, "..", "trace");
  // -yy names files and both ends of sockets; strings long enough for a whole page of the WAL, as a page repeats what it held before.
  const calls = "trace=pwrite64,pwritev,write,writev,sendto,sendmsg,fsync,fdatasync";
  const wrap = ["strace", "-f", "-yy", "-s", "9000", "--seccomp-bpf", "-e", calls, "-e", "signal=none", "-qq", "-o", trace];
  await using platform = await Platform.open({ stateDir, project, wrap });
  const { port } = platform;
  using many = new Clients({ port, random: new SeededRandom(1), ledgers: ["tl1", "tl2", "tl3"], registers: [], clients: 4 });
  // One client for a register: of two values set in one group only the second is ever written.
  using one = new Clients({ port, random: new SeededRandom(2), ledgers: ["tl4"], registers: ["tr1"], clients: 1 });
  many.start();
  one.start();
  await Promise.all([many.more(commands), one.more(commands / 5)]);
  await Promise.all([many.stop(), one.stop()]);
  await platform.stop();
  return judge(readFileSync(trace, "latin1"), platform.port);
}

/** Follows each command's id: written to the WAL, covered by an fdatasync that began later, sent to a caller from the ingress port. */
export function judge(trace: string, port: number): Acknowledgements {
  const written = new Set<string>();
  const durable = new Set<string>();
  const syncing = new Map<string, readonly string[]>();
  const answered = new Set<string>();
  const early: string[] = [];
  const answer = new RegExp(`^(?:write|writev|sendto|sendmsg)\\(\\d+<TCP(?:v6)?:\\[[^\\]>]*:${String(port)}->`);
  for (const line of trace.split("\n")) {
    const [thread = "", call = ""] = splitOnce(line);
    if (/^pwrite(64|v)\(\d+<[^>]*-wal>/.test(call)) for (const id of idsIn(call)) written.add(id);
    if (/^f(data)?sync\(\d+<[^>]*-wal>/.test(call)) syncing.set(thread, [...written]);
    if (/^(f(data)?sync\(|<\.\.\. f(data)?sync resumed).*= 0$/.test(call)) {
      for (const id of syncing.get(thread) ?? []) durable.add(id);
      syncing.delete(thread);
    }
    if (!answer.test(call)) continue;
    for (const id of acknowledgedIn(call)) {
      if (answered.has(id)) continue;
      answered.add(id);
      if (!durable.has(id)) early.push(id);
    }
  }
  return { seen: answered.size, early };
}

function splitOnce(line: string): readonly string[] {
  const at = line.search(/\s/);
  return [line.slice(0, at), line.slice(at).trimStart()];
}

function idsIn(call: string): string[] {
  return [...call.matchAll(/t[lr]\d\.\d+\./g)].map(([id]) => id);
}

/** Ids in answers to writes: a read may show what others wrote, which is durable by then or not answered yet. */
function acknowledgedIn(call: string): string[] {
  return [...call.matchAll(/\\"(?:commandId|value)\\":\s?\\"(t[lr]\d\.\d+\.)\\"/g)].map(([, id = ""]) => id);
}
