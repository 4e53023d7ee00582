/** The README promises what tests have shown: the table is fresh, and every proof is a test of the repository. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import { beginMark, type Claim, endMark, readClaims, renderTable, unproven, withTable } from "../../scripts/runs-today.ts";
import { repository } from "../support/files.ts";

suite("runs today", () => {
  test("the table in README.md is what docs/runs-today.json gives", async () => {
    const readme = await readFile(join(repository, "README.md"), "utf8");
    assert.equal(readme, withTable(readme, renderTable(await readClaims())), "stale: npm test && npm run runs-today");
  });

  test("every proof is a test in the file it names", async () => {
    for (const claim of await readClaims()) {
      assert.ok(claim.proof.length > 0, `"${claim.claim}" names no test`);
      for (const { file, test: name } of claim.proof) {
        const text = await readFile(join(repository, file), "utf8");
        assert.ok(text.includes(name), `${file} has no test "${name}" (a proof needs a literal name, not one made from a table)`);
      }
    }
  });

  const proof = [{ file: "tests/e2e/cart.test.ts", test: "the cart survives kill -9" }];
  const cart: Claim = { claim: "A cart | durable", proof, foreign: "grpc-js", notYet: "CRDTs" };

  test("a claim without a foreign client is not listed", () => {
    assert.deepEqual(renderTable([cart, { ...cart, foreign: null }]).split("\n"), [
      "| Runs today | Proven by | Not yet |",
      "| --- | --- | --- |",
      "| A cart \\| durable | [cart.test.ts](tests/e2e/cart.test.ts), with grpc-js | CRDTs |",
    ]);
  });

  test("a proof that is missing, failed or skipped keeps the claim from being made", () => {
    const result = { file: "tests/e2e/cart.test.ts", name: "the cart survives kill -9", ms: 1 };
    assert.deepEqual(unproven([cart], [{ ...result, outcome: "passed" }]), []);
    assert.match(unproven([cart], []).join(), /has no test/);
    assert.match(unproven([cart], [{ ...result, outcome: "skipped" }]).join(), /did not pass \(skipped\)/);
    assert.match(unproven([cart], [{ ...result, outcome: "failed" }]).join(), /did not pass \(failed\)/);
    assert.match(unproven([{ ...cart, proof: [] }], []).join(), /names no test/);
  });

  test("only what is between the markers changes, and writing twice changes nothing", () => {
    const readme = `a\n${beginMark}\nold\n${endMark}\nb\n`;
    const once = withTable(readme, "new");
    assert.equal(once, `a\n${beginMark}\n\nnew\n\n${endMark}\nb\n`);
    assert.equal(withTable(once, "new"), once);
    assert.throws(() => withTable("no markers", "new"), /expected the lines/);
  });
});
