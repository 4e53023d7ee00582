import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { readConfig } from "@mecha/kit";
import { options } from "../options.ts";
import { projectOf, readProject } from "../project/read.ts";
import { parseAddress } from "./address.ts";
import { type ClusterSettings, parseMember } from "./cluster.ts";
import { runEnvironment } from "./environment.ts";
import { settingsOf, type UpOptions } from "./settings.ts";

const file = (spec: string) => {
  const text = `{ apiVersion: mecha.dev/v1alpha1, kind: Project, metadata: { name: shop }, spec: { functions: [{ name: f, command: x }]${spec && `, ${spec}`} } }`;
  return { project: projectOf(readProject(text), "mecha.yaml"), folder: "/shop" };
};
const three = "members: [{ name: a, address: '127.0.0.1:1' }, { name: b, address: '[::1]:2' }, { name: c, address: 'localhost:3' }]";
const far = "members: [{ name: a, address: '10.0.0.1:1' }, { name: b, address: '10.0.0.2:2' }]";
const tls = "tls: { certificate: a.crt, key: a.key, authorities: /etc/ca.crt }";

function settings(spec: string, env: Record<string, string> = {}, flags: Partial<UpOptions> = {}) {
  return settingsOf(file(spec), { folder: ".", ...flags }, undefined, runEnvironment(readConfig(options, env), "/here"));
}
const cluster = (spec: string, env: Record<string, string> = {}, flags: Partial<UpOptions> = {}): ClusterSettings | undefined =>
  settings(spec && `cluster: { ${spec} }`, env, flags).cluster;

test("members share one file, and each says who it is", () => {
  const peersOfB = [
    { node: "a", host: "127.0.0.1", port: 1 },
    { node: "c", host: "localhost", port: 3 },
  ];
  const b = { node: "b", listen: { host: "::1", port: 2 }, peers: peersOfB, tls: undefined };
  assert.deepEqual(cluster(three, {}, { node: "b" }), b);
  assert.deepEqual(cluster(three, { MECHA_CLUSTER_NODE: "b" }), b);
  assert.deepEqual(cluster(`node: a, ${three}`, { MECHA_CLUSTER_NODE: "c" }, { node: "b" }), b, "flag before environment before file");
  assert.deepEqual(cluster("", { MECHA_CLUSTER_NODE: "b", MECHA_CLUSTER_MEMBERS: "a=127.0.0.1:1, b=[::1]:2,c=localhost:3" }), b);
  const listening = cluster(three, { MECHA_CLUSTER_LISTEN: "127.0.0.9:7" }, { node: "b" });
  assert.deepEqual(listening?.listen, { host: "127.0.0.9", port: 7 });
  assert.equal(cluster(""), undefined);
  assert.deepEqual(cluster("node: a"), { node: "a", listen: undefined, peers: [], tls: undefined }, "alone, but with a name");
});

test("certificates are found beside the project file, or from where the command was typed", () => {
  const files = cluster(`node: a, ${far}, ${tls}`)?.tls;
  assert.deepEqual([files?.certificate.value, files?.key.value, files?.authorities?.value], ["/shop/a.crt", "/shop/a.key", "/etc/ca.crt"]);
  const env = { MECHA_CLUSTER_TLS_CERT: "x.crt", MECHA_CLUSTER_TLS_KEY: "x.key", MECHA_CLUSTER_TLS_CA: "ca" };
  assert.equal(cluster(`node: a, ${far}`, env)?.tls?.certificate.value, join("/here", "x.crt"));
});

const mistakes: readonly [what: string, spec: string, env: Record<string, string>, message: RegExp][] = [
  ["nobody says which this is", three, {}, /^spec\.cluster\.members lists members, and nothing says which of them this is: give --node/],
  ["a name that is none of them", `node: d, ${three}`, {}, /^spec\.cluster\.node is "d", which is none of the members in spec\.cluster\.members: a, b, c$/],
  ["a name twice", "node: a, members: [{ name: a, address: 'localhost:1' }, { name: a, address: 'localhost:2' }]", {}, /the name a is given twice/],
  ["an address twice", "node: a, members: [{ name: a, address: 'localhost:1' }, { name: b, address: 'localhost:1' }]", {}, /the address localhost:1 is given twice/],
  ["a port that is none", "", { MECHA_CLUSTER_NODE: "a", MECHA_CLUSTER_MEMBERS: "a=localhost:70000" }, /^MECHA_CLUSTER_MEMBERS: expected members like a=10\.0\.0\.7:9003, got "a=localhost:70000"$/],
  ["an address to listen on without members", "listen: 'localhost:1'", {}, /^spec\.cluster\.listen is set, and no members are/],
  ["listening beyond loopback without TLS", `node: a, ${far}`, {}, /^spec\.cluster\.members \(a\) is 10\.0\.0\.1, which other machines can reach.* give certificates \(MECHA_CLUSTER_TLS_CERT/],
  ["a peer beyond loopback without TLS", `node: a, listen: '127.0.0.1:1', ${far}`, {}, /^spec\.cluster\.members: b is at 10\.0\.0\.2, and peers would speak without TLS/],
  ["half a certificate", three, { MECHA_CLUSTER_NODE: "a", MECHA_CLUSTER_TLS_CERT: "x" }, /^MECHA_CLUSTER_TLS_CERT is set and MECHA_CLUSTER_TLS_CA is not/],
]; // prettier-ignore
for (const [what, spec, env, message] of mistakes) {
  test(`refused by its field: ${what}`, () => {
    assert.throws(
      () => cluster(spec, env),
      (error: Error) => error.name === "UsageError" && message.test(error.message),
    );
  });
}

test("beyond loopback there are certificates, or --insecure was said", () => {
  assert.equal(cluster(`node: a, ${far}, ${tls}`)?.listen?.host, "10.0.0.1");
  assert.equal(cluster(`node: a, ${far}`, {}, { insecure: true })?.listen?.host, "10.0.0.1");
});

test("the ingress may be beyond loopback when it knows who calls", () => {
  const open = (more: string, env: Record<string, string> = {}) => settings(`ingress: { host: 0.0.0.0${more} }`, env).ingress.host;
  const refused = (run: () => unknown, message: RegExp): void =>
    assert.throws(run, (error: Error) => error.name === "UsageError" && message.test(error.message));
  assert.equal(open(", tls: { certificate: a, key: b, clientAuthorities: c }"), "0.0.0.0");
  assert.equal(open("", { MECHA_TLS_CERT: "a", MECHA_TLS_KEY: "b", MECHA_TLS_CLIENT_CA: "c" }), "0.0.0.0");
  refused(() => open(""), /^spec\.ingress\.host is 0\.0\.0\.0.*give certificates/);
  refused(() => open(", tls: { certificate: a, key: b }"), /name who signs for callers \(MECHA_TLS_CLIENT_CA/);
  refused(() => open("", { MECHA_TLS_CERT: "a" }), /^MECHA_TLS_CERT is set and MECHA_TLS_KEY is not/);
});

test("no text breaks the parsers; what they take is what it says", () => {
  const address = fc.oneof(fc.string(), fc.stringMatching(/^[\w.[\]:-]{0,40}:\d{0,6}$/u));
  fc.assert(
    fc.property(address, fc.string(), (text, name) => {
      const parsed = parseAddress(text);
      if (parsed) assert.ok(text.includes(parsed.host) && text.endsWith(`:${text.split(":").at(-1)}`) && parsed.port <= 65_535);
      const member = parseMember(`${name}=${text}`);
      if (member) assert.equal(`${member.name}=${member.address}`, `${name}=${text}`.trim());
    }),
    { numRuns: 300 },
  );
});
