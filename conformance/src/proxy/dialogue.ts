/**
 * What all kinds of entities have in common as the interceptor sees them: commands on a stream, ids counted from 1, and the cases that are the same
 * for each kind but for the words.
 */
import type { Connection } from "../kit/connection.ts";
import type { CaseKit } from "../kit/context.ts";
import type { AnyFields } from "../model/any.ts";
import { passivationGraceMs } from "./passivation.ts";

/** A call through the proxy, under way. */
interface Calling {
  expect(response: object): Promise<void>;
  /** Whatever it is. */
  received(): Promise<void>;
  expectFailure(description: string): Promise<void>;
}

interface CommandSeen {
  readonly entityId: string;
  readonly id: bigint;
  readonly name: string;
  readonly payload: AnyFields;
}

export interface ReplySeen {
  readonly commandId: bigint;
  readonly clientAction: object;
}

/** One kind of entity, in the words of its own messages. `Answer`: what callers get, a text or a state. */
export interface EntityKind<Action, Answer> {
  readonly service: string;
  readonly second: string;
  readonly configured: string;
  readonly forward: (id: string) => Action;
  readonly effect: (id: string) => Action;
  /** What the second and the configured service answer, and what their replies hold besides. */
  readonly nothing: { readonly answer: Answer; readonly more: object };
  readonly request: (id: string, actions?: readonly Action[]) => AnyFields;
  /** Fields of the response. */
  readonly fields: (answer: Answer) => object;
  readonly response: (answer: Answer) => AnyFields;
  /** The response in JSON, as the proxy must write it. */
  readonly json: (answer: Answer) => string;
  /** Calls `Process` of the model, or `Call` of the others. */
  readonly call: (kit: CaseKit, service: string, id: string, actions?: readonly Action[]) => Calling;
  /** The next stream opened is of this entity, and begins as it should. */
  readonly opened: (kit: CaseKit, service: string, id: string, replayed: readonly string[]) => Promise<Connection>;
  readonly expectCommand: (connection: Connection, command: CommandSeen) => Promise<void>;
  readonly expectReply: (connection: Connection, reply: ReplySeen) => Promise<void>;
}

/** Event-sourced and value entities answer with a text. */
export const textAnswers = {
  nothing: { answer: "", more: {} },
  fields: (message: string) => ({ message }),
  json: (message: string) => JSON.stringify({ message }),
} satisfies Partial<EntityKind<unknown, string>>;

/** One entity's stream. */
export class Dialogue<Action, Answer> {
  readonly kind: EntityKind<Action, Answer>;
  readonly connection: Connection;
  readonly id: string;
  /** Of the newest command. */
  commandId = 0n;

  constructor(kind: EntityKind<Action, Answer>, connection: Connection, id: string) {
    this.kind = kind;
    this.connection = connection;
    this.id = id;
  }

  static async open<A, R>(
    kind: EntityKind<A, R>,
    kit: CaseKit,
    service: string,
    id: string,
    ...replayed: string[]
  ): Promise<Dialogue<A, R>> {
    return new Dialogue(kind, await kind.opened(kit, service, id, replayed), id);
  }

  /** The next command, without metadata and numbered on. */
  async command(name: string, actions: readonly Action[] = []): Promise<void> {
    const payload = this.kind.request(this.id, actions);
    await this.kind.expectCommand(this.connection, { entityId: this.id, id: ++this.commandId, name, payload });
  }

  /** The function's answer to it. */
  async reply(clientAction: object, more: object = {}): Promise<void> {
    await this.kind.expectReply(this.connection, { commandId: this.commandId, clientAction, ...more });
  }

  async replied(answer: Answer, more: object = {}): Promise<void> {
    await this.reply({ action: { case: "reply", value: { payload: this.kind.response(answer) } } }, more);
  }

  /** The function fails the command. */
  async failed(description: string): Promise<void> {
    await this.reply({ action: { case: "failure", value: { commandId: this.commandId, description } } });
  }

  /** A command with these actions goes in through the proxy, and its answer comes back the same way. */
  async exchange(kit: CaseKit, actions: readonly Action[], answer: Answer, more: object = {}): Promise<void> {
    const calling = this.kind.call(kit, this.kind.service, this.id, actions);
    await this.command("Process", actions);
    await this.replied(answer, more);
    await calling.expect(this.kind.fields(answer));
  }

  /** The same for one that fails. */
  async failing(kit: CaseKit, actions: readonly Action[], description: string): Promise<void> {
    const calling = this.kind.call(kit, this.kind.service, this.id, actions);
    await this.command("Process", actions);
    await this.failed(description);
    await calling.expectFailure(description);
  }

  /** The entity is of the second or the configured service, is called, and answers nothing. */
  async calledForNothing(): Promise<void> {
    const { answer, more } = this.kind.nothing;
    await this.command("Call");
    await this.replied(answer, more);
  }

  /** A POST, and what passes between proxy and function for it. */
  async posted(kit: CaseKit, { path, body, actions, answer, recorded = {} }: Posted<Action, Answer>): Promise<void> {
    const posting = kit.expectPost(path, body, this.kind.json(answer));
    await this.command("Process", actions);
    await this.replied(answer, recorded);
    await posting;
  }

  /** The same for one that fails. */
  async postFailed(kit: CaseKit, path: string, body: object, actions: readonly Action[], description: string): Promise<void> {
    const posting = kit.expectPostFailure(path, body, description);
    await this.command("Process", actions);
    await this.failed(description);
    await posting;
  }
}

export interface Posted<Action, Answer> {
  readonly path: string;
  readonly body: object;
  readonly actions: readonly Action[];
  readonly answer: Answer;
  readonly recorded?: object;
}

/** Starts an entity with one command. */
export async function begin<A, R>(
  kind: EntityKind<A, R>,
  kit: CaseKit,
  id: string,
  actions: readonly A[],
  answer: R,
  more: object = {},
): Promise<Dialogue<A, R>> {
  // prettier-ignore
  const calling = kind.call(kit, kind.service, id, actions);
  const dialogue = await Dialogue.open(kind, kit, kind.service, id);
  await dialogue.command("Process", actions);
  await dialogue.replied(answer, more);
  await calling.expect(kind.fields(answer));
  return dialogue;
}

/**
 * A forward opens the second entity's stream and answers in its place; an effect is a further command there, and the reply does not wait for it.
 * @returns the streams of both.
 */
export async function forwardsAndEffects<A, R>(
  kind: EntityKind<A, R>,
  kit: CaseKit,
  entity: Dialogue<A, R>,
  answer: R,
): Promise<Dialogue<A, R>> {
  const { id } = entity;
  const otherId = kit.newId();
  const toSecond = { serviceName: kind.second, commandName: "Call", payload: kind.request(otherId) };

  const forwarding = kind.call(kit, kind.service, id, [kind.forward(otherId)]);
  await entity.command("Process", [kind.forward(otherId)]);
  await entity.reply({ action: { case: "forward", value: toSecond } });
  const other = await Dialogue.open(kind, kit, kind.second, otherId);
  await other.calledForNothing();
  await forwarding.expect(kind.fields(kind.nothing.answer));

  const effecting = kind.call(kit, kind.service, id, [kind.effect(otherId)]);
  await entity.command("Process", [kind.effect(otherId)]);
  await entity.replied(answer, { sideEffects: [{ ...toSecond, synchronous: false }] });
  await effecting.expect(kind.fields(answer));
  await other.calledForNothing();
  return other;
}

/** The first POST to an entity, which opens its stream. */
export async function firstPosted<A, R>(kind: EntityKind<A, R>, kit: CaseKit, id: string, posted: Posted<A, R>): Promise<Dialogue<A, R>> {
  const posting = kit.expectPost(posted.path, posted.body, kind.json(posted.answer));
  const entity = await Dialogue.open(kind, kit, kind.service, id);
  await entity.command("Process", posted.actions);
  await entity.replied(posted.answer, posted.recorded);
  await posting;
  return entity;
}

/** The second service by its default path. */
export async function secondPosted<A, R>(kind: EntityKind<A, R>, kit: CaseKit): Promise<Dialogue<A, R>> {
  const id = kit.newId();
  const calling = kit.expectPost(`/${kind.second}/Call`, { id }, kind.json(kind.nothing.answer));
  const other = await Dialogue.open(kind, kit, kind.second, id);
  await other.calledForNothing();
  await calling;
  return other;
}

/** An entity with a short timeout is closed gracefully when it has passed. */
export async function passivates<A, R>(kind: EntityKind<A, R>, kit: CaseKit): Promise<void> {
  const id = kit.newId();
  const calling = kind.call(kit, kind.configured, id);
  const entity = await Dialogue.open(kind, kit, kind.configured, id);
  await entity.calledForNothing();
  await calling.expect(kind.fields(kind.nothing.answer));
  await entity.connection.expectClosed(passivationGraceMs);
}
