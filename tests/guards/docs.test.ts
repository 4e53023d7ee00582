/** Generated pages are fresh: what the code declares is what the page says. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { configurationPage, renderConfiguration } from "../../scripts/docs.ts";
import { repository } from "../support/files.ts";

test("the configuration reference is what the code declares", async () => {
  const rendered = await renderConfiguration();
  if (process.env["UPDATE_GOLDEN"] === "1") await writeFile(join(repository, configurationPage), rendered);
  assert.equal(await readFile(join(repository, configurationPage), "utf8"), rendered, `${configurationPage} is stale: npm run docs`);
});
