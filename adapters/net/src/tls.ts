/**
 * TLS for listeners and channels: who this side is, and whose word on the other side is taken. TLS 1.3 and 1.2 with node's own ciphers; HTTP/2 and
 * HTTP/1.1 are told apart by ALPN where the other side has it, and by the first bytes as without TLS.
 *
 * Invariants
 * S1 where authorities are given, nothing of a connection is read before its certificate was checked against them
 */
import { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { connect as connectTls, createSecureContext, createServer, type SecureContextOptions, type Server, type TLSSocket } from "node:tls";
import { Fault } from "@mecha/kit";

/** Who this side is. PEM texts. */
export interface TlsIdentity {
  /** The certificate, and behind it the chain up to, without, the root. */
  readonly certificate: string;
  readonly key: string;
}

/** TLS of a listener. */
export interface ServerTls extends TlsIdentity {
  /** PEM certificates of those who sign for callers: a caller without such a certificate is not let in (mutual TLS). Absent: anybody may call. */
  readonly callerAuthorities?: string;
}

/** TLS of a channel. */
export interface ClientTls {
  /** PEM certificates of those who sign for the server. */
  readonly serverAuthorities: string;
  /** The name the server's certificate must have. Default: the host that is connected to. */
  readonly serverName?: string;
  /** Shown to a server that asks. */
  readonly identity?: TlsIdentity;
}

/** @throws Fault("invalid") saying which of the parts cannot be used; `names` says what they are called where they came from. */
export function checkTls(
  { certificate, key, authorities }: TlsIdentity & { readonly authorities?: string },
  names: { readonly certificate: string; readonly key: string; readonly authorities: string },
): void {
  attempt(`${names.certificate} is no certificate in PEM form`, () => new X509Certificate(certificate));
  attempt(`${names.key} is no private key in PEM form without a passphrase`, () => createSecureContext({ key }));
  attempt(`${names.key} is not the key of ${names.certificate}`, () => createSecureContext({ cert: certificate, key }));
  if (authorities === undefined) return;
  attempt(`${names.authorities} is no certificate in PEM form`, () => new X509Certificate(authorities));
}

function attempt(problem: string, run: () => unknown): void {
  try {
    run();
  } catch (cause) {
    throw new Fault("invalid", problem, { cause });
  }
}

const protocols = ["h2", "http/1.1"];

/** A server whose `secureConnection` sockets have shown what they must (S1). */
export function tlsServer(tls: ServerTls, handshakeTimeoutMs: number): Server {
  const callers = tls.callerAuthorities === undefined ? {} : { requestCert: true, rejectUnauthorized: true };
  return createServer({
    ...contextOf(tls),
    ...callers,
    ALPNProtocols: protocols,
    handshakeTimeout: handshakeTimeoutMs,
    noDelay: true,
  });
}

function contextOf({ certificate, key, callerAuthorities }: ServerTls): SecureContextOptions {
  return { cert: certificate, key, ...(callerAuthorities !== undefined && { ca: callerAuthorities }) };
}

/**
 * From now on connections are made with these; those there are stay as they are. Sessions are not resumed across the change: their tickets are sealed by the
 * context that is given up.
 * @throws Fault("invalid") when they cannot be used, or callers would have to show a certificate and did not before, or the other way round. Nothing is
 *   changed then.
 */
export function renewTls(server: Server, before: ServerTls, tls: ServerTls): void {
  if ((before.callerAuthorities === undefined) !== (tls.callerAuthorities === undefined))
    throw new Fault("invalid", "whether callers show certificates cannot change while a listener is open");
  const { callerAuthorities: authorities } = tls;
  const names = { certificate: "the certificate", key: "the key", authorities: "the callers' authorities" };
  checkTls({ ...tls, ...(authorities !== undefined && { authorities }) }, names);
  server.setSecureContext(contextOf(tls));
}

/** A socket whose `secureConnect` comes when the server has shown who it is (S1). */
export function tlsSocket(host: string, tcp: Socket, tls: ClientTls): TLSSocket {
  const { serverAuthorities, serverName, identity } = tls;
  return connectTls({
    host,
    socket: tcp,
    ca: serverAuthorities,
    ALPNProtocols: ["h2"],
    ...(serverName !== undefined && { servername: serverName }),
    ...(identity && { cert: identity.certificate, key: identity.key }),
  });
}

/**
 * Whether the certificate the other side showed has a DNS name; `undefined` when it showed none that was checked. OpenSSL reads the names: taking
 * node's text of them apart has let crafted ones through (CVE-2021-44532).
 */
export function namesOf(socket: TLSSocket): ((name: string) => boolean) | undefined {
  if (!socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  return certificate && ((name) => certificate.checkHost(name, { subject: "never", wildcards: false }) !== undefined);
}
