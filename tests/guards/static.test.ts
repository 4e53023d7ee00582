/** Every static check of `npm run verify`, as a test: `npm test` alone is the word on the tree. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { checks } from "../../scripts/checks.ts";

suite("static checks", { concurrency: 2 }, () => {
  for (const check of checks) {
    test(`${check.name}: ${check.what}`, async () => {
      const outcome = await check.check();
      assert.ok(outcome.ok, `${check.name} fails; \`npm run verify\` shows it alone, \`npm run fix\` mends what it can\n${outcome.output}`);
    });
  }
});
