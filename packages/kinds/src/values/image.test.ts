import assert from "node:assert/strict";
import { test } from "node:test";
import { imageTag } from "./image.ts";

const sha = `sha256:${"0".repeat(64)}`;

/** What a real server took for the tag: it pulls `latest` always. */
const tags: readonly [image: string, tag: string][] = [
  ["a", "latest"],
  ["library/a:latest", "latest"],
  ["localhost:5000/x", "latest"],
  ["localhost/a:1.2", "1.2"],
  ["Host/a", "latest"],
  ["EXAMPLE/a_b/c.d-e__f", "latest"],
  ["[::1]:5000/a", "latest"],
  ["127.0.0.1/x", "latest"],
  [`a:latest@${sha}`, "latest"],
  [`a.b/c@${sha}`, ""],
  [`a/${"b".repeat(243)}`, "latest"],
  [`a/${"b".repeat(244)}`, ""],
  [`a:${"x".repeat(128)}`, "x".repeat(128)],
  [`a:${"x".repeat(129)}`, ""],
  ["", ""],
  ["ko://dev/x", ""],
  ["${IMAGE}", ""],
  ["{{ .Values.image }}", ""],
  ["UPPER", ""],
  ["a/B", ""],
  ["a//b", ""],
  ["a___b", ""],
  ["-a", ""],
  ["a/b.", ""],
  ["host/a:", ""],
  ["host:port/a", ""],
  ["x:bad tag", ""],
  ["a@sha256:abc", ""],
  [`a@md5:${"0".repeat(32)}`, ""],
  ["0".repeat(64), ""],
  ["a-".repeat(1_000_000), ""],
];

for (const [image, tag] of tags)
  test(`the tag of ${JSON.stringify(image.slice(0, 40))} is ${JSON.stringify(tag.slice(0, 20))}`, () => {
    assert.equal(imageTag(image), tag);
  });
