/** MC3–MC67: what each of the eight types does, as a table of scripts. A script is what happens to one entity, in order. */
import type { Action, Delta, Part, State, Update } from "./crdt-words.ts";
import { CrdtSession } from "./crdt-session.ts";
import {
  changed,
  CrdtClock,
  deleted,
  deleting,
  doing,
  flag,
  gcounter,
  gset,
  LWWRegisterClockType,
  ormap,
  orset,
  pncounter,
  register,
  replied,
  vote,
} from "./crdt-words.ts";
import type { ModelCase } from "./kit.ts";

/** What a script does with its entity. */
type Step = (session: CrdtSession) => Promise<void> | void;

/** A command of these updates: the value it answers, and the change it makes; none: no change is sent. */
export const runs = (updates: Update[], state: State, delta?: Delta): Step =>
  answers(doing(...updates), replied(state), ...(delta ? [changed(delta)] : []));
/** A command of any actions, with its whole answer. */
export const answers =
  (actions: Action[], ...answer: Part[]): Step =>
  (session) =>
    session.run(actions, ...answer);
export const reads = (state: State): Step => runs([], state);
const told =
  (delta: Delta): Step =>
  (session) =>
    session.told(delta);
const reactivated =
  (stored: Delta): Step =>
  (session) =>
    session.reactivate(stored);
const toldDeleted: Step = (session) => session.toldDeleted();
const deletes = (state: State): Step => answers([deleting], replied(state), deleted);

/** Runs the steps on an entity of that type, which exists when `stored` is given; then passivates it. */
export const script =
  (type: string, stored: Delta | undefined, ...steps: Step[]): ModelCase["run"] =>
  async (kit) => {
    const session = new CrdtSession(kit, `${type}-e`, stored);
    for (const step of steps) await step(session);
    await session.passivate();
  };

/** The cases each type has, by what they are about. */
interface TypeCases {
  readonly empty: Step[];
  readonly changes: Step[];
  /** What is stored, and what then happens. */
  readonly stored: readonly [delta: Delta, ...steps: Step[]];
  /** Nothing is stored, but the proxy tells of a value before the first command. */
  readonly replicated: Step[];
  readonly mixed: Step[];
  readonly rehydrated: Step[];
  /** Ends with the deletion. The reply shows the value as it was. */
  readonly deletes: Step[];
}

const types: Readonly<Record<string, TypeCases>> = {
  GCounter: {
    empty: [reads(gcounter.is(0))],
    changes: [
      runs([gcounter.does(5)], gcounter.is(5), gcounter.delta(5)),
      runs([gcounter.does(1), gcounter.does(2), gcounter.does(4)], gcounter.is(12), gcounter.delta(7)),
      reads(gcounter.is(12)),
    ],
    stored: [gcounter.delta(9), reads(gcounter.is(9)), runs([gcounter.does(1)], gcounter.is(10), gcounter.delta(1))],
    replicated: [told(gcounter.delta(6)), runs([gcounter.does(2)], gcounter.is(8), gcounter.delta(2))],
    mixed: [
      runs([gcounter.does(10)], gcounter.is(10), gcounter.delta(10)),
      told(gcounter.delta(3)),
      told(gcounter.delta(4)),
      runs([gcounter.does(20)], gcounter.is(37), gcounter.delta(20)),
      told(gcounter.delta(5)),
      reads(gcounter.is(42)),
    ],
    rehydrated: [
      runs([gcounter.does(8)], gcounter.is(8), gcounter.delta(8)),
      told(gcounter.delta(4)),
      reactivated(gcounter.delta(12)),
      reads(gcounter.is(12)),
      told(gcounter.delta(1)),
      runs([gcounter.does(7)], gcounter.is(20), gcounter.delta(7)),
    ],
    deletes: [runs([gcounter.does(3)], gcounter.is(3), gcounter.delta(3)), deletes(gcounter.is(3))],
  },

  PNCounter: {
    empty: [reads(pncounter.is(0))],
    changes: [
      runs([pncounter.does(6)], pncounter.is(6), pncounter.delta(6)),
      runs([pncounter.does(-9)], pncounter.is(-3), pncounter.delta(-9)),
      runs([pncounter.does(4), pncounter.does(-7), pncounter.does(2)], pncounter.is(-4), pncounter.delta(-1)),
    ],
    stored: [pncounter.delta(-15), reads(pncounter.is(-15)), runs([pncounter.does(20)], pncounter.is(5), pncounter.delta(20))],
    replicated: [told(pncounter.delta(-2)), runs([pncounter.does(-3)], pncounter.is(-5), pncounter.delta(-3))],
    mixed: [
      runs([pncounter.does(30)], pncounter.is(30), pncounter.delta(30)),
      told(pncounter.delta(-50)),
      told(pncounter.delta(8)),
      runs([pncounter.does(-1)], pncounter.is(-13), pncounter.delta(-1)),
      told(pncounter.delta(13)),
      reads(pncounter.is(0)),
    ],
    rehydrated: [
      runs([pncounter.does(-4)], pncounter.is(-4), pncounter.delta(-4)),
      told(pncounter.delta(-6)),
      reactivated(pncounter.delta(-10)),
      reads(pncounter.is(-10)),
      told(pncounter.delta(3)),
      runs([pncounter.does(5)], pncounter.is(-2), pncounter.delta(5)),
    ],
    deletes: [runs([pncounter.does(-8)], pncounter.is(-8), pncounter.delta(-8)), deletes(pncounter.is(-8))],
  },

  GSet: {
    empty: [reads(gset.is())],
    changes: [
      runs([gset.does("fig"), gset.does("oak")], gset.is("fig", "oak"), gset.delta("fig", "oak")),
      runs([gset.does("oak"), gset.does("ash")], gset.is("ash", "fig", "oak"), gset.delta("ash")), // what is there is no change
      runs([gset.does("ash"), gset.does("fig")], gset.is("ash", "fig", "oak")),
    ],
    stored: [
      gset.delta("elm", "oak"),
      reads(gset.is("elm", "oak")),
      runs([gset.does("ash")], gset.is("ash", "elm", "oak"), gset.delta("ash")),
    ],
    replicated: [told(gset.delta("yew")), runs([gset.does("yew"), gset.does("bay")], gset.is("bay", "yew"), gset.delta("bay"))],
    mixed: [
      runs([gset.does("ash")], gset.is("ash"), gset.delta("ash")),
      told(gset.delta("bay", "elm")),
      told(gset.delta("fig")),
      runs([gset.does("elm"), gset.does("oak")], gset.is("ash", "bay", "elm", "fig", "oak"), gset.delta("oak")),
      told(gset.delta("yew")),
      reads(gset.is("ash", "bay", "elm", "fig", "oak", "yew")),
    ],
    rehydrated: [
      runs([gset.does("fig")], gset.is("fig"), gset.delta("fig")),
      told(gset.delta("ash")),
      reactivated(gset.delta("ash", "fig")),
      reads(gset.is("ash", "fig")),
      told(gset.delta("oak")),
      runs([gset.does("oak"), gset.does("yew")], gset.is("ash", "fig", "oak", "yew"), gset.delta("yew")),
    ],
    deletes: [runs([gset.does("elm")], gset.is("elm"), gset.delta("elm")), deletes(gset.is("elm"))],
  },

  ORSet: {
    empty: [reads(orset.is())],
    changes: [
      runs([orset.adds("ash"), orset.adds("elm")], orset.is("ash", "elm"), orset.delta({ added: ["ash", "elm"] })),
      runs([orset.adds("ash")], orset.is("ash", "elm")), // what is there is no change
      runs([orset.removes("yew")], orset.is("ash", "elm")), // nor is what is not there
      runs([orset.adds("oak"), orset.removes("ash")], orset.is("elm", "oak"), orset.delta({ removed: ["ash"], added: ["oak"] })),
      runs([orset.removes("oak"), orset.adds("fig"), orset.adds("oak")], orset.is("elm", "fig", "oak"), orset.delta({ added: ["fig"] })),
      runs([orset.clears], orset.is(), orset.delta({ cleared: true })),
      runs([orset.adds("bay"), orset.clears, orset.adds("yew")], orset.is("yew"), orset.delta({ cleared: true, added: ["yew"] })),
    ],
    stored: [
      orset.delta({ added: ["elm", "fig"] }),
      reads(orset.is("elm", "fig")),
      runs([orset.removes("fig"), orset.adds("ash")], orset.is("ash", "elm"), orset.delta({ removed: ["fig"], added: ["ash"] })),
    ],
    replicated: [
      told(orset.delta({ added: ["oak", "yew"] })),
      runs([orset.removes("yew"), orset.adds("oak")], orset.is("oak"), orset.delta({ removed: ["yew"] })),
    ],
    mixed: [
      runs([orset.adds("ash")], orset.is("ash"), orset.delta({ added: ["ash"] })),
      told(orset.delta({ added: ["bay", "elm"] })),
      told(orset.delta({ removed: ["ash", "elm"], added: ["fig"] })),
      reads(orset.is("bay", "fig")),
      runs(
        [orset.adds("elm"), orset.removes("ash"), orset.removes("fig")],
        orset.is("bay", "elm"),
        orset.delta({ removed: ["fig"], added: ["elm"] }),
      ),
      told(orset.delta({ cleared: true, added: ["oak", "yew"] })),
      runs([orset.removes("bay"), orset.adds("yew")], orset.is("oak", "yew")),
      runs([orset.clears, orset.adds("oak")], orset.is("oak"), orset.delta({ cleared: true, added: ["oak"] })),
    ],
    rehydrated: [
      runs([orset.adds("fig"), orset.adds("oak")], orset.is("fig", "oak"), orset.delta({ added: ["fig", "oak"] })),
      told(orset.delta({ removed: ["fig"] })),
      reactivated(orset.delta({ added: ["oak"] })),
      reads(orset.is("oak")),
      told(orset.delta({ cleared: true, added: ["bay"] })),
      runs([orset.adds("elm"), orset.adds("ash"), orset.removes("elm")], orset.is("ash", "bay"), orset.delta({ added: ["ash"] })),
    ],
    deletes: [runs([orset.adds("elm")], orset.is("elm"), orset.delta({ added: ["elm"] })), deletes(orset.is("elm"))],
  },

  LWWRegister: {
    // there is no such thing as a register without a value: its first use writes one
    empty: [runs([], register.is(""), register.delta("")), reads(register.is(""))],
    changes: [
      runs([register.does("red")], register.is("red"), register.delta("red")),
      runs([register.does("blue"), register.does("grey")], register.is("grey"), register.delta("grey")),
      reads(register.is("grey")),
    ],
    stored: [
      register.delta("pink"),
      reads(register.is("pink")),
      runs([register.does("teal")], register.is("teal"), register.delta("teal")),
    ],
    replicated: [told(register.delta("cyan")), reads(register.is("cyan"))],
    mixed: [
      runs([register.does("red")], register.is("red"), register.delta("red")),
      told(register.delta("blue")),
      told(register.delta("lime")),
      reads(register.is("lime")),
      runs([register.does("gold")], register.is("gold"), register.delta("gold")),
      told(register.delta("plum")),
      reads(register.is("plum")),
    ],
    rehydrated: [
      runs([register.does("navy")], register.is("navy"), register.delta("navy")),
      told(register.delta("rust")),
      reactivated(register.delta("rust")),
      reads(register.is("rust")),
      told(register.delta("sand")),
      runs([register.does("jade")], register.is("jade"), register.delta("jade")),
    ],
    deletes: [runs([register.does("red")], register.is("red"), register.delta("red")), deletes(register.is("red"))],
  },

  Flag: {
    empty: [reads(flag.is(false))],
    changes: [runs([flag.raises], flag.is(true), flag.delta(true)), runs([flag.raises], flag.is(true))],
    stored: [flag.delta(false), reads(flag.is(false)), reactivated(flag.delta(true)), reads(flag.is(true))],
    replicated: [told(flag.delta(true)), runs([flag.raises], flag.is(true))],
    mixed: [
      told(flag.delta(false)),
      reads(flag.is(false)),
      runs([flag.raises], flag.is(true), flag.delta(true)),
      told(flag.delta(true)),
      told(flag.delta(false)), // a raised flag stays
      reads(flag.is(true)),
    ],
    rehydrated: [
      reads(flag.is(false)),
      runs([flag.raises], flag.is(true), flag.delta(true)),
      reactivated(flag.delta(true)),
      runs([flag.raises], flag.is(true)),
    ],
    deletes: [runs([flag.raises], flag.is(true), flag.delta(true)), deletes(flag.is(true))],
  },

  ORMap: {
    empty: [reads(ormap.is({}))],
    changes: [
      // an empty value is told of all the same, with an empty delta
      runs(
        [ormap.adds("PNCounter-n"), ormap.adds("ORSet-s")],
        ormap.is({ "ORSet-s": orset.is(), "PNCounter-n": pncounter.is(0) }),
        ormap.delta({ added: { "ORSet-s": orset.delta({}), "PNCounter-n": pncounter.delta(0) } }),
      ),
      runs(
        [ormap.adds("ORSet-s"), ormap.updates("LWWRegister-r", register.does("red"))],
        ormap.is({ "LWWRegister-r": register.is("red"), "ORSet-s": orset.is(), "PNCounter-n": pncounter.is(0) }),
        ormap.delta({ added: { "LWWRegister-r": register.delta("red") } }),
      ),
      runs(
        [
          ormap.updates("PNCounter-n", pncounter.does(11)),
          ormap.updates("PNCounter-n", pncounter.does(-4)),
          ormap.updates("ORSet-s", orset.adds("oak")),
        ],
        ormap.is({ "LWWRegister-r": register.is("red"), "ORSet-s": orset.is("oak"), "PNCounter-n": pncounter.is(7) }),
        ormap.delta({ updated: { "ORSet-s": orset.delta({ added: ["oak"] }), "PNCounter-n": pncounter.delta(7) } }),
      ),
      // removed, updated and added, each in its place
      runs(
        [ormap.removes("LWWRegister-r"), ormap.updates("PNCounter-n", pncounter.does(-9)), ormap.updates("Flag-f", flag.raises)],
        ormap.is({ "Flag-f": flag.is(true), "ORSet-s": orset.is("oak"), "PNCounter-n": pncounter.is(-2) }),
        ormap.delta({ removed: ["LWWRegister-r"], updated: { "PNCounter-n": pncounter.delta(-9) }, added: { "Flag-f": flag.delta(true) } }),
      ),
      runs([ormap.removes("Vote-v")], ormap.is({ "Flag-f": flag.is(true), "ORSet-s": orset.is("oak"), "PNCounter-n": pncounter.is(-2) })),
      runs([ormap.clears], ormap.is({}), ormap.delta({ cleared: true })),
      runs(
        [ormap.adds("PNCounter-m"), ormap.clears, ormap.updates("GCounter-g", gcounter.does(6))],
        ormap.is({ "GCounter-g": gcounter.is(6) }),
        ormap.delta({ cleared: true, added: { "GCounter-g": gcounter.delta(6) } }),
      ),
    ],
    stored: [
      ormap.delta({
        added: { "GSet-s": gset.delta("elm", "oak"), "LWWRegister-r": register.delta("pink"), "PNCounter-n": pncounter.delta(-3) },
      }),
      reads(ormap.is({ "GSet-s": gset.is("elm", "oak"), "LWWRegister-r": register.is("pink"), "PNCounter-n": pncounter.is(-3) })),
      runs(
        [ormap.removes("GSet-s"), ormap.updates("PNCounter-n", pncounter.does(5))],
        ormap.is({ "LWWRegister-r": register.is("pink"), "PNCounter-n": pncounter.is(2) }),
        ormap.delta({ removed: ["GSet-s"], updated: { "PNCounter-n": pncounter.delta(5) } }),
      ),
    ],
    replicated: [
      told(
        ormap.delta({
          added: { "Flag-f": flag.delta(false), "GCounter-g": gcounter.delta(8), "ORSet-s": orset.delta({ added: ["yew"] }) },
        }),
      ),
      reads(ormap.is({ "Flag-f": flag.is(false), "GCounter-g": gcounter.is(8), "ORSet-s": orset.is("yew") })),
      runs(
        [ormap.updates("Flag-f", flag.raises)],
        ormap.is({ "Flag-f": flag.is(true), "GCounter-g": gcounter.is(8), "ORSet-s": orset.is("yew") }),
        ormap.delta({ updated: { "Flag-f": flag.delta(true) } }),
      ),
    ],
    mixed: [
      runs(
        [ormap.adds("PNCounter-n")],
        ormap.is({ "PNCounter-n": pncounter.is(0) }),
        ormap.delta({ added: { "PNCounter-n": pncounter.delta(0) } }),
      ),
      told(ormap.delta({ added: { "ORMap-m": ormap.delta({ added: { "GSet-s": gset.delta("ash") } }) } })),
      told(
        ormap.delta({
          updated: { "ORMap-m": ormap.delta({ updated: { "GSet-s": gset.delta("elm") } }), "PNCounter-n": pncounter.delta(4) },
          added: { "Vote-v": vote.delta(false, 1, 3) },
        }),
      ),
      runs(
        [
          ormap.updates("ORMap-m", ormap.updates("GSet-s", gset.does("oak"))),
          ormap.updates("ORMap-m", ormap.updates("GCounter-g", gcounter.does(2))),
          ormap.updates("Vote-v", vote.does(true)),
        ],
        ormap.is({
          "ORMap-m": ormap.is({ "GCounter-g": gcounter.is(2), "GSet-s": gset.is("ash", "elm", "oak") }),
          "PNCounter-n": pncounter.is(4),
          "Vote-v": vote.is(true, 2, 3),
        }),
        ormap.delta({
          updated: {
            "ORMap-m": ormap.delta({ updated: { "GSet-s": gset.delta("oak") }, added: { "GCounter-g": gcounter.delta(2) } }),
            "Vote-v": vote.delta(true),
          },
        }),
      ),
      told(ormap.delta({ removed: ["ORMap-m", "Vote-v"], added: { "LWWRegister-r": register.delta("blue") } })),
      reads(ormap.is({ "LWWRegister-r": register.is("blue"), "PNCounter-n": pncounter.is(4) })),
      told(ormap.delta({ cleared: true, added: { "GSet-t": gset.delta("bay") } })),
      runs(
        [ormap.removes("PNCounter-n"), ormap.updates("GSet-t", gset.does("bay")), ormap.updates("GSet-t", gset.does("fig"))],
        ormap.is({ "GSet-t": gset.is("bay", "fig") }),
        ormap.delta({ updated: { "GSet-t": gset.delta("fig") } }),
      ),
      told(ormap.delta({ removed: ["GSet-t"], added: { "GCounter-g": gcounter.delta(20) } })),
      // told of a key it has, the function takes the new value for the old
      told(ormap.delta({ added: { "GCounter-g": gcounter.delta(30) } })),
      runs(
        [ormap.updates("GCounter-g", gcounter.does(3))],
        ormap.is({ "GCounter-g": gcounter.is(33) }),
        ormap.delta({ updated: { "GCounter-g": gcounter.delta(3) } }),
      ),
    ],
    rehydrated: [
      told(ormap.delta({ added: { "GCounter-g": gcounter.delta(3) } })),
      runs(
        [ormap.updates("GCounter-g", gcounter.does(4))],
        ormap.is({ "GCounter-g": gcounter.is(7) }),
        ormap.delta({ updated: { "GCounter-g": gcounter.delta(4) } }),
      ),
      reactivated(ormap.delta({ added: { "GCounter-g": gcounter.delta(7) } })),
      reads(ormap.is({ "GCounter-g": gcounter.is(7) })),
      told(ormap.delta({ updated: { "GCounter-g": gcounter.delta(2) } })),
      runs(
        [ormap.updates("GCounter-g", gcounter.does(1))],
        ormap.is({ "GCounter-g": gcounter.is(10) }),
        ormap.delta({ updated: { "GCounter-g": gcounter.delta(1) } }),
      ),
    ],
    // an update in the command that deletes shows in its reply, and is of no more use
    deletes: [
      runs([ormap.adds("Flag-f")], ormap.is({ "Flag-f": flag.is(false) }), ormap.delta({ added: { "Flag-f": flag.delta(false) } })),
      answers([...doing(ormap.updates("Flag-f", flag.raises)), deleting], replied(ormap.is({ "Flag-f": flag.is(true) })), deleted),
    ],
  },

  Vote: {
    empty: [reads(vote.is(false, 0, 1))], // alone, as far as the function knows
    changes: [
      runs([vote.does(true)], vote.is(true, 1, 1), vote.delta(true)),
      runs([vote.does(true)], vote.is(true, 1, 1)),
      runs([vote.does(false)], vote.is(false, 0, 1), vote.delta(false)),
      runs([vote.does(false)], vote.is(false, 0, 1)),
    ],
    stored: [vote.delta(true, 3, 5), reads(vote.is(true, 3, 5)), runs([vote.does(false)], vote.is(false, 2, 5), vote.delta(false))],
    replicated: [
      told(vote.delta(false, 2, 4)),
      reads(vote.is(false, 2, 4)),
      runs([vote.does(true)], vote.is(true, 3, 4), vote.delta(true)),
    ],
    mixed: [
      told(vote.delta(false, 1, 3)),
      runs([vote.does(true)], vote.is(true, 2, 3), vote.delta(true)),
      told(vote.delta(true, 4, 6)),
      told(vote.delta(true, 3, 5)),
      runs([vote.does(false)], vote.is(false, 2, 5), vote.delta(false)),
    ],
    rehydrated: [
      reads(vote.is(false, 0, 1)),
      told(vote.delta(false, 1, 4)),
      runs([vote.does(true)], vote.is(true, 2, 4), vote.delta(true)),
      reactivated(vote.delta(true, 2, 4)),
      reads(vote.is(true, 2, 4)),
      runs([vote.does(false)], vote.is(false, 1, 4), vote.delta(false)),
    ],
    deletes: [runs([vote.does(true)], vote.is(true, 1, 1), vote.delta(true)), deletes(vote.is(true, 1, 1))],
  },
};

export type Named = readonly [name: string, run: ModelCase["run"]];

function casesOf(type: string, cases: TypeCases): Named[] {
  const [stored, ...afterwards] = cases.stored;
  return [
    [`${type}: initial empty state`, script(type, undefined, ...cases.empty)],
    [`${type}: state changes`, script(type, undefined, ...cases.changes)],
    [`${type}: initial delta in init`, script(type, stored, ...afterwards)],
    [`${type}: initial empty state with replicated initial delta`, script(type, undefined, ...cases.replicated)],
    [`${type}: mix of local and replicated state changes`, script(type, undefined, ...cases.mixed)],
    [`${type}: rehydration after passivation`, script(type, undefined, ...cases.rehydrated)],
    [`${type}: delete action received from entity`, script(type, undefined, ...cases.deletes)],
    [`${type}: delete action sent to entity`, script(type, undefined, toldDeleted)],
  ];
}

const clockCase: Named = [
  "LWWRegister: state changes with clock settings",
  script(
    "LWWRegister",
    undefined,
    runs([register.does("a", LWWRegisterClockType.REVERSE)], register.is("a"), register.delta("a", CrdtClock.REVERSE)),
    runs([register.does("b", LWWRegisterClockType.CUSTOM, 123n)], register.is("b"), register.delta("b", CrdtClock.CUSTOM, 123n)),
    runs(
      [register.does("b", LWWRegisterClockType.CUSTOM_AUTO_INCREMENT, 456n)],
      register.is("b"),
      register.delta("b", CrdtClock.CUSTOM_AUTO_INCREMENT, 456n),
    ),
  ),
];

/** Eight cases for each type; registers have one more, about clocks. */
export const typeCases: readonly Named[] = Object.entries(types).flatMap(([type, cases]) => [
  ...casesOf(type, cases),
  ...(type === "LWWRegister" ? [clockCase] : []),
]);
