import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, MetricsRegistry } from "@mecha/kit";
import { FakeClock } from "@mecha/kit/testing";
import { noLog } from "@mecha/kit";
import { Metadata, type ServerCall } from "@mecha/wire";
import { openIngress } from "./index.ts";
import { IngressMeters, metered } from "./meters.ts";
import { component, ScriptedEngine, shop } from "./testing/fixture.ts";

function begin() {
  const metrics = new MetricsRegistry();
  const clock = new FakeClock();
  const engine = new ScriptedEngine();
  const ingress = openIngress({ engine, clock, log: noLog, metrics });
  ingress.update([{ components: [component("shop.Cart", "eventSourced"), component("shop.Desk", "action")], descriptors: shop }]);
  const call = (path: string) => {
    const events = ingress.grpc(path)!({
      path,
      metadata: Metadata.empty,
      deadlineMs: undefined,
      peer: "test",
      pause() {},
      resume() {},
      sendHeaders() {},
      send: () => true,
      end() {},
    });
    events.message(new Uint8Array(0));
    events.halfClose?.();
    return events;
  };
  return { metrics, clock, engine, call };
}
const requests = "mecha_ingress_requests_total";

test("each request is counted once, under its status, and timed unless it is a stream", () => {
  const { metrics, engine, call } = begin();
  engine.onCall = (_service, _command, _context, answer) => answer(undefined, { payload: { typeUrl: "", value: new Uint8Array(0) } });
  call("/shop.Cart/GetCart");
  call("/shop.Cart/GetCart");
  engine.onCall = (_service, _command, _context, answer) => answer(new Fault("notFound", "no"), undefined);
  call("/shop.Cart/GetCart");
  assert.equal(metrics.value(requests, "shop.Cart", "GetCart", "grpc", "0"), 2);
  assert.equal(metrics.value(requests, "shop.Cart", "GetCart", "grpc", "5"), 1);
  assert.equal(metrics.value("mecha_ingress_request_seconds", "shop.Cart", "GetCart", "grpc"), 3);
  call("/shop.Desk/Split");
  engine.streams[0]!.events.closed();
  assert.equal(metrics.value(requests, "shop.Desk", "Split", "grpc", "0"), 1);
  assert.equal(metrics.value("mecha_ingress_request_seconds", "shop.Desk", "Split", "grpc"), 0);
});

test("a caller that goes away is counted as cancelled, and its answer afterwards not again", () => {
  const { metrics, engine, call } = begin();
  let answer: (() => void) | undefined;
  engine.onCall = (_service, _command, _context, tell) => (answer = () => tell(new Fault("internal", "late"), undefined));
  call("/shop.Cart/GetCart").cancelled?.("cancelled");
  answer?.();
  assert.deepEqual(["1", "13"].map((code) => metrics.value(requests, "shop.Cart", "GetCart", "grpc", code)), [1, 0]); // prettier-ignore
});

test("a call whose handler fails at once has ended", async () => {
  const meters = new IngressMeters(new MetricsRegistry(), new FakeClock());
  const cart = component("shop.Cart", "eventSourced");
  const [method] = cart.methods.values();
  const failing = metered(
    () => {
      throw new Error("no");
    },
    meters.of({ component: cart, method: method!, answersEmpty: false }, "grpc"),
  );
  assert.throws(() => failing({} as ServerCall), /no/u);
  await meters.idle(cart);
});
