/** A ledger that appends command ids and can be read whole: what tests/crash drives while things are killed. */
import { command, eventSourced, serve, t } from "mecha-sdk";

interface LedgerState {
  commandIds: string[];
}

const Ledger = eventSourced({
  service: "crash.Ledger",
  persistenceId: "ledger",
  key: "ledgerId",
  state: (): LedgerState => ({ commandIds: [] }),
  snapshotEvery: 20,
  events: { appended: { commandId: t.string } },
  commands: {
    append: command({ ledgerId: t.string, commandId: t.string }).http("POST /ledgers/{ledgerId}/append").replies({ place: t.int32 }),
    read: command({ ledgerId: t.string })
      .http("GET /ledgers/{ledgerId}")
      .replies({ commandIds: t.repeated(t.string) }),
  },
  on: {
    appended(state, { commandId }) {
      state.commandIds.push(commandId);
    },
  },
  handle: {
    append({ commandId }, ctx) {
      ctx.emit("appended", { commandId });
      return { place: ctx.state.commandIds.length };
    },
    read(_command, ctx) {
      return { commandIds: [...ctx.state.commandIds] };
    },
  },
});

await serve([Ledger]);
