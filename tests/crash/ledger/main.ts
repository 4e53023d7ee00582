/**
 * What tests/crash drives while things are killed: a ledger that appends command ids and can be read whole, a mirror that gets each append as an effect,
 * a register that is set and read, a bell that notes what becomes of its timers, and a counter that is a CRDT.
 */
import { command, crdt, eventSourced, gcounter, serve, t, valueEntity, type WriteConsistency } from "mecha-sdk";

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

/** Notes, in the words of bells.ts, each setting, cancellation and firing of its timers as one event. */
const Bell = eventSourced({
  service: "crash.Bell",
  persistenceId: "bell",
  key: "bellId",
  state: () => ({ notes: [] as string[] }),
  snapshotEvery: 20,
  events: { noted: { note: t.string } },
  commands: {
    set: command({ bellId: t.string, commandId: t.string, timer: t.string, dueMs: t.double, everyMs: t.optional(t.int32) }).http(
      "POST /bells/{bellId}/set",
    ),
    cancel: command({ bellId: t.string, commandId: t.string, timer: t.string }).http("POST /bells/{bellId}/cancel"),
    ring: command({ bellId: t.string }),
    read: command({ bellId: t.string })
      .http("GET /bells/{bellId}")
      .replies({ notes: t.repeated(t.string) }),
  },
  on: {
    noted(state, { note }) {
      state.notes.push(note);
    },
  },
  handle: {
    set({ bellId, commandId, timer, dueMs, everyMs }, ctx) {
      ctx.emit("noted", { note: JSON.stringify({ did: "set", commandId, timer, dueMs, everyMs }) });
      ctx.schedule(timer, "ring", { bellId }, { at: new Date(dueMs), ...(everyMs !== undefined && { every: everyMs }) });
    },
    cancel({ commandId, timer }, ctx) {
      ctx.emit("noted", { note: JSON.stringify({ did: "cancel", commandId, timer }) });
      ctx.cancelTimer(timer);
    },
    ring(_command, ctx) {
      const { timer, due, number } = ctx.firing ?? ctx.fail("only timers ring");
      ctx.emit("noted", { note: JSON.stringify({ did: "ring", timer, dueMs: due.getTime(), number, atMs: Date.now() }) });
    },
    read(_command, ctx) {
      return { notes: [...ctx.state.notes] };
    },
  },
});

const Counter = crdt({
  service: "crash.Counter",
  key: "counterId",
  state: gcounter(),
  commands: {
    add: command({ counterId: t.string, amount: t.double, consistency: t.string })
      .http("POST /counters/{counterId}/add")
      .replies({ counted: t.double }),
    read: command({ counterId: t.string }).http("GET /counters/{counterId}").replies({ counted: t.double }),
  },
  handle: {
    add({ amount, consistency }, ctx) {
      ctx.writeConsistency(consistency as WriteConsistency);
      return { counted: ctx.state.increment(amount).value };
    },
    read(_command, ctx) {
      return { counted: ctx.state.value };
    },
  },
});

await serve([Ledger, Mirror, Register, Bell, Counter]);
