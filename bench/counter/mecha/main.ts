/** The counter as an event-sourced entity: each add is an event, durable before the answer. */
import { command, eventSourced, serve, t } from "mecha-sdk";

const Counter = eventSourced({
  service: "bench.Counter",
  persistenceId: "counter",
  key: "id",
  state: () => ({ value: 0 }),
  events: { added: { amount: t.int32 } },
  commands: {
    add: command({ id: t.string, amount: t.int32 }).http("POST /counter/{id}/add").replies({ value: t.int32 }),
  },
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

await serve([Counter]);
