import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import { unaryHandler } from "./helpers.ts";
import { RecordedCall } from "./testing.ts";

const one = Uint8Array.of(1);

test("a unary method gets its message and its answer goes out with OK", async () => {
  const call = new RecordedCall(unaryHandler((request) => Uint8Array.of(...request, 2)));
  call.events.message(one);
  call.events.halfClose?.();
  assert.deepEqual(await call.ended, { code: 0, message: "" });
  assert.deepEqual(call.sent, [Uint8Array.of(1, 2)]);
});

test("a Fault becomes the status; anything else becomes 13 without detail and is told once", async () => {
  const told: unknown[] = [];
  const run = (error: Error): Promise<unknown> => {
    const call = new RecordedCall(
      unaryHandler(
        () => Promise.reject(error),
        (what) => told.push(what),
      ),
    );
    call.events.message(one);
    call.events.halfClose?.();
    return call.ended;
  };
  assert.deepEqual(await run(new Fault("notFound", "no cart 7", { cause: "secret" })), { code: 5, message: "no cart 7" });
  assert.deepEqual(told, []);
  const bug = new Error("secret");
  assert.deepEqual(await run(bug), { code: 13, message: "internal error" });
  assert.deepEqual(told, [bug]);
});

test("no message and two messages are unimplemented", async () => {
  const none = new RecordedCall(unaryHandler((request) => request));
  none.events.halfClose?.();
  assert.equal((await none.ended).code, 12);
  const two = new RecordedCall(unaryHandler((request) => request));
  two.events.message(one);
  two.events.message(one);
  assert.equal((await two.ended).code, 12);
});

test("the signal tells a method that its caller is gone, also when asked for late", async () => {
  let early: AbortSignal | undefined;
  const finish = Promise.withResolvers<Uint8Array>();
  let late: AbortSignal | undefined;
  const call = new RecordedCall(
    unaryHandler(async (_request, context) => {
      early = context.signal;
      const reply = await finish.promise;
      late = context.signal;
      return reply;
    }),
  );
  call.events.message(one);
  call.events.halfClose?.();
  assert.equal(early?.aborted, false);
  call.events.cancelled?.("deadline");
  assert.equal((early?.reason as Fault).code, "deadline");
  finish.resolve(one);
  await call.ended;
  assert.equal(late?.aborted, true);
});
