/** TLS as listeners and channels speak it, against certificates openssl made and clients that are not ours. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import { after, before, suite, test } from "node:test";
import { Client, credentials } from "@grpc/grpc-js";
import { hostClock as clock } from "@mecha/host";
import { Fault, noLog } from "@mecha/kit";
import { checkTls, type ClientTls, connect, listen, type Listener } from "@mecha/net";
import { type CallHandler, unary } from "@mecha/wire";
import { callContract } from "../../adapters/net/src/contract/calls.ts";
import { type Authority, authority, type Certificate } from "../support/certificates.ts";
import { tempDir, type TempDir } from "../support/files.ts";
import { eventually, freePort, runProgram } from "../support/program.ts";
import { skipUnless } from "../support/skip.ts";

const host = "127.0.0.1";
const skip = skipUnless("openssl");

suite("TLS", { skip }, () => {
  let dir: TempDir;
  let ours: Authority;
  let server: Certificate;
  let caller: Certificate;
  let listener: Listener;
  before(async () => {
    dir = await tempDir("tls");
    ours = await authority(dir.path);
    [server, caller] = [await ours.sign("a", "localhost"), await ours.sign("b")];
    const tls = { ...server, callerAuthorities: ours.certificate };
    const http = (exchange: { respond(status: number, headers: object, body: string): void }): void => exchange.respond(200, {}, "fine");
    listener = await listen({ host, port: 0, clock, log: noLog, tls }, { grpc: () => whoCalls, http });
  });
  after(async () => {
    await listener[Symbol.asyncDispose]();
    await dir[Symbol.asyncDispose]();
  });

  /** Answers whether the caller's certificate names b, and c. */
  const whoCalls: CallHandler = (call) => ({
    message() {
      call.send(Buffer.from(JSON.stringify([call.isNamed?.("b"), call.isNamed?.("c"), call.isNamed?.("127.0.0.1")])));
      call.end();
    },
  });

  async function ask(tls: ClientTls | undefined): Promise<string> {
    await using channel = connect({ host, port: listener.port, clock, ...(tls && { tls }), limits: { connectTimeoutMs: 5_000 } });
    try {
      const { message } = await unary(channel, "/t.S/Who", new Uint8Array());
      return Buffer.from(message).toString();
    } catch (fault) {
      return fault instanceof Fault ? fault.message : assert.fail(String(fault));
    }
  }

  test("both sides show who they are, and a handler hears the caller's names", async () => {
    assert.equal(await ask({ serverAuthorities: ours.certificate, serverName: "a", identity: caller }), "[true,false,false]");
    assert.equal(await ask({ serverAuthorities: ours.certificate, identity: caller }), "[true,false,false]", "by its address");
  });

  test("a server of another name, or of another authority, is not spoken to", async () => {
    assert.match(
      await ask({ serverAuthorities: ours.certificate, serverName: "z", identity: caller }),
      /does not match certificate's altnames/,
    );
    const other = await authority(dir.path, "other");
    assert.match(
      await ask({ serverAuthorities: other.certificate, serverName: "a", identity: caller }),
      /self-signed certificate|unable to verify|signature failure/,
    );
  });

  test("a caller without a certificate, with a stranger's, or without TLS is not let in", async () => {
    const stranger = await (await authority(dir.path, "strangers")).sign("b");
    const refused = /alert|certificate|closed|ECONNRESET|hang up|EPIPE|no answer/i;
    assert.match(await ask({ serverAuthorities: ours.certificate, serverName: "a" }), refused);
    assert.match(await ask({ serverAuthorities: ours.certificate, serverName: "a", identity: stranger }), refused);
    assert.match(await ask(undefined), refused);
  });

  test("a refusal leaves no connection behind", async () => {
    const open = async (): Promise<number> => (await readdir("/proc/self/fd")).length;
    const before = await open();
    for (let time = 0; time < 20; time++) await ask({ serverAuthorities: ours.certificate, serverName: "a" });
    await eventually("they are closed", async () => (await open()) < before + 5);
  });

  test("nobody listening is said as without TLS", async () => {
    await using channel = connect({ host, port: await freePort(), clock, tls: { serverAuthorities: ours.certificate } });
    await assert.rejects(unary(channel, "/t.S/Who", new Uint8Array()), /ECONNREFUSED/);
  });

  test("curl reaches it over HTTP/1.1 and HTTP/2 with a certificate, and not without", { skip: skipUnless("curl") }, async () => {
    const curl = async (...args: readonly string[]) =>
      runProgram("curl", ["-sS", "--cacert", ours.certificateFile, ...args, `https://${host}:${listener.port}/`]);
    const own = ["--cert", caller.certificateFile, "--key", caller.keyFile, "-w", " %{http_version}"];
    assert.equal((await curl("--http1.1", ...own)).stdout, "fine 1.1");
    assert.equal((await curl("--http2", ...own)).stdout, "fine 2");
    assert.notEqual((await curl()).code, 0);
  });

  test("grpc-js reaches it", async () => {
    const [root, privateKey, chain] = [ours.certificate, caller.key, caller.certificate].map((pem) => Buffer.from(pem));
    assert.ok(root && privateKey && chain);
    const client = new Client(`localhost:${listener.port}`, credentials.createSsl(root, privateKey, chain));
    const same = (message: Buffer): Buffer => message;
    const answer = await new Promise((resolve) => {
      client.makeUnaryRequest("/t.S/Who", same, same, Buffer.alloc(0), (error, reply) => resolve(error?.message ?? String(reply)));
    });
    client.close();
    assert.equal(answer, "[true,false,false]");
  });

  test("a connection that never shows who it is does not keep the listener from closing", async () => {
    const mine = await listen({ host, port: 0, clock, log: noLog, tls: server }, { grpc: () => undefined, http: () => undefined });
    const silent = connectTcp(mine.port, host);
    await once(silent, "connect");
    silent.on("error", () => undefined);
    await eventually("it is accepted", () => silent.readyState === "open");
    await mine[Symbol.asyncDispose]();
    if (!silent.closed) await once(silent, "close");
  });

  test("what cannot be used is said by its name", async () => {
    const names = { certificate: "cert.pem", key: "key.pem", authorities: "ca.pem" };
    checkTls({ ...server, authorities: ours.certificate }, names);
    const problem = (part: object, text: RegExp): void =>
      assert.throws(
        () => checkTls({ ...server, authorities: ours.certificate, ...part }, names),
        (error: unknown) => error instanceof Fault && error.code === "invalid" && text.test(error.message),
      );
    problem({ certificate: "hello" }, /^cert\.pem is no certificate/);
    problem({ key: "hello" }, /^key\.pem is no private key/);
    problem({ key: caller.key }, /^key\.pem is not the key of cert\.pem/);
    problem({ authorities: "" }, /^ca\.pem is no certificate/);
  });

  callContract("node:http2 over TLS", {
    listen: (options, handlers) => listen({ ...options, tls: server }, handlers),
    connect: (options) => connect({ ...options, tls: { serverAuthorities: ours.certificate } }),
  });
});
