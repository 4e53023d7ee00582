/**
 * What tests/crash drives while things are killed: a ledger that appends command ids and can be read whole, a mirror that gets each append as an effect,
 * and a register that is set and read.
 */
import { command, eventSourced, serve, t, valueEntity } from "mecha-sdk";

interface LedgerState {
  commandIds: string[];
}

/** Ledgers that have a mirror. */
const mirrored = /l\d+$/;

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
    // The answer names the command, so that it can be found in what the process writes to its sockets.
    append: command({ ledgerId: t.string, commandId: t.string })
      .http("POST /ledgers/{ledgerId}/append")
      .replies({ place: t.int32, commandId: t.string }),
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
      if (mirrored.test(ledgerId)) ctx.effect(Mirror.commands.note, { mirrorId: ledgerId, commandId });
      return { place: ctx.state.commandIds.length, commandId };
    },
    read(_command, ctx) {
      return { commandIds: [...ctx.state.commandIds] };
    },
  },
});

/** Empty text = nothing held. */
const Register = valueEntity({
  service: "crash.Register",
  persistenceId: "register",
  key: "registerId",
  state: () => ({ held: "" }),
  commands: {
    set: command({ registerId: t.string, value: t.string })
      .http("POST /registers/{registerId}/set")
      .replies({ replaced: t.string, value: t.string }),
    get: command({ registerId: t.string }).http("GET /registers/{registerId}").replies({ held: t.string }),
  },
  handle: {
    set({ value }, ctx) {
      const replaced = ctx.state.held;
      if (value === "") ctx.delete();
      else ctx.update({ held: value });
      return { replaced, value };
    },
    get(_command, ctx) {
      return { held: ctx.state.held };
    },
  },
});

await serve([Ledger, Mirror, Register]);
