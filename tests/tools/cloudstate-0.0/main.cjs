/** A shopping cart and a stateless function for npm `cloudstate` 0.0.3, as its users wrote them. Listens on HOST:PORT. */
const { CloudState, crdt, EventSourced, Stateless } = require("cloudstate");

const cart = new EventSourced(["cart.proto"], "shop.old.OldCart", { persistenceId: "old-carts", snapshotEvery: 3, includeDirs: ["."] });
const Cart = cart.lookupType("shop.old.Cart");
const LineAdded = cart.lookupType("shop.old.LineAdded");

cart.setInitial(() => Cart.create({ lines: [] }));
cart.setBehavior(() => ({
  commandHandlers: {
    Add({ product, quantity }, _cart, ctx) {
      if (quantity <= 0) ctx.fail(`a quantity of ${quantity} ${product} makes no sense`);
      if (product === "bomb") throw new Error("this handler is broken");
      ctx.emit(LineAdded.create({ line: { product, quantity } }));
      return {};
    },
    View: (_request, state) => state,
  },
  eventHandlers: {
    LineAdded({ line }, state) {
      const same = state.lines.find(({ product }) => product === line.product);
      if (same) same.quantity += line.quantity;
      else state.lines.push(line);
      return state;
    },
  },
}));

const pieces = ({ lines }) => ({ pieces: lines.reduce((sum, { quantity }) => sum + quantity, 0) });
const counting = new Stateless(["cart.proto"], "shop.old.Counting", { includeDirs: ["."] });
counting.commandHandlers = {
  Pieces: pieces,
  EachPieces: (out, request) => out.write(pieces(request)),
};

const things = new crdt.Crdt("cart.proto", "shop.old.OldThings", { includeDirs: ["."] });
const made = {
  GCounter: () => new crdt.GCounter(),
  PNCounter: () => new crdt.PNCounter(),
  GSet: () => new crdt.GSet(),
  ORSet: () => new crdt.ORSet(),
  LWWRegister: () => new crdt.LWWRegister("none"),
  Flag: () => new crdt.Flag(),
  ORMap: () => new crdt.ORMap(),
  Vote: () => new crdt.Vote(),
};
const typeOf = (id) => id.split("-")[0];
const change = {
  GCounter: (state, { by }) => state.increment(by),
  PNCounter: (state, { by }) => state.increment(by),
  GSet: (state, { name }) => state.add(name),
  ORSet: (state, { name, by }) => (by < 0 ? state.delete(name) : state.add(name)),
  LWWRegister: (state, { name }) => (state.value = name),
  Flag: (state) => state.enable(),
  ORMap(state, { name, by }) {
    if (!state.has(name)) state.set(name, new crdt.PNCounter());
    state.get(name).increment(by);
  },
  Vote: (state, { by }) => (state.vote = by > 0),
};
const text = {
  GSet: (state) => [...state].sort().join(),
  ORSet: (state) => [...state].sort().join(),
  ORMap: (state) =>
    [...state.keys()]
      .sort()
      .map((key) => `${key}=${state.get(key).value}`)
      .join(),
  Vote: (state) => `${state.votesFor}/${state.totalVoters}`,
};
const seen = (id, state) => ({ text: state === null ? "nothing" : (text[typeOf(id)] ?? ((one) => String(one.value)))(state) });
things.commandHandlers = {
  Change(command, ctx) {
    if (ctx.state === null) ctx.state = made[typeOf(command.id)]();
    change[typeOf(command.id)](ctx.state, command);
    return seen(command.id, ctx.state);
  },
  Show: ({ id }, ctx) => seen(id, ctx.state),
  Remove(_request, ctx) {
    ctx.delete();
    return { text: "gone" };
  },
  // Whoever watches by name is in the set as long as that.
  Watch({ id, name }, ctx) {
    if (name !== "") {
      if (ctx.state === null) ctx.state = new crdt.ORSet();
      ctx.state.add(name);
      ctx.onStreamCancel = (state) => void state.delete(name);
    }
    ctx.onStateChange = (state, change) => {
      if (state.has("closing time")) change.end();
      return seen(id, state);
    };
    return seen(id, ctx.state);
  },
};

new CloudState({ serviceName: "old-cart", serviceVersion: "0.0.1" })
  .addEntity(cart, counting, things)
  .start({ bindAddress: process.env.HOST, bindPort: process.env.PORT });
