/** Orders, parcels and stock: an entity's events feed an action, whose replies go to a topic, which another entity counts. */
import { action, command, eventLog, eventSourced, message, serve, t, topic, valueEntity } from "mecha-sdk";

const Placed = message("orders.Placed", { order: t.string, sku: t.string, count: t.int32 });
const Parcel = message("orders.Parcel", { sku: t.string, count: t.int32 });

export const Order = eventSourced({
  service: "orders.Order",
  key: "order",
  state: () => ({ placed: false }),
  events: { placed: Placed },
  commands: { place: command(Placed).http("POST /orders/{order}") },
  on: { placed: () => ({ placed: true }) },
  handle: {
    place(order, ctx) {
      if (ctx.state.placed) ctx.fail(`order ${order.order} was placed before`, { code: "alreadyExists" });
      ctx.emit("placed", order);
    },
  },
});

/** Each order makes a parcel. */
export const Shipping = action({
  service: "orders.Shipping",
  commands: { pack: command(Placed).consumes(eventLog("orders.Order")).replies(Parcel).publishes(topic("parcels")) },
  handle: {
    pack({ sku, count }, ctx) {
      if (count < 1) ctx.fail(`${count} of ${sku} is no parcel`, { code: "invalid" });
      return { sku, count };
    },
  },
});

/** What has left, by article. */
export const Stock = valueEntity({
  service: "orders.Stock",
  key: "sku",
  state: () => ({ left: 0, parcels: 0 }),
  commands: {
    leave: command(Parcel).consumes(topic("parcels")),
    get: command({ sku: t.string }).http("GET /stock/{sku}").replies({ sku: t.string, left: t.int32, parcels: t.int32 }),
  },
  handle: {
    leave: ({ count }, ctx) => ctx.update({ left: ctx.state.left + count, parcels: ctx.state.parcels + 1 }),
    get: ({ sku }, ctx) => ({ sku, ...ctx.state }),
  },
});

if (import.meta.main) await serve([Order, Shipping, Stock]);
