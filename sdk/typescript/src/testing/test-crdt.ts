/** Runs a CRDT entity the way the protocol would: through encoded messages, on as many replicas as a test wants. */
import type { CrdtComponent } from "../define/crdt.ts";
import type { Method } from "../define/method.ts";
import { expect } from "../mistake.ts";
import type { Outcome } from "../protocol/common.ts";
import type { CrdtAnswer, CrdtCancelAnswer, CrdtChange, CrdtStreamed, WriteConsistency } from "../protocol/crdt.ts";
import { Crash, type MetadataInput } from "../run/answer.ts";
import { CrdtEntity, type CrdtOut } from "../run/crdt.ts";
import { CrdtHub, type Replica } from "./crdt-hub.ts";
import {
  Caught,
  type CommandsOf,
  describeEffect,
  describeOutcome,
  type EffectSeen,
  encodeCommand,
  type InputOf,
  methodOf,
  type Sent,
  type TestOptions,
} from "./test-entity.ts";

/** What a command did. Exactly one of `reply`, `failure` and `forward` is set; none when a stream begins without a message. */
export interface CrdtSent extends Pick<Sent, "reply" | "failure" | "failureCode" | "forward" | "effects"> {
  /** Whether it changed the value. */
  readonly changed: boolean;
  /** Whether it deleted the entity. */
  readonly deleted: boolean;
  /** How many sidecars must have the change. */
  readonly consistency: WriteConsistency;
}

/** A later message of a stream. */
export type StreamMessage = Pick<Sent, "reply" | "failure" | "failureCode" | "forward" | "effects">;

/** A streamed command under test. */
export interface TestedStream {
  /** The first answer. */
  readonly first: CrdtSent;
  /** What came after it, oldest first. */
  readonly messages: readonly StreamMessage[];
  /** Whether it is over. */
  readonly ended: boolean;
  /** The caller goes away. @returns What `onCancel` did. */
  cancel(): Promise<Pick<CrdtSent, "changed" | "deleted" | "consistency" | "effects">>;
}

/** One replica of a CRDT entity under test. */
export interface TestedCrdt<Refs, S> {
  /** The value on this replica, to look at. */
  readonly state: S;
  /**
   * Sends one command and waits for what it does. Connected replicas have its change then.
   * @throws Mistake when the handler made one, and with the cause when it threw unexpectedly.
   */
  send<K extends CommandsOf<Refs>>(command: K, message: InputOf<Refs[K]>, metadata?: MetadataInput): Promise<CrdtSent>;
  /** Sends a command with `.streamedOut()`. */
  open<K extends CommandsOf<Refs>>(command: K, message: InputOf<Refs[K]>, metadata?: MetadataInput): Promise<TestedStream>;
  /** Another replica of the same entity, on another sidecar. */
  replica(): TestedCrdt<Refs, S>;
  /** Cuts this replica off: changes stay where they are made. */
  disconnect(): void;
  /** Ends that: changes are exchanged. */
  reconnect(): void;
  /** Forgets what is in memory and loads the value from the other side, as after a while without commands. Streams are gone. */
  reload(): void;
}

/**
 * Makes a CRDT entity of a component and an id, new and empty.
 * @example
 * const here = testCrdt(Room, "lobby");
 * const there = here.replica();
 * await here.send("join", { room: "lobby", name: "Ada" });
 * assert.deepEqual([...there.state], ["Ada"]);
 */
export function testCrdt<Refs, S>(component: CrdtComponent<Refs, S>, entityId: string, options: TestOptions = {}): TestedCrdt<Refs, S> {
  return new Tested(component, entityId, options, new CrdtHub());
}

/** A streamed command whose messages are kept. */
interface OpenStream {
  readonly method: Method;
  readonly messages: StreamMessage[];
  ended: boolean;
}

class Tested<Refs, S> implements TestedCrdt<Refs, S>, CrdtOut {
  readonly #component: CrdtComponent<Refs, S>;
  readonly #entityId: string;
  readonly #options: TestOptions;
  readonly #caught: Caught;
  readonly #hub: CrdtHub;
  #replica: Replica;
  #commands = 0;
  readonly #answers = new Map<number, (answer: CrdtAnswer | Crash) => void>();
  readonly #cancels = new Map<number, (answer: CrdtCancelAnswer) => void>();
  readonly #streams = new Map<number, OpenStream>();

  constructor(component: CrdtComponent<Refs, S>, entityId: string, options: TestOptions, hub: CrdtHub) {
    this.#component = component;
    this.#entityId = entityId;
    this.#options = options;
    this.#caught = new Caught(options);
    this.#hub = hub;
    this.#replica = this.#load();
  }

  #load(): Replica {
    const entity = new CrdtEntity(this.#component.definition, this.#entityId, this.#caught.surroundings, this);
    const replica: Replica = { entity, unsent: undefined };
    const whole = this.#hub.join(replica);
    if (whole !== undefined && entity.exists === false) entity.told(whole);
    return replica;
  }

  get state(): S {
    return this.#replica.entity.view() as S;
  }

  replica(): TestedCrdt<Refs, S> {
    return new Tested(this.#component, this.#entityId, this.#options, this.#hub);
  }

  disconnect(): void {
    this.#replica.unsent ??= [];
  }

  reconnect(): void {
    this.#hub.reconnect(this.#replica);
    this.#caught.rethrowAny();
  }

  reload(): void {
    expect(this.#replica.unsent === undefined, () => "reload: reconnect first; what only this replica has would be lost");
    this.#hub.leave(this.#replica);
    for (const stream of this.#streams.values()) stream.ended = true;
    this.#streams.clear();
    this.#replica = this.#load();
  }

  async send(key: string, message: unknown, metadata?: MetadataInput): Promise<CrdtSent> {
    return (await this.#run(key, message, metadata, false)).sent;
  }

  async open(key: string, message: unknown, metadata?: MetadataInput): Promise<TestedStream> {
    const { id, sent, stream } = await this.#run(key, message, metadata, true);
    return {
      first: sent,
      messages: stream.messages,
      get ended() {
        return stream.ended;
      },
      cancel: () => this.#cancel(id, stream),
    };
  }

  async #run(key: string, message: unknown, metadata: MetadataInput | undefined, streamed: boolean) {
    const method = methodOf(this.#component.definition, key);
    expect(
      method.streamedOut === streamed,
      () => `${method.where}: ${streamed ? "it answers once; use send" : "it is streamedOut(); use open"}`,
    );
    const id = ++this.#commands;
    const stream: OpenStream = { method, messages: [], ended: false };
    if (streamed) this.#streams.set(id, stream);
    const answer = await new Promise<CrdtAnswer | Crash>((resolve) => {
      this.#answers.set(id, resolve);
      this.#replica.entity.command({ ...encodeCommand(method, id, message, metadata), streamed });
    });
    if (answer instanceof Crash) this.#caught.rethrow(answer);
    if (!answer.streamed) stream.ended = true;
    this.#caught.rethrowAny();
    return { id, stream, sent: { ...describe(method, answer), ...describeChange(answer) } };
  }

  async #cancel(id: number, stream: OpenStream) {
    stream.ended = true;
    const answer = await new Promise<CrdtCancelAnswer>((resolve) => {
      this.#cancels.set(id, resolve);
      this.#replica.entity.cancel(id);
    });
    this.#caught.rethrowAny();
    return { ...describeChange(answer), effects: answer.effects.map(describeEffect) };
  }

  // ---- what the entity sends ----------------------------------------------------------------------------------------------------------

  answered(id: number, answer: CrdtAnswer | Crash): void {
    if (!(answer instanceof Crash)) this.#tell(answer);
    const resolve = this.#answers.get(id);
    this.#answers.delete(id);
    // the entity still tells its own streams of this change
    queueMicrotask(() => resolve?.(answer));
  }

  cancelAnswered(id: number, answer: CrdtCancelAnswer): void {
    this.#tell(answer);
    const resolve = this.#cancels.get(id);
    this.#cancels.delete(id);
    queueMicrotask(() => resolve?.(answer));
  }

  streamed(id: number, { outcome, effects, end }: CrdtStreamed): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.messages.push(describe(stream.method, { outcome, effects }));
    stream.ended ||= end;
  }

  #tell({ change }: CrdtChange): void {
    if (change !== undefined) this.#hub.changed(this.#replica, change.do === "delete" ? "delete" : change.delta);
  }
}

function describe(
  method: Method,
  { outcome, effects }: { readonly outcome: Outcome; readonly effects: CrdtCancelAnswer["effects"] },
): StreamMessage & { readonly effects: readonly EffectSeen[] } {
  return { ...describeOutcome(method, outcome), effects: effects.map(describeEffect) };
}

const describeChange = ({ change, consistency }: CrdtChange): Pick<CrdtSent, "changed" | "deleted" | "consistency"> => ({
  changed: change?.do === "update",
  deleted: change?.do === "delete",
  consistency,
});
