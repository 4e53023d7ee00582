/** Commands sent before the one ahead of them was answered. */
import assert from "node:assert/strict";
import { Fault } from "@mecha/kit";
import type { MachineBench } from "../../testing/machine.ts";
import { event, failed, rows } from "../../testing/machine-table.ts";

const ahead = (m: MachineBench): MachineBench => ((m.window = 3), m.start().command("b").command("c").command("d"));
const unstored = { is: "conflict", actualSequence: 9 } as const;

rows("commands sent ahead", [
  {
    name: "as many go as the function takes",
    given: (m) => ((m.window = 3), m.start()),
    when: (m) => m.command("b").command("c").command("d"),
    then: ["command 2 b", "command 3 c"],
  },
  {
    name: "a queue goes as one when the entity is active",
    given: (m) => ((m.window = 3), m.command("a").command("b").command("c").command("d")),
    when: (m) => m.opened(),
    then: ["openStream", "activated 0", "command 1 a", "command 2 b", "command 3 c"],
  },
  {
    name: "never more than windowMax",
    limits: { windowMax: 2 },
    given: (m) => ((m.window = 3), m.start().command("b")),
    when: (m) => m.command("c"),
    then: [],
  },
  {
    name: "none past windowBytesMax",
    limits: { windowBytesMax: 3 },
    given: (m) => ((m.window = 3), m.start()), // its payload is 1|a
    when: (m) => m.command("b"),
    then: [],
  },
  {
    name: "none without pipelining",
    limits: { pipelining: false },
    given: (m) => ((m.window = 3), m.start()),
    when: (m) => m.command("b"),
    then: [],
  },
  {
    name: "those without a reply count as uncommitted",
    limits: { uncommittedStepsMax: 3 },
    given: ahead,
    when: (m) => m.reply(event, 1),
    then: ["commit 0+1"],
  },
  {
    name: "replies come in order, each makes room for one more",
    given: ahead,
    when: (m) => m.reply(event, 1).reply(event, 2),
    then: ["commit 0+1", "command 4 d", "commit 1+1"],
  },
  {
    name: "a reply out of order ends the stream",
    given: ahead,
    when: (m) => m.reply(event, 2),
    then: [
      "reportError shop.Cart/1: reply for command 2, expected one for 1",
      ...["reset", "recall b", "recall c", "fail a", "releaseHandle", "enter", "openStore"],
    ],
    told: ["a: unknown Unexpected entity reply"],
  },
  {
    name: "W2: a lost stream fails the command at the function; the others are first in line",
    given: ahead,
    when: (m) => m.reply(event, 1).closed("crashed").verdict(0),
    then: [
      ...["commit 0+1", "command 4 d", "reset", "recall c", "recall d", "fail b", "release a"],
      ...["releaseHandle", "enter", "openStore"],
    ],
    told: ["b: unknown Unexpected entity termination", "a"],
  },
  {
    name: "W3: then they go one at a time until all have their reply",
    given: (m) => ahead(m).command("e").closed("crashed"),
    when: (m) => m.opened().reply({}, 1).reply({}, 2).command("f"),
    then: [
      ...["openStream", "activated 0", "command 1 b", "release b", "command 2 c"],
      ...["release c", "command 3 d", "command 4 e", "command 5 f"],
    ],
  },
  {
    name: "W3: or until one has ended the function alone",
    given: (m) => ahead(m).command("e").closed("crashed").opened().closed("crashed"),
    when: (m) => m.opened(),
    then: ["openStream", "activated 0", "command 1 c", "command 2 d", "command 3 e"],
  },
  {
    name: "W2: a stream that never reached the function keeps all of them, in order",
    given: ahead,
    when: (m) => m.closed("refused", true).opened(),
    then: [
      ...["streamFailed refused", "reset", "recall a", "recall b", "recall c", "releaseHandle", "enter", "openStore"],
      ...["openStream", "activated 0", "command 1 a", "command 2 b", "command 3 c"],
    ],
  },
  {
    name: "W2: a restart takes them along",
    given: ahead,
    when: (m) => m.reply(failed(true), 1).reply({}, 2).closed().opened(),
    then: [
      ...["release a", "halfClose", "recall b", "recall c", "reset", "releaseHandle", "enter", "openStore"],
      ...["openStream", "activated 0", "command 1 b", "command 2 c", "command 3 d"],
    ],
    told: ["a"],
  },
  {
    name: "W2: a declared failure is the command's at the function",
    given: ahead,
    when: (m) => (m.machine.failure(1, "secret", 0), m),
    then: ["halfClose", "recall b", "recall c", "fail a"],
    told: ["a: unknown Unexpected entity failure"],
    phase: "closing",
  },
  {
    name: "strict: they are told like those queued",
    limits: { failQueueOnTermination: true },
    given: ahead,
    when: (m) => m.closed("crashed"),
    then: [
      ...["streamFailed crashed", "reset", "recall b", "recall c", "fail a", "fail b", "fail c", "fail d"],
      ...["releaseHandle", "ended"],
    ],
  },
  {
    name: "a step that was not stored fails the command at the function; the others were computed on nothing that is kept",
    given: (m) => ahead(m).reply(event, 1),
    when: (m) => m.verdict(0, unstored),
    then: ["reset", "recall c", "recall d", "fail b", "fail a", "releaseHandle", "enter", "openStore"],
  },
  {
    name: "E7: the time of a command begins when it is the function's turn",
    given: (m) => ahead(m).at(50_000).reply({}, 1),
    when: (m) => m.at(109_999),
    then: [],
    phase: "active",
  },
  {
    name: "E7: past it the stream is cut",
    given: (m) => ahead(m).at(50_000).reply({}, 1),
    when: (m) => m.at(110_000),
    then: ["reset", "recall c", "recall d", "fail b", "releaseHandle", "enter", "openStore"],
    told: ["b: deadline shop.Cart/1: Do got no answer within 60 s; not applied"],
  },
  {
    name: "E8: no rest before the last reply",
    given: (m) => ((m.window = 3), m.start().command("b").reply({}, 1)),
    when: (m) => m.reply({}, 2),
    then: ["release b", "rest"],
  },
  {
    name: "E9: a key under way is joined wherever its command is",
    given: (m) => ((m.window = 3), m.start().keyed("k", "b")),
    when: (m) => m.keyed("k", "b"),
    then: [],
  },
  {
    name: "W4: a firing waits until everything before it has its reply",
    given: (m) => ((m.window = 3), m.start()),
    when: (m) => m.firing("tick").command("b").reply({}, 1),
    then: ["release a", "command 2 tick", "command 3 b"],
  },
  {
    name: "W4: so it is seen when its timer is cancelled",
    given: (m) => ((m.window = 3), m.start().firing("tick")),
    when: (m) => (assert.ok(m.newestFiring), (m.newestFiring.stale = true), m.reply({}, 1)),
    then: ["release a", "fail tick", "rest"],
  },
  {
    name: "they count as waiting: a full mailbox stays full when they come back",
    limits: { mailboxMax: 3, mailboxReserve: 1 },
    given: ahead,
    when: (m) => m.command("e"),
    then: ["fail e"],
  },
  {
    name: "an end fails all of them",
    given: ahead,
    when: (m) => (m.machine.cut(new Fault("unavailable", "stopping"), 0), m),
    then: ["reset", "recall b", "recall c", "fail a", "fail b", "fail c", "fail d", "releaseHandle", "ended"],
  },
]);
