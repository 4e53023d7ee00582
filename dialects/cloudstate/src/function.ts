/** The engine's FunctionPort over the Cloudstate protocol. */
import type { FunctionPort } from "@mecha/state";
import { crdtPort, remoteFunction, type RemoteFunctionOptions } from "@mecha/state/remote";
import type { Channel } from "@mecha/wire";
import { codec02 } from "./crdt-codec.ts";
import { codec00 } from "./crdt-codec-00.ts";
import { crdtPath, protocol00, protocol02 } from "./protocol.ts";

export type CloudstateFunctionOptions = RemoteFunctionOptions;

/** The user function behind `channel`, which speaks 0.2. Does not own the channel. */
export function cloudstateFunction(channel: Channel, options: CloudstateFunctionOptions = {}): FunctionPort {
  const main = remoteFunction(channel, protocol02, options);
  const crdt = crdtPort(channel, {
    path: crdtPath,
    codec: () => codec02,
    commandMetadata: options.entityCommandMetadata ?? false,
    report: (message) => main.reportError(message),
  });
  return { ...main, crdt };
}

/** The user function behind `channel`, which speaks 0.0. Does not own the channel. */
export function cloudstateFunction00(channel: Channel, options: CloudstateFunctionOptions = {}): FunctionPort {
  const main = remoteFunction(channel, protocol00, options);
  const crdt = crdtPort(channel, {
    path: crdtPath,
    codec: () => codec00(),
    commandMetadata: false,
    report: (message) => main.reportError(message),
  });
  return { ...main, crdt };
}
