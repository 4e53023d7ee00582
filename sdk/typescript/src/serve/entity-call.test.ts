/** Commands sent ahead, as the function sees them: messages that come before it has answered. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { noLog } from "@mecha/kit";
import { settle } from "@mecha/kit/testing";
import { Metadata, type ServerCall } from "@mecha/wire";
import { EntitySpecExtensionSchema } from "@mecha/wire/gen/mecha/extensions/v1/extensions";
import { EventSourcedStreamInSchema, EventSourcedStreamOutSchema } from "@mecha/wire/gen/cloudstate/event_sourced";
import { command, eventSourced, message, t as field } from "../index.ts";
import { discoveryAnswer, window } from "./discovery.ts";
import { EventSourcedCall } from "./entity-call.ts";

/** Handlers that wait, by the text they were given: call one to let it go on. */
const waiting = new Map<string, () => void>();
let ran: string[] = [];

const Line = eventSourced({
  service: "x.Line",
  persistenceId: "line",
  key: "id",
  state: () => ({ text: "" }),
  events: { said: { text: field.string } },
  commands: { say: command({ id: field.string, text: field.string }).replies(message("Whole", { text: field.string })) },
  on: { said: (state, { text }) => void (state.text += text) },
  handle: {
    async say({ text }, ctx) {
      ran.push(text);
      if (text.endsWith("…")) await new Promise<void>((resolve) => waiting.set(text, resolve));
      if (text !== "nothing") ctx.emit("said", { text });
      if (text === "undo" || text === "nothing") ctx.fail("no");
      if (text === "break") throw new Error("broken");
      return { text: ctx.state.text };
    },
  },
});

/** One activation, with what was answered: `id:text`, `id failed`, `id restart`, `stream failed id`. */
class Stream implements ServerCall {
  readonly path = "/cloudstate.eventsourced.EventSourced/handle";
  readonly metadata = Metadata.empty;
  readonly deadlineMs = undefined;
  readonly peer = "test";
  readonly answers: string[] = [];
  paused = false;
  ended = false;
  readonly #call: EventSourcedCall;
  #id = 0;

  constructor() {
    ran = [];
    const surroundings = { log: noLog, development: true, proxy: () => ({ name: "test", extensions: [] }) };
    this.#call = new EventSourcedCall(this, () => Line.definition, surroundings);
    this.#in({ case: "init", value: { serviceName: "x.Line", entityId: "1" } });
  }

  say(...texts: readonly string[]): this {
    for (const text of texts) {
      const { typeUrl, codec } = (Line.definition.methods.get("Say") as unknown as { input: { typeUrl: string; codec: Codec } }).input;
      const payload = { typeUrl, value: codec.encode({ id: "1", text }) };
      this.#in({ case: "command", value: { id: BigInt(++this.#id), entityId: "1", name: "Say", payload } });
    }
    return this;
  }
  halfClose(): void {
    this.#call.halfClose();
  }
  #in(message: object): void {
    this.#call.message(toBinary(EventSourcedStreamInSchema, create(EventSourcedStreamInSchema, { message: message as never })));
  }

  send(bytes: Uint8Array): boolean {
    const { message } = fromBinary(EventSourcedStreamOutSchema, bytes);
    if (message.case === "failure") this.answers.push(`stream failed ${message.value.commandId}`);
    else if (message.case === "reply") {
      const { commandId, clientAction, events } = message.value;
      const action = clientAction?.action;
      const failed = action?.case === "failure" && (action.value.restart ? "restart" : "failed");
      this.answers.push(`${commandId}${failed ? ` ${failed}` : `:${events.length}`}`);
    }
    return true;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  sendHeaders(): void {}
  end(): void {
    this.ended = true;
  }
}

interface Codec {
  encode(value: unknown): Uint8Array;
}

test("handlers run one after the other, in the order of sending; one that waits holds the others back", async () => {
  const stream = new Stream().say("a…", "b", "c…", "d");
  await settle();
  assert.deepEqual(ran, ["a…"]);
  waiting.get("a…")?.();
  await settle();
  assert.deepEqual(ran, ["a…", "b", "c…"]);
  assert.deepEqual(stream.answers, ["1:1", "2:1"]);
  waiting.get("c…")?.();
  await settle();
  assert.deepEqual(stream.answers, ["1:1", "2:1", "3:1", "4:1"]);
});

test("a command that fails without a change takes nothing with it", async () => {
  const stream = new Stream().say("a", "nothing", "b");
  await settle();
  assert.deepEqual(stream.answers, ["1:1", "2 failed", "3:1"]);
});

test("S3: behind a restart nothing is handled, what was there already and what comes", async () => {
  const stream = new Stream().say("a", "undo", "b", "c");
  await settle();
  stream.say("d");
  await settle();
  assert.deepEqual(ran, ["a", "undo"]);
  assert.deepEqual(stream.answers, ["1:1", "2 restart"]);
  stream.halfClose();
  assert.ok(stream.ended);
});

test("S2: behind a failure of the stream nothing is handled", async () => {
  const stream = new Stream().say("a", "break", "b");
  await settle();
  assert.deepEqual(ran, ["a", "break"]);
  assert.deepEqual(stream.answers, ["1:1", "stream failed 2"]);
  assert.ok(stream.ended);
});

test("a proxy that sends what it may is never paused; one that sends more is", async () => {
  const texts = Array.from({ length: window }, (_, at) => `${at}…`);
  const stream = new Stream().say(...texts);
  assert.equal(stream.paused, false);
  stream.say(...texts, "one more");
  assert.equal(stream.paused, true);
});

test("discovery says how many, to those who know the word", () => {
  const spec = Uint8Array.of();
  assert.equal(fromBinary(EntitySpecExtensionSchema, discoveryAnswer(spec, ["window"])).window, window);
  assert.deepEqual(discoveryAnswer(spec, ["timers"]), spec);
});
