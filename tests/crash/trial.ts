/**
 * One crash trial: real processes, many clients, kills at random points, and a judgement at the end.
 *
 * C1 clients note what they asked before asking and what they heard as soon as they hear it; a call that got no answer stays "may have happened"
 * C4 every other client sends an idempotency key and asks again until it is answered: then the command must be there exactly once
 * C2 kills come from a seed: which process, and how long after it last became ready. Where in a fsync that hits is the machine's choice
 * C3 a function must not outlive its Mecha (E16): after each kill of Mecha its children are gone before the next start is asked for anything
 */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { Random } from "@mecha/kit";
import { eventually, freePort, isAlive, type Program, startNode } from "../support/program.ts";
import { type Breach, check, checkMirrors, type Operation } from "./history.ts";

/** What a trial does. */
export interface TrialOptions {
  /** Folder for the state, empty at first. */
  readonly stateDir: string;
  readonly random: Random;
  readonly kills: number;
  /** Ledgers the clients write to all the time. */
  readonly ledgers: number;
  readonly clients: number;
  /** Entities touched once at the start and kept active beside the load. */
  readonly bystanders: number;
  readonly report: (line: string) => void;
}

/** What came of it. */
export interface TrialResult {
  readonly breaches: readonly Breach[];
  readonly acknowledged: number;
  readonly unanswered: number;
  /** Commands with a key that were asked more than once. */
  readonly repeated: number;
  readonly killsOfMecha: number;
  readonly killsOfFunction: number;
  readonly orphans: readonly number[];
}

/** Longest a call is waited for: past it the client notes "no answer" and goes on. */
const callMaxMs = 20_000;
/** Latest moment of a kill after readiness. Short ones hit recovery and replay, long ones the steady state. */
const killWithinMs = 900;

/** Runs one trial. @throws when Mecha does not come back after a kill. */
export async function runTrial(options: TrialOptions): Promise<TrialResult> {
  const port = await freePort();
  const platform = new Platform(options.stateDir, port);
  const clients = new Clients(`http://127.0.0.1:${port}`, options);
  const orphans: number[] = [];
  let killsOfMecha = 0;
  try {
    await platform.start();
    if (options.bystanders > 0) await clients.touchBystanders();
    clients.start();
    for (let kill = 0; kill < options.kills; kill++) {
      const atMs = options.random.below(killWithinMs);
      await delay(atMs);
      const victim = options.random.below(3) === 0 ? "function" : "mecha";
      if (victim === "mecha") {
        killsOfMecha++;
        orphans.push(...(await platform.killMecha()));
        await platform.start();
      } else {
        await platform.killFunction();
      }
      if ((kill + 1) % 10 === 0) options.report(`${kill + 1} kills, ${clients.acknowledged} commands acknowledged`);
    }
    await clients.stop();
    const stored = await clients.readAll();
    const mirrors = await clients.readMirrors(stored);
    await platform.stop();
    return {
      breaches: [...check(clients.history, stored), ...checkMirrors(stored, mirrors), ...clients.lostBystanders(stored)],
      acknowledged: clients.acknowledged,
      unanswered: clients.history.filter(({ endedMs }) => endedMs === undefined).length,
      repeated: clients.repeated,
      killsOfMecha,
      killsOfFunction: options.kills - killsOfMecha,
      orphans,
    };
  } finally {
    await clients.stop();
    await platform[Symbol.asyncDispose]();
  }
}

/** `mecha up` on the ledger project. */
class Platform implements AsyncDisposable {
  readonly #stateDir: string;
  readonly #port: number;
  #mecha: Program | undefined;

  constructor(stateDir: string, port: number) {
    this.#stateDir = stateDir;
    this.#port = port;
  }

  async start(): Promise<void> {
    const args = ["up", "tests/crash/ledger", "--port", String(this.#port), "--admin-port", "0", "--state", this.#stateDir];
    this.#mecha = startNode("apps/mecha/src/main.ts", args);
    await eventually("mecha answers", async () => (await fetch(`http://127.0.0.1:${this.#port}/ledgers/ready`)).ok);
  }

  /** kill -9, and waits until its children are gone. Returns those that are not. Keeps C3. */
  async killMecha(): Promise<readonly number[]> {
    const mecha = this.#mecha;
    if (!mecha) return [];
    const children = await mecha.descendants();
    mecha.kill("SIGKILL");
    await mecha.exit;
    const left = async (): Promise<number[]> => {
      const alive = await Promise.all(children.map(async (pid) => ({ pid, alive: await isAlive(pid) })));
      return alive.filter((child) => child.alive).map(({ pid }) => pid);
    };
    await eventually("the children end with mecha", async () => (await left()).length === 0, 5_000).catch(() => undefined);
    return left();
  }

  async killFunction(): Promise<void> {
    const pid = (await this.#mecha?.descendants())?.find((child) => commandLineOf(child).includes("main.ts"));
    if (pid !== undefined) process.kill(pid, "SIGKILL");
  }

  async stop(): Promise<void> {
    this.#mecha?.kill("SIGTERM");
    await this.#mecha?.exit;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#mecha?.[Symbol.asyncDispose]();
  }
}

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // ended between listing and looking
  }
}

/** Clients that append and read without pause and write down what they see. */
class Clients {
  readonly history: Operation[] = [];
  readonly #url: string;
  readonly #options: TrialOptions;
  #running: Promise<unknown> = Promise.resolve();
  #stopped = false;
  #nextCommand = 0;
  acknowledged = 0;
  repeated = 0;

  constructor(url: string, options: TrialOptions) {
    this.#url = url;
    this.#options = options;
  }

  start(): void {
    this.#running = Promise.all(Array.from({ length: this.#options.clients }, (_, at) => this.#client(at % 2 === 0)));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #client(keyed: boolean): Promise<void> {
    while (!this.#stopped) {
      const ledger = `l${this.#options.random.below(this.#options.ledgers)}`;
      const answered = this.#options.random.below(5) === 0 ? await this.#read(ledger) : await this.#append(ledger, keyed);
      // Nobody is there right after a kill: do not spin on refused connections.
      if (!answered) await delay(20);
    }
  }

  async #append(ledger: string, keyed: boolean): Promise<boolean> {
    const commandId = `c${this.#nextCommand++}`;
    const startedMs = performance.now();
    const index = this.history.push({ do: "append", ledger, commandId, startedMs, endedMs: undefined, place: undefined }) - 1; // C1
    const path = `/ledgers/${ledger}/append`;
    let answer = await this.#ask<{ place: number }>("POST", path, { commandId }, keyed ? commandId : undefined);
    if (keyed && !answer) this.repeated++;
    while (keyed && !answer) {
      await delay(20);
      answer = await this.#ask("POST", path, { commandId }, commandId); // C4
    }
    if (!answer) return false;
    this.history[index] = { do: "append", ledger, commandId, startedMs, endedMs: performance.now(), place: answer.place };
    this.acknowledged++;
    return true;
  }

  async #read(ledger: string): Promise<boolean> {
    const startedMs = performance.now();
    const answer = await this.#ask<{ commandIds: string[] }>("GET", `/ledgers/${ledger}`);
    if (!answer) return false;
    this.history.push({ do: "read", ledger, startedMs, endedMs: performance.now(), seen: answer.commandIds });
    return true;
  }

  async #ask<T>(method: string, path: string, body?: unknown, key?: string): Promise<T | undefined> {
    try {
      const response = await fetch(this.#url + path, {
        method,
        signal: AbortSignal.timeout(callMaxMs),
        ...(body === undefined
          ? {}
          : {
              headers: { "content-type": "application/json", ...(key !== undefined && { "idempotency-key": key }) },
              body: JSON.stringify(body),
            }),
      });
      const text = await response.text();
      return response.ok ? (JSON.parse(text) as T) : undefined;
    } catch {
      return undefined; // no answer: refused, reset or cut off by the kill
    }
  }

  /** One append to each bystander, so that this many entities are active while things are killed. */
  async touchBystanders(): Promise<void> {
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < this.#options.bystanders) {
        const id = next++;
        const answer = await this.#ask<{ place: number }>("POST", `/ledgers/b${id}/append`, { commandId: `b${id}` });
        if (answer?.place !== 1) throw new Error(`bystander ${id} was answered ${JSON.stringify(answer)}`);
        if (id > 0 && id % 5_000 === 0) this.#options.report(`${id} bystanders are active`);
      }
    };
    await Promise.all(Array.from({ length: 32 }, worker));
  }

  /** Bystanders, of those read, whose one entry is not there at the end. */
  lostBystanders(stored: ReadonlyMap<string, readonly string[]>): readonly Breach[] {
    return [...stored]
      .filter(([ledger, list]) => ledger.startsWith("b") && (list.length !== 1 || list[0] !== ledger))
      .map(([ledger, list]) => ({ rule: "H1", entity: ledger, what: `the bystander's entry is ${JSON.stringify(list)}` }));
  }

  async readAll(): Promise<Map<string, readonly string[]>> {
    const sample = Math.min(500, this.#options.bystanders);
    const ids = [
      ...Array.from({ length: this.#options.ledgers }, (_, index) => `l${index}`),
      ...Array.from({ length: sample }, () => `b${this.#options.random.below(this.#options.bystanders)}`),
    ];
    const stored = new Map<string, readonly string[]>();
    for (const id of ids) {
      const list = await eventually(
        `ledger ${id} can be read`,
        async () => (await this.#ask<{ commandIds: string[] }>("GET", `/ledgers/${id}`))?.commandIds,
      );
      stored.set(id, list);
    }
    return stored;
  }

  /** The mirrors of the ledgers, once they have as many entries or nothing comes any more. */
  async readMirrors(stored: ReadonlyMap<string, readonly string[]>): Promise<Map<string, readonly string[]>> {
    const mirror = async (id: string): Promise<readonly [string, readonly string[]]> => {
      const read = async (): Promise<readonly string[] | undefined> =>
        (await this.#ask<{ commandIds: string[] }>("GET", `/mirrors/${id}`))?.commandIds;
      const complete = async (): Promise<readonly string[] | undefined> => {
        const list = await read();
        return list && list.length >= (stored.get(id)?.length ?? 0) ? list : undefined;
      };
      return [id, await eventually(`mirror ${id} is complete`, complete).catch(async () => (await read()) ?? [])];
    };
    return new Map(await Promise.all(Array.from({ length: this.#options.ledgers }, (_, index) => mirror(`l${index}`))));
  }
}
