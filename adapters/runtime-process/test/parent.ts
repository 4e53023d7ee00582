/** Opens a function and prints its process id; killed by the test. Arguments: run folder, guard, command for the shell. */
import { randomInt, randomFillSync } from "node:crypto";
import { openFunctionProcess, type OrphanGuard } from "../src/index.ts";

const [runFolder = "", guard = "", command = ""] = process.argv.slice(2);
const running = await openFunctionProcess(
  { name: "f", command, directory: process.cwd(), env: {}, host: "127.0.0.1", port: undefined },
  {
    clock: {
      wall: () => Date.now(),
      monotonic: () => performance.now(),
      after(delayMs, fire) {
        const timer = setTimeout(fire, delayMs);
        return () => clearTimeout(timer);
      },
    },
    random: { below: (n) => randomInt(n), bytes: (n) => randomFillSync(new Uint8Array(n)) },
    environment: process.env,
    runFolder,
    guard: guard as OrphanGuard,
    output: (_stream, line) => console.log(line),
    changed: () => undefined,
  },
);
console.log(`leader ${running.state.is === "running" ? running.state.pid : 0}`);
