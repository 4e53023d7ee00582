/** The end of a stream, whoever wants it: the function, the clock, whoever replaces the function or stops the engine. */
import { Fault } from "@mecha/kit";
import { payload } from "../../testing/function.ts";
import { storedEvents } from "../../testing/machine.ts";
import { event, rows } from "../../testing/machine-table.ts";

rows("the function's end", [
  {
    name: "a failure is told with the reference's text; the queue stays",
    given: (m) => m.start().command("b"),
    when: (m) => m.machine.failure(1, "secret", 0),
    then: ["halfClose", "fail a"],
    told: ["a: unknown Unexpected entity failure"],
    phase: "closing",
  },
  {
    name: "a failure may bring a code",
    given: (m) => m.start(),
    when: (m) => m.machine.failure(1, "secret", 0, "unimplemented"),
    then: ["halfClose", "fail a"],
    told: ["a: unimplemented Unexpected entity failure"],
  },
  {
    name: "strict: what was queued is told, too",
    limits: { failQueueOnTermination: true },
    given: (m) => m.start().command("b"),
    when: (m) => m.machine.failure(1, "secret", 0),
    then: ["halfClose", "fail a", "fail b"],
    told: ["a: unknown Unexpected entity failure", "b: unknown Entity terminated"],
  },
  {
    name: "a value entity's failure",
    kind: "value",
    limits: { failQueueOnTermination: true },
    given: (m) => m.start().command("b"),
    when: (m) => m.machine.failure(0, "secret", 0),
    then: ["halfClose", "fail a", "fail b"],
    told: ["a: unknown Unexpected Value entity failure", "b: unknown Value entity terminated"],
  },
  {
    name: "a failure while replaying fails all who wait: they would fare no better",
    given: (m) => m.command("a").command("b").opened({ sequence: 1 }),
    when: (m) => m.machine.failure(0, "cannot apply", 0),
    then: ["reset", "fail a", "fail b", "releaseHandle", "ended"],
    told: ["a: unknown Unexpected entity failure", "b: unknown Entity terminated"],
  },
  {
    name: "a wrong id is a broken protocol",
    given: (m) => m.start().command("b"),
    when: (m) => m.reply({}, 5),
    then: ["reportError shop.Cart/1: reply for command 5, expected one for 1", "reset", "fail a", "releaseHandle", "enter", "openStore"],
    told: ["a: unknown Unexpected entity reply"],
  },
  {
    name: "so is a reply nobody asked for",
    given: (m) => m.start().reply(),
    when: (m) => m.reply({}, 1),
    then: ["reportError shop.Cart/1: reply for command 1, no command was outstanding", "reset", "stir", "releaseHandle", "ended"],
  },
  {
    name: "an unreadable message",
    given: (m) => m.start(),
    when: (m) => m.machine.violation("empty", "message", 0),
    then: ["reset", "fail a", "releaseHandle", "ended"],
    told: ["a: unknown Unexpected entity message"],
  },
  {
    name: "a stream that ends under a command",
    given: (m) => m.start().command("b"),
    when: (m) => m.closed("crashed"),
    then: ["streamFailed crashed", "reset", "fail a", "releaseHandle", "enter", "openStore"],
    told: ["a: unknown Unexpected entity termination"],
  },
  {
    name: "a stream that never reached the function keeps its command, first in line",
    given: (m) => m.start().command("b"),
    when: (m) => m.closed("refused", true).opened().reply(),
    then: [
      ...["streamFailed refused", "reset", "recall a", "releaseHandle", "enter", "openStore"],
      ...["openStream", "activated 0", "command 1 a", "release a", "command 2 b"],
    ],
    told: ["a"],
  },
  {
    name: "E3: steps under way survive the stream; the reload waits for them",
    given: (m) => m.start().command("b").command("c").reply(event, 1).closed("crashed"),
    when: (m) => m.verdict(0).opened({ sequence: 1, snapshot: { sequence: 1, payload: payload("s") } }),
    then: ["release a", "releaseHandle", "enter", "openStore", "openStream 1:s", "activated 0", "command 1 c"],
    told: ["a"],
  },
  {
    name: "an idle entity whose function ends the stream is let go",
    given: (m) => m.start().reply(),
    when: (m) => m.closed(),
    then: ["reset", "stir", "releaseHandle", "ended"],
    phase: "idle",
  },
  {
    name: "a stream that ends while replaying backs off and tries again",
    given: (m) => m.command("a").opened({ sequence: 1 }),
    when: (m) => ((m.admit = false), m.closed("crashed")),
    then: ["streamFailed crashed", "reset", "releaseHandle", "enter"],
    phase: "waiting",
  },
  {
    name: "and those who waited long enough fail",
    given: (m) => ((m.admit = false), m.command("a").at(4_000).command("b")),
    when: (m) => m.at(10_000),
    then: ["fail a"],
    told: ["a: unavailable shop.Cart/1: not started within 10 s: its function cannot be reached (refused); not applied, retry"],
    phase: "waiting",
  },
  {
    name: "until nobody is left",
    given: (m) => ((m.admit = false), m.command("a")),
    when: (m) => m.at(10_000),
    then: ["fail a", "releaseHandle", "ended"],
    phase: "idle",
  },
  {
    name: "a reply past the bounds fails the command and reloads",
    limits: { eventsPerReplyMax: 1 },
    given: (m) => m.start().command("b"),
    when: (m) => m.reply({ events: ["x", "y"] }),
    then: [
      "reportError shop.Cart/1: reply to Do: events: 2 in one reply, at most 1; emit fewer for one command",
      ...["reset", "fail a", "releaseHandle", "enter", "openStore"],
    ],
  },
]);

rows("E7, E8: time", [
  {
    name: "a command without answer: the stream is reset, it fails as not applied, the queue goes on",
    given: (m) => m.start().command("b").at(59_999),
    when: (m) => m.at(60_000),
    then: ["reset", "fail a", "releaseHandle", "enter", "openStore"],
    told: ["a: deadline shop.Cart/1: Do got no answer within 60 s; not applied"],
  },
  {
    name: "the time starts when it is sent",
    given: (m) => m.start().command("b").at(50_000).reply(),
    when: (m) => m.at(60_000).at(109_999),
    then: [],
    phase: "active",
  },
  {
    name: "an idle entity half-closes",
    given: (m) => m.start().reply().at(29_999),
    when: (m) => m.at(30_000),
    then: ["stir", "halfClose"],
    phase: "closing",
  },
  {
    name: "work in between starts the idle time again",
    given: (m) => m.start().reply().at(20_000).command("b").reply({}, 2),
    when: (m) => m.at(30_000).at(49_999),
    then: [],
    phase: "active",
  },
  {
    name: "a step under way is no idleness",
    given: (m) => m.start().reply(event),
    when: (m) => m.at(100_000),
    then: [],
    phase: "active",
  },
  {
    name: "the function's end makes it idle",
    given: (m) => m.start().reply().at(30_000),
    when: (m) => m.closed(),
    then: ["reset", "releaseHandle", "ended"],
    phase: "idle",
  },
  {
    name: "without an end within 2 s it is reset",
    given: (m) => m.start().reply().at(30_000),
    when: (m) => m.at(31_999).at(32_000),
    then: ["reset", "releaseHandle", "ended"],
    phase: "idle",
  },
  {
    name: "commands that come while closing wait for the end, then start it again",
    given: (m) => m.start().reply().at(30_000).command("b"),
    when: (m) => m.closed(),
    then: ["reset", "releaseHandle", "enter", "openStore"],
  },
  {
    name: "a late reply while closing is nobody's",
    given: (m) => (m.start(), m.machine.failure(1, "x", 0)),
    when: (m) => m.reply(event, 1),
    then: [],
    phase: "closing",
  },
  {
    name: "a function that takes no events is given up after the command's time",
    given: (m) => (
      (m.room = false),
      m
        .command("a")
        .opened({ sequence: 2 })
        .page(storedEvents(1, "x", "y"))
    ),
    when: (m) => m.at(60_000),
    then: ["streamFailed it does not take the events replayed to it", "reset", "releaseHandle", "enter", "openStore"],
  },
]);

rows("replacement and end", [
  {
    name: "moved: the command at the function fails, the queue goes on there",
    given: (m) => m.start().command("b"),
    when: (m) => m.machine.moved(0),
    then: ["reset", "fail a", "releaseHandle", "enter", "openStore"],
    told: ["a: unavailable shop.Cart/1: its function was replaced; not applied, retry"],
  },
  {
    name: "moved while loading: nothing is lost",
    given: (m) => m.command("a"),
    when: (m) => m.machine.moved(0),
    then: [],
    phase: "loading",
  },
  {
    name: "cut: everything not handed to the committer fails",
    given: (m) => m.start().command("b").command("c").reply(event, 1),
    when: (m) => m.machine.cut(new Fault("unavailable", "gone"), 0),
    then: ["reset", "fail b", "fail c"],
    told: ["b: unavailable gone", "c: unavailable gone"],
    phase: "settling",
  },
  {
    name: "cut while loading",
    given: (m) => m.command("a"),
    when: (m) => m.machine.cut(new Fault("unavailable", "gone"), 0),
    then: ["reset", "fail a", "releaseHandle", "ended"],
    phase: "idle",
  },
  {
    name: "cut while frozen, then given up",
    given: (m) => m.start().reply(event, 1).verdict(0, { is: "unknown" }).command("b"),
    when: (m) => (m.machine.cut(new Fault("unavailable", "gone"), 0), m.machine.giveUp(0)),
    then: ["fail b", "fail a", "releaseHandle", "ended"],
  },
  { name: "passivate refuses while busy", given: (m) => m.start(), when: (m) => m.machine.passivate(0), then: [], phase: "active" },
]);
