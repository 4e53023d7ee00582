/** A streamed call from the client's side, compared message by message. */
import assert from "node:assert/strict";
import { create, type DescMessage, fromBinary, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { Clock } from "@mecha/kit";
import type { Channel, ClientCall, RpcStatus } from "@mecha/wire";
import { expectSame } from "./connection.ts";
import { Inbox } from "./inbox.ts";

/** A method, by path and types. */
export interface Method<In extends DescMessage, Out extends DescMessage> {
  readonly path: string;
  readonly input: In;
  readonly output: Out;
}

/** A streamed call, from the client's side. */
export class ClientStream<In extends DescMessage, Out extends DescMessage> {
  readonly #method: Method<In, Out>;
  readonly #call: ClientCall;
  readonly #arrived: Inbox<Uint8Array | RpcStatus>;

  constructor(channel: Channel, method: Method<In, Out>, clock: Clock) {
    this.#method = method;
    this.#arrived = new Inbox(clock);
    this.#call = channel.open(
      method.path,
      {},
      {
        message: (bytes) => this.#arrived.put(bytes),
        end: (status) => this.#arrived.put(status),
      },
    );
  }

  send(message: MessageInitShape<In>): void {
    this.#call.send(toBinary(this.#method.input, create(this.#method.input, message)));
  }

  complete(): void {
    this.#call.halfClose();
  }

  /** The client goes away. */
  cancel(): void {
    this.#call.cancel();
  }

  /** The next message, whatever it says. */
  async receive(): Promise<MessageShape<Out>> {
    const next = await this.#arrived.take(`a ${this.#method.output.typeName} from ${this.#method.path}`);
    if (!(next instanceof Uint8Array)) assert.fail(`${this.#method.path} ended with status ${next.code} ${next.message}`);
    return fromBinary(this.#method.output, next);
  }

  async expect(expected: MessageInitShape<Out>): Promise<void> {
    expectSame(this.#method.output, await this.receive(), expected);
  }

  /** The call ends well, without another message. */
  async expectComplete(): Promise<void> {
    assert.equal((await this.#end()).code, 0);
  }

  /** The call ends with a failure of this description. */
  async expectFailure(description: string): Promise<void> {
    const { code, message } = await this.#end();
    assert.deepEqual({ code, message }, { code: 2, message: description });
  }

  async #end(): Promise<RpcStatus> {
    const next = await this.#arrived.take(`the end of ${this.#method.path}`);
    if (next instanceof Uint8Array) assert.fail(`${this.#method.path} sent another message`);
    return next;
  }
}
