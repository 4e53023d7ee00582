/** Entry: wires the machine to the command line, nothing else. */
import { hostClock, hostEnvironment, hostRandom } from "@mecha/host";
import { run } from "./cli.ts";
import type { Io } from "./io.ts";

const closed = new Set<NodeJS.WriteStream>();

/** Writes; a promise while the other side is slow. A reader that went away (`| head`) is no error: nothing more is written. */
function writer(stream: NodeJS.WriteStream): (text: string) => void | Promise<void> {
  stream.on("error", () => closed.add(stream));
  return (text) => {
    if (closed.has(stream) || stream.write(text)) return;
    return new Promise((resolve) => {
      stream.once("drain", resolve);
      stream.once("close", resolve);
      stream.once("error", () => resolve());
    });
  };
}

const stdout = writer(process.stdout);
const stderr = writer(process.stderr);
const io: Io = {
  out: (text) => void stdout(text),
  pour: stdout,
  err: (text) => void stderr(text),
  terminal: process.stderr.isTTY,
  colour: process.stdout.isTTY && !process.env.NO_COLOR,
  env: hostEnvironment(),
  cwd: process.cwd(),
  clock: hostClock,
  random: hostRandom,
  onSignal(stop) {
    const interrupt = (): void => stop("SIGINT");
    const terminate = (): void => stop("SIGTERM");
    process.on("SIGINT", interrupt).on("SIGTERM", terminate);
    // bin/mecha.cjs holds the other end; when it is gone, however it went, so are we.
    if (process.channel) process.on("disconnect", terminate).channel?.unref();
    return () => process.off("SIGINT", interrupt).off("SIGTERM", terminate).off("disconnect", terminate);
  },
  exit: (code) => process.exit(code),
};

process.exitCode = await run(process.argv.slice(2), io);
