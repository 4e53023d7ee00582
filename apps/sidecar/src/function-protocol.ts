/** Which protocol a function speaks: configured, or found out by asking. */
import { discover as discoverCloudstate } from "@mecha/dialect-cloudstate";
import { discover as discoverKalix } from "@mecha/dialect-kalix";
import { Fault } from "@mecha/kit";
import type { Discovered, DiscoveryOptions } from "@mecha/state/remote";
import type { Channel } from "@mecha/wire";

/**
 * `auto`: Cloudstate 0.2 or Kalix 1.x, whichever answers. `any`: the same in any version, Cloudstate's 0.0 (npm `cloudstate`) among them.
 * The names: that one only.
 */
export const functionProtocols = ["auto", "cloudstate", "kalix", "any"] as const;
export type FunctionProtocol = (typeof functionProtocols)[number];

/**
 * Asks the function once, in each protocol it may speak.
 * @throws what the dialect's `discover` throws; Fault("unimplemented") when it answers none.
 */
export async function discoverFunction(
  channel: Channel,
  protocol: FunctionProtocol,
  options: Omit<DiscoveryOptions, "protocolCompatibility">,
): Promise<Discovered> {
  const asked: DiscoveryOptions = { ...options, protocolCompatibility: protocol === "any" ? "any" : "strict" };
  if (protocol === "cloudstate") return discoverCloudstate(channel, asked);
  if (protocol === "kalix") return discoverKalix(channel, asked);
  return (await answered(discoverCloudstate(channel, asked))) ?? (await answered(discoverKalix(channel, asked))) ?? nothingAnswered();
}

/** `undefined` when the function does not know the method. */
async function answered(asking: Promise<Discovered>): Promise<Discovered | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (error instanceof Fault && error.code === "unimplemented") return undefined;
    throw error;
  }
}

function nothingAnswered(): never {
  throw new Fault(
    "unimplemented",
    "it answers neither Cloudstate's discovery (cloudstate.EntityDiscovery) nor Kalix's (kalix.protocol.Discovery): does another program listen there?",
  );
}
