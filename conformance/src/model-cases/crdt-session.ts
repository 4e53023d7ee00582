/** One CRDT entity of the model service, to which a case plays the proxy. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type CrdtDelta,
  type CrdtStateAction,
  type CrdtStreamCancelledResponseSchema,
  type CrdtStreamedMessageSchema,
  CrdtStreamInSchema,
  type CrdtStreamOut,
  CrdtStreamOutSchema,
} from "@mecha/wire/gen/cloudstate/crdt";
import {
  RequestSchema,
  type StreamedRequestSchema,
  StreamedRequestSchema as StreamedRequest,
} from "../gen/cloudstate/tck/model/crdt_pb.ts";
import type { ClientStream } from "../kit/client-stream.ts";
import { expectSame } from "../kit/connection.ts";
import { pack } from "../model/any.ts";
import { type Action, type Delta, type Part, prefix } from "./crdt-words.ts";
import type { ModelKit } from "./kit.ts";

export const entityType = "cloudstate.crdt.Crdt";
export const service = `${prefix}CrdtTckModel`;
const handle = { path: `/${entityType}/handle`, input: CrdtStreamInSchema, output: CrdtStreamOutSchema };

type Without<T> = Omit<T, "$typeName" | "$unknown" | "commandId">;
/** A message of a stream, or the answer to its cancellation. */
export type StreamedPart = Without<MessageInitShape<typeof CrdtStreamedMessageSchema>>;
export type CancelPart = Without<MessageInitShape<typeof CrdtStreamCancelledResponseSchema>>;
type OutMessage = MessageInitShape<typeof CrdtStreamOutSchema>["message"];

export class CrdtSession {
  readonly #kit: ModelKit;
  readonly #id: string;
  #entity: ClientStream<typeof CrdtStreamInSchema, typeof CrdtStreamOutSchema>;
  #commands = 0n;

  /** @param stored The value so far; `undefined`: the entity does not exist yet. */
  constructor(kit: ModelKit, id: string, stored?: Delta) {
    this.#kit = kit;
    this.#id = id;
    this.#entity = this.#open(stored);
  }

  #open(stored: Delta | undefined): ClientStream<typeof CrdtStreamInSchema, typeof CrdtStreamOutSchema> {
    const entity = this.#kit.open(handle);
    const value = { serviceName: service, entityId: this.#id, ...(stored && { delta: stored }) };
    entity.send({ message: { case: "init", value } });
    return entity;
  }

  /** Runs a command and compares its answer whole. */
  async run(actions: Action[], ...answer: Part[]): Promise<void> {
    const id = this.#command("Process", pack(RequestSchema, { id: this.#id, actions }), false);
    await this.expect(this.#reply(id, answer));
  }

  /** A streamed command and its first answer. @returns Its id. */
  async watch(request: MessageInitShape<typeof StreamedRequestSchema>, ...answer: Part[]): Promise<bigint> {
    const id = this.#command("ProcessStreamed", pack(StreamedRequest, { ...request, id: this.#id }), true);
    await this.expect(this.#reply(id, answer));
    return id;
  }

  /**
   * A command that a stream hears of. Libraries differ in which of the two comes first (a proxy takes both), so either will do.
   */
  async runHeard(actions: Action[], answer: Part[], stream: bigint, ...heard: StreamedPart[]): Promise<void> {
    const id = this.#command("Process", pack(RequestSchema, { id: this.#id, actions }), false);
    const wanted = [this.#reply(id, answer), this.#streamed(stream, heard)];
    const first = await this.#next();
    if (first.message.case === "streamedMessage") wanted.reverse();
    same(first, wanted[0]);
    await this.expect(wanted[1]);
  }

  /** The caller of a streamed command goes away. */
  async cancel(streamId: bigint, ...answer: CancelPart[]): Promise<void> {
    this.#entity.send({ message: { case: "streamCancelled", value: { entityId: this.#id, id: streamId } } });
    const value = Object.assign({ commandId: streamId }, ...answer) as CancelPart;
    await this.expect({ case: "streamCancelledResponse", value });
  }

  /** The value has changed elsewhere. */
  told(delta: Delta): void {
    this.#entity.send({ message: { case: "delta", value: delta } });
  }

  /** It was deleted elsewhere. */
  toldDeleted(): void {
    this.#entity.send({ message: { case: "delete", value: {} } });
  }

  /** Half-closes; the function ends its side. */
  async passivate(): Promise<void> {
    this.#entity.complete();
    await this.#entity.expectComplete();
  }

  /** Passivates and activates again with that value. */
  async reactivate(stored: Delta): Promise<void> {
    await this.passivate();
    this.#commands = 0n;
    this.#entity = this.#open(stored);
  }

  #command(name: string, payload: { typeUrl: string; value: Uint8Array }, isStreamed: boolean): bigint {
    const id = ++this.#commands;
    this.#entity.send({ message: { case: "command", value: { entityId: this.#id, id, name, payload, streamed: isStreamed } } });
    return id;
  }

  #reply(commandId: bigint, parts: readonly Part[]): OutMessage {
    return { case: "reply", value: Object.assign({ commandId }, ...parts) as Part };
  }

  #streamed(commandId: bigint, parts: readonly StreamedPart[]): OutMessage {
    return { case: "streamedMessage", value: Object.assign({ commandId }, ...parts) as StreamedPart };
  }

  async #next(): Promise<CrdtStreamOut> {
    return this.#entity.receive();
  }

  async expect(message: OutMessage): Promise<void> {
    same(await this.#next(), message);
  }
}

function same(out: CrdtStreamOut, message: OutMessage): void {
  expectSame(
    CrdtStreamOutSchema,
    sorted(out),
    sorted(create(CrdtStreamOutSchema, { message } as MessageInitShape<typeof CrdtStreamOutSchema>)),
  );
}

/** Elements and entries have no order, on the wire neither: they are compared in that of their bytes. */
function sorted(out: CrdtStreamOut): CrdtStreamOut {
  const { message } = out;
  const action = message.case === "reply" || message.case === "streamCancelledResponse" ? message.value.stateAction : undefined;
  if (action?.action.case === "update") sortDelta((action as CrdtStateAction & { action: { case: "update" } }).action.value);
  return out;
}

function sortDelta({ delta }: CrdtDelta): void {
  if (delta.case === "gset") sortBytes(delta.value.added);
  if (delta.case === "orset") for (const list of [delta.value.removed, delta.value.added]) sortBytes(list);
  if (delta.case !== "ormap") return;
  sortBytes(delta.value.removed);
  for (const list of [delta.value.updated, delta.value.added]) {
    for (const entry of list) if (entry.delta !== undefined) sortDelta(entry.delta);
    list.sort((a, b) => Buffer.compare(a.key?.value ?? noBytes, b.key?.value ?? noBytes));
  }
}

const noBytes = new Uint8Array(0);
const sortBytes = (list: { readonly value: Uint8Array }[]): unknown => list.sort((a, b) => Buffer.compare(a.value, b.value));
