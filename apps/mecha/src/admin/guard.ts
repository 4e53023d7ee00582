/**
 * Who may speak to the admin listener (D9). Pure.
 *
 * G1 a page of another site cannot reach it: Host must name the listener itself (DNS rebinding), Origin and Sec-Fetch-Site must be its own
 * G2 whoever has not read the token file learns nothing: every path below /v1 needs the token, compared in constant time
 */
import { timingSafeEqual } from "node:crypto";
import { Fault, type Secret } from "@mecha/kit";

/** Names of loopback a browser may have been given. */
const loopbackNames = ["127.0.0.1", "localhost", "[::1]"];

type Headers = Readonly<Record<string, string | undefined>>;

/** @throws Fault("denied") when Host or Origin are not the listener's own (G1). */
export function checkOrigin(headers: Headers, port: number): void {
  const hosts = loopbackNames.map((name) => `${name}:${port}`);
  if (port === 80) hosts.push(...loopbackNames);
  const host = headers.host?.toLowerCase() ?? "";
  if (!hosts.includes(host)) throw new Fault("denied", `Host ${JSON.stringify(host)} is not this listener; use http://127.0.0.1:${port}`);
  const origin = headers.origin?.toLowerCase();
  if (origin !== undefined && !hosts.some((own) => origin === `http://${own}`))
    throw new Fault("denied", `Origin ${JSON.stringify(origin)} may not use the admin API`);
  if (headers["sec-fetch-site"] === "cross-site" && headers["sec-fetch-mode"] !== "navigate")
    throw new Fault("denied", "another site may not use the admin API");
}

/** @throws Fault("unauthenticated") without the right `Authorization: Bearer` (G2). */
export function checkToken(headers: Headers, token: Secret): void {
  const given = /^Bearer +(\S+)$/iu.exec(headers.authorization ?? "")?.[1] ?? "";
  if (!sameText(given, token.reveal()))
    throw new Fault("unauthenticated", "the admin API needs the token of .mecha/admin.token as `Authorization: Bearer …`");
}

function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  // Lengths are no secret: every token has the same.
  return left.length === right.length && timingSafeEqual(left, right);
}
