/** Idempotency keys, which a CRDT cannot honour. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { settle } from "@mecha/kit/testing";
import { CrdtBench } from "../../testing/crdt.ts";

test("a key is refused, not passed over: another process would know nothing of it; derived keys of effects are let by", async () => {
  await using bench = new CrdtBench({});
  const value = new TextEncoder().encode("1|");
  const ask = async (hops: number): Promise<string> => {
    let outcome = "open";
    const command = { name: "Do", payload: { typeUrl: "type.googleapis.com/test.Text", value }, id: "k" };
    bench.engine.call(
      "shop.Cart",
      command,
      { hops },
      (fault) => (outcome = fault === undefined ? "ok" : `${fault.code}: ${fault.message}`),
    );
    await settle();
    return outcome;
  };
  assert.match(await ask(0), /^unimplemented: shop\.Cart\.Do: a CRDT takes no idempotency key/);
  assert.equal(await ask(1), "open", "it is at the function");
  let closed = "";
  const events = { reply() {}, drain() {}, closed: (fault?: { readonly code: string }) => void (closed = fault?.code ?? "") };
  bench.engine.stream("shop.Cart", "Watch", { hops: 0 }, events, [["idempotency-key", "k"]]);
  await settle();
  assert.equal(closed, "unimplemented");
});
