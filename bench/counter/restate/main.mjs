// The counter as a Restate virtual object: exclusive handler, one read and one write of its state.
import * as restate from "@restatedev/restate-sdk";

const counter = restate.object({
  name: "counter",
  handlers: {
    add: async (ctx, { amount }) => {
      const value = ((await ctx.get("value")) ?? 0) + amount;
      ctx.set("value", value);
      return { value };
    },
  },
});

restate.serve({ services: [counter], port: Number(process.env.PORT) });
