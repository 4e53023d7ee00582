/** The entity machine's decisions, as tables: from the first command to the verdict. More of them in machine/. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import { payload } from "../testing/function.ts";
import { MachineBench, storedEvents } from "../testing/machine.ts";
import { event, failed, rows } from "../testing/machine-table.ts";

const undecidable =
  "a: unknown shop.Cart/1: the store cannot say whether this was applied; with an idempotency key, ask again with the same one";

rows("activation", [
  { name: "the first command opens the record", when: (m) => m.command("a"), then: ["enter", "openStore"], phase: "loading" },
  { name: "it waits for leave", when: (m) => ((m.admit = false), m.command("a")), then: ["enter"], phase: "waiting" },
  {
    name: "an entity that never was starts empty",
    given: (m) => m.command("a"),
    when: (m) => m.opened(),
    then: ["openStream", "activated 0", "command 1 a"],
    phase: "active",
  },
  {
    name: "a snapshot is sent with the init, events after it are read",
    given: (m) => m.command("a"),
    when: (m) => m.opened({ sequence: 7, snapshot: { sequence: 5, payload: payload("s") } }),
    then: ["openStream 5:s", "readPage 5"],
    phase: "replaying",
  },
  {
    name: "a snapshot of the last event needs no page",
    given: (m) => m.command("a"),
    when: (m) => m.opened({ sequence: 5, snapshot: { sequence: 5, payload: payload("s") } }),
    then: ["openStream 5:s", "activated 0", "command 1 a"],
  },
  {
    name: "a value is sent with the init",
    kind: "value",
    given: (m) => m.command("a"),
    when: (m) => m.opened({ sequence: 3, value: payload("v") }),
    then: ["openStream v", "activated 0", "command 1 a"],
  },
  {
    name: "a deleted value is none",
    kind: "value",
    given: (m) => m.command("a"),
    when: (m) => m.opened({ sequence: 3 }),
    then: ["openStream", "activated 0", "command 1 a"],
  },
  {
    name: "pages follow each other up to the last event",
    given: (m) => m.command("a").opened({ sequence: 3 }),
    when: (m) => m.page(storedEvents(1, "x", "y")).page(storedEvents(3, "z")),
    then: ["event 1:x", "event 2:y", "readPage 2", "event 3:z", "activated 3", "command 1 a"],
  },
  {
    name: "events wait while the function has no room",
    given: (m) => m.command("a").opened({ sequence: 2 }),
    when: (m) => ((m.room = false), m.page(storedEvents(1, "x", "y"))),
    then: ["event 1:x"],
    phase: "replaying",
  },
  {
    name: "and go on when it has",
    given: (m) => (
      (m.room = false),
      m
        .command("a")
        .opened({ sequence: 2 })
        .page(storedEvents(1, "x", "y"))
    ),
    when: (m) => ((m.room = true), m.machine.drained(0)),
    then: ["event 2:y", "activated 2", "command 1 a"],
  },
  {
    name: "no command before the function has taken the last event",
    given: (m) => ((m.room = false), m.command("a").opened({ sequence: 1 }).page(storedEvents(1, "x"))),
    when: (m) => m.machine.drained(0),
    then: ["activated 1", "command 1 a"],
  },
  {
    name: "a log that ends early fails who waits",
    given: (m) => m.command("a").command("b").opened({ sequence: 2 }),
    when: (m) => m.page([]),
    then: ["reset", "fail a", "fail b", "releaseHandle", "ended"],
    told: ["a: dataLoss Error recovering event log", "b: dataLoss Error recovering event log"],
    phase: "idle",
  },
  {
    name: "a gap in the log fails who waits",
    given: (m) => m.command("a").opened({ sequence: 3 }),
    when: (m) => m.page(storedEvents(2, "y")),
    then: ["reset", "fail a", "releaseHandle", "ended"],
    told: ["a: dataLoss Error recovering event log"],
  },
  {
    name: "a log that goes on fails who waits",
    given: (m) => m.command("a").opened({ sequence: 1 }),
    when: (m) => m.page(storedEvents(1, "x", "y")),
    then: ["event 1:x", "event 2:y", "reset", "fail a", "releaseHandle", "ended"],
  },
  {
    name: "a record that cannot be opened: the store's code, the reference's text",
    given: (m) => m.command("a"),
    when: (m) => m.machine.openFailed(new Fault("unavailable", "closed"), 0),
    then: ["reset", "fail a", "releaseHandle", "ended"],
    told: ["a: unavailable Error recovering event log"],
  },
  {
    name: "a value's record that cannot be opened",
    kind: "value",
    given: (m) => m.command("a"),
    when: (m) => m.machine.openFailed(new Error("boom"), 0),
    then: ["reset", "fail a", "releaseHandle", "ended"],
    told: ["a: unknown Unexpected Value entity failure"],
  },
  {
    name: "an address the store refuses is told plainly",
    given: (m) => m.command("a"),
    when: (m) => m.machine.openFailed(new Fault("invalid", "entityId: holds NUL"), 0),
    then: ["reset", "fail a", "releaseHandle", "ended"],
    told: ["a: invalid entityId: holds NUL"],
  },
  {
    name: "a refusal fails who waits",
    given: (m) => ((m.admit = false), m.command("a")),
    when: (m) => m.machine.refused(new Fault("exhausted", "full"), 0),
    then: ["fail a", "releaseHandle", "ended"],
    told: ["a: exhausted full"],
    phase: "idle",
  },
]);

rows("commands", [
  { name: "one at a time", given: (m) => m.start(), when: (m) => m.command("b"), then: [] },
  {
    name: "E3: the next goes when the previous reply is in, before its step is durable",
    given: (m) => m.start().command("b"),
    when: (m) => m.reply(event),
    then: ["commit 0+1", "command 2 b"],
  },
  {
    name: "without pipelining it waits for the step",
    limits: { pipelining: false },
    given: (m) => m.start().command("b").reply(event),
    when: (m) => m.verdict(0),
    then: ["release a", "command 2 b"],
  },
  {
    name: "nothing is sent past uncommittedStepsMax",
    limits: { uncommittedStepsMax: 2 },
    given: (m) => m.start().command("b").command("c").reply(event, 1),
    when: (m) => m.reply(event, 2),
    then: ["commit 1+1"],
  },
  {
    name: "and goes on below it",
    limits: { uncommittedStepsMax: 2 },
    given: (m) => m.start().command("b").command("c").reply(event, 1).reply(event, 2),
    when: (m) => m.verdict(0),
    then: ["release a", "command 3 c"],
  },
  {
    name: "nothing is sent past uncommittedBytesMax",
    limits: { uncommittedBytesMax: 129 },
    given: (m) => m.start().command("b"),
    when: (m) => m.reply(event),
    then: ["commit 0+1"],
  },
  {
    name: "E2: steps are released in the order of their replies",
    given: (m) => m.start().command("b").reply(event, 1).reply(event, 2),
    when: (m) => m.verdict(1).verdict(0),
    then: ["release a", "release b", "rest"],
  },
  {
    name: "E6: a read is released at once when nothing is before it",
    given: (m) => m.start(),
    when: (m) => m.reply(),
    then: ["release a", "rest"],
  },
  {
    name: "E6: a read waits for the steps before it",
    given: (m) => m.start().command("b").reply(event, 1),
    when: (m) => m.reply({}, 2),
    then: [],
  },
  {
    name: "E6: and follows them",
    given: (m) => m.start().command("b").reply(event, 1).reply({}, 2),
    when: (m) => m.verdict(0),
    then: ["release a", "release b", "rest"],
  },
  {
    name: "E6: where stores are shared a read is checked like any step",
    limits: { fenceReads: true },
    given: (m) => m.start(),
    when: (m) => m.reply(),
    then: ["commit 0+0"],
  },
  {
    name: "steps are computed one on the other",
    given: (m) =>
      m
        .start()
        .command("b")
        .reply({ events: ["x", "y"] }, 1),
    when: (m) => m.reply(event, 2),
    then: ["commit 2+1"],
  },
  {
    name: "a full mailbox refuses",
    limits: { mailboxMax: 1, mailboxReserve: 1 },
    given: (m) => m.start().command("b"),
    when: (m) => m.command("c"),
    then: ["fail c"],
    told: ["c: exhausted shop.Cart/1: 1 commands wait already (mailboxMax); slow down and retry"],
  },
  {
    name: "a failure of the user's code is a step; its events are kept",
    given: (m) => m.start(),
    when: (m) => m.reply({ ...failed(), ...event }),
    then: ["commit 0+1"],
  },
]);

rows("restart=true", [
  {
    name: "drops the events, answers, half-closes",
    given: (m) => m.start().command("b"),
    when: (m) => m.reply({ ...failed(true), ...event }),
    then: ["release a", "halfClose"],
    phase: "closing",
  },
  {
    name: "starts again at once, even with nothing queued",
    given: (m) => m.start().reply(failed(true)),
    when: (m) => m.closed().opened({ sequence: 0 }),
    then: ["reset", "releaseHandle", "enter", "openStore", "openStream", "activated 0", "rest"],
    phase: "active",
  },
  {
    name: "waits for the steps under way before it reloads",
    given: (m) => m.start().command("b").command("c").reply(event, 1).reply(failed(true), 2).closed(),
    when: (m) => m.verdict(0),
    then: ["release a", "release b", "releaseHandle", "enter", "openStore"],
  },
  {
    name: "the queue goes on in order, with ids from 1",
    given: (m) => m.start().command("b").command("c").reply(event, 1).reply(failed(true), 2).closed().verdict(0),
    when: (m) => m.opened({ sequence: 1 }).page(storedEvents(1, "e")).reply({}, 1),
    then: ["openStream", "readPage 0", "event 1:e", "activated 1", "command 1 c", "release c", "rest"],
  },
  {
    name: "of a value entity drops its new value (asked for by the dialect only: Cloudstate's own word is not heard)",
    kind: "value",
    given: (m) => m.start().command("b"),
    when: (m) => m.reply({ ...failed(true), state: "v" }),
    then: ["release a", "halfClose"],
    phase: "closing",
  },
]);

rows("verdicts", [
  {
    name: "a conflict fails the step, the later ones and the command at the function, then reloads for the queue",
    given: (m) => m.start().command("b").command("c").command("d").reply(event, 1).reply(event, 2),
    when: (m) => m.verdict(0, { is: "conflict", actualSequence: 9 }).verdict(1, { is: "conflict", actualSequence: 9 }),
    then: ["reset", "fail c", "fail a", "fail b", "releaseHandle", "enter", "openStore"],
    phase: "loading",
  },
  {
    name: "after a conflict the store's word counts",
    given: (m) => m.start().command("b").reply(event, 1).verdict(0, { is: "conflict", actualSequence: 9 }).command("c"),
    when: (m) => m.opened({ sequence: 9, snapshot: { sequence: 9, payload: payload("s") } }),
    then: ["openStream 9:s", "activated 0", "command 1 c"],
  },
  {
    name: "fenced is unavailable",
    given: (m) => m.start().reply(event),
    when: (m) => m.verdict(0, { is: "fenced" }),
    then: ["reset", "fail a", "releaseHandle", "ended"],
    told: ["a: unavailable shop.Cart/1: it is owned elsewhere now; not applied, retry"],
  },
  {
    name: "a read behind a failed step fails with it",
    given: (m) => m.start().command("b").reply(event, 1).reply({}, 2),
    when: (m) => m.verdict(0, { is: "conflict", actualSequence: 9 }),
    then: ["reset", "fail a", "fail b", "releaseHandle", "ended"],
  },
  {
    name: "E4: unknown answers nobody, drops the stream, reads back",
    given: (m) => m.start().command("b").reply(event, 1),
    when: (m) => m.verdict(0, { is: "unknown" }),
    then: ["reset", "fail b", "readBack"],
    phase: "frozen",
    told: ["b: unavailable shop.Cart/1: the store did not answer; not applied, retry"],
  },
  {
    name: "E4: reading back waits for every verdict",
    given: (m) => m.start().command("b").reply(event, 1).reply(event, 2),
    when: (m) => m.verdict(0, { is: "unknown" }),
    then: ["reset"],
    phase: "frozen",
  },
  {
    name: "E4: found applied, it is released",
    given: (m) => m.start().reply(event, 1).verdict(0, { is: "unknown" }),
    when: (m) => m.opened({ sequence: 1 }),
    then: ["release a", "releaseHandle", "ended"],
    told: ["a"],
  },
  {
    name: "E4: found not applied, it fails",
    given: (m) => m.start().reply(event, 1).verdict(0, { is: "unknown" }),
    when: (m) => m.opened({ sequence: 0 }),
    then: ["fail a", "releaseHandle", "ended"],
    told: ["a: unavailable shop.Cart/1: the store did not take it; not applied, retry"],
  },
  {
    name: "E4: the queue goes on from what was read back",
    given: (m) => m.start().reply(event, 1).verdict(0, { is: "unknown" }).command("b"),
    when: (m) => m.opened({ sequence: 1, snapshot: { sequence: 1, payload: payload("s") } }),
    then: ["release a", "openStream 1:s", "activated 0", "command 1 b"],
  },
  {
    name: "E4: a store that cannot be read back is asked again",
    given: (m) => (m.start().reply(event, 1).verdict(0, { is: "unknown" }), m.machine.openFailed(new Fault("unavailable", "x"), 0)),
    when: (m) => m.at(199).at(200),
    then: ["readBack"],
    phase: "frozen",
  },
  {
    name: "E4: in the end nobody can know",
    given: (m) => m.start().reply(event, 1).verdict(0, { is: "unknown" }).at(60_000),
    when: (m) => m.machine.openFailed(new Fault("unavailable", "x"), m.nowMs),
    then: ["fail a", "releaseHandle", "ended"],
    told: [undecidable],
  },
  {
    name: "E4: the sequence fits, but somebody else has owned the entity: it may be their step, so nobody can know",
    given: (m) => m.start().reply(event, 1).verdict(0, { is: "unknown" }).command("b"),
    when: (m) => m.opened({ sequence: 1, fenced: true, snapshot: { sequence: 1, payload: payload("theirs") } }),
    then: ["fail a", "openStream 1:theirs", "activated 0", "command 1 b"],
    told: [undecidable],
  },
  {
    name: "E4: what was durable before is released, whoever owns the entity now",
    given: (m) => m.start().command("b").reply(event, 1).reply(event, 2).verdict(0).verdict(1, { is: "unknown" }),
    when: (m) => m.opened({ sequence: 2, fenced: true }),
    then: ["fail b", "releaseHandle", "ended"],
    told: [undecidable.replace("a:", "b:")],
  },
  {
    name: "a dropped step carries its reason",
    given: (m) => m.start().reply(event),
    when: (m) => m.verdict(0, { is: "dropped", fault: new Fault("unavailable", "stopping") }),
    then: ["reset", "fail a", "releaseHandle", "ended"],
    told: ["a: unavailable stopping"],
  },
]);

test("M1: a caller who calls again from its answer is queued, in every phase a stream can be lost in", () => {
  for (const lose of [
    (m: MachineBench) => m.closed("crashed"),
    (m: MachineBench) => m.machine.violation("x", "message", 0),
    (m: MachineBench) => m.machine.moved(0),
    (m: MachineBench) => m.at(60_000),
    (m: MachineBench) => m.reply({}, 9),
  ]) {
    const m = new MachineBench();
    m.start();
    const { fail } = m;
    m.fail = (envelope, fault) => {
      fail.call(m, envelope, fault);
      if (fault.message.length > 0 && m.machine.queued === 0) m.command("again");
    };
    lose(m);
    assert.equal(m.machine.phase, "loading");
    assert.equal(m.machine.queued, 1);
    assert.equal(m.machine.atFunction, undefined);
    m.fail = fail;
    m.opened().reply();
    assert.equal(m.take().at(-2), "release again");
  }
});

test("E3: a record that is not where it was left stops the process", () => {
  const m = new MachineBench();
  m.start().command("b").reply(event, 1).closed("crashed").verdict(0).command("c").opened({ sequence: 5 });
  assert.deepEqual(m.fatals, ["reload shop.Cart/1: the store says 5, 1 was committed"]);
});

test("S2: a step that is committed after an earlier one failed stops the process", () => {
  const m = new MachineBench();
  m.start().command("b").reply(event, 1).reply(event, 2).verdict(0, { is: "conflict", actualSequence: 3 }).verdict(1);
  assert.deepEqual(m.fatals, ["shop.Cart/1: the store committed 2 after an earlier step had failed"]);
});

test("internal commands have room of their own", () => {
  const m = new MachineBench("eventSourced", { mailboxMax: 1, mailboxReserve: 2 });
  m.start().command("b");
  m.take();
  m.internal("c").internal("d");
  assert.deepEqual(m.take(), []);
  m.internal("e");
  assert.deepEqual(m.take(), ["fail e"]);
});
