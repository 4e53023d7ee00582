/**
 * 1,000 streamed calls at a time: callers ask an action over gRPC for a stream of messages each, all open together until the last has ended.
 *
 *     npm run bench -- streams [--calls 1000] [--messages 200] [--rounds 3]
 */
import { hostClock } from "@mecha/host";
import { connect } from "@mecha/net";
import { number, readOptions } from "../options.ts";
import { Ticker } from "./components.ts";
import { keep, printMachine, startEngine, tempState } from "./harness.ts";

const { calls, messages, rounds } = readOptions("Streamed calls of an action, many at a time.", {
  calls: number(1_000, "open at a time"),
  messages: number(200, "of each call"),
  rounds: number(3, "to measure"),
});
const state = tempState();
try {
  printMachine();
  const engine = await startEngine(state.dir);
  const channel = connect({ host: "127.0.0.1", port: engine.port, clock: hostClock });
  const request = Ticker.commands.ticks.input.codec.encode({ count: messages });
  const results: object[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const before = engine.cpu();
      const start = performance.now();
      const firsts = await Promise.all(Array.from({ length: calls }, () => stream(start)));
      const seconds = (performance.now() - start) / 1000;
      const after = engine.cpu();
      const perMessage = (micros: number): number => Number((micros / calls / messages).toFixed(1));
      const memory = engine.memory();
      results.push({
        calls,
        messages: calls * messages,
        "messages/s": Math.round((calls * messages) / seconds),
        "last call began ms": Math.round(Math.max(...firsts)),
        "server CPU µs a message": perMessage(after.server - before.server),
        "function CPU µs a message": perMessage(after.function - before.function),
        "server MB": Math.round(memory.server / 2 ** 20),
        "function MB": Math.round(memory.function / 2 ** 20),
      });
    }
  } finally {
    await channel[Symbol.asyncDispose]();
    await engine.stop();
  }
  console.table(results);
  keep("streams", results);

  /** Resolves with the time of the first message; rejects unless all have come. */
  function stream(startMs: number): Promise<number> {
    return new Promise((resolve, reject) => {
      let got = 0;
      let firstMs = 0;
      const call = channel.open("/bench.Ticker/Ticks", {}, {
        message() {
          if (++got === 1) firstMs = performance.now() - startMs;
        },
        end(status) {
          if (status.code === 0 && got === messages) resolve(firstMs);
          else reject(new Error(`a call ended with ${JSON.stringify(status)} after ${String(got)} of ${String(messages)} messages`));
        },
      }); // prettier-ignore
      call.send(request);
      call.halfClose();
    });
  }
} finally {
  state.remove();
}
