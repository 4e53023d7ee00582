/** The engine's FunctionPort over the Kalix protocol. */
import type { FunctionPort, WriteConsistency } from "@mecha/state";
import { crdtPort, remoteFunction, type RemoteFunctionOptions } from "@mecha/state/remote";
import type { Channel } from "@mecha/wire";
import { kalixProtocol, replicatedPath } from "./protocol.ts";
import { replicatedCodec } from "./replicated-codec.ts";

export interface KalixFunctionOptions extends RemoteFunctionOptions {
  /** How many replicas must have a change of that service's entities before its command is answered. */
  readonly consistency: (service: string) => WriteConsistency;
}

/** The user function behind `channel`. Does not own the channel. */
export function kalixFunction(channel: Channel, options: KalixFunctionOptions): FunctionPort {
  const main = remoteFunction(channel, kalixProtocol, options);
  const crdt = crdtPort(channel, {
    path: replicatedPath,
    codec: ({ service }) => replicatedCodec(options.consistency(service)),
    commandMetadata: options.entityCommandMetadata ?? false,
    report: (message) => main.reportError(message),
  });
  return { ...main, crdt };
}
