/** The components the engine's benchmarks run: the same counter with and without snapshots, and an action that streams. */
import { action, command, eventSourced, t } from "mecha-sdk";

// The type is what the SDK makes of it: nobody could write it down.
// eslint-disable-next-line @typescript-eslint/explicit-function-return-type -- see above
function counter(service: string, snapshotEvery: number) {
  return eventSourced({
    service,
    key: "id",
    snapshotEvery,
    state: () => ({ value: 0 }),
    events: { added: { amount: t.int32 } },
    commands: { add: command({ id: t.string, amount: t.int32 }).http(`POST /${service}/{id}/add`).replies({ value: t.int32 }) },
    on: {
      added(state, { amount }) {
        state.value += amount;
      },
    },
    handle: {
      add({ amount }, ctx) {
        ctx.emit("added", { amount });
        return { value: ctx.state.value };
      },
    },
  });
}

/** Each activation replays every event. */
export const Plain = counter("bench.Plain", 0);
/** A snapshot at every 100th event, which is the SDK's default. */
export const Snapshotted = counter("bench.Snapshotted", 100);

/** Answers `count` messages, as fast as they are taken. */
export const Ticker = action({
  service: "bench.Ticker",
  commands: { ticks: command({ count: t.int32 }).replies({ n: t.int32 }).streamedOut() },
  handle: {
    *ticks({ count }) {
      for (let n = 1; n <= count; n++) yield { n };
    },
  },
});
