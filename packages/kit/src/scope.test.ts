/** Closing: order, failures, once, and things owned too late. */
import assert from "node:assert/strict";
import test from "node:test";
import { Fault } from "./fault.ts";
import { Scope } from "./scope.ts";
import { settle } from "./testing.ts";

const closer = (name: string, log: string[]): AsyncDisposable => ({
  async [Symbol.asyncDispose]() {
    await Promise.resolve();
    log.push(name);
  },
});

test("the last thing owned closes first, and each close is awaited", async () => {
  const log: string[] = [];
  {
    await using scope = new Scope();
    assert.equal(typeof scope.own(closer("store", log)), "object");
    scope.own(closer("server", log));
    scope.own({ [Symbol.dispose]: () => void log.push("lock") });
    scope.defer(() => void log.push("drain"));
  }
  assert.deepEqual(log, ["drain", "lock", "server", "store"]);
});

test("one failing close keeps nothing else open, and every failure is reported", async () => {
  const log: string[] = [];
  const scope = new Scope();
  scope.own(closer("store", log));
  scope.defer(() => Promise.reject(new Error("socket stuck")));
  scope.own(closer("server", log));
  scope.defer(() => {
    throw new Error("drain failed");
  });
  await assert.rejects(scope[Symbol.asyncDispose](), (error: AggregateError) => {
    assert.equal(error.message, "close: drain failed; socket stuck");
    assert.equal(error.errors.length, 2);
    return true;
  });
  assert.deepEqual(log, ["server", "store"]);
});

test("closing twice closes once and gives the same end", async () => {
  let times = 0;
  const scope = new Scope();
  scope.defer(() => times++);
  const first = scope[Symbol.asyncDispose]();
  assert.equal(scope[Symbol.asyncDispose](), first);
  await first;
  assert.equal(times, 1);
});

test("a thing owned by a closing scope is closed at once", async () => {
  const log: string[] = [];
  const scope = new Scope();
  await scope[Symbol.asyncDispose]();
  scope.own(closer("late", log));
  scope.defer(() => Promise.reject(new Error("nobody is left to tell")));
  await settle();
  assert.deepEqual(log, ["late"]);
});

test("the signal aborts with a Fault before the first close runs", async () => {
  const scope = new Scope();
  let seen: unknown;
  let woke = false;
  void scope.aborted.then(() => (woke = true));
  scope.defer(() => (seen = scope.signal.reason));
  await scope[Symbol.asyncDispose]();
  assert.ok(seen instanceof Fault);
  assert.equal(seen.code, "cancelled");
  await scope.aborted;
  assert.equal(woke, true);
});
