import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { day } from "@mecha/kit";
import { FakeClock, SeededRandom } from "@mecha/kit/testing";
import { type KeyFiles, openAuthority, subjectOf } from "./index.ts";

class MemoryFiles implements KeyFiles {
  readonly files = new Map<string, string>();
  writes = 0;
  async read(name: string): Promise<string | undefined> {
    return this.files.get(name);
  }
  async write(name: string, content: string): Promise<void> {
    this.writes++;
    this.files.set(name, content);
  }
}

const server = { for: "server", name: "mecha-apiserver", hosts: ["localhost", "127.0.0.1", "::1"] } as const;
const admin = { for: "client", name: "admin", groups: ["system:masters"] } as const;

function ports(seed = 1): { clock: FakeClock; random: SeededRandom } {
  return { clock: new FakeClock(), random: new SeededRandom(seed) };
}

test("the authority signs servers and clients, and names are as Kubernetes reads them", async () => {
  const authority = await openAuthority(new MemoryFiles(), ports());
  const ca = new X509Certificate(authority.certificate);
  const leaf = new X509Certificate((await authority.leaf("server", server)).certificate);
  const client = new X509Certificate((await authority.leaf("admin", admin)).certificate);
  assert.equal(ca.ca, true);
  assert.equal(leaf.ca, false);
  assert.ok(leaf.verify(ca.publicKey) && client.verify(ca.publicKey));
  assert.equal(leaf.checkHost("localhost"), "localhost");
  assert.equal(leaf.checkIP("127.0.0.1"), "127.0.0.1");
  assert.ok(leaf.checkIP("::1"));
  assert.deepEqual(subjectOf(client), { name: "admin", groups: ["system:masters"] });
});

test("what is on file is used again", async () => {
  const files = new MemoryFiles();
  const first = await openAuthority(files, ports());
  const pair = await first.leaf("server", server);
  const { writes } = files;
  const second = await openAuthority(files, ports(2));
  assert.equal(second.certificate, first.certificate);
  assert.deepEqual(await second.leaf("server", server), pair);
  assert.equal(files.writes, writes);
});

test("a leaf is made anew when it lacks a name or ends soon", async () => {
  const files = new MemoryFiles();
  const authority = await openAuthority(files, ports());
  const pair = await authority.leaf("server", server);
  const more = await authority.leaf("server", { ...server, hosts: [...server.hosts, "shop.example"] });
  assert.notEqual(more.certificate, pair.certificate);
  const later = new FakeClock(Date.UTC(2026, 0, 1) + 320 * day);
  const renewed = await (await openAuthority(files, { clock: later, random: new SeededRandom(3) })).leaf("server", server);
  assert.notEqual(renewed.certificate, more.certificate);
});

test("a pair torn by a crash is made anew, a damaged one is said", async () => {
  const files = new MemoryFiles();
  const authority = await openAuthority(files, ports());
  const pair = await authority.leaf("server", server);
  files.files.set("server.key", (await authority.leaf("other", server)).key);
  assert.notEqual((await authority.leaf("server", server)).certificate, pair.certificate);
  files.files.set("server.crt", "nonsense");
  await assert.rejects(authority.leaf("server", server), /server\.key or server\.crt is damaged/u);
});
