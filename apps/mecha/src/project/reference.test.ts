import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { projectOf, readProject } from "./read.ts";
import { renderProjectReference } from "./reference.ts";

const page = new URL("../../../../docs/reference/project-file.md", import.meta.url);

test("docs/reference/project-file.md says what the code checks (UPDATE_GOLDEN=1 writes it)", () => {
  const text = renderProjectReference();
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(page, text);
  assert.equal(existsSync(page) ? readFileSync(page, "utf8") : "", text);
});

test("the page's own example is a project", () => {
  const example = /```yaml\n([\s\S]*?)```/u.exec(renderProjectReference())?.[1] ?? "";
  assert.equal(projectOf(readProject(example), "example").metadata.name, "shop");
});
