/** Time travel: a cart as it was, asked through the function, with nothing left behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { addItem, copyCart, getCart, mechaMain, startUp } from "../support/cart.ts";
import { runProgram } from "../support/program.ts";
import { repository } from "../support/files.ts";

test("`mecha entities history --at` shows the cart after each of its events, and the present stays as it is", async () => {
  await using dir = await copyCart();
  await using up = await startUp(dir.path);
  await addItem(up.ingress, "42", { sku: "tea", quantity: 2 });
  await addItem(up.ingress, "42", { sku: "cup", quantity: 1 });
  await addItem(up.ingress, "42", { sku: "tea", quantity: 3 });
  const at = async (
    sequence: string,
    ...more: string[]
  ): Promise<{ readonly code: number | null; readonly output: string; items: unknown }> => {
    const args = [mechaMain, "entities", "history", "shop.Cart", "42", "-C", dir.path, "--at", sequence, ...more, "-o", "json"];
    const { code, stdout, output } = await runProgram(process.execPath, args, { cwd: repository });
    const answered = code === 0 ? (JSON.parse(stdout) as { answer: { json: { items: { sku: string; quantity: number }[] } } }) : undefined;
    return { code, output, items: answered?.answer.json.items.map(({ sku, quantity }) => `${quantity} ${sku}`) };
  };
  assert.deepEqual((await at("0")).items, []);
  assert.deepEqual((await at("1")).items, ["2 tea"]);
  assert.deepEqual((await at("2")).items, ["2 tea", "1 cup"]);
  assert.deepEqual((await at("3")).items, ["5 tea", "1 cup"]);
  // A command that changes things is answered from the past, and changes nothing.
  const added = await at("1", "--command", "AddItem", "--input", '{"sku":"spoon","name":"spoon","quantity":9}');
  assert.deepEqual(added.items, ["2 tea", "9 spoon"]);
  assert.deepEqual(((await getCart(up.ingress, "42")) as { items: unknown[] }).items.length, 2);

  const future = await at("4");
  assert.equal(future.code, 1);
  assert.match(future.output, /42 has 3 events; there is no 4/u);
  assert.match((await at("1", "--command", "Nope")).output, /has no command Nope; it has AddItem, RemoveItem, GetCart, Checkout/u);
  assert.match((await at("1", "--input", "[1]")).output, /expected a JSON object/u);
  assert.match((await at("1", "--input", '{"colour":1}')).output, /`input` is no shop\.CartGetCartRequest/u);
});
