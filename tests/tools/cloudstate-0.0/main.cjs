/** A shopping cart and a stateless function for npm `cloudstate` 0.0.3, as its users wrote them. Listens on HOST:PORT. */
const { CloudState, EventSourced, Stateless } = require("cloudstate");

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

new CloudState({ serviceName: "old-cart", serviceVersion: "0.0.1" })
  .addEntity(cart, counting)
  .start({ bindAddress: process.env.HOST, bindPort: process.env.PORT });
