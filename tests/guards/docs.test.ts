/** Generated pages are fresh: what the code declares is what the page says. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { pages } from "../../scripts/docs.ts";
import { repository } from "../support/files.ts";

for (const [page, render] of pages)
  test(`${page} is what the code declares`, async () => {
    const rendered = await render();
    if (process.env["UPDATE_GOLDEN"] === "1") await writeFile(join(repository, page), rendered);
    assert.equal(await readFile(join(repository, page), "utf8"), rendered, `${page} is stale: npm run docs`);
  });

test("the protocol page has every service, and the comments of the .proto files", async () => {
  const page = await readFile(join(repository, "docs/reference/protocol.md"), "utf8");
  for (const service of ["EntityDiscovery", "EventSourced", "ValueEntity", "Crdt", "ActionProtocol", "mecha\\.sidecar\\.v1\\.Replication"])
    assert.match(page, new RegExp(`^### service ${service}$`, "mu"));
  assert.match(page, /^\| 3 \| `restart` \| `bool` \| Event sourced only: drop this reply's events and start the entity anew\. \|$/mu);
  const headings = [...page.matchAll(/^#+ (.*)$/gmu)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/gu, "")
      .replaceAll(" ", "-"),
  );
  assert.deepEqual(
    headings.filter((heading, at) => headings.indexOf(heading) !== at),
    [],
    "a heading that stands twice is no anchor",
  );
  for (const [, anchor = ""] of page.matchAll(/\]\(#([^)]+)\)/gu)) assert.ok(headings.includes(anchor), anchor);
  assert.match(page, /^\| 1080 \| `\(cloudstate\.entity_key\)` \|/mu);
});
