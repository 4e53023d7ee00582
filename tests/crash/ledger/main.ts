/** A ledger that appends command ids and can be read whole: what tests/crash drives while things are killed. Each append to a ledger `l…` is an effect for its mirror. */
import { command, eventSourced, serve, t } from "mecha-sdk";

interface LedgerState {
  commandIds: string[];
}

/** Notes what the ledger of the same id appends. */
const Mirror = eventSourced({
  service: "crash.Mirror",
  persistenceId: "mirror",
  key: "mirrorId",
  state: (): LedgerState => ({ commandIds: [] }),
  snapshotEvery: 20,
  events: { noted: { commandId: t.string } },
  commands: {
    note: command({ mirrorId: t.string, commandId: t.string }),
    read: command({ mirrorId: t.string })
      .http("GET /mirrors/{mirrorId}")
      .replies({ commandIds: t.repeated(t.string) }),
  },
  on: {
    noted(state, { commandId }) {
      state.commandIds.push(commandId);
    },
  },
  handle: {
    note({ commandId }, ctx) {
      ctx.emit("noted", { commandId });
    },
    read(_command, ctx) {
      return { commandIds: [...ctx.state.commandIds] };
    },
  },
});

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
    append({ ledgerId, commandId }, ctx) {
      ctx.emit("appended", { commandId });
      if (ledgerId.startsWith("l")) ctx.effect(Mirror.commands.note, { mirrorId: ledgerId, commandId });
      return { place: ctx.state.commandIds.length };
    },
    read(_command, ctx) {
      return { commandIds: [...ctx.state.commandIds] };
    },
  },
});

await serve([Ledger, Mirror]);
