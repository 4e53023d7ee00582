/**
 * The state folder of one Mecha: private (0700), and held by one process at a time. The store holds its own file too; this lock also covers what lies
 * beside it (run records, admin files) and says who holds it.
 */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { privateFolder } from "@mecha/host";
import { Fault } from "@mecha/kit";
import { startIdentity } from "@mecha/runtime-process";

/** Attempts to take a lock whose holder is gone; each lost one means that somebody else took it meanwhile. */
const attemptsMax = 5;

interface Holder {
  readonly pid: number;
  readonly identity: string;
}

/**
 * Makes the folder and holds it until disposed.
 * @throws Fault("alreadyExists") naming the process that holds it.
 */
export async function holdStateFolder(folder: string): Promise<Disposable> {
  await privateFolder(folder);
  const path = join(folder, "lock");
  const mine: Holder = { pid: process.pid, identity: startIdentity(process.pid) ?? "" };
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    if (createExclusive(path, JSON.stringify(mine))) return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
    const holder = readHolder(path);
    if (holder && startIdentity(holder.pid) === holder.identity)
      throw new Fault(
        "alreadyExists",
        `process ${holder.pid} runs with the state folder ${folder} already; end it (kill ${holder.pid}), or give --state another folder`,
      );
    rmSync(path, { force: true }); // its holder was killed
  }
  throw new Fault("unavailable", `hold the state folder ${folder}: others keep taking it`);
}

/** Number of the living process that holds the folder; `undefined` when nobody does. */
export function findHolder(folder: string): number | undefined {
  const holder = readHolder(join(folder, "lock"));
  return holder && startIdentity(holder.pid) === holder.identity ? holder.pid : undefined;
}

function createExclusive(path: string, content: string): boolean {
  try {
    const file = openSync(path, "wx", 0o600);
    writeSync(file, content);
    closeSync(file);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw new Fault("precondition", `write ${path}`, { cause });
  }
}

function readHolder(path: string): Holder | undefined {
  try {
    const { pid, identity } = JSON.parse(readFileSync(path, "utf8")) as Partial<Record<keyof Holder, unknown>>;
    return typeof pid === "number" && typeof identity === "string" ? { pid, identity } : undefined;
  } catch {
    return undefined; // gone meanwhile, or torn by a power failure
  }
}
