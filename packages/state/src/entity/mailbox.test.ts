import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyOf } from "../testing/function.ts";
import { envelopes } from "../testing/envelope.ts";
import { Mailbox } from "./mailbox.ts";

test("first in, first out; what is put back comes first again", () => {
  const { make } = envelopes();
  const mailbox = new Mailbox();
  for (const body of ["a", "b", "c"]) mailbox.push(make(body));
  const a = mailbox.shift();
  assert.ok(a);
  mailbox.unshift(a);
  assert.equal(mailbox.size, 3);
  assert.equal(mailbox.head, a);
  const order: string[] = [];
  for (let next = mailbox.shift(); next; next = mailbox.shift()) order.push(bodyOf(next.command));
  assert.deepEqual(order, ["a", "b", "c"]);
  assert.equal(mailbox.size, 0);
  assert.equal(mailbox.head, undefined);
});

test("putting back into an empty mailbox keeps both ends right", () => {
  const { make } = envelopes();
  const mailbox = new Mailbox();
  const a = make("a");
  mailbox.unshift(a);
  mailbox.push(make("b"));
  assert.equal(mailbox.shift(), a);
  assert.equal(mailbox.size, 1);
});
