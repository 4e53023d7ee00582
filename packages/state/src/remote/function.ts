/** The engine's FunctionPort over a protocol of this family: one gRPC stream for each active entity (its own, or a
 * carried one), one gRPC call for each action call. */
import type { Log } from "@mecha/kit";
import { carriedChannel, type Channel } from "@mecha/wire";
import type { FunctionPort } from "../model.ts";
import { openActionCall } from "./action-call.ts";
import { openEntityStream } from "./entity-stream.ts";
import type { RemoteProtocol } from "./protocol.ts";
import { reporter } from "./report.ts";

export interface RemoteFunctionOptions {
  /**
   * Send the caller's headers with commands of entities. Default false: Cloudstate's reference never does and its TCK compares strictly.
   * Actions always get them.
   */
  readonly entityCommandMetadata?: boolean;
  readonly log?: Log;
  /** Commands of one entity the function takes at once. Default 1; more only when it has said so. */
  readonly window?: number;
  /** The function serves carriers: the streams of its entities share one. Default false. */
  readonly carrier?: boolean;
}

/** The user function behind `channel`. Does not own the channel. */
export function remoteFunction(channel: Channel, protocol: RemoteProtocol, options: RemoteFunctionOptions = {}): FunctionPort {
  const { report } = reporter(channel, protocol.reportPath, options.log);
  const commandMetadata = protocol.metadata && (options.entityCommandMetadata ?? false);
  const window = options.window ?? 1;
  const entities = options.carrier === true ? carriedChannel(channel) : channel;
  const streams = { protocol, commandMetadata, report, window };
  return {
    window,
    openEntity: (address, init, events) => openEntityStream(entities, streams, address, init, events),
    openAction: (service, method, open, events) => openActionCall(channel, { protocol, service, method, open, events, report }),
    reportError: report,
  };
}
