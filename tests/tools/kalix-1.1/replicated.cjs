/** One replicated entity of each type the SDK has. Each takes the same commands and shows its value as JSON. */
const { GrpcStatus, replicatedentity: data, replies, ReplicatedWriteConsistency } = require("@kalix-io/kalix-javascript-sdk");

const sorted = (iterable) => [...iterable].sort();
const mapOf = (map, valueOf) => Object.fromEntries(sorted(map.keys()).map((key) => [key, valueOf(key)]));

function added(map, key, Type) {
  if (!map.has(key)) map.set(key, new Type());
  return map.get(key);
}

/** By service: a new value, what Change does to it, and how it is shown. */
const kinds = {
  Counters: {
    create: () => new data.ReplicatedCounter(),
    change: (counter, { number }) => counter.increment(number),
    show: (counter) => counter.value,
  },
  Sets: {
    create: () => new data.ReplicatedSet(),
    change: (set, { value, remove }) => (remove ? set.delete(value) : set.add(value)),
    show: (set) => sorted(set),
  },
  Registers: {
    create: () => new data.ReplicatedRegister("nothing"),
    change: (register, { value, clock, number }) => register.setWithClock(value, clock, number),
    show: (register) => register.value,
  },
  Maps: {
    create: () => new data.ReplicatedMap(),
    change(map, { key, value, number, remove, clear }) {
      if (clear) map.clear();
      else if (remove) map.delete(key);
      else if (value) added(map, key, data.ReplicatedSet).add(value);
      else added(map, key, data.ReplicatedCounter).increment(number);
    },
    show: (map) => mapOf(map, (key) => (map.get(key) instanceof data.ReplicatedSet ? sorted(map.get(key)) : map.get(key).value)),
  },
  CounterMaps: {
    create: () => new data.ReplicatedCounterMap(),
    change: (map, { key, number, remove, clear }) => (clear ? map.clear() : remove ? map.delete(key) : map.increment(key, number)),
    show: (map) => mapOf(map, map.get),
  },
  RegisterMaps: {
    create: () => new data.ReplicatedRegisterMap(),
    change: (map, { key, value, clock, number, remove }) => (remove ? map.delete(key) : map.set(key, value, clock, number)),
    show: (map) => mapOf(map, map.get),
  },
  MultiMaps: {
    create: () => new data.ReplicatedMultiMap(),
    change(map, { key, value, remove }) {
      if (!remove) map.put(key, value);
      else if (value) map.delete(key, value);
      else map.deleteAll(key);
    },
    show: (map) => mapOf(map, (key) => sorted(map.get(key))),
  },
  Votes: {
    create: () => new data.Vote(),
    change: (vote, { number }) => (vote.vote = number > 0),
    show: ({ vote, votesFor, totalVoters }) => ({ vote, votesFor, totalVoters }),
  },
};

/** The entities; `carts` is where their forwards and effects go. */
exports.replicated = (carts) =>
  Object.entries(kinds).map(([service, { create, change, show }]) => {
    // Answers leave when every sidecar has the change.
    const options = service === "Votes" ? {} : { replicatedWriteConsistency: ReplicatedWriteConsistency.ALL };
    const entity = new data.ReplicatedEntity(["shop.proto"], `market.${service}`, service.toLowerCase(), options);
    const shown = ({ state }) => replies.message({ json: JSON.stringify(show(state)) });
    entity.defaultValue = () => create();
    entity.commandHandlers = {
      Change(request, context) {
        if (request.key === "forbidden") return replies.failure(`${service} take no such key`, GrpcStatus.InvalidArgument);
        if (request.key === "broken") throw new Error("this handler is broken");
        change(context.state, request);
        if (request.key === "regretted") return replies.failure(`${service} change, and then fail`, GrpcStatus.Aborted);
        return shown(context);
      },
      Get: (_request, context) => shown(context),
      Delete(_request, context) {
        context.delete();
        return replies.message({});
      },
      Order: ({ id, key }) => replies.forward(carts.service.methods.Add, { cartId: id, product: key, quantity: 1 }),
      // The effect is awaited before the answer.
      Note: ({ id, key }, context) => shown(context).addEffect(carts.service.methods.Add, { cartId: id, product: key, quantity: 1 }, true),
    };
    return entity;
  });
