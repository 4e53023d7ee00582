/** Who calls: the client certificate of the connection, by the rules Kubernetes has for them (CN is the user, each O a group). */
import type { TLSSocket } from "node:tls";
import type { Caller } from "@mecha/machinery";
import { subjectOf } from "@mecha/pki";

const authenticatedGroup = "system:authenticated";
/** Which certificate it was: for logs of who did what with which credential. */
const credentialId = "authentication.kubernetes.io/credential-id";

/** @returns `undefined` for a connection without a certificate this server's authority signed for clients. */
export function callerOf(socket: TLSSocket): Caller | undefined {
  if (!socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (!certificate || !isClientCertificate(certificate.keyUsage)) return undefined;
  const { name, groups } = subjectOf(certificate);
  if (name === "") return undefined;
  const fingerprint = certificate.fingerprint256.replaceAll(":", "").toLowerCase();
  return { name, groups: [...groups, authenticatedGroup], extra: { [credentialId]: [`X509SHA256=${fingerprint}`] } };
}

/** id-kp-clientAuth (RFC 5280 §4.2.1.12); the server's own certificate is no pass. */
const clientAuth = "1.3.6.1.5.5.7.3.2";

function isClientCertificate(extendedUsages: readonly string[] | undefined): boolean {
  return extendedUsages?.includes(clientAuth) ?? false;
}
