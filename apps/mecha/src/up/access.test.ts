import assert from "node:assert/strict";
import { test } from "node:test";
import { topicProblem } from "@mecha/binding";
import { accessOfEnvironment, hostNamePattern, ingressAccess, originPattern, topicPattern, withFlags } from "./access.ts";

const none = { hosts: [], allowedOrigins: [], bodyMaxBytes: undefined, topics: [] };

test("this machine's own names are served beside listed ones; beyond loopback any name, unless some are listed", () => {
  assert.deepEqual(ingressAccess(true, none).hosts, ["localhost", "127.0.0.1", "[::1]"]);
  assert.deepEqual(ingressAccess(true, { ...none, hosts: ["shop.example"] }).hosts, ["localhost", "127.0.0.1", "[::1]", "shop.example"]);
  assert.equal(ingressAccess(false, none).hosts, "any");
  assert.deepEqual(ingressAccess(false, { ...none, hosts: ["shop.example"] }).hosts, ["localhost", "127.0.0.1", "[::1]", "shop.example"]);
});

test("flags add to the file's lists and win over its size", () => {
  const access = withFlags(
    { hosts: ["a"], allowedOrigins: ["http://a"], bodyMaxBytes: 1, topics: ["a"] },
    { allowHost: ["b"], allowOrigin: ["http://b"], bodyMax: 2, allowTopic: ["b/c"] },
  );
  assert.deepEqual(access, { hosts: ["a", "b"], allowedOrigins: ["http://a", "http://b"], bodyMaxBytes: 2, topics: ["a", "b/c"] });
});

test("the environment's lists are split at commas, blanks dropped", () => {
  const access = accessOfEnvironment({ hosts: " a.example ,b", allowedOrigins: "", bodyMaxBytes: 5, topics: "orders, returns" });
  assert.deepEqual(access, { hosts: ["a.example", "b"], allowedOrigins: [], bodyMaxBytes: 5, topics: ["orders", "returns"] });
});

for (const [origin, fits] of [
  ["https://shop.example", true],
  ["http://localhost:5173", true],
  ["http://[::1]:80", true],
  ["https://shop.example/", false],
  ["https://Shop.example", false],
  ["shop.example", false],
  ["*", false],
  ["null", false],
] as const) {
  test(`${origin} is ${fits ? "an" : "no"} origin`, () => assert.equal(originPattern.test(origin), fits));
}

test("a topic is open when its name is one, and only then", () => {
  for (const name of ["orders", "a/b.c_d~e-1", "a b", "ä", "", "x".repeat(256), "a,b"])
    assert.equal(topicPattern.test(name), topicProblem(name) === undefined, name);
});

test("host names come without port", () => {
  assert.deepEqual(["a.example", "[::1]", "a:80", "a b", ""].map((name) => hostNamePattern.test(name)), [true, true, false, false, false]); // prettier-ignore
});
