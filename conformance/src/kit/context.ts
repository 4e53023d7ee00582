/** What a case works with: the proxy as a client sees it, and the interceptor behind it. */
import assert from "node:assert/strict";
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Clock, Fault, type Random, uuid } from "@mecha/kit";
import { type Channel, unary } from "@mecha/wire";
import { ClientStream, type Method } from "./client-stream.ts";
import type { Connection } from "./connection.ts";
import { expectSame } from "./connection.ts";
import { awaitMs } from "./inbox.ts";
import type { Interceptor } from "./interceptor.ts";

/** One numbered case of facts/TCK: P1 … P30. */
export interface Case {
  /** `P11`. */
  readonly id: string;
  readonly group: "discovery" | "action" | "value entity" | "event sourced" | "CRDT" | "reflection" | "event log";
  readonly name: string;
  readonly run: (kit: CaseKit) => Promise<void>;
}

/** How the proxy and its function are set up. */
export interface CaseOptions {
  readonly proxyHost: string;
  readonly proxyPort: number;
  /** Entity types the proxy must say it supports. */
  readonly supportedEntityTypes: readonly string[];
  /** What the function behind the proxy serves. */
  readonly services: readonly string[];
}

/** An HTTP answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string | null;
  readonly text: string;
}

export class CaseKit {
  readonly options: CaseOptions;
  readonly #proxy: Channel;
  readonly #interceptor: Interceptor;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(options: CaseOptions, parts: { proxy: Channel; interceptor: Interceptor; clock: Clock; random: Random }) {
    this.options = options;
    this.#proxy = parts.proxy;
    this.#interceptor = parts.interceptor;
    this.#clock = parts.clock;
    this.#random = parts.random;
  }

  /** An entity id nobody used before. */
  newId(): string {
    return uuid(this.#random);
  }

  /** The next connection of the proxy to the function on that path. */
  connection(path: string): Promise<Connection> {
    return this.#interceptor.connection(path);
  }

  /** A unary call of the proxy. The request is under way when this returns; await the reply after what the interceptor should see. */
  call<In extends DescMessage, Out extends DescMessage>(method: Method<In, Out>, request: MessageInitShape<In>): PendingReply<Out> {
    const bytes = toBinary(method.input, create(method.input, request));
    return new PendingReply(method.output, unary(this.#proxy, method.path, bytes, { timeoutMs: awaitMs }));
  }

  /** A streamed call of the proxy. */
  stream<In extends DescMessage, Out extends DescMessage>(method: Method<In, Out>): ClientStream<In, Out> {
    return new ClientStream(this.#proxy, method, this.#clock);
  }

  /** POSTs JSON to the proxy. */
  async post(path: string, body: unknown): Promise<HttpAnswer> {
    const response = await fetch(`http://${this.options.proxyHost}:${this.options.proxyPort}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(awaitMs),
    });
    return { status: response.status, contentType: response.headers.get("content-type"), text: await response.text() };
  }

  /** POSTs JSON and expects exactly this JSON text. Await it after what the interceptor should see. */
  expectPost(path: string, body: unknown, expected: string): Promise<void> {
    const wanted = { status: 200, contentType: "application/json", text: expected };
    return guarded(this.post(path, body).then((answer) => assert.deepEqual(answer, wanted)));
  }

  /** POSTs JSON and expects the reference's answer to a failure of the function: 500 and its description as plain text. */
  expectPostFailure(path: string, body: unknown, description: string): Promise<void> {
    const wanted = { status: 500, text: description };
    return guarded(this.post(path, body).then(({ status, text }) => assert.deepEqual({ status, text }, wanted)));
  }
}

/** A promise that is awaited later: a case that fails before it gets there must not end the process. */
function guarded<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

/** The reply to a call that is under way. */
export class PendingReply<Out extends DescMessage> {
  readonly #schema: Out;
  readonly #reply: ReturnType<typeof unary>;

  constructor(schema: Out, reply: ReturnType<typeof unary>) {
    this.#schema = schema;
    this.#reply = guarded(reply);
  }

  async expect(expected: MessageInitShape<Out>): Promise<void> {
    const { message } = await this.#reply;
    expectSame(this.#schema, fromBinary(this.#schema, message), expected);
  }

  /** The call is answered, whatever the answer says. */
  async received(): Promise<void> {
    await this.#reply;
  }

  /** The call fails with this description. The reference gives every such failure the code UNKNOWN. */
  async expectFailure(description: string): Promise<void> {
    const outcome = await this.#reply.then(
      () => "a reply",
      (fault: unknown) => (fault instanceof Fault ? { code: fault.code, description: fault.message } : String(fault)),
    );
    assert.deepEqual(outcome, { code: "unknown", description });
  }
}
