import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { type Clock, Fault } from "@mecha/kit";
import { FakeClock, SeededRandom } from "@mecha/kit/testing";
import {
  endLeftovers,
  type FunctionPorts,
  type FunctionProcess,
  type FunctionSpec,
  type FunctionState,
  openFunctionProcess,
  orphanGuard,
  startIdentity,
} from "./index.ts";
import { recordRun } from "./leftovers.ts";

const realClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, fire) {
    const timer = setTimeout(fire, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Everything a test sees of one function. */
interface Watched {
  readonly process: FunctionProcess;
  readonly states: FunctionState[];
  readonly lines: string[];
  readonly runFolder: string;
  /** Waits until `found` says so. */
  until(found: () => boolean): Promise<void>;
}

async function open(t: TestContext, spec: Partial<FunctionSpec>, ports: Partial<FunctionPorts> = {}): Promise<Watched> {
  const folder = mkdtempSync(join(tmpdir(), "mecha-run-"));
  const runFolder = join(folder, "run");
  const states: FunctionState[] = [];
  const lines: string[] = [];
  let look: () => void = () => undefined;
  const process_ = await openFunctionProcess(
    { name: "cart", command: "true", directory: folder, env: {}, host: "127.0.0.1", port: undefined, ...spec },
    {
      clock: realClock,
      random: new SeededRandom(1),
      environment: process.env,
      runFolder,
      output: (stream, line) => {
        lines.push(`${stream} ${line}`);
        look();
      },
      changed: (state) => {
        states.push(state);
        look();
      },
      ...ports,
    },
  );
  t.after(async () => {
    await process_.kill();
    rmSync(folder, { recursive: true });
  });
  const until = (found: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      look = () => {
        if (!found()) return;
        look = () => undefined;
        resolve();
      };
      look();
    });
  return { process: process_, states, lines, runFolder, until };
}

const node = (code: string): string[] => [process.execPath, "-e", code];

test("a function gets HOST, PORT, its own variables and folder, and its output comes line by line with the stream's name", async (t) => {
  const f = await open(t, {
    command: node(
      `console.log(process.env.HOST, process.env.PORT, process.env.A, process.cwd()); console.error("problem"); setInterval(() => {}, 1000)`,
    ),
    env: { A: "b c" },
    directory: tmpdir(),
  });
  await f.until(() => f.lines.length === 2);
  const state = f.process.state;
  assert.ok(state.is === "running");
  assert.ok(state.port > 1023);
  assert.deepEqual(f.lines.toSorted(), ["stderr problem", `stdout 127.0.0.1 ${state.port} b c ${tmpdir()}`]);
});

test("a function that ends is started again after 1 s, then 2 s, on the same port, and the reason is told", async (t) => {
  const clock = new FakeClock();
  const f = await open(
    t,
    { command: ["sh", "-c", "echo $PORT; exit 3"] },
    { clock, policy: { firstMs: 1_000, maxMs: 10_000, factor: 2, jitter: 0, stableMs: 30_000 } },
  );
  await f.until(() => f.states.at(-1)?.is === "waiting");
  assert.deepEqual(f.states.at(-1), { is: "waiting", reason: "exit code 3", delayMs: 1_000 });
  await clock.advance(999);
  assert.equal(f.states.filter((s) => s.is === "running").length, 1);
  await clock.advance(1);
  await f.until(() => f.states.filter((s) => s.is === "waiting").length === 2);
  assert.deepEqual(f.states.at(-1), { is: "waiting", reason: "exit code 3", delayMs: 2_000 });
  assert.equal(f.process.restarts, 1);
  assert.equal(f.lines[0], f.lines[1]);
});

test("kill -9 of a function is told as its signal", async (t) => {
  const f = await open(t, { command: ["sleep", "60"] });
  const state = f.process.state;
  assert.ok(state.is === "running");
  process.kill(state.pid, "SIGKILL");
  await f.until(() => f.process.state.is === "waiting");
  assert.equal(f.process.state.is === "waiting" && f.process.state.reason, "signal SIGKILL");
});

test("stop asks with SIGTERM and lets the function finish; nothing is started afterwards", async (t) => {
  const f = await open(t, {
    command: node(`process.on("SIGTERM", () => { console.log("bye"); process.exit(0) }); console.log("up"); setInterval(() => {}, 1000)`),
  });
  await f.until(() => f.lines.includes("stdout up"));
  assert.deepEqual(readdirSync(f.runFolder), ["cart.json"]);
  assert.equal(await f.process.stop(10_000), true);
  assert.equal(f.lines.at(-1), "stdout bye");
  assert.deepEqual(
    f.states.map((s) => s.is),
    ["running", "stopping", "stopped"],
  );
  assert.deepEqual(readdirSync(f.runFolder), []);
  assert.equal(await f.process.stop(10_000), true);
});

test("a function that ignores SIGTERM is killed when the grace is over", async (t) => {
  const f = await open(t, { command: node(`process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000)`) });
  await f.until(() => f.lines.includes("stdout up"));
  assert.equal(await f.process.stop(50), false);
  assert.equal(f.process.state.is, "stopped");
});

test("stop during the back-off starts nothing any more", async (t) => {
  const clock = new FakeClock();
  const f = await open(t, { command: "exit 1" }, { clock });
  await f.until(() => f.process.state.is === "waiting");
  await f.process.stop(1_000);
  assert.equal(clock.pending, 0);
  assert.equal(f.process.state.is, "stopped");
});

test("what a function started is ended with it, also when the function crashes and leaves it behind", async (t) => {
  const f = await open(t, { command: "sleep 300 & echo $!; exit 1" }, { clock: realClock });
  await f.until(() => f.process.state.is === "waiting");
  const grandchild = Number(f.lines[0]?.split(" ")[1]);
  await gone(grandchild);
});

test("a slow taker of output slows the function instead of filling memory", async (t) => {
  const released: (() => void)[] = [];
  const taken: string[] = [];
  const { promise: first, resolve: sawFirst } = Promise.withResolvers<void>();
  const f = await open(
    t,
    { command: node(`for (let i = 0; i < 200000; i++) console.log("line", i)`) },
    {
      output: (_stream, line) => {
        taken.push(line);
        sawFirst();
        return new Promise((resolve) => released.push(resolve));
      },
    },
  );
  await first;
  assert.equal(taken.length, 1);
  const letGo = setInterval(() => released.splice(0).forEach((release) => release()), 0);
  t.after(() => clearInterval(letGo));
  await f.process.kill();
  assert.ok(taken.length < 200_000, "output was held back while nobody took it");
});

test("a program that does not exist, a missing folder and a taken fixed port are said before anything starts", async (t) => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  t.after(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const cases: [Partial<FunctionSpec>, RegExp][] = [
    [{ command: ["no-such-program-1"] }, /program "no-such-program-1" was not found; install it or mend `command`/u],
    [{ command: ["./no-such-file"] }, /program ".\/no-such-file" was not found/u],
    [{ command: [] }, /command is empty/u],
    [{ directory: "/no/such/folder" }, /folder \/no\/such\/folder does not exist; mend `directory`/u],
    [{ port }, new RegExp(`port ${port} of function cart is in use`, "u")],
  ];
  for (const [spec, message] of cases) {
    await assert.rejects(
      open(t, spec),
      (error: unknown) => error instanceof Fault && error.code === "precondition" && message.test(error.message),
    );
  }
});

/** Starts test/parent.ts and waits for its function; resolves with process ids printed. */
async function startParent(
  t: TestContext,
  guard: string,
  command: string,
): Promise<{ kill: () => void; runFolder: string; words: Map<string, number> }> {
  const folder = mkdtempSync(join(tmpdir(), "mecha-run-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const runFolder = join(folder, "run");
  const parent = spawn(process.execPath, [new URL("../test/parent.ts", import.meta.url).pathname, runFolder, guard, command], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => parent.kill("SIGKILL"));
  const words = new Map<string, number>();
  for await (const line of createInterface({ input: parent.stdout })) {
    const [word = "", pid = ""] = line.split(" ");
    words.set(word, Number(pid));
    if (words.has("leader") && words.has("inner")) break;
  }
  return { kill: () => parent.kill("SIGKILL"), runFolder, words };
}

test(
  "after kill -9 of the parent the function is gone, by parent-death signal",
  { skip: orphanGuard() === "lifeline" && "no setpriv with --pdeathsig here" },
  async (t) => {
    const parent = await startParent(
      t,
      "parentDeathSignal",
      `exec ${process.execPath} -e 'console.log("inner", process.pid); setInterval(() => {}, 1000)'`,
    );
    parent.kill();
    await gone(parent.words.get("leader") ?? 0);
  },
);

test("by lifeline too, also when it is a child of the shell and knows nothing of standard input", async (t) => {
  const code = `console.log("inner", process.pid); setInterval(() => {}, 1000)`;
  for (const command of [`exec ${process.execPath} -e '${code}'`, `true && ${process.execPath} -e '${code}'`]) {
    const parent = await startParent(t, "lifeline", command);
    parent.kill();
    await gone(parent.words.get("inner") ?? 0);
    await gone(parent.words.get("leader") ?? 0);
  }
});

test("a line of several commands leaves nothing behind either, whatever the machine offers", async (t) => {
  const parent = await startParent(
    t,
    orphanGuard(),
    `true && ${process.execPath} -e 'console.log("inner", process.pid); setInterval(() => {}, 1000)'`,
  );
  parent.kill();
  await gone(parent.words.get("inner") ?? 0);
});

test(
  "leftovers are ended at the next start: a leader with its group, and children whose leader is gone",
  { skip: process.platform !== "linux" && "reads /proc" },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "mecha-run-"));
    t.after(() => rmSync(folder, { recursive: true }));
    for (const leaderGone of [false, true]) {
      const left = spawn("sh", ["-c", "sleep 300 & echo $!; wait"], {
        detached: true,
        stdio: ["ignore", "pipe", "ignore"],
        env: { ...process.env, MECHA_RUN: "mark-1" },
      });
      const pid = left.pid ?? 0;
      const [line] = (await once(createInterface({ input: left.stdout }), "line")) as [string];
      recordRun(folder, { function: "f", pid, identity: startIdentity(pid) ?? "", mark: "mark-1" });
      if (leaderGone) {
        process.kill(pid, "SIGKILL");
        await gone(pid);
        recordRun(folder, { function: "g", pid, identity: "x", mark: "another mark" }); // not ours: ends nobody
      }
      assert.deepEqual(
        endLeftovers(folder).map((r) => r.function),
        ["f"],
      );
      await gone(pid);
      await gone(Number(line));
      assert.deepEqual(readdirSync(folder), []);
    }
  },
);

test("a record of another process, or nonsense, ends nobody", async (t) => {
  const bystander = spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
  t.after(() => bystander.kill("SIGKILL"));
  const folder = mkdtempSync(join(tmpdir(), "mecha-run-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const pid = bystander.pid ?? 0;
  const records: unknown[] = [
    { function: "a", pid, identity: "another-boot/1", mark: "m" },
    { function: "b", pid: 1, identity: startIdentity(1) ?? "x", mark: "m" },
    { function: "c", pid: -1, identity: "x", mark: "m" },
    { function: "d", pid: String(pid), identity: startIdentity(pid), mark: "m" },
    null,
    [],
  ];
  records.forEach((record, i) => writeFileSync(join(folder, `${i}.json`), JSON.stringify(record)));
  writeFileSync(join(folder, "torn.json"), '{"pid": 1');
  mkdirSync(join(folder, "sub"));
  assert.deepEqual(endLeftovers(folder), []);
  assert.equal(bystander.exitCode, null);
  assert.ok(readFileSync(`/proc/${pid}/stat`, "utf8"));
});

/** Waits until no process, zombies aside, has the number. */
async function gone(pid: number): Promise<void> {
  assert.ok(pid > 1);
  while (startIdentity(pid) !== undefined) await new Promise((resolve) => setTimeout(resolve, 5));
}
