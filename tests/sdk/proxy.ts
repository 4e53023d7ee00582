/** The proxy's side of the protocol, for tests: real sockets, messages through protobuf-es, not through the SDK's own codecs. */
import assert from "node:assert/strict";
import { create, type DescMessage, fromBinary, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { hostClock } from "@mecha/host";
import { noLog } from "@mecha/kit";
import { connect } from "@mecha/net";
import type { Channel, ClientCall, RpcStatus } from "@mecha/wire";
import { type Component, serve, type ServeOptions } from "mecha-sdk";

/** Longest wait for one message. Only a hang gets there. */
const patienceMs = 5_000;

/** A served function and a channel to it. */
export class Proxy implements AsyncDisposable {
  readonly channel: Channel;
  readonly #close: () => Promise<void>;

  private constructor(channel: Channel, close: () => Promise<void>) {
    this.channel = channel;
    this.#close = close;
  }

  static async to(components: readonly Component[], options: ServeOptions = {}): Promise<Proxy> {
    const server = await serve(components, { port: 0, host: "127.0.0.1", handleSignals: false, log: noLog, ...options });
    const channel = connect({ host: server.host, port: server.port, clock: hostClock });
    return new Proxy(channel, async () => {
      await channel[Symbol.asyncDispose]();
      await server.close(0);
    });
  }

  open<I extends DescMessage, O extends DescMessage>(path: string, input: I, output: O): Stream<I, O> {
    return new Stream(this.channel, path, input, output);
  }

  /** One message there, one back. */
  async unary<I extends DescMessage, O extends DescMessage>(
    path: string,
    input: I,
    output: O,
    message: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    const stream = this.open(path, input, output);
    stream.send(message).halfClose();
    const answer = await stream.next();
    assert.equal((await stream.ended()).code, 0);
    return answer;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

/** One call. */
export class Stream<I extends DescMessage, O extends DescMessage> {
  readonly #input: I;
  readonly #call: ClientCall;
  readonly #arrived: MessageShape<O>[] = [];
  #status: RpcStatus | undefined;
  #wake: (() => void) | undefined;
  #hasRoom = true;

  constructor(channel: Channel, path: string, input: I, output: O) {
    this.#input = input;
    this.#call = channel.open(path, {}, {
      message: (bytes) => {
        this.#arrived.push(fromBinary(output, new Uint8Array(bytes)));
        this.#wake?.();
      },
      drain: () => (this.#hasRoom = true),
      end: (status) => {
        this.#status = status;
        this.#wake?.();
      },
    }); // prettier-ignore
  }

  send(message: MessageInitShape<I>): this {
    this.#hasRoom = this.#call.send(toBinary(this.#input, create(this.#input, message)));
    return this;
  }

  halfClose(): this {
    this.#call.halfClose();
    return this;
  }

  cancel(): void {
    this.#call.cancel();
  }

  /** Stops reading; what arrives is held back. */
  pause(): void {
    this.#call.pause();
  }

  /** Whether the other side keeps up with what is sent. */
  get hasRoom(): boolean {
    return this.#hasRoom;
  }

  /** The next message. Fails when the call ends instead. */
  async next(): Promise<MessageShape<O>> {
    await this.#until(() => this.#arrived.length > 0 || this.#status !== undefined);
    assert.ok(this.#arrived.length > 0, `the call ended with ${JSON.stringify(this.#status)} where a message was expected`);
    return this.#arrived.shift() as MessageShape<O>;
  }

  /** The end of the call. Fails when a message comes instead. */
  async ended(): Promise<RpcStatus> {
    await this.#until(() => this.#arrived.length > 0 || this.#status !== undefined);
    assert.deepEqual(this.#arrived, [], "a message where the end was expected");
    return this.#status as RpcStatus;
  }

  /** As a proxy does when it passivates: half-close, then the function ends its side. */
  async passivate(): Promise<void> {
    this.halfClose();
    assert.deepEqual(await this.ended(), { code: 0, message: "" });
  }

  async #until(condition: () => boolean): Promise<void> {
    const late = AbortSignal.timeout(patienceMs);
    while (!condition()) {
      late.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        late.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }
}
