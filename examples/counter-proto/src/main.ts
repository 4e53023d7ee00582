/** The same SDK from a .proto: a value entity and an action, typed by what protobuf-es generated. */
import { fromProto, serve } from "mecha-sdk";
import { Counter as CounterService, CountSchema, Greeter as GreeterService } from "./gen/counter_pb.ts";

export const Counter = fromProto.valueEntity(CounterService, {
  persistenceId: "counter",
  state: CountSchema,
  handle: {
    increase({ by }, ctx) {
      if (by <= 0) ctx.fail("by must be more than 0");
      const value = ctx.state.value + BigInt(by);
      ctx.update({ value });
      return { value };
    },
    get(_, ctx) {
      return { value: ctx.state.value };
    },
    reset(_, ctx) {
      ctx.delete();
    },
  },
});

export const Greeter = fromProto.action(GreeterService, {
  handle: {
    greet({ name }, ctx) {
      ctx.effect(Counter.commands.increase, { name, by: 1 });
      return { text: `Hello, ${name}!` };
    },
    *countdown({ from }) {
      for (let value = from; value >= 0; value--) yield { value: BigInt(value) };
    },
  },
});

if (import.meta.main) await serve([Counter, Greeter]);
