/** What event-sourced and value entities have in common as the interceptor sees them: one command after the other on a stream, ids counted from 1. */
import type { Connection } from "../kit/connection.ts";
import type { CaseKit } from "../kit/context.ts";
import type { AnyFields } from "../model/any.ts";
import { passivationGraceMs } from "./passivation.ts";

/** A call through the proxy, under way. */
interface Calling {
  expect(answer: { readonly message?: string }): Promise<void>;
  expectFailure(description: string): Promise<void>;
}

interface CommandSeen {
  readonly entityId: string;
  readonly id: bigint;
  readonly name: string;
  readonly payload: AnyFields;
}

interface ReplySeen {
  readonly commandId: bigint;
  readonly clientAction: object;
}

/** One kind of entity, in the words of its own messages. */
export interface EntityKind<Action> {
  readonly service: string;
  readonly second: string;
  readonly configured: string;
  readonly forward: (id: string) => Action;
  readonly effect: (id: string) => Action;
  readonly request: (id: string, actions?: readonly Action[]) => AnyFields;
  readonly response: (message: string) => AnyFields;
  /** Calls `Process` of the model, or `Call` of the others. */
  readonly call: (kit: CaseKit, service: string, id: string, actions?: readonly Action[]) => Calling;
  /** The next stream opened is of this entity, and begins as it should. */
  readonly opened: (kit: CaseKit, service: string, id: string, replayed: readonly string[]) => Promise<Connection>;
  readonly expectCommand: (connection: Connection, command: CommandSeen) => Promise<void>;
  readonly expectReply: (connection: Connection, reply: ReplySeen) => Promise<void>;
}

/** One entity's stream. */
export class Dialogue<Action> {
  readonly kind: EntityKind<Action>;
  readonly connection: Connection;
  readonly id: string;
  /** Of the newest command. */
  commandId = 0n;

  constructor(kind: EntityKind<Action>, connection: Connection, id: string) {
    this.kind = kind;
    this.connection = connection;
    this.id = id;
  }

  static async open<A>(kind: EntityKind<A>, kit: CaseKit, service: string, id: string, ...replayed: string[]): Promise<Dialogue<A>> {
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

  async replied(message: string, more: object = {}): Promise<void> {
    await this.reply({ action: { case: "reply", value: { payload: this.kind.response(message) } } }, more);
  }

  /** A command with these actions goes in through the proxy, and its answer comes back the same way. */
  async exchange(kit: CaseKit, actions: readonly Action[], message: string, more: object = {}): Promise<void> {
    const answer = this.kind.call(kit, this.kind.service, this.id, actions);
    await this.command("Process", actions);
    await this.replied(message, more);
    await answer.expect({ message });
  }
}

/** Starts an entity with one command. */
export async function begin<A>(
  kind: EntityKind<A>,
  kit: CaseKit,
  id: string,
  actions: readonly A[],
  message: string,
  more: object = {},
): Promise<Dialogue<A>> {
  // prettier-ignore
  const answer = kind.call(kit, kind.service, id, actions);
  const dialogue = await Dialogue.open(kind, kit, kind.service, id);
  await dialogue.command("Process", actions);
  await dialogue.replied(message, more);
  await answer.expect({ message });
  return dialogue;
}

/** The second service's entity is called once more, and answers nothing. */
async function calledAgain<A>(other: Dialogue<A>): Promise<void> {
  await other.command("Call");
  await other.replied("");
}

/** A forward opens the second entity's stream and answers in its place; an effect is a further command there, and the reply does not wait for it. */
export async function forwardsAndEffects<A>(kind: EntityKind<A>, kit: CaseKit, first: A, message: string, recorded: object): Promise<void> {
  const id = kit.newId();
  const otherId = kit.newId();
  const toSecond = { serviceName: kind.second, commandName: "Call", payload: kind.request(otherId) };
  const entity = await begin(kind, kit, id, [first], message, recorded);

  const forwarding = kind.call(kit, kind.service, id, [kind.forward(otherId)]);
  await entity.command("Process", [kind.forward(otherId)]);
  await entity.reply({ action: { case: "forward", value: toSecond } });
  const other = await Dialogue.open(kind, kit, kind.second, otherId);
  await calledAgain(other);
  await forwarding.expect({});

  const effecting = kind.call(kit, kind.service, id, [kind.effect(otherId)]);
  await entity.command("Process", [kind.effect(otherId)]);
  await entity.replied(message, { sideEffects: [{ ...toSecond, synchronous: false }] });
  await effecting.expect({ message });
  await calledAgain(other);

  await entity.exchange(kit, [], message);
}

/** A POST, and what passes between proxy and function for it. */
export async function posted<A>(kit: CaseKit, entity: Dialogue<A>, request: Posted<A>): Promise<void> {
  const { path, body, actions, message, recorded = {} } = request;
  const posting = kit.expectPost(path, body, JSON.stringify({ message }));
  await entity.command("Process", actions);
  await entity.replied(message, recorded);
  await posting;
}

interface Posted<A> {
  readonly path: string;
  readonly body: object;
  readonly actions: readonly A[];
  readonly message: string;
  readonly recorded?: object;
}

/** The first POST to an entity, which opens its stream. */
export async function firstPosted<A>(kind: EntityKind<A>, kit: CaseKit, path: string, id: string): Promise<Dialogue<A>> {
  const reading = kit.expectPost(path, {}, '{"message":""}');
  const entity = await Dialogue.open(kind, kit, kind.service, id);
  await entity.command("Process");
  await entity.replied("");
  await reading;
  return entity;
}

/** The second service by its default path. */
export async function secondPosted<A>(kind: EntityKind<A>, kit: CaseKit): Promise<void> {
  const id = kit.newId();
  const calling = kit.expectPost(`/${kind.second}/Call`, { id }, '{"message":""}');
  const other = await Dialogue.open(kind, kit, kind.second, id);
  await calledAgain(other);
  await calling;
}

/** An entity with a short timeout is closed gracefully when it has passed. */
export async function passivates<A>(kind: EntityKind<A>, kit: CaseKit): Promise<void> {
  const id = kit.newId();
  const calling = kind.call(kit, kind.configured, id);
  const entity = await Dialogue.open(kind, kit, kind.configured, id);
  await calledAgain(entity);
  await calling.expect({});
  await entity.connection.expectClosed(passivationGraceMs);
}
