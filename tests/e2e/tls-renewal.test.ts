/** Certificates that are replaced while listeners and channels are open: real files, real sockets. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { hostClock } from "@mecha/host";
import { noLog } from "@mecha/kit";
import { FakeClock, MemoryLog } from "@mecha/kit/testing";
import { connect, listen, type Listener } from "@mecha/net";
import { type CallHandler, unary } from "@mecha/wire";
import { type Renewal, watchCertificates } from "../../apps/mecha/src/up/renewal.ts";
import { clusterTls, loadTls, serverTls } from "../../apps/mecha/src/up/tls.ts";
import { type Authority, authority, type Certificate } from "../support/certificates.ts";
import { tempDir } from "../support/files.ts";
import { eventually } from "../support/program.ts";
import { skipUnless } from "../support/skip.ts";

const host = "127.0.0.1";
const handlers = {
  /** Answers whether the caller is b. */
  grpc: (): CallHandler => (call) => ({
    message() {
      call.send(Buffer.from(String(call.isNamed?.("b"))));
      call.end();
    },
  }),
  http: (exchange: { respond(status: number, headers: object, body: string): void }): void => exchange.respond(200, {}, "fine"),
};

/** A connection as a caller makes it; `undefined` when it is not let in. */
async function knock(listener: Listener, ca: Authority, caller: Certificate, session?: Buffer): Promise<TLSSocket | undefined> {
  const identity = { cert: caller.certificate, key: caller.key };
  const socket = connectTls({ host, port: listener.port, servername: "a", ca: ca.certificate, ...identity, ...(session && { session }) });
  const refused = new Promise<undefined>((resolve) =>
    socket.once("error", () => resolve(undefined)).once("close", () => resolve(undefined)),
  );
  if ((await Promise.race([once(socket, "secureConnect"), refused])) === undefined) return undefined;
  return (await Promise.race([get(socket), refused])) === undefined ? undefined : socket; // TLS 1.3 servers refuse after the client is done
}

/** The authority that is replaced and the new one, each with what it signed for a server called a and a caller called b. */
async function twoAuthorities(folder: string) {
  const [before, after] = [await authority(folder, "before"), await authority(folder, "after")];
  const [server, caller] = [await before.sign("a"), await before.sign("b")];
  const [newServer, newCaller] = [await after.sign("a"), await after.sign("b")];
  return { before, after, server, caller, newServer, newCaller };
}

async function get(socket: TLSSocket): Promise<string> {
  socket.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
  const [chunk] = (await once(socket, "data")) as [Buffer];
  return String(chunk);
}

suite("certificates that are renewed", { skip: skipUnless("openssl"), timeout: 120_000 }, () => {
  test("new connections get the new ones, also those that would resume an old session; old connections stay", async () => {
    await using dir = await tempDir("tls-renewal");
    const { before, after, server, caller, newServer, newCaller } = await twoAuthorities(dir.path);
    const log = new MemoryLog();
    await using listener = await listen(
      { host, port: 0, clock: hostClock, log, tls: { ...server, callerAuthorities: before.certificate } },
      handlers,
    );
    const old = (await knock(listener, before, caller)) ?? assert.fail("not let in");
    let session = old.getSession();
    old.on("session", (given) => (session = given));
    await get(old);

    const renewed = { ...newServer, callerAuthorities: after.certificate };
    assert.throws(() => listener.renewTls({ ...renewed, key: server.key }), {
      code: "invalid",
      message: /the key is not the key of the certificate/u,
    });
    assert.throws(() => listener.renewTls(newServer), { code: "invalid", message: /whether callers show certificates cannot change/u });
    ((await knock(listener, before, caller)) ?? assert.fail("what cannot be used changed something")).destroy();

    listener.renewTls(renewed);
    assert.match(await get(old), /fine/u);
    const fresh = (await knock(listener, after, newCaller)) ?? assert.fail("not let in");
    assert.deepEqual([fresh.getPeerX509Certificate()?.raw.equals(certificateOf(newServer)), fresh.isSessionReused()], [true, false]);
    for (const trusting of [before, after]) {
      assert.equal(await knock(listener, trusting, caller), undefined, "a caller of the authority that is gone");
      assert.equal(await knock(listener, trusting, caller, session), undefined, "and by its old session");
    }
    for (const socket of [old, fresh]) socket.destroy();
    await using plain = await listen({ host, port: 0, clock: hostClock, log: noLog }, handlers);
    assert.throws(() => plain.renewTls(renewed), /the listener has no TLS/u);
  });

  test("files that change are read again; those that do not fit are said once, and those in use stay", async () => {
    await using dir = await tempDir("tls-renewal");
    const { before, after, server, caller, newServer, newCaller } = await twoAuthorities(dir.path);
    const given = (name: string) => ({ value: join(dir.path, name), field: name });
    const files = { certificate: given("own.crt"), key: given("own.key"), authorities: given("ca.crt") };
    const member = { certificate: given("b.crt"), key: given("b.key"), authorities: given("ca.crt") };
    const place = async (from: string, to: string): Promise<void> => copyFile(from, join(dir.path, to));
    await Promise.all([
      ...[place(server.certificateFile, "own.crt"), place(server.keyFile, "own.key"), place(before.certificateFile, "ca.crt")],
      ...[place(caller.certificateFile, "b.crt"), place(caller.keyFile, "b.key")],
    ]);
    const clock = new FakeClock();
    const log = new MemoryLog();
    const loaded = await loadTls(files);
    await using listener = await listen({ host, port: 0, clock: hostClock, log: noLog, tls: serverTls(loaded) }, handlers);
    let shown = clusterTls(await loadTls(member));
    const tls = () => ({ serverAuthorities: shown.authorities, serverName: "a", identity: shown });
    await using peer = connect({ host, port: listener.port, clock: hostClock, tls, limits: { connectTimeoutMs: 5_000 } });
    const ask = async (channel = peer): Promise<string> =>
      unary(channel, "/t.S/Who", new Uint8Array()).then(
        ({ message }) => String(Buffer.from(message)),
        (fault: unknown) => String(fault),
      );
    assert.equal(await ask(), "true");

    let looks = 0;
    const renewals: Renewal[] = [
      { of: "ingress", files, loaded, renew: (to) => (looks++, listener.renewTls(serverTls(to))) },
      { of: "cluster", files: member, loaded: await loadTls(member), renew: (to) => (looks++, (shown = clusterTls(to))) },
    ];
    using _watch = watchCertificates(renewals, { clock, log });
    const look = async (until: () => unknown): Promise<void> => {
      await eventually("it has looked", async () => {
        await clock.advance(5_000);
        return until() ? true : undefined;
      });
    };
    const lines = (): string[] => log.lines.map(({ level, message, fields }) => `${level} ${message} ${String(fields?.["of"])}`);
    await place(newServer.certificateFile, "own.crt"); // its key comes later
    await look(() => log.lines.length > 0);
    await look(() => true);
    assert.deepEqual(lines(), ["warn new certificates cannot be used; those in use stay ingress"]);
    assert.match(JSON.stringify(log.lines[0]), /own\.key\) is not the key of own\.crt/u);
    assert.equal(looks, 0);
    log.lines.splice(0);

    await Promise.all([place(newServer.keyFile, "own.key"), place(after.certificateFile, "ca.crt")]);
    await Promise.all([place(newCaller.certificateFile, "b.crt"), place(newCaller.keyFile, "b.key")]);
    await look(() => log.lines.length >= 2 && shown.certificate === newCaller.certificate);
    assert.ok(
      lines().every((line) => line.startsWith("info certificates were read again")),
      String(lines()),
    );
    assert.equal(await ask(), "true", "the connection that was there");
    await using second = connect({ host, port: listener.port, clock: hostClock, tls, limits: { connectTimeoutMs: 5_000 } });
    assert.equal(await ask(second), "true");
    const stale = { serverAuthorities: before.certificate, serverName: "a", identity: caller };
    await using late = connect({ host, port: listener.port, clock: hostClock, tls: stale, limits: { connectTimeoutMs: 5_000 } });
    assert.notEqual(await ask(late), "true");
  });
});

function certificateOf({ certificate }: Certificate): Buffer {
  return Buffer.from(certificate.replace(/-----[^-]+-----|\s/gu, ""), "base64");
}
