/** A cancelled stream of messages must not look like a complete one: a server would act on half of it. */
import assert from "node:assert/strict";
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { hostClock } from "@mecha/host";
import { noLog, Scope } from "@mecha/kit";
import { connect } from "./connect.ts";
import { listen } from "./listen.ts";

test("cancel is RST_STREAM CANCEL and nothing before it", async () => {
  await using scope = new Scope();
  const server = createServer();
  scope.defer(() => server.close());
  const ended = new Promise<{ rstCode: number; endedBefore: boolean }>((resolve) => {
    server.on("stream", (stream: ServerHttp2Stream) => {
      let endedBefore = false;
      stream.on("error", () => undefined);
      stream.on("end", () => (endedBefore = stream.rstCode === 0));
      stream.on("close", () => resolve({ rstCode: stream.rstCode, endedBefore }));
      stream.resume();
      stream.respond({ ":status": 200, "content-type": "application/grpc" });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const channel = scope.own(connect({ host: "127.0.0.1", port: (server.address() as AddressInfo).port, clock: hostClock }));
  const over = new Promise<number>((resolve) => {
    const call = channel.open("/s/m", {}, { headers: () => call.cancel(), message() {}, end: ({ code }) => resolve(code) });
    call.send(Uint8Array.of(1, 2, 3));
  });
  assert.equal(await over, 1);
  assert.deepEqual(await ended, { rstCode: 8, endedBefore: false });
});

test("a handler hears that the caller cancelled, and no half-close", async () => {
  await using scope = new Scope();
  const heard: string[] = [];
  let cancelled = (): void => undefined;
  const gone = new Promise<void>((resolve) => (cancelled = resolve));
  const listener = scope.own(
    await listen(
      { host: "127.0.0.1", port: 0, clock: hostClock, log: noLog },
      {
        grpc: () => (call) => {
          call.sendHeaders();
          return {
            message: (bytes) => heard.push(`message of ${bytes.length}`),
            halfClose: () => heard.push("half-close"),
            cancelled(reason) {
              heard.push(reason);
              cancelled();
            },
          };
        },
        http: (exchange) => exchange.respond(404, {}),
      },
    ),
  );
  const channel = scope.own(connect({ host: "127.0.0.1", port: listener.port, clock: hostClock }));
  const call = channel.open("/s/m", {}, { headers: () => call.cancel(), message() {}, end() {} });
  call.send(Uint8Array.of(1, 2, 3));
  await gone;
  assert.deepEqual(heard, ["message of 3", "cancelled"]);
});
