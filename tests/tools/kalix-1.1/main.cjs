/** A shop for the Kalix SDK, as its users write one: a cart of events, prices as values, a checkout that calls both. Listens on HOST:PORT. */
const { Action, EventSourcedEntity, GrpcStatus, Kalix, ValueEntity, replies } = require("@kalix-io/kalix-javascript-sdk");
const { replicated } = require("./replicated.cjs");

const carts = new EventSourcedEntity(["shop.proto"], "market.Carts", "carts", { snapshotEvery: 3 });
const Cart = carts.lookupType("market.Cart");
const LineAdded = carts.lookupType("market.LineAdded");
carts.setInitial(() => Cart.create({ lines: [] }));
carts.setBehavior(() => ({
  commandHandlers: {
    Add({ product, quantity }, _cart, ctx) {
      if (quantity <= 0) return replies.failure(`a quantity of ${quantity} ${product} makes no sense`, GrpcStatus.InvalidArgument);
      if (product === "bomb") throw new Error("this handler is broken");
      ctx.emit(LineAdded.create({ line: { product, quantity } }));
      return replies.message({});
    },
    View: (_request, cart) => replies.message(cart),
  },
  eventHandlers: {
    LineAdded({ line }, cart) {
      const same = cart.lines.find(({ product }) => product === line.product);
      if (same) same.quantity += line.quantity;
      else cart.lines.push(line);
      return cart;
    },
  },
}));

const prices = new ValueEntity(["shop.proto"], "market.Prices", "prices");
const Price = prices.lookupType("market.Price");
prices.setInitial((product) => Price.create({ product, cents: 0 }));
prices.setCommandHandlers({
  Set({ product, cents }, _price, ctx) {
    ctx.updateState(Price.create({ product, cents }));
    if (cents < 0) return replies.failure(`nobody pays ${cents}`, GrpcStatus.InvalidArgument);
    return replies.message({});
  },
  Get: ({ product }, price) => (price.cents > 0 ? replies.message(price) : replies.failure(`no price for ${product}`, GrpcStatus.NotFound)),
  Remove(_request, _price, ctx) {
    ctx.deleteState();
    return replies.message({});
  },
});

const checkout = new Action(["shop.proto"], "market.Checkout");
checkout.setCommandHandlers({
  // The SDK knows from discovery where its sidecar is.
  async TotalOf({ cartId }) {
    const { market } = checkout.clients;
    const { lines } = await market.Carts.createClient().view({ cartId });
    const priced = await Promise.all(lines.map(({ product }) => market.Prices.createClient().get({ product })));
    return replies.message({ cents: lines.reduce((sum, { quantity }, i) => sum + quantity * priced[i].cents, 0) });
  },
  Forward: ({ cartId }) => replies.forward(carts.service.methods.View, { cartId }),
  Refuse: ({ description, code }) => replies.failure(description, code),
  EachPrice({ lines }, ctx) {
    for (const { product, quantity } of lines) ctx.reply(replies.message({ product, cents: quantity }));
    ctx.end();
  },
  Sum(ctx) {
    let cents = 0;
    ctx.on("data", (price) => (cents += price.cents));
    ctx.on("end", () => replies.message({ cents }));
  },
});

new Kalix({ serviceName: "shop", serviceVersion: "1.0.0" }).addComponent(carts, prices, checkout, ...replicated(carts)).start();
