/** Commands for tests of the parts below the engine. */
import { FakeClock } from "@mecha/kit/testing";
import type { Fault } from "@mecha/kit";
import { Envelope } from "../envelope.ts";
import type { CallContext, ComponentMethod } from "../model.ts";
import { TimerWheel } from "../timing/wheel.ts";
import { command } from "./function.ts";

const method: ComponentMethod = {
  name: "Do",
  streamedIn: false,
  streamedOut: false,
  inputTypeUrl: "type.googleapis.com/test.Text",
  outputTypeUrl: "type.googleapis.com/test.Text",
};
const wheel = new TimerWheel(new FakeClock());

/** What became of the commands made by `envelopes`. */
export interface Told {
  readonly body: string;
  readonly fault: Fault | undefined;
}

/** Makes envelopes whose outcomes are kept in `told`. */
export function envelopes(): {
  make(body: string, nowMs?: number, context?: Partial<CallContext>, key?: string): Envelope;
  readonly told: Told[];
} {
  const told: Told[] = [];
  const commands = { open: 0, fewer() {} };
  return {
    told,
    make: (body, nowMs = 0, context = {}, key) =>
      new Envelope(
        "shop.Cart",
        method,
        key === undefined ? command("1", body) : { ...command("1", body), id: key },
        { hops: 0, ...context },
        undefined,
        (fault) => told.push({ body, fault }),
        nowMs,
        wheel,
        commands,
      ),
  };
}
