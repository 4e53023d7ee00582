/** A shopping cart that survives anything: each change is an event, stored before the caller hears of it. */
import { command, eventSourced, message, serve, type ShapeOf, t } from "mecha-sdk";

const Item = message("Item", { sku: t.string, name: t.string, quantity: t.int32 });
const CartView = message("CartView", { cartId: t.string, items: t.repeated(Item), checkedOut: t.bool });

interface CartState {
  items: ShapeOf<typeof Item>[];
  checkedOut: boolean;
}

export const Cart = eventSourced({
  service: "shop.Cart",
  persistenceId: "cart",
  key: "cartId",
  state: (): CartState => ({ items: [], checkedOut: false }),

  // What can happen. `requestId` is the caller's own name for the request, kept with the event for whoever audits later.
  events: {
    itemAdded: { sku: t.string, name: t.string, quantity: t.int32, requestId: t.optional(t.string) },
    itemRemoved: { sku: t.string, requestId: t.optional(t.string) },
    checkedOut: { requestId: t.optional(t.string) },
  },

  // What can be asked, and where HTTP clients find it.
  commands: {
    addItem: command({ cartId: t.string, sku: t.string, name: t.string, quantity: t.int32, requestId: t.optional(t.string) })
      .http("POST /carts/{cartId}/items")
      .replies(CartView),
    removeItem: command({ cartId: t.string, sku: t.string, requestId: t.optional(t.string) })
      .http("DELETE /carts/{cartId}/items/{sku}")
      .replies(CartView),
    getCart: command({ cartId: t.string }).http("GET /carts/{cartId}").replies(CartView),
    checkout: command({ cartId: t.string, requestId: t.optional(t.string) })
      .http("POST /carts/{cartId}/checkout")
      .replies(CartView),
  },

  // How events change the state.
  on: {
    itemAdded(state, { sku, name, quantity }) {
      const item = find(state, sku);
      if (item) item.quantity += quantity;
      else state.items.push({ sku, name, quantity });
    },
    itemRemoved(state, { sku }) {
      state.items = state.items.filter((item) => item.sku !== sku);
    },
    checkedOut(state) {
      state.checkedOut = true;
    },
  },

  // How commands decide: look at the state, refuse or emit, answer.
  handle: {
    addItem({ cartId, sku, name, quantity, requestId }, ctx) {
      if (ctx.state.checkedOut) ctx.fail("the cart is checked out", { code: "precondition" });
      if (sku === "") ctx.fail("sku must not be empty", { code: "invalid" });
      if (quantity <= 0) ctx.fail("quantity must be more than 0", { code: "invalid" });
      if ((find(ctx.state, sku)?.quantity ?? 0) + quantity > 1_000_000)
        ctx.fail("at most 1,000,000 of an item fit into a cart", { code: "outOfRange" });
      ctx.emit("itemAdded", { sku, name, quantity, requestId });
      return view(cartId, ctx.state);
    },
    removeItem({ cartId, sku, requestId }, ctx) {
      if (ctx.state.checkedOut) ctx.fail("the cart is checked out", { code: "precondition" });
      if (!find(ctx.state, sku)) ctx.fail(`the cart has no item ${sku}`, { code: "notFound" });
      ctx.emit("itemRemoved", { sku, requestId });
      return view(cartId, ctx.state);
    },
    getCart({ cartId }, ctx) {
      return view(cartId, ctx.state);
    },
    checkout({ cartId, requestId }, ctx) {
      if (ctx.state.checkedOut) ctx.fail("the cart is checked out already", { code: "precondition" });
      if (ctx.state.items.length === 0) ctx.fail("the cart is empty", { code: "precondition" });
      ctx.emit("checkedOut", { requestId });
      return view(cartId, ctx.state);
    },
  },
});

function find(state: Readonly<CartState>, sku: string) {
  return state.items.find((item) => item.sku === sku);
}

/** The cart as clients see it. */
function view(cartId: string, { items, checkedOut }: Readonly<CartState>) {
  return { cartId, items, checkedOut };
}

if (import.meta.main) await serve([Cart]);
