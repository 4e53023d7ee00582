/**
 * One call from the proxy to the user function, as the interceptor saw it: what each side sent, in order, and how each side ended.
 * Assertions take the recordings one by one, so that whatever nobody expected is left over and found.
 */
import assert from "node:assert/strict";
import { create, type DescMessage, fromBinary, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { Clock, FaultCode } from "@mecha/kit";
import type { RpcStatus } from "@mecha/wire";
import { Inbox } from "./inbox.ts";

/** What the proxy did. */
export type ProxySide =
  | { readonly did: "message"; readonly bytes: Uint8Array }
  | { readonly did: "complete" }
  | { readonly did: "cancel"; readonly reason: FaultCode };
/** What the user function did. */
export type FunctionSide = { readonly did: "message"; readonly bytes: Uint8Array } | { readonly did: "end"; readonly status: RpcStatus };

export class Connection {
  /** `/package.Service/Method` */
  readonly path: string;
  readonly fromProxy: Inbox<ProxySide>;
  readonly fromFunction: Inbox<FunctionSide>;

  constructor(path: string, clock: Clock) {
    this.path = path;
    this.fromProxy = new Inbox(clock);
    this.fromFunction = new Inbox(clock);
  }

  /** The proxy's next message. */
  async proxyMessage<Desc extends DescMessage>(schema: Desc): Promise<MessageShape<Desc>> {
    const next = await this.fromProxy.take(`a ${schema.typeName} of the proxy on ${this.path}`);
    assert.equal(next.did, "message", `the proxy did ${describe(next)} on ${this.path}, expected a ${schema.typeName}`);
    return fromBinary(schema, (next as { bytes: Uint8Array }).bytes);
  }

  /** The function's next message. */
  async functionMessage<Desc extends DescMessage>(schema: Desc): Promise<MessageShape<Desc>> {
    const next = await this.fromFunction.take(`a ${schema.typeName} of the function on ${this.path}`);
    assert.equal(next.did, "message", `the function did ${describe(next)} on ${this.path}, expected a ${schema.typeName}`);
    return fromBinary(schema, (next as { bytes: Uint8Array }).bytes);
  }

  /** The proxy's next message is exactly this one. */
  async expectProxy<Desc extends DescMessage>(schema: Desc, expected: MessageInitShape<Desc>): Promise<void> {
    expectSame(schema, await this.proxyMessage(schema), expected);
  }

  /** The function's next message is exactly this one. */
  async expectFunction<Desc extends DescMessage>(schema: Desc, expected: MessageInitShape<Desc>): Promise<void> {
    expectSame(schema, await this.functionMessage(schema), expected);
  }

  /** The proxy half-closes next. */
  async expectProxyComplete(withinMs?: number): Promise<void> {
    assert.equal((await this.fromProxy.take(`the proxy to half-close ${this.path}`, withinMs)).did, "complete");
  }

  /** The proxy cuts the call next. */
  async expectProxyCancel(): Promise<void> {
    assert.equal((await this.fromProxy.take(`the proxy to cancel ${this.path}`)).did, "cancel");
  }

  /** The function ends the call with OK next. */
  async expectFunctionComplete(withinMs?: number): Promise<void> {
    const next = await this.fromFunction.take(`the function to end ${this.path}`, withinMs);
    assert.equal(next.did, "end");
    assert.equal((next as { status: RpcStatus }).status.code, 0);
  }

  /** Both sides close gracefully, the proxy first. */
  async expectClosed(withinMs?: number): Promise<void> {
    await this.expectProxyComplete(withinMs);
    await this.expectFunctionComplete(withinMs);
  }
}

/** Field by field, unknown fields included: nothing more, nothing less. */
export function expectSame<Desc extends DescMessage>(schema: Desc, actual: MessageShape<Desc>, init: MessageInitShape<Desc>): void {
  const expected = create(schema, init);
  if (Buffer.compare(toBinary(schema, actual), toBinary(schema, expected)) === 0) return;
  const shown = (message: unknown): string => JSON.stringify(message, showing, 2);
  assert.fail(`${schema.typeName} differs.\nexpected ${shown(expected)}\nactual ${shown(actual)}`);
}

/** For people: bytes as hex, int64 as text. */
function showing(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  return typeof value === "bigint" ? `${value}` : value;
}

function describe(side: ProxySide | FunctionSide): string {
  switch (side.did) {
    case "message":
      return `send a message of ${side.bytes.length} bytes`;
    case "cancel":
      return `cancel (${side.reason})`;
    case "complete":
      return "half-close";
    case "end":
      return `end with status ${side.status.code} ${JSON.stringify(side.status.message)}`;
  }
}
