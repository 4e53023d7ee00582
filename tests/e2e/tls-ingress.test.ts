/** The ingress beyond loopback: `mecha up` with certificates, reached by curl and by `mecha call` with one, and by nobody without. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { authority, shownAt } from "../support/certificates.ts";
import { copyCart, mechaMain } from "../support/cart.ts";
import { tempDir } from "../support/files.ts";
import { eventually, runProgram, startNode } from "../support/program.ts";
import { skipUnless } from "../support/skip.ts";

suite("an ingress with TLS", { skip: skipUnless("openssl"), timeout: 120_000 }, () => {
  test("callers show a certificate, or do not get in", { skip: skipUnless("curl") }, async () => {
    await using dir = await tempDir("tls-ingress");
    await using cart = await copyCart();
    const ca = await authority(dir.path);
    const [own, caller] = [await ca.sign("localhost"), await ca.sign("ada")];
    const env = { MECHA_TLS_CERT: own.certificateFile, MECHA_TLS_KEY: own.keyFile, MECHA_TLS_CLIENT_CA: ca.certificateFile };
    await using up = startNode(mechaMain, ["up", cart.path, "--host", "0.0.0.0", "--port", "0", "--admin-port", "0"], { env });
    const [, port = ""] = await up.waitFor(/callers +https:\/\/0\.0\.0\.0:(\d+)/u);
    await up.waitFor(/Ctrl-C stops/u);
    const renewed = await ca.sign("localhost"); // the same files: seen in a few seconds, while the rest goes on

    const curl = (...args: readonly string[]) =>
      runProgram("curl", ["-sS", "--cacert", ca.certificateFile, ...args, `https://localhost:${port}/carts/7`]);
    const identity = ["--cert", caller.certificateFile, "--key", caller.keyFile];
    assert.match((await curl(...identity)).stdout, /"items":\[\]/u);
    assert.notEqual((await curl()).code, 0);
    assert.notEqual((await runProgram("curl", ["-sS", `http://localhost:${port}/carts/7`])).code, 0);

    const call = async (...args: readonly string[]) => {
      const at = ["--address", `localhost:${port}`, "shop.Cart/GetCart", '{"cartId":"7"}'];
      await using called = startNode(mechaMain, ["call", "-C", cart.path, ...args, ...at]);
      return { ...(await called.exit), output: called.output };
    };
    const called = await call("--ca", ca.certificateFile, ...identity);
    assert.equal(called.code, 0, called.output);
    assert.equal((await call("--ca", ca.certificateFile)).code, 1);

    // Without an address the command knows of the running project that TLS is spoken.
    await using told = startNode(mechaMain, ["call", "-C", cart.path, "shop.Cart/GetCart", "{}"]);
    assert.equal((await told.exit).code, 2);
    assert.match(told.output, /TLS needs --ca FILE/u);
    await eventually(
      "the new certificate is shown",
      async () => (await shownAt(Number(port), ca, caller)) === renewed.certificate || undefined,
    );
  });

  test("certificates that cannot be used are said by variable and file, before anything starts", async () => {
    await using dir = await tempDir("tls-ingress");
    const ca = await authority(dir.path);
    const [own, other] = [await ca.sign("localhost"), await ca.sign("other")];
    const run = async (env: Record<string, string>): Promise<string> => {
      await using up = startNode(mechaMain, ["sidecar", "--port", "0"], { env });
      assert.equal((await up.exit).code, 2, up.output);
      return up.output;
    };
    const pair = { MECHA_TLS_CERT: own.certificateFile, MECHA_TLS_KEY: other.keyFile };
    assert.match(await run(pair), /MECHA_TLS_KEY \(.*other\.key\) is not the key of MECHA_TLS_CERT \(.*localhost\.crt\)/u);
    assert.match(await run({ ...pair, MECHA_TLS_KEY: "nowhere.key" }), /MECHA_TLS_KEY: there is no file .*nowhere\.key/u);
  });
});
