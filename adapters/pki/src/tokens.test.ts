import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeClock } from "@mecha/kit/testing";
import { openTokenIssuer, type TokenClaims, type TokenIssuer } from "./tokens.ts";

const clock = new FakeClock();
const nowSeconds = clock.wall() / 1000;
const claims: TokenClaims = { namespace: "shop", name: "bot", uid: "u-1", audiences: ["here"], expiresAt: nowSeconds + 600 };

function issuer(files = new Map<string, string>()): Promise<TokenIssuer> {
  return openTokenIssuer(
    { read: (name) => Promise.resolve(files.get(name)), write: (name, content) => Promise.resolve(void files.set(name, content)) },
    { clock },
  );
}

test("what is issued is verified, with the Pod it is bound to, also after a restart", async () => {
  const files = new Map<string, string>();
  const bound = { ...claims, boundTo: { kind: "Pod", name: "p", uid: "u-2" } };
  const token = await (await issuer(files)).issue(bound);
  const { id, ...verified } = (await (await issuer(files)).verify(token, ["here", "there"])) ?? {};
  assert.deepEqual(verified, bound);
  assert.match(id ?? "", /^[0-9a-f-]{36}$/u);
  assert.equal((await (await issuer(files)).verify(token, "any"))?.id, id);
});

test("another key's token, another audience's, an expired one and a changed one are none", async () => {
  const own = await issuer();
  const token = await own.issue(claims);
  const [head = "", body = "", signature = ""] = token.split(".");
  const forged = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(body, "base64url").toString()), sub: "root" })).toString(
    "base64url",
  );
  const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${body}.`;
  const old = await own.issue({ ...claims, expiresAt: nowSeconds - 60 });
  const answers = await Promise.all([
    (await issuer()).verify(token, ["here"]),
    own.verify(token, ["elsewhere"]),
    own.verify(old, ["here"]),
    own.verify(old, "any"),
    own.verify(`${head}.${forged}.${signature}`, ["here"]),
    own.verify(unsigned, ["here"]),
  ]);
  assert.deepEqual(answers, [undefined, undefined, undefined, undefined, undefined, undefined]);
});

test("whatever is sent as a token is answered", async () => {
  const own = await issuer();
  const some = fc.oneof(
    fc.string(),
    fc.array(fc.base64String(), { minLength: 3, maxLength: 3 }).map((parts) => parts.join(".")),
  );
  await fc.assert(fc.asyncProperty(some, async (token) => assert.equal(await own.verify(token, ["here"]), undefined)));
});
