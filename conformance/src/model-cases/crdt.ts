/** MC1–MC82: CRDT entities as the TCK wants them: the types (crdt-types.ts), and what all types have in common. */
import { CrdtWriteConsistency } from "@mecha/wire/gen/cloudstate/crdt";
import { UpdateWriteConsistency } from "../gen/cloudstate/tck/model/crdt_pb.ts";
import { type CancelPart, CrdtSession, entityType, service, type StreamedPart } from "./crdt-session.ts";
import { answers, type Named, reads, runs, script, typeCases } from "./crdt-types.ts";
import {
  affecting,
  changed,
  type Delta,
  doing,
  effects,
  failed,
  failing,
  flag,
  forwarded,
  forwarding,
  gcounter,
  gset,
  ormap,
  orset,
  type Part,
  pncounter,
  prefix,
  register,
  replied,
  second,
  type State,
  streamed,
} from "./crdt-words.ts";
import { expectConfigured, expectEntity, numbered } from "./kit.ts";

const configured = `${prefix}CrdtConfigured`;

/** Services that must be there for these cases. */
export const crdtServices: readonly string[] = [service, second, configured];

const about: Named[] = [
  [
    "CRDT entity discovery",
    async (kit) => {
      const spec = await kit.discover();
      for (const name of [service, second]) expectEntity(spec, name, entityType);
    },
  ],
  [
    "CRDT entity configured",
    async (kit) => {
      const spec = await kit.discover();
      expectEntity(spec, configured, entityType);
      expectConfigured(spec, configured);
    },
  ],
];

const forwardsAndEffects: Named[] = [
  [
    "forward to second service",
    script(
      "GCounter",
      undefined,
      runs([gcounter.does(4)], gcounter.is(4), gcounter.delta(4)),
      answers([forwarding("x")], forwarded("x")),
      reads(gcounter.is(4)),
    ),
  ],
  [
    "forward with state changes",
    script("PNCounter", undefined, answers([...doing(pncounter.does(-6)), forwarding("x")], forwarded("x"), changed(pncounter.delta(-6)))),
  ],
  [
    "reply with side effect to second service",
    script(
      "GSet",
      undefined,
      runs([gset.does("oak")], gset.is("oak"), gset.delta("oak")),
      answers([affecting("x")], replied(gset.is("oak")), effects("x")),
      reads(gset.is("oak")),
    ),
  ],
  [
    "synchronous side effect to second service",
    script("ORSet", undefined, answers([affecting("x", true)], replied(orset.is()), effects(["x", true]))),
  ],
  [
    "forward and side effect to second service",
    script("LWWRegister", undefined, answers([affecting("x"), forwarding("y")], forwarded("y"), effects("x"), changed(register.delta("")))),
  ],
  [
    "reply with multiple side effects",
    script("Flag", undefined, answers([affecting("x"), affecting("y"), affecting("z")], replied(flag.is(false)), effects("x", "y", "z"))),
  ],
  [
    "reply with multiple side effects and state changes",
    script(
      "ORMap",
      undefined,
      answers(
        [...doing(ormap.adds("Flag-f"), ormap.updates("GSet-s", gset.does("fig"))), affecting("x"), affecting("y", true)],
        replied(ormap.is({ "Flag-f": flag.is(false), "GSet-s": gset.is("fig") })),
        changed(ormap.delta({ added: { "Flag-f": flag.delta(false), "GSet-s": gset.delta("fig") } })),
        effects("x", ["y", true]),
      ),
    ),
  ],
];

const failures: Named[] = [
  ["failure action", script("GCounter", undefined, answers([failing("not so")], failed(1n, "not so")))],
  [
    "connection after failure action",
    script(
      "PNCounter",
      undefined,
      runs([pncounter.does(17)], pncounter.is(17), pncounter.delta(17)),
      answers([failing("not so")], failed(2n, "not so")),
      reads(pncounter.is(17)),
    ),
  ],
];

/** A message of a stream: this value. */
const shows = (state: State): StreamedPart => {
  const { clientAction } = replied(state);
  return clientAction === undefined ? {} : { clientAction };
};
const ends: StreamedPart = { endStream: true };
const made = (...to: Parameters<typeof effects>): StreamedPart => ({ sideEffects: effects(...to).sideEffects ?? [] });
const cancelChanges = (delta: Delta): CancelPart => ({ stateAction: changed(delta).stateAction ?? {} });
/** The answer to a command that changes the value. */
const answered = (state: State, delta: Delta): Part[] => [replied(state), changed(delta)];

const streams: Named[] = [
  [
    "streamed responses",
    async (kit) => {
      const session = new CrdtSession(kit, "GCounter-e");
      const stream = await session.watch({}, replied(gcounter.is(0)), streamed);
      for (const [by, sum] of [
        [4, 4],
        [1, 5],
        [10, 15],
      ] as const)
        // prettier-ignore
        await session.runHeard(doing(gcounter.does(by)), answered(gcounter.is(sum), gcounter.delta(by)), stream, shows(gcounter.is(sum)));
      await session.passivate();
    },
  ],
  [
    "streamed responses with stream ending action",
    async (kit) => {
      const session = new CrdtSession(kit, "GCounter-e");
      const stream = await session.watch({ endState: gcounter.is(5) }, replied(gcounter.is(0)), streamed);
      await session.runHeard(doing(gcounter.does(2)), answered(gcounter.is(2), gcounter.delta(2)), stream, shows(gcounter.is(2)));
      await session.runHeard(doing(gcounter.does(3)), answered(gcounter.is(5), gcounter.delta(3)), stream, shows(gcounter.is(5)), ends);
      await session.run(doing(gcounter.does(1)), ...answered(gcounter.is(6), gcounter.delta(1)));
      await session.passivate();
    },
  ],
  [
    "streamed responses with cancellation",
    async (kit) => {
      const session = new CrdtSession(kit, "PNCounter-e");
      const stream = await session.watch({ cancelUpdate: pncounter.does(-42) }, replied(pncounter.is(0)), streamed);
      await session.runHeard(doing(pncounter.does(50)), answered(pncounter.is(50), pncounter.delta(50)), stream, shows(pncounter.is(50)));
      await session.cancel(stream, cancelChanges(pncounter.delta(-42)));
      await session.run([], replied(pncounter.is(8)));
      await session.run(doing(pncounter.does(2)), ...answered(pncounter.is(10), pncounter.delta(2)));
      await session.passivate();
    },
  ],
  [
    "empty streamed responses with cancellation",
    async (kit) => {
      const session = new CrdtSession(kit, "PNCounter-e");
      await session.run(doing(pncounter.does(9)), ...answered(pncounter.is(9), pncounter.delta(9)));
      const stream = await session.watch({ cancelUpdate: pncounter.does(-42), empty: true }, streamed);
      await session.cancel(stream, cancelChanges(pncounter.delta(-42)));
      await session.run([], replied(pncounter.is(-33)));
      await session.passivate();
    },
  ],
  [
    "streamed responses with side effects",
    async (kit) => {
      const session = new CrdtSession(kit, "GSet-e");
      const both = made("x", ["y", true]);
      const stream = await session.watch({ effects: [{ id: "x" }, { id: "y", synchronous: true }] }, replied(gset.is()), streamed);
      await session.runHeard(doing(gset.does("oak")), answered(gset.is("oak"), gset.delta("oak")), stream, shows(gset.is("oak")), both);
      const grown = gset.is("ash", "oak");
      await session.runHeard(doing(gset.does("ash")), answered(grown, gset.delta("ash")), stream, shows(grown), both);
      await session.passivate();
    },
  ],
];

const consistency: Named = [
  "write consistency can be configured",
  async (kit) => {
    const session = new CrdtSession(kit, "GCounter-e");
    const levels = [
      [UpdateWriteConsistency.LOCAL, CrdtWriteConsistency.LOCAL],
      [UpdateWriteConsistency.MAJORITY, CrdtWriteConsistency.MAJORITY],
      [UpdateWriteConsistency.ALL, CrdtWriteConsistency.ALL],
    ] as const;
    for (const [at, [asked, sent]] of levels.entries()) {
      const update = { ...gcounter.does(2), writeConsistency: asked };
      await session.run(doing(update), replied(gcounter.is(2 * (at + 1))), changed(gcounter.delta(2), sent));
    }
    await session.passivate();
  },
];

export const crdtModelCases = numbered("MC", "CRDT", [...about, ...typeCases, ...forwardsAndEffects, ...failures, ...streams, consistency]);
