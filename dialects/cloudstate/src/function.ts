/** The engine's FunctionPort over the Cloudstate 0.2 protocol: one gRPC stream for each active entity, one gRPC call for each action call. */
import type { Log } from "@mecha/kit";
import type { FunctionPort } from "@mecha/state";
import type { Channel } from "@mecha/wire";
import { openActionCall } from "./action-call.ts";
import { openEntityStream } from "./entity-stream.ts";
import { reporter } from "./report.ts";

export interface CloudstateFunctionOptions {
  /**
   * Send the caller's headers with commands of entities. Default false: the reference never does and its TCK compares strictly.
   * Actions always get them.
   */
  readonly entityCommandMetadata?: boolean;
  readonly log?: Log;
}

/** The user function behind `channel`. Does not own the channel. */
export function cloudstateFunction(channel: Channel, options: CloudstateFunctionOptions = {}): FunctionPort {
  const { report } = reporter(channel, options.log);
  const commandMetadata = options.entityCommandMetadata ?? false;
  return {
    openEntity: (address, init, events) => openEntityStream(channel, { address, init, events, commandMetadata, report }),
    openAction: (service, method, open, events) => openActionCall(channel, { service, method, open, events, report }),
    reportError: report,
  };
}
