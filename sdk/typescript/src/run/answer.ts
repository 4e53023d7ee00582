/** What a handler answers, turned into what the protocol carries. */
import { explain, Fault, type FaultCode, faultCodes } from "@mecha/kit";
import { shown } from "@mecha/wire/codec";
import type { CommandRef, Method } from "../define/method.ts";
import { expect, listed, Mistake, nearest } from "../mistake.ts";
import { type CloudEvent, cloudEventOf } from "./cloud-event.ts";
import { type CallMetadata, type EffectOut, noMetadata, type Outcome, type Payload } from "../protocol/common.ts";

/** Anything a handler may return beside a bare reply. Made by `ctx.reply`, `ctx.forward`, `ctx.noReply` and `ctx.failure`. */
export class Answer<R> {
  declare readonly phantom?: R;
  /** A reply is still to be encoded: only the method knows its type. */
  readonly outcome: Outcome | { readonly do: "encode"; readonly reply: unknown; readonly metadata: CallMetadata };
  constructor(outcome: Answer<R>["outcome"]) {
    this.outcome = outcome;
  }
}

/** Metadata as handlers write it. */
export type MetadataInput = Readonly<Record<string, string | Uint8Array>>;

/** How a side effect is made. */
export interface EffectOptions {
  /** Waited for before the caller gets its reply. Default false. */
  readonly synchronous?: boolean;
  readonly metadata?: MetadataInput;
}

/** How a failure is told to the caller. */
export interface FailOptions {
  /**
   * What kind of failure it is, as every transport knows it: `invalid` is INVALID_ARGUMENT over gRPC and 400 over HTTP, `notFound` NOT_FOUND and
   * 404, `precondition` FAILED_PRECONDITION and 400, `alreadyExists` 409, `denied` 403. Default: UNKNOWN and 500. Proxies other than Mecha know only
   * the default.
   */
  readonly code?: FaultCode;
}

/** The failure `ctx.fail` throws: the caller gets its message, the command changes nothing. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly code: FaultCode | undefined;
  constructor(message: string, code?: FaultCode) {
    super(message);
    this.code = code;
  }
}

/** @throws Mistake for a code nobody knows. */
export function failureOf(where: string, message: string, { code }: FailOptions): CommandFailure {
  expect(
    code === undefined || Object.hasOwn(faultCodes, code),
    () =>
      `${where}: fail: there is no code ${JSON.stringify(code)}${nearest(String(code), Object.keys(faultCodes))}; known: ${listed(Object.keys(faultCodes))}`,
  );
  return new CommandFailure(message, code);
}

/** What the caller is told of an error that ended a command in good order: `ctx.fail`, or a message that did not decode. */
export function failOutcome(error: CommandFailure | Fault, restart: boolean): Extract<Outcome, { do: "fail" }> {
  const { code } = error;
  return { do: "fail", description: explain(error), restart, ...(code !== undefined && { code }) };
}

/** An unexpected end of a command: logged here, told to the caller in general words only. */
export class Crash {
  readonly description: string;
  constructor(description: string) {
    this.description = description;
  }
}

export function metadataOf(input: MetadataInput | undefined): CallMetadata {
  if (input === undefined) return noMetadata;
  return Object.entries(input).map(([key, value]) => {
    expect(
      typeof value === "string" || value instanceof Uint8Array,
      () => `metadata ${key}: expected a string or a Uint8Array, got ${shown(value)}`,
    );
    return [key.toLowerCase(), value];
  });
}

const emptyTypeUrl = "type.googleapis.com/google.protobuf.Empty";

/** @throws Mistake when the handler returned what the method does not answer. */
export function outcomeOf(method: Method, result: unknown): Outcome {
  if (!(result instanceof Answer)) return replyOutcome(method, result, noMetadata);
  const { outcome } = result as Answer<unknown>;
  return outcome.do === "encode" ? replyOutcome(method, outcome.reply, outcome.metadata) : outcome;
}

function replyOutcome(method: Method, reply: unknown, metadata: CallMetadata): Outcome {
  return { do: "reply", payload: encodeReply(method, reply), metadata };
}

function encodeReply({ where, output }: Method, reply: unknown): Payload {
  if (reply === undefined) {
    expect(
      output.typeUrl === emptyTypeUrl,
      () => `${where} returned nothing; it answers ${output.codec.desc.typeName}: is a return missing?`,
    );
    return { typeUrl: emptyTypeUrl, value: new Uint8Array(0) };
  }
  try {
    return { typeUrl: output.typeUrl, value: output.codec.encode(reply) };
  } catch (error) {
    if (output.typeUrl === emptyTypeUrl)
      throw new Mistake(
        `${where} returned ${shown(reply)}, but it is declared to answer nothing; declare the reply: command(…).replies({ … })`,
      );
    throw new Mistake(`${where} returned a wrong reply: ${explain(error)}`);
  }
}

/** A message for another component. */
export function encodeFor(ref: CommandRef, message: unknown, what: string): Payload {
  expect(
    typeof ref === "object" && ref !== null && "command" in ref && "input" in ref,
    () => `${what}: the first argument is no command; pass one such as Cart.commands.addItem, or commandRef(…)`,
  );
  try {
    const { typeUrl, codec } = ref.input;
    return { typeUrl, value: codec.encode(message), codec };
  } catch (error) {
    throw new Mistake(`${what} to ${ref.service}.${ref.command}: ${explain(error)}`);
  }
}

/**
 * The part of a handler's context that all components share. One object for each command; after the answer it refuses to be used, so that
 * work somebody forgot to await is not lost in silence.
 */
export class BaseContext<Reply> {
  /** Metadata the command came with. */
  readonly metadata: CallMetadata;
  readonly #method: Method;
  #effects: EffectOut[] = [];
  #answered = false;

  constructor(method: Method, metadata: CallMetadata) {
    this.#method = method;
    this.metadata = metadata;
  }

  /** The event that caused this command; `undefined`: a caller did. */
  get cloudEvent(): CloudEvent | undefined {
    return cloudEventOf(this.metadata);
  }

  /** Answers with metadata beside the message. */
  reply(message: Reply, metadata?: MetadataInput): Answer<Reply> {
    return new Answer({ do: "encode", reply: message, metadata: metadataOf(metadata) });
  }

  /**
   * Ends the command: the caller gets `message`. An entity changes nothing, and no effect runs. Throws; write `throw ctx.fail(…)` to please the compiler.
   * @example ctx.fail("quantity must be more than 0", { code: "invalid" })
   */
  fail(message: string, options: FailOptions = {}): never {
    throw failureOf(this.#method.where, message, options);
  }

  /** Lets another component answer the caller: `return ctx.forward(Other.commands.get, { id })`. */
  forward<In>(to: CommandRef<In>, message: NoInfer<In>, metadata?: MetadataInput): Answer<never> {
    this.checkOpen("forward");
    const payload = encodeFor(to as CommandRef, message, `${this.#method.where}: forward`);
    return new Answer({ do: "forward", service: to.service, command: to.command, payload, metadata: metadataOf(metadata) });
  }

  /** Calls another component after this command has succeeded. What it answers is dropped. */
  effect<In>(to: CommandRef<In>, message: NoInfer<In>, options: EffectOptions = {}): void {
    this.checkOpen("effect");
    const payload = encodeFor(to as CommandRef, message, `${this.#method.where}: effect`);
    this.#effects.push({
      service: to.service,
      command: to.command,
      payload,
      synchronous: options.synchronous === true,
      metadata: metadataOf(options.metadata),
    });
  }

  /** @internal Effects so far, which are not given again. */
  takeEffects(): readonly EffectOut[] {
    const effects = this.#effects;
    if (effects.length > 0) this.#effects = [];
    return effects;
  }

  /** @internal */
  close(): void {
    this.#answered = true;
  }

  /** @internal */
  protected get where(): string {
    return this.#method.where;
  }

  /** @internal */
  protected checkOpen(what: string): void {
    expect(!this.#answered, () => `${this.#method.where}: ctx.${what} was called after the command was answered; is an await missing?`);
  }
}

/** Whether an error is the sender's fault: bytes that do not decode. */
export function isBadInput(error: unknown): error is Fault {
  return error instanceof Fault && error.code === "invalid";
}
