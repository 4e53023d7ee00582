import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { HealthCheckRequestSchema, HealthCheckResponseSchema } from "../gen/grpc/health/v1/health_pb.ts";
import { RecordedCall } from "../grpc/testing.ts";
import type { CallHandler } from "../rpc.ts";
import { healthHandler, HealthState } from "./health.ts";

const request = (service: string): Uint8Array => toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service }));
const statuses = (call: RecordedCall): number[] => call.sent.map((bytes) => fromBinary(HealthCheckResponseSchema, bytes).status);
const method = (state: HealthState, name: string): CallHandler => healthHandler(state).get(`/grpc.health.v1.Health/${name}`) as CallHandler;

async function check(state: HealthState, service: string): Promise<{ code: number; statuses: number[] }> {
  const call = new RecordedCall(method(state, "Check"));
  call.events.message(request(service));
  call.events.halfClose?.();
  return { code: (await call.ended).code, statuses: statuses(call) };
}

test("Check says what was set, and NOT_FOUND for services nobody named", async () => {
  const state = new HealthState();
  state.set("", "serving");
  state.set("cart", "notServing");
  assert.deepEqual(await check(state, ""), { code: 0, statuses: [1] });
  assert.deepEqual(await check(state, "cart"), { code: 0, statuses: [2] });
  assert.deepEqual(await check(state, "other"), { code: 5, statuses: [] });
});

test("Watch begins with the present status and follows changes until it is cancelled", () => {
  const state = new HealthState();
  const call = new RecordedCall(method(state, "Watch"));
  call.events.message(request("cart"));
  state.set("other", "serving");
  state.set("cart", "serving");
  state.set("cart", "serving");
  state.set("cart", "notServing");
  state.set("cart", undefined);
  assert.deepEqual(statuses(call), [3, 1, 2, 3]);
  call.events.cancelled?.("cancelled");
  state.set("cart", "serving");
  assert.deepEqual(statuses(call), [3, 1, 2, 3]);
});

test("a slow watcher is owed only the latest status", () => {
  const state = new HealthState();
  state.set("", "serving");
  const call = new RecordedCall(method(state, "Watch"));
  call.room = false;
  call.events.message(request(""));
  state.set("", "notServing");
  state.set("", "serving");
  state.set("", "notServing");
  assert.deepEqual(statuses(call), [1]);
  call.events.drain?.();
  assert.deepEqual(statuses(call), [1, 2]);
});

test("bytes that are no request are INVALID_ARGUMENT", async () => {
  for (const name of ["Check", "Watch"]) {
    const call = new RecordedCall(method(new HealthState(), name));
    call.events.message(Uint8Array.of(0xff));
    call.events.halfClose?.();
    assert.equal((await call.ended).code, 3, name);
  }
});
