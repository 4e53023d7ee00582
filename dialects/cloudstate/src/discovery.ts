/** Discovery by cloudstate.EntityDiscovery: asks the user function what it serves and makes components of the answer. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { accepted, ask, type Discovered, type DiscoveryOptions, timersExtension } from "@mecha/state/remote";
import type { Channel } from "@mecha/wire";
import { ProxyInfoSchema } from "@mecha/wire/gen/cloudstate/entity";
import { EntitySpecExtensionSchema, ProxyInfoExtensionSchema } from "@mecha/wire/gen/mecha/extensions/v1/extensions";
import { cloudstateFunction, cloudstateFunction00 } from "./function.ts";
import { discoverPath, reportErrorPath, statelessType } from "./protocol.ts";
import { crdtType, oldProtocol, entityTypes, protocolVersion, readSpec } from "./spec.ts";

/** What a proxy that may send several commands at once says in ProxyInfoExtension. */
const windowExtension = "window";
/** What one says that can put the streams of entities on one. */
const carrierExtension = "carrier";

/**
 * Asks once.
 * @throws Fault("precondition") when the answer cannot be run; the function has been told.
 * @throws Fault with the code of the call's status when it failed (`unavailable` for `precondition`); worth asking again.
 *   `unimplemented`: the function speaks another protocol.
 */
export async function discover(channel: Channel, options: DiscoveryOptions): Promise<Discovered> {
  const info = create(ProxyInfoSchema, {
    protocolMajorVersion: protocolVersion.major,
    protocolMinorVersion: protocolVersion.minor,
    proxyName: "mecha",
    proxyVersion: options.proxyVersion,
    supportedEntityTypes: Object.keys(entityTypes),
  });
  // One message, read by two types: who does not know the extension passes over its fields.
  const mechaExtensions = [timersExtension, windowExtension, carrierExtension];
  const extension = toBinary(ProxyInfoExtensionSchema, create(ProxyInfoExtensionSchema, { mechaExtensions }));
  const request = Uint8Array.of(...toBinary(ProxyInfoSchema, info), ...extension);
  const answer = await ask(channel, discoverPath, request, options.signal);
  const main = cloudstateFunction(channel, { ...options, ...extensionsIn(answer) });
  const main00 = cloudstateFunction00(channel, options);
  let isOld = false;
  return accepted(channel, {
    reportPath: reportErrorPath,
    log: options.log,
    check: () => {
      const read = readSpec(answer, options.protocolCompatibility ?? "strict");
      isOld = read.info.protocol === oldProtocol;
      return read;
    },
    // Event sourced entities are the same in both.
    port: (type) => (type === statelessType || (isOld && type === crdtType) ? main00 : main),
    main,
  });
}

/** What the function can do beyond the protocol. An answer that cannot be read is refused elsewhere. */
function extensionsIn(answer: Uint8Array): { readonly window: number; readonly carrier: boolean } {
  try {
    const { window, carrier } = fromBinary(EntitySpecExtensionSchema, answer);
    return { window: Math.max(1, window), carrier };
  } catch {
    return { window: 1, carrier: false };
  }
}
