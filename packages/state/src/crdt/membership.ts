/** This process among the replicas: a name that stays and an incarnation that does not (E13). */
import { Fault, type Random } from "@mecha/kit";
import type { ReplicaId } from "../store.ts";
import { type Membership, replicaName, retired } from "./replica.ts";

/** Name of a process that is alone and was given none. */
export const defaultNode = "local";

/** Random bytes of an incarnation: two alike among 2^32 restarts of one node are as likely as 1 in 2^33. */
const incarnationBytes = 12;

/**
 * A process that is alone. The incarnation is drawn when it is first needed.
 * @throws Fault("invalid") when the name is empty or holds a character that ids of replicas are divided by.
 */
export function aloneAs(node: string, random: Random): Membership {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(node) || node === retired) {
    throw new Fault("invalid", `engine option node: ${JSON.stringify(node)}; give 1 to 63 letters, digits, ".", "_" or "-"`);
  }
  let self: ReplicaId | undefined;
  const whoIAm = (): ReplicaId => (self ??= { node, incarnation: hex(random.bytes(incarnationBytes)) });
  return {
    get self() {
      return whoIAm();
    },
    live: () => [replicaName(whoIAm())],
  };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
