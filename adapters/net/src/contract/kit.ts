/** What the transport tests share: a log that is looked at, calls that remember, waiting for a state. */
import assert from "node:assert/strict";
import type { Clock, FaultCode } from "@mecha/kit";
import { MemoryLog } from "@mecha/kit/testing";
import {
  type CallOptions,
  type CallRouter,
  type Channel,
  type ClientCall,
  type HttpHandler,
  type Metadata,
  type RpcStatus,
  type ServerCall,
  type ServerCallEvents,
} from "@mecha/wire";
import type { ConnectLimits, ListenLimits } from "../limits.ts";
import type { Listener } from "../listen.ts";

/** What is tested. A later transport brings the same two functions. */
export interface Transport {
  listen(
    options: { host: string; port: number; clock: Clock; log: MemoryLog; limits?: Partial<ListenLimits> },
    handlers: { grpc: CallRouter; http: HttpHandler },
  ): Promise<Listener>;
  connect(options: { host: string; port: number; clock: Clock; limits?: Partial<ConnectLimits> }): Channel;
}

/** The machine's clock, for tests in which no time has to pass. */
export const realClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, fire) {
    const timer = setTimeout(fire, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

export const localhost = "127.0.0.1";
export const bytes = (text: string): Buffer => Buffer.from(text);
export const text = (message: Uint8Array): string => Buffer.from(message).toString();
export const notFound: HttpHandler = (exchange) => exchange.respond(404, {});

/** How long a state may take to come on a busy machine before the test says what it waited for. */
const patienceMs = 20_000;

/** Resolves when `holds` does. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const latestMs = performance.now() + patienceMs;
  while (!holds()) {
    if (performance.now() > latestMs) assert.fail(`waited ${patienceMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Resolves when `value` has not changed for `turns` looks, 1 ms apart: what flows has come to rest. */
export async function atRest(value: () => number, turns = 100): Promise<number> {
  let last = value();
  for (let same = 0; same < turns; same++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (value() !== last) {
      last = value();
      same = 0;
    }
  }
  return last;
}

/** A call of this side that remembers all it heard. */
export class Calling {
  readonly messages: Uint8Array[] = [];
  readonly call: ClientCall;
  headers: Metadata | undefined;
  status: RpcStatus | undefined;
  trailers: Metadata | undefined;
  drains = 0;
  ends = 0;
  onMessage: ((message: Uint8Array) => void) | undefined;
  readonly ended: Promise<RpcStatus>;

  constructor(channel: Channel, path: string, options: CallOptions = {}) {
    const { promise, resolve } = Promise.withResolvers<RpcStatus>();
    this.ended = promise;
    this.call = channel.open(path, options, {
      headers: (metadata) => void (this.headers = metadata),
      message: (message) => {
        assert.equal(this.ends, 0, "a message after the end");
        this.messages.push(message);
        this.onMessage?.(message);
      },
      drain: () => {
        this.drains++;
      },
      end: (status, trailers) => {
        this.ends++;
        this.status = status;
        this.trailers = trailers;
        resolve(status);
      },
    });
  }
  get texts(): string[] {
    return this.messages.map(text);
  }
  send(...messages: string[]): this {
    for (const message of messages) this.call.send(bytes(message));
    return this;
  }
  half(): this {
    this.call.halfClose();
    return this;
  }
}

/** A call that arrived and remembers all it heard; answers nothing by itself. */
export class Arrived implements ServerCallEvents {
  readonly call: ServerCall;
  readonly messages: Uint8Array[] = [];
  halfClosed = false;
  cancels: FaultCode[] = [];
  drains = 0;

  constructor(call: ServerCall) {
    this.call = call;
  }
  message(message: Uint8Array): void {
    this.messages.push(message);
  }
  halfClose(): void {
    this.halfClosed = true;
  }
  cancelled(reason: FaultCode): void {
    this.cancels.push(reason);
  }
  drain(): void {
    this.drains++;
  }
  get texts(): string[] {
    return this.messages.map(text);
  }
}

/** The methods the tests call. `arrived` has the calls of `/t.S/Held`, which answers nothing by itself. */
export class Methods {
  readonly arrived: Arrived[] = [];
  readonly router: CallRouter = (path) => {
    switch (path) {
      case "/t.S/Echo": // answers each message; the request's metadata comes back in headers and trailers
        return (call) => {
          call.sendHeaders(call.metadata);
          return { message: (message) => void call.send(message), halfClose: () => call.end({ code: 0, message: "" }, call.metadata) };
        };
      case "/t.S/Count": // "3" is answered by 0, 1, 2
        return (call) => ({
          message(message) {
            for (let n = 0; n < Number(text(message)); n++) call.send(bytes(String(n)));
            call.end();
          },
        });
      case "/t.S/Join": // all messages, joined
        return (call) => {
          const parts: string[] = [];
          return { message: (message) => void parts.push(text(message)), halfClose: () => (call.send(bytes(parts.join())), call.end()) };
        };
      case "/t.S/Held":
        return (call) => {
          const arrived = new Arrived(call);
          this.arrived.push(arrived);
          return arrived;
        };
      case "/t.S/ThrowAtOnce":
        return () => {
          throw new Error("secret of the handler");
        };
      case "/t.S/ThrowOnMessage":
        return () => ({
          message() {
            throw new Error("secret of the handler");
          },
        });
      default:
        return undefined;
    }
  };
  /** The latest held call. */
  async held(count = 1): Promise<Arrived> {
    await until(`${count} held calls`, () => this.arrived.length >= count);
    return this.arrived[count - 1] as Arrived;
  }
}

/** A listener and a channel to it, closed together. */
export async function pair(
  transport: Transport,
  options: { clock?: Clock; clientClock?: Clock; limits?: Partial<ListenLimits>; channelLimits?: Partial<ConnectLimits> } = {},
): Promise<{ methods: Methods; log: MemoryLog; listener: Listener; channel: Channel } & AsyncDisposable> {
  const { clock = realClock, clientClock = clock, limits = {}, channelLimits = {} } = options;
  const methods = new Methods();
  const log = new MemoryLog();
  const listener = await transport.listen({ host: localhost, port: 0, clock, log, limits }, { grpc: methods.router, http: notFound });
  const channel = transport.connect({ host: localhost, port: listener.port, clock: clientClock, limits: channelLimits });
  return {
    methods,
    log,
    listener,
    channel,
    async [Symbol.asyncDispose]() {
      await channel[Symbol.asyncDispose]();
      await listener[Symbol.asyncDispose]();
    },
  };
}
