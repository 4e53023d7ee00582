import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyOf } from "../testing/function.ts";
import { envelopes } from "../testing/envelope.ts";
import { Mailbox } from "./mailbox.ts";

test("first in, first out; what is put back comes first again", () => {
  const { make } = envelopes();
  const mailbox = new Mailbox();
  for (const body of ["a", "b", "c"]) mailbox.push(make(body));
  const taken = new Mailbox();
  for (const _ of ["a", "b"]) {
    const envelope = mailbox.shift();
    assert.ok(envelope);
    taken.push(envelope);
  }
  mailbox.takeBack(taken);
  assert.equal(taken.size, 0);
  assert.equal(taken.shift(), undefined);
  assert.equal(mailbox.size, 3);
  const order: string[] = [];
  for (let next = mailbox.shift(); next; next = mailbox.shift()) order.push(bodyOf(next.command));
  assert.deepEqual(order, ["a", "b", "c"]);
  assert.equal(mailbox.size, 0);
  assert.equal(mailbox.head, undefined);
});

test("putting back into an empty mailbox keeps both ends right", () => {
  const { make } = envelopes();
  const mailbox = new Mailbox();
  const taken = new Mailbox();
  const a = make("a");
  taken.push(a);
  mailbox.takeBack(taken);
  mailbox.takeBack(taken);
  mailbox.push(make("b"));
  assert.equal(mailbox.shift(), a);
  assert.equal(mailbox.size, 1);
});
