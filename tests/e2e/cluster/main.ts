/** What tests/e2e/cluster.test.ts runs behind each sidecar: a counter and a set of tags, changed with the write consistency the caller names. */
import { command, crdt, gcounter, orset, serve, t } from "mecha-sdk";

const consistencies = ["local", "majority", "all"] as const;
const consistencyOf = (text: string): (typeof consistencies)[number] => consistencies.find((one) => one === text) ?? "local";

const Counter = crdt({
  service: "cluster.Counter",
  key: "name",
  state: gcounter(),
  commands: {
    add: command({ name: t.string, by: t.int32, consistency: t.string }).http("POST /counters/{name}").replies({ value: t.double }),
    get: command({ name: t.string }).http("GET /counters/{name}").replies({ value: t.double }),
  },
  handle: {
    add({ by, consistency }, ctx) {
      ctx.writeConsistency(consistencyOf(consistency));
      ctx.state.increment(by);
      return { value: ctx.state.value };
    },
    get: (_, ctx) => ({ value: ctx.state.value }),
  },
});

const Tags = crdt({
  service: "cluster.Tags",
  key: "name",
  state: orset(t.string),
  commands: {
    put: command({ name: t.string, tag: t.string }).http("PUT /tags/{name}/{tag}"),
    drop: command({ name: t.string, tag: t.string }).http("DELETE /tags/{name}/{tag}"),
    get: command({ name: t.string })
      .http("GET /tags/{name}")
      .replies({ tags: t.repeated(t.string) }),
  },
  handle: {
    put: ({ tag }, ctx) => void ctx.state.add(tag),
    drop: ({ tag }, ctx) => void ctx.state.delete(tag),
    get: (_, ctx) => ({ tags: [...ctx.state].sort() }),
  },
});

await serve([Counter, Tags]);
